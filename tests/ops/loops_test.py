"""Loop and Scan whose turns are counted when the module runs, against ONNX Runtime: conditions on data, numbers of turns from
inputs and sizes, what is carried, stacked and captured, loops within loops and branches.
"""

import subprocess

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from harness import SUBBYTE
from onnx_cases import Case
from run_cases import run_cases

RANDOM = np.random.default_rng(23)
FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def node(op: str, inputs: list[str], *outputs: str, **attributes) -> onnx.NodeProto:
    return helper.make_node(op, inputs, outputs, **attributes)


def ports(named: dict) -> list[onnx.ValueInfoProto]:
    return [helper.make_tensor_value_info(name, *of) for name, of in named.items()]


def tensors(constants: dict | None) -> list[onnx.TensorProto]:
    return [onnx.numpy_helper.from_array(np.asarray(array), key) for key, array in (constants or {}).items()]


def body(inputs: dict, outputs: dict, *nodes, constants: dict | None = None) -> onnx.GraphProto:
    return helper.make_graph(nodes, "body", ports(inputs), ports(outputs), tensors(constants))


def model(nodes, inputs: dict, outputs: dict, constants: dict | None = None) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "main", ports(inputs), ports(outputs), tensors(constants))
    return helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)])


def expected(source: onnx.ModelProto, inputs: dict) -> dict:
    session = onnxruntime.InferenceSession(source.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in source.graph.output]
    return dict(zip(names, session.run(names, inputs)))


def case(name: str, source: onnx.ModelProto, *runs: dict) -> Case:
    operators = frozenset(one.op_type for one in source.graph.node)
    return Case(name, source, operators, [(inputs, expected(source, inputs)) for inputs in runs])


def x(*dims: int) -> np.ndarray:
    return RANDOM.uniform(-1, 1, dims).astype(np.float32)


def number(value: int) -> np.ndarray:
    return np.array(value, np.int64)


TURN = {"i": (INT64, []), "c": (BOOL, [])}
GOES_ON = {"c_out": (BOOL, [])}
WEIGHT = RANDOM.uniform(-0.5, 0.5, (6, 6)).astype(np.float32)


def until(turns: str = "") -> onnx.ModelProto:
    """A state is doubled while its sum is small; it and how large it was are handed out, and stacked."""
    inside = body(
        TURN | {"s": (FLOAT, ["n"])}, GOES_ON | {"s_out": (FLOAT, ["n"]), "sum": (FLOAT, [])},
        node("Add", ["s", "s"], "s_out"), node("ReduceSum", ["s_out"], "sum", keepdims=0), node("Less", ["sum", "limit"], "c_out"),
    )  # fmt: skip
    nodes = [node("ReduceSum", ["x"], "first", keepdims=0), node("Less", ["first", "limit"], "begins"),
             node("Loop", [turns, "begins", "x"], "y", "sums", body=inside), node("Relu", ["sums"], "z")]  # fmt: skip
    inputs = {"x": (FLOAT, ["n"]), "limit": (FLOAT, [])}
    if turns:
        inputs[turns] = (INT64, [])
    return model(nodes, inputs, {"y": (FLOAT, ["n"]), "z": (FLOAT, ["k"])})


def until_cases() -> list[Case]:
    runs = [{"x": np.abs(x(n)) + np.float32(0.1), "limit": np.array(limit, np.float32)} for n, limit in ((4, 100), (3, 0), (7, 1e9), (4, 100), (2, 10))]
    counted = [run | {"turns": number(turns)} for run, turns in zip(runs, (3, 5, 200, 0, 2))]
    return [case("until", until(), *runs), case("until_or_so_many", until("turns"), *counted)]


def counted() -> Case:
    """As many turns as an input says: a product with a weight, captured values, places that depend on the turn."""
    inside = body(
        TURN | {"h": (FLOAT, ["n", 6])}, GOES_ON | {"h_out": (FLOAT, ["n", 6]), "row": (FLOAT, [6])},
        node("MatMul", ["h", "w"], "product"), node("Add", ["product", "x"], "sum"), node("Tanh", ["sum"], "h_out"),
        node("Mod", ["i", "four"], "at"), node("Gather", ["table", "at"], "row", axis=0), node("Identity", ["c"], "c_out"),
    )  # fmt: skip
    nodes = [node("Relu", ["x"], "h0"), node("Loop", ["turns", "", "h0"], "y", "rows", body=inside)]
    source = model(nodes, {"x": (FLOAT, ["n", 6]), "turns": (INT64, [1])}, {"y": (FLOAT, ["n", 6]), "rows": (FLOAT, ["k", 6])},
                   {"w": WEIGHT, "table": x(4, 6), "four": number(4)})  # fmt: skip
    return case("counted", source, *({"x": x(n, 6), "turns": np.array([turns])} for n, turns in ((2, 3), (5, 90), (1, 0), (3, 1))))


