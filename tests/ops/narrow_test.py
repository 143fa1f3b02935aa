"""Floats of 8 bits and fewer and integers of fewer, which stand in the middle of a graph whose inputs and outputs are
ordinary: through the C++ reference, the executor and on the GPU, against ONNX Runtime, or ml_dtypes where that has no kernel."""

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import executor_test
import reference_test
from onnx_cases import Case
from reference_test import DONE, run_tool
from run_cases import run_cases

FLOATS = {
    TensorProto.FLOAT8E4M3FN: ml_dtypes.float8_e4m3fn,
    TensorProto.FLOAT8E4M3FNUZ: ml_dtypes.float8_e4m3fnuz,
    TensorProto.FLOAT8E5M2: ml_dtypes.float8_e5m2,
    TensorProto.FLOAT8E5M2FNUZ: ml_dtypes.float8_e5m2fnuz,
    TensorProto.FLOAT4E2M1: ml_dtypes.float4_e2m1fn,
}
INTEGERS = [TensorProto.INT4, TensorProto.UINT4, TensorProto.INT2, TensorProto.UINT2]
EDGES = [0, -0.0, 448, 460, 464, 464.5, -500, 1e6, np.inf, -np.inf, np.nan, 2**-9, 2**-10, 1.5 * 2**-10, 240, 248, 250, 57344, 61000, 2**-17, 1.0625, 5, 2.5, 0.25, 1e-30]


def numbers() -> np.ndarray:
    drawn = np.random.default_rng(11).standard_normal(200) * np.exp2(np.random.default_rng(12).integers(-12, 12, 200))
    return np.concatenate([EDGES, drawn]).astype(np.float32)


def model(nodes, inputs, outputs, constants=()) -> onnx.ModelProto:
    info = helper.make_tensor_value_info
    infos = [info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape) for name, array in inputs.items()]
    made = [info(name, dtype, None) for name, dtype in outputs.items()]
    graph = helper.make_graph(nodes, "g", infos, made, list(constants))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 25)], ir_version=11)


def rounded(x: np.ndarray, dtype: int, saturate: int) -> np.ndarray:
    kind = FLOATS[dtype]
    largest = float(ml_dtypes.finfo(kind).max)
    with np.errstate(invalid="ignore"):
        y = x.astype(kind).astype(np.float32)
    beyond = ~np.isnan(x) & ((np.abs(x) > largest) & ~(np.abs(y) <= largest))
    return np.where(beyond, np.copysign(largest, x), y) if saturate else y


def casts() -> list[Case]:
    x, cases = numbers(), []
    for dtype in FLOATS:
        for saturate in (0, 1):
            name = f"{TensorProto.DataType.Name(dtype)}_{saturate}"
            there = helper.make_node("Cast", ["x"], ["m"], to=dtype, saturate=saturate)
            laid = helper.make_node("Unsqueeze", ["m", "axis"], ["u"])
            back = helper.make_node("Cast", ["u"], ["y"], to=TensorProto.FLOAT)
            axis = numpy_helper.from_array(np.array([0], np.int64), "axis")
            given = model([there, laid, back], {"x": x}, {"y": TensorProto.FLOAT}, [axis])
            cases.append(Case(name, given, frozenset(["Cast"]), [({"x": x}, {"y": rounded(x, dtype, saturate)[None]})]))
    whole = np.arange(-40, 40, dtype=np.int32)
    parts = np.concatenate([np.arange(-8, 8, 0.25), [0.49999997]]).astype(np.float32)
    for dtype in INTEGERS:
        for kind, values in [("int32", whole), ("float32", parts)]:
            there = helper.make_node("Cast", ["x"], ["m"], to=dtype)
            back = helper.make_node("Cast", ["m"], ["y"], to=TensorProto.INT32)
            given = model([there, back], {"x": values}, {"y": TensorProto.INT32})
            cases.append(with_onnx_runtime(f"{TensorProto.DataType.Name(dtype)}_{kind}", given, {"x": values}))
    return cases


def with_onnx_runtime(name: str, given: onnx.ModelProto, inputs: dict) -> Case:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    found = onnxruntime.InferenceSession(given.SerializeToString(), options).run(None, inputs)
    operators = frozenset(node.op_type for node in given.graph.node)
    return Case(name, given, operators, [(inputs, {info.name: array for info, array in zip(given.graph.output, found, strict=True)})])


def quantized() -> list[Case]:
    """Activations and weights of 8 bits, as a quantizer of floats writes them, and a cast to the dtype of a constant."""
    random = np.random.default_rng(13)
    x, w = random.standard_normal((3, 16)).astype(np.float32), random.standard_normal((16, 8)).astype(np.float32)
    cases = []
    for dtype in [TensorProto.FLOAT8E4M3FN, TensorProto.FLOAT8E5M2]:
        codes = helper.make_tensor("w", dtype, w.shape, w.flatten().tolist())
        zero = helper.make_tensor("zero", dtype, [], [0.0])
        scales = [numpy_helper.from_array(np.array(value, np.float32), name) for name, value in [("xs", 0.013), ("ws", 0.5)]]
        nodes = [
            helper.make_node("QuantizeLinear", ["x", "xs", "zero"], ["q"]),
            helper.make_node("DequantizeLinear", ["q", "xs", "zero"], ["d"]),
            helper.make_node("DequantizeLinear", ["w", "ws"], ["v"]),
            helper.make_node("MatMul", ["d", "v"], ["p"]),
            helper.make_node("CastLike", ["x", "zero"], ["l"]),
            helper.make_node("Cast", ["l"], ["y"], to=TensorProto.FLOAT16),
        ]
        given = model(nodes, {"x": x}, {"p": TensorProto.FLOAT, "y": TensorProto.FLOAT16}, [codes, zero, *scales])
        cases.append(with_onnx_runtime(f"quantized_{TensorProto.DataType.Name(dtype)}", given, {"x": x}))
    return cases


CASES = {case.name: case for case in [*casts(), *quantized()]}


@pytest.fixture(scope="module")
def outcomes() -> dict:
    return run_cases(list(CASES.values()))


@pytest.mark.parametrize("name", CASES)
def test_is_right_on_the_gpu(name, outcomes):
    assert (outcomes[name].status, outcomes[name].message) == ("passed", "")


@pytest.mark.parametrize("name", CASES)
def test_is_right_in_the_reference_and_the_executor(name, tmp_path):
    case = CASES[name]
    path = tmp_path / "model.onnx"
    onnx.save(case.model, path)
    inputs, outputs = case.data[0]
    for tool in (reference_test.TOOL, executor_test.TOOL):
        status, message, actual = run_tool(path, tmp_path / tool.name, [(str(array.dtype), array) for array in inputs.values()], tool)
        assert status == DONE, message
        for wanted, (_, found) in zip(outputs.values(), actual, strict=True):
            np.testing.assert_allclose(found.astype(np.float64), wanted.astype(np.float64), rtol=2e-3 if wanted.dtype == np.float16 else 1e-5, atol=1e-6)


def test_says_that_a_graph_cannot_give_them(tmp_path):
    x = np.ones(3, np.float32)
    given = model([helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT8E5M2)], {"x": x}, {"y": TensorProto.FLOAT})
    outcome = run_cases([Case("wrong", given, frozenset(["Cast"]), [({"x": x}, {"y": x})])])["wrong"]
    assert outcome.status == "refused"
