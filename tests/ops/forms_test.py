"""What nodes may leave to their reader, and how canonicalize writes it out, against ONNX Runtime.

Each model holds several nodes on the same input, whose dims are symbols.
"""

import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from harness import run
from onnx_cases import Case
from places_test import case
from run_cases import run_cases

RANDOM = np.random.default_rng(13)


def floats(*dims) -> np.ndarray:
    return RANDOM.normal(0, 1, dims).astype(np.float32)


def ints(*values) -> np.ndarray:
    return np.array(values, np.int64)


def axes() -> list:
    x = floats(2, 3, 4)
    rows = [(op, ["x"], {"axis": axis}) for op in ["Softmax", "LogSoftmax", "Hardmax"] for axis in [-3, -2, 1]]
    reductions = [
        ("ReduceSum", ["x"], {}),
        ("ReduceSum", ["x"], {"noop_with_empty_axes": 1}),
        ("ReduceSum", ["x", ints()], {"keepdims": 0}),
        ("ReduceMean", ["x", ints(-1, 0)], {"keepdims": 0}),
        ("ReduceMax", ["x", ints(-2)], {}),
        ("ReduceL2", ["x"], {"keepdims": 0}),
    ]
    reductions_before_18 = [
        ("ReduceMean", ["x"], {"axes": [-1, 0], "keepdims": 0}),
        ("ReduceMax", ["x"], {"axes": [-2]}),
        ("ReduceL1", ["x"], {}),
    ]
    views = [
        ("Transpose", ["x"], {}),
        ("Flatten", ["x"], {}),
        ("Flatten", ["x"], {"axis": -1}),
        ("Flatten", ["x"], {"axis": 3}),
        ("Unsqueeze", ["x", ints(-1, 0, -3)], {}),
        ("Slice", ["x", ints(-2, 1), ints(2**62, -1)], {}),
        ("Slice", ["x", ints(-1), ints(-9), ints(-2), ints(-1)], {}),
        ("Slice", ["x", np.array([1], np.int32), np.array([3], np.int32), np.array([-1], np.int32)], {}),
        ("Split", ["x"], {"axis": -1, "num_outputs": 3, "outputs": 3}),
        ("Concat", ["x", "x"], {"axis": -2}),
        ("Gather", ["x", ints(-1, 0)], {"axis": -1}),
        ("CumSum", ["x", np.array(-2)], {}),
        ("CumSum", ["x", np.array([-1], np.int32)], {"reverse": 1}),
        ("ArgMax", ["x"], {}),
        ("ArgMin", ["x"], {"axis": -1, "keepdims": 0}),
        ("LayerNormalization", ["x", floats(3, 4)], {"axis": -2}),
    ]
    scalar = [(op, ["x"], {}) for op in ["ReduceL1", "ReduceSumSquare", "ReduceMax"]]
    return [
        case("rows", rows, {"x": x}, opset=18),
        case("rows_before_13", [(op, ["x"], {"axis": axis}) for op in ["Softmax", "LogSoftmax", "Hardmax"] for axis in [0, 1, 2, -1, -2]], {"x": x}, opset=11),
        case("reductions", reductions, {"x": x}, opset=18),
        case("reductions_before_18", reductions_before_18, {"x": x}, opset=13),
        case("reductions_of_a_scalar", scalar, {"x": np.array(-3, np.float32)}, opset=18),
        case("views", views, {"x": x}, opset=18),
        case("squeeze", [("Squeeze", ["x", ints(-1)], {})], {"x": floats(2, 3, 1)}, opset=18),
    ]  # fmt: skip


def pads() -> list:
    x = floats(2, 3, 4)
    some = [
        ("Pad", ["x", ints(1, 2, 3, 4), "", ints(-1, 0)], {}),
        ("Pad", ["x", ints(1, 0, 1, 2), np.array(7, np.float32), ints(1, -1)], {}),
        ("Pad", ["x", ints(2, 1), "", ints(-1)], {"mode": "reflect"}),
        ("Pad", ["x", "p", "", ints(-2)], {}),
        ("Pad", ["x", "p", np.array(-1, np.float32), ints(2)], {"mode": "edge"}),
    ]
    given = case("pads_of_some_axes", some, {"x": x, "p": ints(3, 1)}, opset=18)
    # As many pads as there are: else no rank would be known.
    given.model.graph.input[1].type.tensor_type.shape.dim[0].dim_value = 2
    return [
        given,
        case("pads_of_integers", [("Pad", ["x", ints(1, 2), "", ints(0)], {}), ("Pad", ["x", ints(1, 2), np.array(9), ints(0)], {})], {"x": np.arange(5)}, opset=18),
        case("pads_of_bools", [("Pad", ["x", ints(1, 2), np.array(True)], {}), ("Pad", ["x", ints(1, 2)], {})], {"x": np.arange(5) > 2}, opset=18),
        case("pads_before_11", [("Pad", ["x"], {"pads": [0, 1, 0, 2, 0, 1], "value": 1.5}), ("Pad", ["x"], {"pads": [0, 1, 0, 2, 0, 1]})], {"x": x}, opset=10),
        case("resize_before_11_up_and_down", [("Resize", ["x", np.array([0.5, 2], np.float32)], {"mode": "linear"})], {"x": floats(6, 4)}, opset=10),
        case("resize_of_some_axes", [("Resize", ["x", "", "", ints(7, 5)], {"axes": [-1, 1], "mode": "linear"}), ("Resize", ["x", "", np.array([2, 3], np.float32)], {"axes": [-1, -2], "mode": "nearest"})], {"x": x}, opset=18),
    ]  # fmt: skip