def swapped() -> Case:
    """States that change places, one that stays, and the length of a tensor as the number of turns."""
    inside = body(
        TURN | {"a": (FLOAT, [3]), "b": (FLOAT, [3]), "k": (FLOAT, [3])}, GOES_ON | {"b_": (FLOAT, [3]), "sum": (FLOAT, [3]), "k_": (FLOAT, [3])},
        node("Add", ["a", "b"], "added"), node("Mul", ["added", "k"], "sum"), node("Identity", ["b"], "b_"), node("Identity", ["k"], "k_"), node("Identity", ["c"], "c_out"),
    )  # fmt: skip
    nodes = [node("Shape", ["x"], "dims"), node("Loop", ["dims", "yes", "a", "b", "half"], "p", "q", "r", body=inside)]
    source = model(nodes, {"x": (FLOAT, ["n"]), "a": (FLOAT, [3]), "b": (FLOAT, [3])}, {"p": (FLOAT, [3]), "q": (FLOAT, [3]), "r": (FLOAT, [3])},
                   {"yes": np.array(True), "half": np.array([0.5, 0.9, 1], np.float32)})  # fmt: skip
    return case("swapped", source, *({"x": x(n), "a": x(3), "b": x(3)} for n in (5, 0, 66)))


def nested() -> Case:
    """A loop and a branch on data within a loop; the inner one captures what the outer one carries."""
    inner = body(
        {"j": (INT64, []), "d": (BOOL, []), "t": (FLOAT, [4])}, {"d_out": (BOOL, []), "t_out": (FLOAT, [4])},
        node("Add", ["t", "s"], "grown"), node("Mul", ["grown", "half"], "t_out"), node("ReduceMax", ["t_out"], "most", keepdims=0), node("Less", ["most", "limit"], "d_out"),
    )  # fmt: skip
    then = helper.make_graph([node("Neg", ["after"], "a")], "then", [], [onnx.ValueInfoProto(name="a")])
    otherwise = helper.make_graph([node("Sub", ["after", "half"], "b")], "else", [], [onnx.ValueInfoProto(name="b")])
    outer = body(
        TURN | {"s": (FLOAT, [4])}, GOES_ON | {"s_out": (FLOAT, [4]), "seen": (FLOAT, [4])},
        node("Loop", ["inner_turns", "", "x"], "after", body=inner), node("ReduceSum", ["after"], "sum", keepdims=0), node("Greater", ["sum", "half"], "large"),
        node("If", ["large"], "s_out", then_branch=then, else_branch=otherwise), node("Identity", ["after"], "seen"), node("Identity", ["c"], "c_out"),
    )  # fmt: skip
    nodes = [node("Loop", ["turns", "", "x"], "y", "all", body=outer)]
    inputs = {"x": (FLOAT, [4]), "turns": (INT64, []), "inner_turns": (INT64, []), "limit": (FLOAT, [])}
    source = model(nodes, inputs, {"y": (FLOAT, [4]), "all": (FLOAT, ["k", 4])}, {"half": np.float32(0.5)})
    runs = [{"x": x(4), "turns": number(a), "inner_turns": number(b), "limit": np.array(limit, np.float32)} for a, b, limit in ((3, 4, 0.6), (0, 2, 1), (2, 0, 1), (5, 3, 0.2))]
    return case("nested", source, *runs)


def in_branch() -> Case:
    inside = body(TURN | {"s": (FLOAT, ["n"])}, GOES_ON | {"s_out": (FLOAT, ["n"])}, node("Mul", ["s", "two"], "s_out"), node("Identity", ["c"], "c_out"))
    then = helper.make_graph([node("Loop", ["turns", "", "x"], "a", body=inside)], "then", [], [onnx.ValueInfoProto(name="a")])
    otherwise = helper.make_graph([node("Neg", ["x"], "b")], "else", [], [onnx.ValueInfoProto(name="b")])
    nodes = [node("ReduceSum", ["x"], "sum", keepdims=0), node("Greater", ["sum", "zero"], "positive"), node("If", ["positive"], "y", then_branch=then, else_branch=otherwise)]
    source = model(nodes, {"x": (FLOAT, ["n"]), "turns": (INT64, [])}, {"y": (FLOAT, ["n"])}, {"two": np.float32(2), "zero": np.float32(0)})
    return case("in_branch", source, *({"x": sign * np.abs(x(5)), "turns": number(n)} for sign, n in ((1, 3), (-1, 4), (1, 0))))


