"""Operators of several outputs with each choice of them left unnamed, in the middle and at the front, against ONNX Runtime.

What a node's outputs are is what it computes for all of them together; an unnamed one moves nothing.
"""

import itertools

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from onnx_cases import Case
from run_cases import run_cases

RANDOM = np.random.default_rng(5)


def floats(*dims) -> np.ndarray:
    return RANDOM.normal(0, 1, dims).astype(np.float32)


def int64s(*values) -> np.ndarray:
    return np.array(values, np.int64)


# (name, opset, operator, input, constants, attributes, dtypes of all outputs)
X = floats(2, 6, 5)
F, I, B = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
NODES = [
    ("split_equal", 18, "Split", X, [], {"num_outputs": 3, "axis": 1}, [F, F, F]),
    ("split_uneven", 18, "Split", floats(7, 3), [], {"num_outputs": 3}, [F, F, F]),
    ("split_sizes", 18, "Split", X, [int64s(1, 3, 2)], {"axis": -2}, [F, F, F]),
    ("split_empty_parts", 18, "Split", X, [int64s(0, 6, 0)], {"axis": 1}, [F, F, F]),
    ("split_before_13", 11, "Split", X, [], {"split": [1, 3, 2], "axis": 1}, [F, F, F]),
    ("dropout", 13, "Dropout", X, [], {}, [F, B]),
    ("dropout_before_12", 10, "Dropout", X, [], {"ratio": 0.25}, [F]),
    ("layer_norm", 17, "LayerNormalization", X, [floats(5), floats(5)], {}, [F, F, F]),
    ("layer_norm_of_two_axes", 17, "LayerNormalization", X, [floats(6, 5)], {"axis": 1}, [F, F, F]),
    ("max_pool", 12, "MaxPool", floats(1, 2, 7, 6), [], {"kernel_shape": [3, 2], "strides": [2, 1]}, [F, I]),
    ("batch_norm", 15, "BatchNormalization", X, [floats(6), floats(6), floats(6), floats(6) ** 2], {}, [F]),
]


def model_of(node, wanted: tuple[int, ...]) -> onnx.ModelProto:
    name, opset, operator, x, constants, attributes, dtypes = node
    names = [f"y{i}" if i in wanted else "" for i in range(max(wanted) + 1)]
    # The parts of a Split are as many as its outputs, named or not.
    if operator == "Split":
        names += [""] * (len(dtypes) - len(names))
    inputs = ["x", *(f"c{i}" for i in range(len(constants)))]
    graph = helper.make_graph(
        [helper.make_node(operator, inputs, names, **attributes)],
        name,
        [helper.make_tensor_value_info("x", F, [f"x{axis}" for axis in range(x.ndim)])],
        [helper.make_tensor_value_info(f"y{i}", dtypes[i], None) for i in wanted],
        [onnx.numpy_helper.from_array(array, f"c{i}") for i, array in enumerate(constants)],
    )
    return helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", opset)])


def case_of(node, wanted: tuple[int, ...]) -> Case:
    """ONNX Runtime itself crashes on some that leave outputs unnamed: what is expected is from the node with all named."""
    everything = model_of(node, tuple(range(len(node[6]))))
    session = onnxruntime.InferenceSession(everything.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = dict(zip([f"y{i}" for i in wanted], session.run([f"y{i}" for i in wanted], {"x": node[3]}), strict=True))
    letters = "".join("y" if i in wanted else "-" for i in range(len(node[6])))
    return Case(f"{node[0]}_{letters}", model_of(node, wanted), frozenset([node[2]]), [({"x": node[3]}, expected)], atol=1e-5)


def choices(count: int):
    return [wanted for size in range(1, count + 1) for wanted in itertools.combinations(range(count), size)]


CASES = [case_of(node, wanted) for node in NODES for wanted in choices(len(node[6]))]


@pytest.fixture(scope="module")
def outcomes():
    return run_cases(CASES)


@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_unnamed_outputs(name, outcomes):
    assert outcomes[name].status == "passed", outcomes[name].message


def test_sizes_that_are_known_and_unnamed():
    """A part of a shape that is a number becomes a constant, another does not."""
    graph = helper.make_graph(
        [
            helper.make_node("Shape", ["x"], ["shape"]),
            helper.make_node("Split", ["shape"], ["", "middle", "last"], num_outputs=3),
            helper.make_node("Concat", ["last", "middle"], ["target"], axis=0),
            helper.make_node("Expand", ["one", "target"], ["y"]),
        ],
        "sizes",
        [helper.make_tensor_value_info("x", F, ["a", 3, "c"])],
        [helper.make_tensor_value_info("y", F, None)],
        [onnx.numpy_helper.from_array(np.ones([1], np.float32), "one")],
    )
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)])
    x = floats(2, 3, 4)
    operators = frozenset(["Shape", "Split", "Concat", "Expand"])
    case = Case("sizes", model, operators, [({"x": x}, {"y": np.ones([4, 3], np.float32)})], atol=0)
    assert run_cases([case])["sizes"].status == "passed"
