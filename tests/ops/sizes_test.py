"""Sizes that ONNX's own tests do not have, against NumPy in float64: odd, long, empty, of rank 0, and above 65,535 workgroups.

Matrices hold small integers, so that sums are exact whatever their order. With SUBBYTE_ALL=1 also what takes minutes.
"""

import os

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from onnx_cases import Case
from run_cases import run_cases

ALL = os.environ.get("SUBBYTE_ALL", "0") not in {"", "0"}
RANDOM = np.random.default_rng(7)


def integers(*dims) -> np.ndarray:
    return RANDOM.integers(-4, 5, dims).astype(np.float32)


def case(name: str, nodes, inputs: dict, outputs: dict, constants: dict = {}) -> Case:
    """`nodes` as (operator, inputs, outputs, attributes); every input has symbolic dims."""
    made = [helper.make_node(op, ins, outs, **attributes) for op, ins, outs, attributes in nodes]
    graph = helper.make_graph(
        made,
        name,
        [value_info(key, array, symbolic=True) for key, array in inputs.items()],
        [value_info(key, array, symbolic=True) for key, array in outputs.items()],
        [onnx.numpy_helper.from_array(array, key) for key, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    return Case(name, model, frozenset(node.op_type for node in made), [(inputs, outputs)])


def value_info(name: str, array: np.ndarray, symbolic: bool):
    dtype = helper.np_dtype_to_tensor_dtype(array.dtype)
    dims = [f"{name}{axis}" for axis in range(array.ndim)] if symbolic else array.shape
    return helper.make_tensor_value_info(name, dtype, dims)


def matmul(name: str, a: np.ndarray, b: np.ndarray, constant: bool = False) -> Case:
    y = np.matmul(a.astype(np.float64), b.astype(np.float64)).astype(np.float32)
    inputs, constants = ({"a": a}, {"b": b}) if constant else ({"a": a, "b": b}, {})
    return case(name, [("MatMul", ["a", "b"], ["y"], {})], inputs, {"y": y}, constants)


def gemm(name: str, m: int, k: int, n: int, trans_a: bool, trans_b: bool, constant: bool) -> Case:
    a = integers(k, m) if trans_a else integers(m, k)
    b = integers(n, k) if trans_b else integers(k, n)
    c = integers(n)
    y = 0.5 * (a.T if trans_a else a) @ (b.T if trans_b else b) + 2 * c
    inputs, constants = ({"a": a}, {"b": b, "c": c}) if constant else ({"a": a, "b": b, "c": c}, {})
    attributes = {"transA": int(trans_a), "transB": int(trans_b), "alpha": 0.5, "beta": 2.0}
    return case(name, [("Gemm", ["a", "b", "c"], ["y"], attributes)], inputs, {"y": y.astype(np.float32)}, constants)


PRODUCTS = [
    matmul("one_long", integers(1, 4099), integers(4099, 1)),
    matmul("odd", integers(129, 65), integers(65, 131)),
    matmul("odd_constant", integers(129, 65), integers(65, 131), constant=True),
    matmul("few_rows_constant", integers(3, 130), integers(130, 67), constant=True),
    matmul("batches", integers(2, 1, 5, 7), integers(3, 7, 9)),
    matmul("batches_constant", integers(2, 3, 5, 7), integers(3, 7, 9), constant=True),
    matmul("matrix_times_batches", integers(5, 8), integers(4, 8, 3)),
    matmul("batches_times_vector", integers(2, 3, 5, 7), integers(7)),
    matmul("vector_times_batches", integers(7), integers(2, 3, 7, 5)),
    matmul("multiples_of_four", integers(6, 16, 32), integers(6, 32, 20)),
    matmul("no_depth", integers(3, 0), integers(0, 4)),
    matmul("no_rows", integers(0, 5), integers(5, 4)),
    *(
        gemm(f"gemm_{ta:d}{tb:d}{constant:d}", 19, 35, 23, ta, tb, constant)
        for ta in [False, True]
        for tb in [False, True]
        for constant in [False, True]
    ),
]


def softmax(name: str, x: np.ndarray, axis: int) -> Case:
    wide = x.astype(np.float64)
    e = np.exp(wide - wide.max(axis=axis, keepdims=True)) if x.size else wide
    y = e / e.sum(axis=axis, keepdims=True) if x.size else wide
    return case(name, [("Softmax", ["x"], ["y"], {"axis": axis})], {"x": x}, {"y": y.astype(np.float32)})


def reduction(op: str, function, x: np.ndarray, axes: list[int], keep: bool = False) -> Case:
    y = function(x.astype(np.float64), axis=tuple(axes), keepdims=keep).astype(x.dtype)
    dims = "x".join(map(str, x.shape))
    name = f"{op}_{dims}_over_{'_'.join(map(str, axes))}"
    nodes = [(op, ["x", "axes"], ["y"], {"keepdims": int(keep)})]
    return case(name, nodes, {"x": x}, {"y": np.asarray(y)}, {"axes": np.array(axes, np.int64)})


def normalize(name: str, x: np.ndarray) -> Case:
    wide = x.astype(np.float64)
    scale, bias = integers(x.shape[-1]), integers(x.shape[-1])
    y = (wide - wide.mean(-1, keepdims=True)) / np.sqrt(wide.var(-1, keepdims=True) + 1e-5) * scale + bias
    nodes = [("LayerNormalization", ["x", "scale", "bias"], ["y"], {})]
    return case(name, nodes, {"x": x}, {"y": y.astype(np.float32)}, {"scale": scale, "bias": bias})


def many_rows(name: str, rows: int, nodes, outputs) -> Case:
    """Rows x + i for i below `rows`, made on the GPU, through `nodes` from "rows" to "y"."""
    constants = {
        "count": np.array(rows, np.int64),
        "zero": np.array(0, np.int64),
        "one": np.array(1, np.int64),
        "last": np.array([1], np.int64),
    }
    made = [
        ("Range", ["zero", "count", "one"], ["i"], {}),
        ("Cast", ["i"], ["f"], {"to": TensorProto.FLOAT}),
        ("Unsqueeze", ["f", "last"], ["column"], {}),
        ("Add", ["x", "column"], ["rows"], {}),
        *nodes,
    ]
    return case(name, made, {"x": np.array([[0, 1, 2]], np.float32)}, outputs, constants)


def above_65535_workgroups() -> list[Case]:
    # 64 results a workgroup in reduce_column, 256 in elementwise, 16 rows in softmax.
    sums = 4_300_000
    i = np.arange(sums, dtype=np.float64)
    greatest = (3 * i + 3).astype(np.float32).reshape(4300, 1000).max(1)
    reduce_nodes = [
        ("ReduceSum", ["rows", "last"], ["sums"], {"keepdims": 0}),
        ("Reshape", ["sums", "blocks"], ["blocked"], {}),
        ("ReduceMax", ["blocked", "last"], ["y"], {"keepdims": 0}),
    ]
    reduced = many_rows("reduce_column_of_many", sums, reduce_nodes, {"y": greatest})
    blocks = onnx.numpy_helper.from_array(np.array([4300, 1000], np.int64), "blocks")
    reduced.model.graph.initializer.append(blocks)
    rows = 1_100_000
    e = np.exp(np.arange(3.0))
    softmax_nodes = [("Softmax", ["rows"], ["s"], {}), ("ReduceMin", ["s", "zeros"], ["y"], {"keepdims": 0})]
    least = many_rows("softmax_of_many", rows, softmax_nodes, {"y": (e / e.sum()).astype(np.float32)})
    least.model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([0], np.int64), "zeros"))
    return [reduced, least] if ALL else [reduced]