def scan() -> Case:
    """Over an open length, forwards and backwards, along other axes than the first."""
    inside = body(
        {"h": (FLOAT, [6]), "a": (FLOAT, [6]), "b": (FLOAT, [6])}, {"h_out": (FLOAT, [6]), "u": (FLOAT, [6]), "v": (FLOAT, [6])},
        node("MatMul", ["h", "w"], "product"), node("Add", ["product", "a"], "sum"), node("Tanh", ["sum"], "h_out"), node("Mul", ["h_out", "b"], "u"), node("Sub", ["a", "b"], "v"),
    )  # fmt: skip
    scanned = node("Scan", ["h0", "x", "z"], "h", "u", "v", body=inside, num_scan_inputs=2, scan_input_axes=[0, 1], scan_input_directions=[0, 1],
                   scan_output_axes=[1, 0], scan_output_directions=[0, 1])  # fmt: skip
    source = model([scanned], {"h0": (FLOAT, [6]), "x": (FLOAT, ["n", 6]), "z": (FLOAT, [6, "n"])}, {"h": (FLOAT, [6]), "u": (FLOAT, [6, "n"]), "v": (FLOAT, ["n", 6])}, {"w": WEIGHT})
    return case("scan", source, *({"h0": x(6), "x": x(n, 6), "z": x(6, n)} for n in (4, 70, 1)))


def sizes_inside() -> Case:
    """The turn and what is counted in it decide sizes within the body."""
    inside = body(
        TURN | {"s": (FLOAT, [])}, GOES_ON | {"s_out": (FLOAT, []), "mean": (FLOAT, [])},
        node("Add", ["i", "one"], "next"), node("Reshape", ["next", "row"], "end"), node("Slice", ["x", "start", "end"], "cut"), node("ReduceMean", ["cut"], "mean", keepdims=0),
        node("Greater", ["cut", "s"], "above"), node("NonZero", ["above"], "found"), node("Shape", ["found"], "dims"), node("Cast", ["dims"], "counts", to=FLOAT),
        node("ReduceSum", ["counts"], "count", keepdims=0), node("Mul", ["count", "tenth"], "share"), node("Add", ["s", "share"], "s_out"), node("Identity", ["c"], "c_out"),
    )  # fmt: skip
    source = model([node("Loop", ["turns", "", "zero"], "y", "means", body=inside)], {"x": (FLOAT, ["n"]), "turns": (INT64, [])}, {"y": (FLOAT, []), "means": (FLOAT, ["k"])},
                   {"one": number(1), "row": np.array([1]), "start": np.array([0]), "tenth": np.float32(0.01), "zero": np.float32(0)})  # fmt: skip
    return case("sizes_inside", source, *({"x": x(n), "turns": number(turns)} for n, turns in ((8, 5), (9, 9), (70, 66))))


CASES = [*until_cases(), counted(), swapped(), nested(), in_branch(), scan(), sizes_inside()]


@pytest.fixture(scope="module")
def outcomes():
    return run_cases(CASES)


@pytest.mark.parametrize("name", [one.name for one in CASES])
def test_as_onnx_runtime(outcomes, name):
    assert outcomes[name].status == "passed", outcomes[name].message


def run(source: onnx.ModelProto, folder, *options: str) -> subprocess.CompletedProcess:
    onnx.save(source, folder / "m.onnx")
    return subprocess.run([SUBBYTE, "convert", folder / "m.onnx", *options], capture_output=True, text=True)


def written_as_onnx(one: Case, folder) -> None:
    """What --target-format onnx writes, loops and all, gives what the source gives."""
    done = run(one.model, folder, "--target-format", "onnx", "--precision", "float32", "--output", folder / "out.onnx")
    assert done.returncode == 0, done.stderr
    written = onnx.load(folder / "out.onnx")
    onnx.checker.check_model(written)
    for inputs, wanted in one.data:
        found = expected(written, inputs)
        for name, value in wanted.items():
            assert found[name].shape == value.shape
            np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-6)


def test_weights_in_a_loop_are_quantized_and_checked(tmp_path):
    done = run(counted().model, tmp_path, "--precision", "8bit", "--output", tmp_path / "m.webgpu.js")
    assert done.returncode == 0, done.stderr


def test_turns_that_are_fixed_are_written_out(tmp_path):
    source = counted().model
    done = run(source, tmp_path, "--target-format", "onnx", "--precision", "float32", "--input", "turns=3", "--output", tmp_path / "out.onnx")
    assert done.returncode == 0, done.stderr
    written = onnx.load(tmp_path / "out.onnx")
    assert "Loop" not in {one.op_type for one in written.graph.node}
    given = x(2, 6)
    wanted = expected(source, {"x": given, "turns": np.array([3])})
    found = expected(written, {"x": given})
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("one", CASES, ids=lambda one: one.name)
def test_written_as_onnx(one, tmp_path):
    written_as_onnx(one, tmp_path)


def test_what_cannot_be_is_refused(tmp_path):
    inside = body(TURN | {"s": (FLOAT, ["n"])}, GOES_ON | {"s_out": (FLOAT, ["m"])}, node("Concat", ["x", "s"], "s_out", axis=0), node("Identity", ["c"], "c_out"))
    grows = model([node("Loop", ["turns", "", "x"], "y", body=inside)], {"x": (FLOAT, [3]), "turns": (INT64, [])}, {"y": (FLOAT, ["n"])})
    done = run(grows, tmp_path, "--output", tmp_path / "m.webgpu.js")
    assert done.returncode == 1 and "has shape [3] before a turn and [6] after it" in done.stderr
