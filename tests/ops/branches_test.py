"""If: on inputs, on sizes, on what the GPU computes, and on what --input and --dim fix, against ONNX Runtime."""

import subprocess

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from harness import SUBBYTE, run_sessions
from onnx_cases import Case
from run_cases import run_cases

RANDOM = np.random.default_rng(31)
FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def node(op: str, inputs: list[str], *outputs: str, **attributes) -> onnx.NodeProto:
    return helper.make_node(op, inputs, outputs, **attributes)


def body(outputs: list[str], *nodes: onnx.NodeProto, constants: dict | None = None) -> onnx.GraphProto:
    tensors = [onnx.numpy_helper.from_array(array, key) for key, array in (constants or {}).items()]
    return helper.make_graph(nodes, "body", [], [onnx.ValueInfoProto(name=name) for name in outputs], tensors)


def choose(condition: str, outputs: list[str], then: onnx.GraphProto, otherwise: onnx.GraphProto) -> onnx.NodeProto:
    return node("If", [condition], *outputs, then_branch=then, else_branch=otherwise)


def model(nodes, inputs: dict, outputs: dict, constants: dict | None = None) -> onnx.ModelProto:
    """`inputs` and `outputs` by name: element type and dims."""
    info = [[helper.make_tensor_value_info(name, *of) for name, of in ports.items()] for ports in (inputs, outputs)]
    tensors = [onnx.numpy_helper.from_array(array, key) for key, array in (constants or {}).items()]
    graph = helper.make_graph(nodes, "main", *info, tensors)
    return helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)])


def expected(source: onnx.ModelProto, inputs: dict) -> dict:
    session = onnxruntime.InferenceSession(source.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in source.graph.output]
    return dict(zip(names, session.run(names, inputs)))


def case(name: str, source: onnx.ModelProto, *runs: dict) -> Case:
    return Case(name, source, frozenset({"If"}), [(inputs, expected(source, inputs)) for inputs in runs])


def x(*dims: int) -> np.ndarray:
    return RANDOM.uniform(-1, 1, dims).astype(np.float32)


def flag(value: bool, *dims: int) -> np.ndarray:
    return np.full(dims, value)


WEIGHT = RANDOM.uniform(-1, 1, (6, 6)).astype(np.float32)


def merged_decoder() -> onnx.ModelProto:
    """All in one If: branches of other sizes, an output that is a constant, a weight that both read, names that both have."""
    with_past = body(
        ["k_then", "none"],
        node("MatMul", ["x", "w"], "new"), node("Concat", ["past", "new"], "k_then", axis=1),
        constants={"none": np.zeros((0, 1), np.float32)},
    )  # fmt: skip
    without = body(["k_else", "sum"], node("MatMul", ["x", "w"], "new"), node("Relu", ["new"], "k_else"), node("ReduceSum", ["new"], "all"),
                   node("Reshape", ["all", "one"], "sum"), constants={"one": np.array([1, 1])})  # fmt: skip
    inputs = {"x": (FLOAT, ["batch", "new", 6]), "past": (FLOAT, ["batch", "past", 6]), "use_cache": (BOOL, [1])}
    outputs = {"k": (FLOAT, ["batch", "all", 6]), "extra": (FLOAT, ["a", "b"])}
    return model([choose("use_cache", ["k", "extra"], with_past, without)], inputs, outputs, {"w": WEIGHT})