def products() -> list:
    w, batch, vector = floats(5, 6), floats(3, 5, 6), floats(6)
    cases = [
        case("left_matrix", [("MatMul", [w, "x"], {}), ("MatMul", [vector, "x"], {})], {"x": floats(6, 7)}),
        case("left_matrix_of_batches", [("MatMul", [w, "x"], {}), ("MatMul", [batch, "x"], {}), ("MatMul", [vector, "x"], {})], {"x": floats(2, 3, 6, 7)}),
        case("left_batches", [("MatMul", [batch, "x"], {})], {"x": floats(6, 7)}),
        case("left_of_a_vector", [("MatMul", [w, "x"], {}), ("MatMul", [batch, "x"], {}), ("MatMul", [vector, "x"], {})], {"x": floats(6)}),
        case("left_and_bias", [("MatMul", [w, "x"], {}), ("Add", ["y0_0", floats(5, 1)], {}), ("Relu", ["y1_0"], {})], {"x": floats(6, 7)}),
    ]  # fmt: skip
    addends = [floats(), floats(1), floats(7), floats(1, 7), floats(5, 1), floats(5, 7), None]
    for a in [0, 1]:
        for b in [0, 1]:
            left, x = (w.T.copy() if a else w), (floats(7, 6) if b else floats(6, 7))
            attributes = {"transA": a, "transB": b, "alpha": 0.5, "beta": 2.0}
            nodes = [("Gemm", [left, "x"] + ([] if c is None else [c]), attributes) for c in addends]
            nodes.append(("Gemm", [left, "x", "c"], attributes))
            cases.append(case(f"left_gemm_{a}{b}", nodes, {"x": x, "c": floats(7)}))
    return cases


CASES = [*axes(), *pads(), *products()]


@pytest.fixture(scope="module")
def outcomes():
    return run_cases(CASES)


@pytest.mark.parametrize("name", [one.name for one in CASES])
def test_form(name, outcomes):
    assert outcomes[name].status == "passed", outcomes[name].message


@pytest.mark.parametrize("dtype", [TensorProto.FLOAT16, TensorProto.DOUBLE])
def test_pad_before_11_has_a_value_of_its_dtype(dtype, tmp_path):
    """ONNX Runtime has no such kernel for halves."""
    graph = helper.make_graph(
        [helper.make_node("Pad", ["x"], ["y"], pads=[1, 2], value=1.5)],
        "pad",
        [helper.make_tensor_value_info("x", dtype, ["n"])],
        [helper.make_tensor_value_info("y", dtype, None)],
    )
    model = helper.make_model(graph, ir_version=5, opset_imports=[helper.make_opsetid("", 10)])
    x = np.array([1, 2, 3], helper.tensor_dtype_to_np_dtype(dtype))
    expected = np.array([1.5, 1, 2, 3, 1.5, 1.5], x.dtype)
    one = case_of(model, {"x": x}, {"y": expected})
    assert run_cases([one])["pad"].status == "passed"


def case_of(model, inputs, outputs) -> Case:
    operators = frozenset(node.op_type for node in model.graph.node)
    return Case(model.graph.name, model, operators, [(inputs, outputs)], atol=1e-6)


@pytest.mark.parametrize("operator", ["MatMul", "Gemm"])
@pytest.mark.parametrize("dims", [[256, 64], [256, "n"]])
def test_a_left_operand_is_packed(operator, dims, tmp_path):
    graph = helper.make_graph(
        [helper.make_node(operator, ["w", "x"], ["y"])],
        "left",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, dims)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(floats(128, 256), "w")],
    )
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)])
    onnx.save(model, tmp_path / "left.onnx")
    done = run("convert", "left.onnx", "--precision", "4bit", cwd=tmp_path)
    bits = re.search(r"([\d.]+) bits a weight", done.stdout + done.stderr)
    assert bits and float(bits[1]) < 5, done.stdout + done.stderr