def simple(name: str, op: str, inputs: dict, y: np.ndarray, constants: dict = {}, **attributes) -> Case:
    return case(name, [(op, [*inputs, *constants], ["y"], attributes)], inputs, {"y": y}, constants)


NOTHING = np.zeros((0, 4), np.float32)
SCALAR = np.array(3, np.float32)
LARGE = np.array([2**53 + 1, -(2**62) - 1, 2**63 - 1, 5], np.int64)
OTHERS = [
    softmax("softmax_18710", RANDOM.normal(0, 3, (3, 18710)).astype(np.float32), -1),
    softmax("softmax_first_axis", RANDOM.normal(0, 3, (1030, 7)).astype(np.float32), 0),
    softmax("softmax_middle_axis", RANDOM.normal(0, 3, (2, 300, 5)).astype(np.float32), 1),
    softmax("softmax_one", RANDOM.normal(0, 3, (5, 1)).astype(np.float32), -1),
    softmax("softmax_nothing", NOTHING, -1),
    normalize("normalize_1", integers(4, 1)),
    normalize("normalize_257", integers(5, 257)),
    normalize("normalize_5000", integers(3, 5000)),
    normalize("normalize_nothing", NOTHING),
    reduction("ReduceSum", np.sum, integers(2, 70000), [1]),
    reduction("ReduceSum", np.sum, integers(70000, 3), [0]),
    reduction("ReduceMean", np.mean, np.abs(integers(70001)) + 1, [0]),
    reduction("ReduceMax", np.max, integers(3, 5, 7, 11), [0, 2]),
    reduction("ReduceMin", np.min, integers(3, 5, 7, 11), [1, 3], keep=True),
    reduction("ReduceSum", np.sum, integers(2, 3000, 5), [1]),
    reduction("ReduceSum", np.sum, integers(4000, 9), [1]),
    reduction("ReduceSum", np.sum, NOTHING, [0]),
    reduction("ReduceProd", np.prod, NOTHING, [0]),
    reduction("ReduceSum", np.sum, RANDOM.integers(-9, 9, (33, 70)).astype(np.int32), [0]),
    simple("empty_add", "Add", {"a": NOTHING, "b": np.ones(4, np.float32)}, NOTHING),
    simple("empty_transpose", "Transpose", {"a": NOTHING}, NOTHING.T),
    simple("empty_part", "Concat", {"a": NOTHING, "b": integers(0, 4)}, NOTHING, axis=0),
    simple("empty_and_full_part", "Concat", {"a": NOTHING, "b": np.ones((2, 4), np.float32)}, np.ones((2, 4), np.float32), axis=0),
    simple("empty_indices", "Gather", {"a": np.ones((3, 4), np.float32), "i": np.zeros(0, np.int64)}, NOTHING),
    simple("scalar_add", "Add", {"a": SCALAR, "b": SCALAR}, SCALAR * 2),
    simple("scalar_index", "Gather", {"a": integers(3, 4) * 0 + 5, "i": np.array(2, np.int64)}, np.full(4, 5, np.float32)),
    simple("scalar_expand", "Expand", {"a": SCALAR}, np.full((2, 3), 3, np.float32), {"shape": np.array([2, 3], np.int64)}),
    simple("scalar_reduce", "ReduceSum", {"a": SCALAR}, SCALAR, keepdims=0),
    simple("scalar_exp", "Neg", {"a": SCALAR}, -SCALAR),
    simple("rank_8", "Transpose", {"a": np.arange(384, dtype=np.float32).reshape(2, 1, 3, 2, 4, 1, 2, 4)},
           np.arange(384, dtype=np.float32).reshape(2, 1, 3, 2, 4, 1, 2, 4).transpose(7, 0, 6, 1, 5, 2, 4, 3), perm=[7, 0, 6, 1, 5, 2, 4, 3]),
    case("constant_beyond_doubles", [("Neg", ["x"], ["y"], {})], {"x": SCALAR}, {"y": -SCALAR, "c": LARGE}, {"c": LARGE}),
    *above_65535_workgroups(),
]  # fmt: skip
# Sizes are known only when the module runs, so it holds every form of a product, which takes SwiftShader half a minute.
GPU_PRODUCTS = {"one_long", "odd", "odd_constant", "few_rows_constant", "batches", "gemm_110"}
GPU_CASES = [one for one in PRODUCTS if one.name in GPU_PRODUCTS] if ALL else []


@pytest.fixture(scope="module")
def outcomes():
    return run_cases([*PRODUCTS, *OTHERS])


@pytest.fixture(scope="module")
def gpu_outcomes():
    return run_cases(GPU_CASES, forms="gpu")


def test_names_are_unique():
    names = [one.name for one in [*PRODUCTS, *OTHERS]]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", [one.name for one in [*PRODUCTS, *OTHERS]])
def test_size(name, outcomes):
    assert outcomes[name].status == "passed", outcomes[name].message


@pytest.mark.parametrize("name", [one.name for one in GPU_CASES])
def test_product_in_the_forms_of_a_gpu(name, gpu_outcomes):
    assert gpu_outcomes[name].status == "passed", gpu_outcomes[name].message