def cases() -> list[Case]:
    made = []
    merged = [{"x": x(b, n, 6), "past": x(b, p, 6), "use_cache": flag(use, 1)} for b, n, p, use in [(1, 3, 2, True), (2, 1, 5, False), (1, 4, 7, True), (1, 4, 7, False)]]
    made.append(case("merged_decoder", merged_decoder(), *merged))
    # On data: both branches give one size, then other sizes; and what follows is part of either kernel.
    positive = [node("ReduceSum", ["x"], "s", keepdims=0), node("Greater", ["s", "zero"], "c")]
    double = body(["d"], node("Add", ["x", "x"], "d"))
    negative = body(["n"], node("Neg", ["x"], "n"))
    tail = [node("Relu", ["m"], "r"), node("Add", ["r", "bias"], "y")]
    constants = {"zero": np.array(0, np.float32), "bias": np.arange(4, dtype=np.float32)}
    of_x = {"x": (FLOAT, ["n", 4])}
    data = [{"x": np.abs(x(3, 4))}, {"x": -np.abs(x(5, 4))}, {"x": np.abs(x(5, 4))}]
    made.append(case("on_data", model([*positive, choose("c", ["m"], double, negative), *tail], of_x, {"y": (FLOAT, ["n", 4])}, constants), *data))
    twice = body(["j"], node("Concat", ["x", "x"], "j", axis=0))
    sizes = model([*positive, choose("c", ["m"], twice, negative), *tail, node("Shape", ["y"], "dims")], of_x, {"y": (FLOAT, ["k", 4]), "dims": (INT64, [2])}, constants)
    made.append(case("on_data_of_other_sizes", sizes, *data))
    # Nested, on data within data, the outer one captured by the inner.
    inner = [node("ReduceMax", ["x"], "most", keepdims=0), node("Less", ["most", "half"], "c2")]
    nested = body(["o"], *inner, choose("c2", ["i"], body(["a"], node("Mul", ["x", "half"], "a")), body(["b"], node("Sub", ["x", "most"], "b"))), node("Add", ["i", "s"], "o"))
    made.append(case("nested_on_data", model([*positive, choose("c", ["m"], nested, negative), *tail], of_x, {"y": (FLOAT, ["n", 4])}, constants | {"half": np.array(0.5, np.float32)}),
                     *data, {"x": np.full((2, 4), 0.25, np.float32)}))  # fmt: skip
    # On sizes that a run decides, where a branch is possible only when it is taken.
    length = [node("Shape", ["x"], "dims", start=0, end=1), node("Squeeze", ["dims"], "rows"), node("Less", ["four", "rows"], "c")]
    cut = body(["h"], node("Slice", ["x", "start", "end"], "h"), constants={"start": np.array([4]), "end": np.array([10**6])})
    grown = body(["g"], node("Expand", ["x", "to"], "e"), node("MatMul", ["e", "e4"], "g"), constants={"to": np.array([1, 1])})
    sized = model([*length, choose("c", ["y"], cut, grown)], of_x, {"y": (FLOAT, ["k", 4])}, {"four": np.array(4), "e4": np.eye(4, dtype=np.float32)})
    made.append(case("on_sizes", sized, {"x": x(9, 4)}, {"x": x(2, 4)}, {"x": x(5, 4)}, {"x": x(4, 4)}))
    # A branch that gives what is outside as it is, and one that reads only constants.
    outside = model([choose("c", ["y"], body(["same"], node("Identity", ["x"], "same")), body(["k"], constants={"k": np.ones((2, 4), np.float32)}))],
                    {"x": (FLOAT, [2, 4]), "c": (BOOL, [])}, {"y": (FLOAT, [2, 4])})  # fmt: skip
    made.append(case("passed_on", outside, {"x": x(2, 4), "c": flag(True)}, {"x": x(2, 4), "c": flag(False)}))
    made.append(case("squeezed", squeezed("Equal"), {"x": x(3, 5, 1)}, {"x": x(1, 2, 1)}))
    return made


def squeezed(comparison: str) -> onnx.ModelProto:
    """As exporters write x.squeeze(-1), of a size that is open; with another comparison it is none."""
    nodes = [node("Shape", ["x"], "dims"), node("Gather", ["dims", "last"], "size"), node(comparison, ["size", "one"], "c"),
             choose("c", ["m"], body(["t"], node("Squeeze", ["x", "last"], "t")), body(["e"], node("Identity", ["x"], "e"))), node("Softmax", ["m"], "y", axis=1)]  # fmt: skip
    return model(nodes, {"x": (FLOAT, ["a", "b", "k"])}, {"y": (FLOAT, ["a", "b"])}, {"last": np.array([-1]), "one": np.array([1])})


CASES = cases()


@pytest.fixture(scope="module")
def outcomes():
    return run_cases(CASES)


@pytest.mark.parametrize("name", [one.name for one in CASES])
def test_as_onnx_runtime(outcomes, name):
    assert outcomes[name].status == "passed", outcomes[name].message


def convert(source: onnx.ModelProto, folder, *options: str) -> onnx.ModelProto:
    onnx.save(source, folder / "m.onnx")
    target = ["--target-format", "onnx", "--precision", "float32", "--output", folder / "out.onnx"]
    subprocess.run([SUBBYTE, "convert", folder / "m.onnx", *target, *options], check=True, capture_output=True)
    written = onnx.load(folder / "out.onnx")
    onnx.checker.check_model(written)
    return written


@pytest.mark.parametrize("one", CASES, ids=lambda one: one.name)
def test_written_as_onnx(one, tmp_path):
    written = convert(one.model, tmp_path)
    for inputs, wanted in one.data:
        found = expected(written, inputs)
        for name, value in wanted.items():
            assert found[name].shape == value.shape
            np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-6)


def test_a_run_of_another_size_than_is_squeezed_is_an_error(tmp_path):
    onnx.save(squeezed("Equal"), tmp_path / "m.onnx")
    command = [SUBBYTE, "convert", tmp_path / "m.onnx", "--precision", "float32", "--no-check", "--output", tmp_path / "m.webgpu.js"]
    subprocess.run(command, check=True, capture_output=True)
    (session,) = run_sessions("node", [{"module": tmp_path / "m.webgpu.js", "device": "default", "runs": [{"x": x(2, 3, 2)}]}])
    assert session["runs"][0]["error"]["code"] == "bad-shape"
    # Where something else decides, nothing is assumed.
    onnx.save(squeezed("Less"), tmp_path / "m.onnx")
    refused = subprocess.run([*command, "--force"], capture_output=True, text=True)
    assert refused.returncode == 1 and "(If): one branch gives its output 'm' 2 dimensions and the other 3" in refused.stderr


@pytest.mark.parametrize("use", [True, False])
def test_what_is_fixed_decides(tmp_path, use):
    source = merged_decoder()
    written = convert(source, tmp_path, "--input", f"use_cache={str(use).lower()}", "--dim", "batch=2")
    assert "If" not in {n.op_type for n in written.graph.node}
    assert [i.name for i in written.graph.input] == ["x", "past"]
    assert written.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 2
    inputs = {"x": x(2, 3, 6), "past": x(2, 2, 6)}
    wanted = expected(source, inputs | {"use_cache": flag(use, 1)})
    found = expected(written, inputs)
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-6)
