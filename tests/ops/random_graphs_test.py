"""Random graphs of element-wise operators, views, joins, reductions and products, against ONNX Runtime.

They try what no operator's own test does: which nodes share a kernel, what is read through views, and what is stored.
"""

import os

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from onnx_cases import Case
from run_cases import run_cases

ALL = os.environ.get("SUBBYTE_ALL", "0") not in {"", "0"}
COUNT = 400 if ALL else 40

# Nothing that jumps where rounding decides: sums may cancel to nearly 0.
UNARY = ["Abs", "Neg", "Relu", "Sigmoid", "Tanh", "HardSigmoid", "Identity"]
BINARY = ["Add", "Sub", "Mul", "Max", "Min"]
REDUCTIONS = ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin"]


class Builder:
    """A graph that grows by random nodes; each value has its dims and, for the declared inputs, their names."""

    def __init__(self, seed: int):
        self.random = np.random.default_rng(seed)
        self.nodes, self.constants = [], []
        self.dims: dict[str, tuple[int, ...]] = {}
        self.inputs: dict[str, np.ndarray] = {}
        self.sizes = {"p": 3, "q": 4, "r": 5}
        for index in range(int(self.random.integers(1, 4))):
            self.add_input(f"x{index}")

    def pick(self, items):
        items = list(items)
        return items[int(self.random.integers(len(items)))]

    def value(self, *ranks: int) -> str | None:
        """A value of one of the ranks, the latest ones preferred."""
        names = [name for name, dims in self.dims.items() if not ranks or len(dims) in ranks]
        return self.pick(names[-4:] if self.random.random() < 0.7 else names) if names else None

    def add_input(self, name: str) -> None:
        rank = int(self.random.integers(1, 4))
        symbols = [self.pick(["p", "q", "r", "1", "4"]) for _ in range(rank)]
        dims = tuple(self.sizes.get(symbol) or int(symbol) for symbol in symbols)
        self.inputs[name] = self.random.integers(-3, 4, dims).astype(np.float32) / 2
        self.dims[name] = dims
        declared = [symbol if symbol in self.sizes else int(symbol) for symbol in symbols]
        self.declared = getattr(self, "declared", [])
        self.declared.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, declared))

    def constant(self, array) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(onnx.numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, op: str, inputs, dims, outputs: int = 1, **attributes) -> None:
        names = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, **attributes))
        for name in names:
            self.dims[name] = tuple(dims)

    def grow(self) -> None:
        self.pick(
            [self.unary, self.binary, self.binary, self.reshape, self.transpose, self.slice, self.concat, self.reduce]
            + [self.softmax, self.matmul, self.expand, self.split, self.gather, self.where, self.normalize]
            + [self.pad, self.pool, self.repeat, self.interpolate, self.gather_elements, self.scatter, self.running_sum, self.trilu]
        )()

    def unary(self) -> None:
        x = self.value()
        self.node(self.pick(UNARY), [x], self.dims[x])

    def binary(self) -> None:
        a = self.value()
        others = [name for name in self.dims if self.broadcast(a, name) is not None]
        b = self.pick(others)
        self.node(self.pick(BINARY), [a, b], self.broadcast(a, b))

    def broadcast(self, *names: str):
        try:
            dims = np.broadcast_shapes(*(self.dims[name] for name in names))
        except ValueError:
            return None
        return dims if np.prod(dims) <= 4000 and len(dims) <= 5 else None

    def where(self) -> None:
        a = self.value()
        self.node("Greater", [a, self.constant(np.float32(0.123))], self.dims[a])
        condition, others = list(self.dims)[-1], [n for n in self.dims if self.dims[n] == self.dims[a]]
        self.dims.pop(condition)
        self.node("Where", [condition, self.pick(others[:-1] or [a]), a], self.dims[a])

    def reshape(self) -> None:
        x = self.value()
        flat, dims = int(np.prod(self.dims[x])), list(self.dims[x])
        choices = [[flat], [flat, 1], [1, *dims]]
        if len(dims) > 1:
            choices += [[dims[0] * dims[1], *dims[2:]], dims[::-1]]
        dims = self.pick(choices)
        self.node("Reshape", [x, self.constant(np.array(dims, np.int64))], dims)

    def transpose(self) -> None:
        x = self.value(1, 2, 3, 4, 5)
        if x is None:
            return
        order = self.random.permutation(len(self.dims[x])).tolist()
        self.node("Transpose", [x], [self.dims[x][axis] for axis in order], perm=order)

    def slice(self) -> None:
        x = self.value(1, 2, 3, 4)
        if x is None:
            return
        axis = int(self.random.integers(len(self.dims[x])))
        size, step = self.dims[x][axis], self.pick([1, 1, 2, -1, -2])
        start, end = sorted(int(v) for v in self.random.integers(-size, size + 1, 2))
        if step < 0:
            start, end = end, self.pick([start, -100])
        length = len(range(size)[start:end:step])
        if length == 0:
            return
        operands = [self.constant(np.array([v], np.int64)) for v in [start, end, axis, step]]
        self.node("Slice", [x, *operands], [*self.dims[x][:axis], length, *self.dims[x][axis + 1 :]])

    def concat(self) -> None:
        x = self.value(1, 2, 3, 4)
        if x is None:
            return
        axis = int(self.random.integers(len(self.dims[x])))
        rest = (len(self.dims[x]), self.dims[x][:axis], self.dims[x][axis + 1 :])
        fitting = [n for n, d in self.dims.items() if len(d) > axis and (len(d), d[:axis], d[axis + 1 :]) == rest]
        parts = [self.pick(fitting) for _ in range(int(self.random.integers(1, 7)))]
        total = sum(self.dims[part][axis] for part in parts)
        dims = [*self.dims[x][:axis], total, *self.dims[x][axis + 1 :]]
        if np.prod(dims) <= 4000:
            self.node("Concat", parts, dims, axis=axis)

    def split(self) -> None:
        x = self.value(1, 2, 3)
        axes = [axis for axis, size in enumerate(self.dims[x] if x else []) if size > 1 and size % 2 == 0]
        if not axes:
            return
        axis = self.pick(axes)
        dims = [*self.dims[x][:axis], self.dims[x][axis] // 2, *self.dims[x][axis + 1 :]]
        self.node("Split", [x], dims, outputs=2, axis=axis, num_outputs=2)

    def expand(self) -> None:
        x = self.value(1, 2, 3)
        if x is None:
            return
        dims = [2, *(size if size > 1 else self.pick([1, 3]) for size in self.dims[x])]
        if np.prod(dims) <= 4000:
            self.node("Expand", [x, self.constant(np.array(dims, np.int64))], dims)

    def gather(self) -> None:
        x = self.value(1, 2, 3)
        if x is None:
            return
        axis = int(self.random.integers(len(self.dims[x])))
        indices = self.random.integers(-self.dims[x][axis], self.dims[x][axis], self.pick([(), (2,), (2, 3)]))
        dims = [*self.dims[x][:axis], *np.shape(indices), *self.dims[x][axis + 1 :]]
        if np.prod(dims) <= 4000:
            self.node("Gather", [x, self.constant(np.asarray(indices, np.int64))], dims, axis=axis)

    def reduce(self) -> None:
        x = self.value(1, 2, 3, 4)
        if x is None:
            return
        rank = len(self.dims[x])
        axes = sorted(self.random.permutation(rank)[: int(self.random.integers(1, rank + 1))].tolist())
        keep = int(self.random.integers(2))
        dims = [1 if i in axes else s for i, s in enumerate(self.dims[x]) if keep or i not in axes]
        self.node(self.pick(REDUCTIONS), [x, self.constant(np.array(axes, np.int64))], dims, keepdims=keep)

    def softmax(self) -> None:
        x = self.value(1, 2, 3, 4)
        if x is not None:
            self.node("Softmax", [x], self.dims[x], axis=int(self.random.integers(len(self.dims[x]))))

    def normalize(self) -> None:
        x = self.value(2, 3)
        if x is None or self.dims[x][-1] == 1:
            return
        scale = self.constant(self.random.integers(1, 4, self.dims[x][-1]).astype(np.float32))
        self.node("LayerNormalization", [x, scale], self.dims[x], epsilon=0.1)

    def matmul(self) -> None:
        a = self.value(2, 3)
        if a is None:
            return
        depth = self.dims[a][-1]
        others = [n for n, d in self.dims.items() if len(d) == 2 and d[0] == depth]
        if others and self.random.random() < 0.5:
            b = self.pick(others)
            columns = self.dims[b][1]
        else:
            columns = self.pick([1, 4, 6])
            b = self.constant(self.random.integers(-2, 3, (depth, columns)).astype(np.float32) / 2)
        self.node("MatMul", [a, b], [*self.dims[a][:-1], columns])

    def pad(self) -> None:
        x = self.value(1, 2, 3)
        if x is None:
            return
        axis = int(self.random.integers(len(self.dims[x])))
        size = self.dims[x][axis]
        mode = self.pick(["constant", "constant", "edge", "reflect"]) if size > 2 else "constant"
        amounts = [int(v) for v in self.random.integers(-1 if mode == "constant" and size > 2 else 0, min(size, 3), 2)]
        dims = [*self.dims[x][:axis], size + sum(amounts), *self.dims[x][axis + 1 :]]
        operands = [self.constant(np.array(amounts, np.int64)), "", self.constant(np.array([axis], np.int64))]
        if np.prod(dims) <= 4000:
            self.node("Pad", [x, *operands], dims, mode=mode)

    def pool(self) -> None:
        x = self.value(3, 4)
        if x is None or min(self.dims[x][2:]) < 3:
            return
        spatial = len(self.dims[x]) - 2
        dims = [*self.dims[x][:2], *((size - 1) // 2 + 1 for size in self.dims[x][2:])]
        window = {"kernel_shape": [3] * spatial, "strides": [2] * spatial, "pads": [1] * 2 * spatial}
        self.node(self.pick(["MaxPool", "AveragePool"]), [x], dims, **window)

    def repeat(self) -> None:
        """A Resize that is a view."""
        x = self.value(2, 3, 4)
        if x is None or np.prod(self.dims[x]) > 600:
            return
        dims = [*self.dims[x][:-2], self.dims[x][-2] * 2, self.dims[x][-1] * 3]
        scales = self.constant(np.array([1] * (len(dims) - 2) + [2, 3], np.float32))
        self.node("Resize", [x, "", scales], dims, coordinate_transformation_mode="asymmetric", nearest_mode="floor")

    def interpolate(self) -> None:
        x = self.value(3, 4)
        if x is None or np.prod(self.dims[x]) > 1000:
            return
        dims = [*self.dims[x][:-1], self.dims[x][-1] * 2 + 1]
        sizes = self.constant(np.array(dims, np.int64))
        self.node("Resize", [x, "", "", sizes], dims, mode="linear", coordinate_transformation_mode="align_corners")

    def gather_elements(self) -> None:
        x = self.value(1, 2, 3)
        if x is None:
            return
        axis = int(self.random.integers(len(self.dims[x])))
        dims = [*self.dims[x][:axis], 2, *self.dims[x][axis + 1 :]]
        indices = self.random.integers(-self.dims[x][axis], self.dims[x][axis], dims)
        self.node("GatherElements", [x, self.constant(indices)], dims, axis=axis)

    def scatter(self) -> None:
        x = self.value(1, 2, 3)
        if x is None:
            return
        rows = self.dims[x][0]
        updates = [n for n, d in self.dims.items() if d and d[1:] == self.dims[x][1:] and d[0] <= rows]
        u = self.pick(updates)
        landing = self.random.permutation(rows)[: self.dims[u][0], None]
        self.node("ScatterND", [x, self.constant(landing), u], self.dims[x], reduction=self.pick(["none", "add"]))

    def running_sum(self) -> None:
        x = self.value(1, 2, 3)
        if x is None:
            return
        axis = self.constant(np.array(self.random.integers(len(self.dims[x]))))
        self.node("CumSum", [x, axis], self.dims[x], reverse=int(self.random.integers(2)))

    def trilu(self) -> None:
        x = self.value(2, 3)
        if x is not None:
            self.node("Trilu", [x], self.dims[x], upper=int(self.random.integers(2)))

    def model(self) -> onnx.ModelProto:
        read = {name for node in self.nodes for name in node.input}
        names = [name for name in self.dims if name not in read or self.random.random() < 0.15]
        outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names[-6:]]
        graph = helper.make_graph(self.nodes, "random", self.declared, outputs, self.constants)
        return helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)])


def random_case(seed: int) -> Case:
    builder = Builder(seed)
    for _ in range(int(builder.random.integers(3, 25))):
        builder.grow()
    model = builder.model()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    expected = dict(zip(names, session.run(names, builder.inputs)))
    operators = frozenset(node.op_type for node in model.graph.node)
    return Case(f"graph_{seed}", model, operators, [(builder.inputs, expected)], atol=1e-5)


@pytest.fixture(scope="module")
def outcomes():
    return run_cases([random_case(seed) for seed in range(COUNT)])


@pytest.mark.parametrize("seed", range(COUNT))
def test_random_graph(seed, outcomes):
    outcome = outcomes[f"graph_{seed}"]
    assert outcome.status == "passed", outcome.message
