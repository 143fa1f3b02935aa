"""Sizes that the GPU computes and that are read back while a run is under way, against ONNX Runtime: from run to run, within
branches, one deciding another, and the same by an input of the CPU, for which nothing is read back.
"""

import subprocess

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from harness import SUBBYTE, run_sessions
from loops_test import written_as_onnx
from onnx_cases import Case
from run_cases import run_cases

RANDOM = np.random.default_rng(17)
FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def node(op: str, inputs: list[str], *outputs: str, **attributes) -> onnx.NodeProto:
    return helper.make_node(op, inputs, outputs, **attributes)


def model(nodes, inputs: dict, outputs: dict, constants: dict | None = None) -> onnx.ModelProto:
    info = [[helper.make_tensor_value_info(name, *of) for name, of in ports.items()] for ports in (inputs, outputs)]
    tensors = [onnx.numpy_helper.from_array(np.asarray(array), key) for key, array in (constants or {}).items()]
    graph = helper.make_graph(nodes, "main", *info, tensors)
    return helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)])


def expected(source: onnx.ModelProto, inputs: dict) -> dict:
    session = onnxruntime.InferenceSession(source.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in source.graph.output]
    return dict(zip(names, session.run(names, inputs)))


def case(name: str, source: onnx.ModelProto, *runs: dict, **tolerance: float) -> Case:
    operators = frozenset(one.op_type for one in source.graph.node)
    return Case(name, source, operators, [(inputs, expected(source, inputs)) for inputs in runs], **tolerance)


def x(*dims: int) -> np.ndarray:
    return RANDOM.uniform(-1, 1, dims).astype(np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


# The greatest of some lengths, whose number is open: the GPU computes it.
LENGTHS = {"lengths": (INT64, ["n"])}
MOST = [node("ReduceMax", ["lengths"], "most", keepdims=0)]
ROW = [node("Reshape", ["most", "one"], "size")]
NUMBERS = {"zero": np.int64(0), "step": np.int64(1), "one": ints(1), "two": ints(2), "last": ints(1)}


def of_lengths(name: str, nodes, outputs: dict, runs, constants: dict | None = None, inputs: dict | None = None) -> Case:
    source = model([*MOST, *ROW, *nodes], LENGTHS | (inputs or {}), outputs, NUMBERS | (constants or {}))
    return case(name, source, *runs)


def mask() -> Case:
    """As speech models make it: the places before each length."""
    nodes = [
        node("Range", ["zero", "most", "step"], "places"), node("Unsqueeze", ["lengths", "last"], "column"),
        node("Less", ["places", "column"], "before"), node("Cast", ["before"], "mask", to=FLOAT), node("ReduceSum", ["mask"], "all", keepdims=0),
    ]  # fmt: skip
    outputs = {"mask": (FLOAT, ["n", "m"]), "places": (INT64, ["m"]), "all": (FLOAT, []), "most": (INT64, [])}
    runs = [{"lengths": ints(*one)} for one in ([3, 5, 2], [40], [1, 0], [700, 3, 5, 9], [6, 6])]
    return of_lengths("mask", nodes, outputs, runs)


def views() -> Case:
    """Expand, ConstantOfShape, Slice, Pad and Tile by one size."""
    nodes = [
        node("Concat", ["size", "two"], "wide", axis=0), node("Expand", ["v", "wide"], "expanded"),
        node("ConstantOfShape", ["wide"], "filled", value=onnx.numpy_helper.from_array(np.array([2.5], np.float32))),
        node("Slice", ["x", "start", "size"], "cut"), node("Slice", ["x", "size", "end"], "rest"),
        node("Concat", ["one", "size"], "pads", axis=0), node("Pad", ["v", "pads"], "padded"),
        node("Tile", ["v", "size"], "tiled"), node("Relu", ["cut"], "relu"), node("MatMul", ["expanded", "w"], "product"),
    ]  # fmt: skip
    outputs = {key: (FLOAT, None) for key in ("expanded", "filled", "relu", "rest", "padded", "tiled", "product")}
    runs = [{"lengths": ints(*one), "v": x(2), "x": x(rows, 3)} for one, rows in (([3, 2], 5), ([1], 9), ([6, 4, 2], 6), ([4], 2))]
    constants = {"start": ints(0), "end": ints(2**31), "w": x(2, 4)}
    return of_lengths("views", nodes, outputs, runs, constants, {"v": (FLOAT, [2]), "x": (FLOAT, ["rows", 3])})


def chain() -> Case:
    """A size decides what the next is counted of; the third is the square of it."""
    nodes = [
        node("Range", ["zero", "most", "step"], "places"), node("Gather", ["x", "places"], "picked"),
        node("Greater", ["picked", "half"], "large"), node("NonZero", ["large"], "found"), node("Cast", ["picked"], "whole", to=INT64),
        node("ReduceSum", ["whole"], "sum", keepdims=1), node("Mul", ["sum", "size"], "area"), node("ConstantOfShape", ["area"], "zeros"),
        node("Shape", ["zeros"], "count"), node("Reshape", ["zeros", "sized"], "matrix"),
    ]  # fmt: skip
    outputs = {"found": (INT64, None), "zeros": (FLOAT, None), "count": (INT64, [1]), "picked": (FLOAT, None), "matrix": (FLOAT, None)}
    runs = [{"lengths": ints(*one), "x": RANDOM.uniform(0, 4, 30).astype(np.float32)} for one in ([3, 7], [1], [30, 2], [12])]
    return of_lengths("chain", nodes, outputs, runs, {"half": np.float32(2), "sized": ints(-1, 1)}, {"x": (FLOAT, [30])})


def durations() -> Case:
    """As a text-to-speech model: how long each unit is, in all, is what the rest is as long as."""
    nodes = [
        node("Exp", ["x"], "exp"), node("Ceil", ["exp"], "long"), node("ReduceSum", ["long"], "sum", keepdims=0),
        node("Cast", ["sum"], "length", to=INT64), node("CumSum", ["long", "axis"], "ends"), node("Range", ["zero", "length", "step"], "places"),
        node("Cast", ["places"], "at", to=FLOAT), node("Unsqueeze", ["ends", "last"], "column"), node("Less", ["at", "column"], "before"),
        node("Cast", ["before"], "path", to=FLOAT), node("MatMul", ["w", "path"], "y"),
    ]  # fmt: skip
    source = model(nodes, {"x": (FLOAT, ["units"]), "w": (FLOAT, [4, "units"])}, {"y": (FLOAT, None)}, NUMBERS | {"axis": ints(0)})
    return case("durations", source, *({"x": 2 * x(n), "w": x(4, n)} for n in (5, 1, 9, 40, 3)))


def in_branch() -> Case:
    """Only where the branch is taken the size is read; the other has one of its own."""
    cut = helper.make_graph([node("Slice", ["x", "start", "size"], "a")], "then", [], [onnx.ValueInfoProto(name="a")])
    tiled = helper.make_graph([node("Concat", ["size", "one"], "times", axis=0), node("Tile", ["x", "times"], "b")], "else", [], [onnx.ValueInfoProto(name="b")])
    nodes = [node("If", ["use"], "chosen", then_branch=cut, else_branch=tiled), node("Neg", ["chosen"], "y")]
    runs = [{"lengths": ints(*one), "x": x(4, 3), "use": np.array(use)} for one, use in (([2, 1], True), ([3], False), ([1, 4], True), ([2], False))]
    return of_lengths("in_branch", nodes, {"y": (FLOAT, ["k", 3])}, runs, {"start": ints(0)}, {"x": (FLOAT, [4, 3]), "use": (BOOL, [])})


def resized() -> Case:
    nodes = [node("Mul", ["size", "two"], "double"), node("Concat", ["one", "one", "size", "double"], "sizes", axis=0),
             node("Resize", ["x", "", "", "sizes"], "y", mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")]  # fmt: skip
    runs = [{"lengths": ints(*one), "x": x(1, 1, 4, 4)} for one in ([8], [2, 4], [12, 1])]
    return of_lengths("resized", nodes, {"y": (FLOAT, None)}, runs, inputs={"x": (FLOAT, [1, 1, 4, 4])})


def scaled() -> Case:
    """Scales that the run says, whose sizes are rounded down: where an element lies follows from the scale."""
    ports, nodes, outputs = {"x": (FLOAT, [1, 2, "h", "w"]), "pair": (FLOAT, [2])}, [node("Concat", ["ones", "pair"], "scales", axis=0)], {}
    for i, attributes in enumerate((
        {"mode": "linear"}, {"mode": "cubic", "coordinate_transformation_mode": "asymmetric"}, {"mode": "nearest", "nearest_mode": "ceil"},
        {"mode": "linear", "antialias": 1}, {"mode": "linear", "coordinate_transformation_mode": "half_pixel_symmetric"},
    )):  # fmt: skip
        nodes.append(node("Resize", ["x", "", "scales"], f"y{i}", **attributes))
        outputs[f"y{i}"] = (FLOAT, None)
    nodes.append(node("Resize", ["x", "", "pair"], "of_axes", mode="linear", axes=[3, 2], coordinate_transformation_mode="align_corners"))
    source = model(nodes, ports, outputs | {"of_axes": (FLOAT, None)}, {"ones": np.ones(2, np.float32)})
    return case("scaled", source, *({"x": x(1, 2, h, w), "pair": np.float32(pair)} for h, w, pair in ((5, 7, (1.3, 0.6)), (4, 4, (1, 2)), (9, 3, (0.35, 2.5)))))


def of_depth() -> Case:
    """A OneHot whose depth is a float that is computed."""
    nodes = [node("ReduceMax", ["x"], "most", keepdims=0), node("Add", ["most", "one"], "depth"), node("OneHot", ["ids", "depth", "values"], "y", axis=0)]
    source = model(nodes, {"x": (FLOAT, ["n"]), "ids": (INT64, [3])}, {"y": (FLOAT, None)}, {"one": np.float32(1), "values": np.float32([0, 2])})
    return case("of_depth", source, *({"x": np.float32(of), "ids": ints(0, 2, -1)} for of in ([3, 5.5, 2], [2.9], [11, 1])))


def steps() -> Case:
    """A Range of floats that are computed, up and down, to an end that is met exactly and to one that is not."""
    nodes = [
        node("ReduceMax", ["x"], "most", keepdims=0), node("ReduceMin", ["x"], "least", keepdims=0),
        node("Range", ["least", "most", "step"], "up"), node("Range", ["most", "least", "back"], "down"), node("Neg", ["up"], "turned"),
    ]  # fmt: skip
    outputs = {key: (FLOAT, None) for key in ("up", "down", "turned")}
    source = model(nodes, {"x": (FLOAT, ["n"])}, outputs, {"step": np.float32(0.25), "back": np.float32(-0.75)})
    return case("steps", source, *({"x": np.float32(of)} for of in ([0, 2, 1], [-1, 0.9], [0.5], [3, 0.01, 40])))


def transforms() -> Case:
    """A DFT of real and complex numbers, whole and half, there and back, of a length that the run says."""
    nodes, outputs = [], {}
    forms = (
        ("real", ["x"], {}), ("half", ["x"], {"onesided": 1}), ("complex", ["z"], {}), ("back", ["z"], {"inverse": 1}),
        ("padded", ["x", "length"], {"onesided": 1}), ("cut", ["z", "four"], {"inverse": 1}),
    )  # fmt: skip
    for name, inputs, attributes in forms:
        nodes.append(node("DFT", inputs, name, axis=1, **attributes))
        outputs[name] = (FLOAT, None)
    nodes.append(node("DFT", ["x", ""], "other_axis", axis=0))
    ports = {"x": (FLOAT, ["b", "n", 1]), "z": (FLOAT, ["b", "n", 2]), "length": (INT64, [])}
    source = model(nodes, ports, outputs | {"other_axis": (FLOAT, None)}, {"four": np.int64(4)})
    runs = ({"x": x(b, n, 1), "z": x(b, n, 2), "length": np.array(of, np.int64)} for b, n, of in ((2, 8, 8), (3, 9, 16), (1, 64, 7), (2, 5, 6)))
    # ONNX Runtime goes through another transform where a length is no power of two, and is less exact there.
    return case("transforms", source, *runs, atol=2e-5)


def folded() -> Case:
    """Col2Im into images of any size, with pads, and where the last block does not reach the end."""
    nodes = [node("Col2Im", ["x", "size", "block"], "y", strides=[2, 3], pads=[1, 0, 1, 2], dilations=[1, 2]), node("Col2Im", ["v", "long", "two"], "z", strides=[2])]
    ports = {"x": (FLOAT, ["b", 12, "l"]), "size": (INT64, [2]), "v": (FLOAT, [1, 4, "k"]), "long": (INT64, [1])}
    source = model(nodes, ports, {"y": (FLOAT, None), "z": (FLOAT, None)}, {"block": ints(2, 3), "two": ints(2)})
    runs = []
    for h, w, n in ((5, 7, 6), (6, 9, 5), (2, 5, 2)):
        blocks = ((h + 2 - 2) // 2 + 1) * ((w + 2 - 5) // 3 + 1)
        runs.append({"x": x(2, 12, blocks), "size": ints(h, w), "v": x(1, 4, (n - 2) // 2 + 1), "long": ints(n)})
    return case("folded", source, *runs)


def fitted() -> Case:
    """An image made as large as fits into a frame, as detectors do: floats that only sizes decide, rounded as a CPU rounds them."""
    nodes = [
        node("Shape", ["x"], "shape"), node("Slice", ["shape", "two", "four"], "hw"), node("ReduceMin", ["hw"], "least", keepdims=0), node("ReduceMax", ["hw"], "most", keepdims=0),
        node("Cast", ["least"], "short", to=FLOAT), node("Cast", ["most"], "long", to=FLOAT), node("Reciprocal", ["short"], "part"), node("Mul", ["part", "frame"], "a"),
        node("Div", ["room", "long"], "b"), node("Min", ["a", "b"], "scale"), node("Cast", ["hw"], "floats", to=FLOAT), node("Mul", ["floats", "scale"], "scaled"),
        node("Floor", ["scaled"], "whole"), node("Cast", ["whole"], "size", to=INT64), node("Slice", ["shape", "zero", "two"], "start"),
        node("Concat", ["start", "size"], "sizes", axis=0), node("Resize", ["x", "", "", "sizes"], "y", mode="linear"),
    ]  # fmt: skip
    constants = {"zero": ints(0), "two": ints(2), "four": ints(4), "frame": np.float32(21), "room": np.float32(35)}
    source = model(nodes, {"x": (FLOAT, [1, 1, "h", "w"])}, {"y": (FLOAT, None), "size": (INT64, [2])}, constants)
    return case("fitted", source, *({"x": x(1, 1, h, w)} for h, w in ((7, 9), (9, 41), (41, 11), (3, 3), (49, 49), (61, 47), (13, 55))))


def parts() -> Case:
    """A sequence of known length whose tensors are as long as the run says, an empty one among them."""
    nodes = [node("SplitToSequence", ["x", "split"], "parts", axis=0), *(node("SequenceAt", ["parts", place], place + "_part") for place in ("first", "last")),
             node("Concat", ["last_part", "first_part"], "y", axis=0)]  # fmt: skip
    source = model(nodes, {"x": (FLOAT, ["n", 3]), "split": (INT64, [3])}, {"y": (FLOAT, None), "last_part": (FLOAT, None)}, {"first": np.int64(0), "last": np.int64(-1)})
    return case("parts", source, *({"x": x(sum(of), 3), "split": ints(*of)} for of in ([2, 4, 3], [0, 6, 1], [5, 0, 2])))


def levels() -> Case:
    """As detectors with levels have it: padded by amounts that a run computes, five sizes of it joined, and taken apart again by their
    shares of all places."""
    nodes = [node("Neg", ["less"], "amounts"), node("Cast", ["amounts"], "pads", to=INT64), node("Pad", ["x", "pads"], "v0"), node("Identity", ["nothing"], "sum0")]
    for i in range(5):
        nodes += [node("MaxPool", [f"v{i}"], f"v{i + 1}", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
                  node("Shape", [f"v{i + 1}"], f"shape{i}"), node("Slice", [f"shape{i}", "two", "four"], f"hw{i}"), node("ReduceProd", [f"hw{i}"], f"places{i}"), node("Add", [f"sum{i}", f"places{i}"], f"sum{i + 1}"),
                  node("Concat", [f"v{i + 1}"] * 3, f"wide{i}", axis=1), node("Reshape", [f"wide{i}", "flat"], f"row{i}")]  # fmt: skip
    nodes += [node("Concat", [f"row{i}" for i in range(5)], "all", axis=1), node("Shape", ["all"], "dims"), node("Slice", ["dims", "one", "two"], "found"),
              node("Div", ["found", "sum5"], "kinds"), node("Identity", ["nothing"], "end0")]  # fmt: skip
    for i in range(5):
        nodes += [node("Mul", [f"places{i}", "kinds"], f"count{i}"), node("Add", [f"end{i}", f"count{i}"], f"end{i + 1}"), node("Slice", ["all", f"end{i}", f"end{i + 1}", "one"], f"y{i}")]
    source = model(nodes, {"x": (FLOAT, [1, 1, "h", "w"]), "less": (FLOAT, [8])}, {f"y{i}": (FLOAT, None) for i in range(5)},
                   {"nothing": ints(0), "one": ints(1), "two": ints(2), "four": ints(4), "flat": ints(1, -1)})  # fmt: skip
    return case("levels", source, *({"x": x(1, 1, h, w), "less": np.array([0, 0, *before, 0, 0, *after], np.float32)} for h, w, before, after in ((20, 33, (-1, 0), (-11, 1)), (64, 31, (0, 0), (0, -33)))))


def float_places() -> Case:
    """Places that are floats, up to a size that is read back, as VITS has them."""
    nodes = [node("Cast", ["most"], "end", to=FLOAT), node("Range", ["from", "end", "by"], "up"), node("Neg", ["most"], "minus"), node("Cast", ["minus"], "low", to=FLOAT),
             node("Range", ["end", "low", "down"], "fall")]  # fmt: skip
    runs = [{"lengths": ints(*one)} for one in ([3, 5, 2], [40], [1, 0], [0], [700, 3, 5, 9])]
    return of_lengths("float_places", nodes, {"up": (FLOAT, ["m"]), "fall": (FLOAT, ["k"])}, runs, {"from": np.float32(0), "by": np.float32(1), "down": np.float32(-3)})


def by_input() -> onnx.ModelProto:
    """Four lengths, whose number is known: the CPU has them."""
    return model([*MOST, node("Range", ["zero", "most", "step"], "y")], {"lengths": (INT64, [4])}, {"y": (INT64, ["m"])}, NUMBERS)


CASES = [mask(), views(), chain(), durations(), in_branch(), resized(), scaled(), of_depth(), steps(), transforms(), folded(), fitted(), parts(), levels(), float_places(), case("by_input", by_input(), {"lengths": ints(1, 7, 3, 2)}, {"lengths": ints(0, 0, 0, 0)})]


@pytest.fixture(scope="module")
def outcomes():
    return run_cases(CASES)


@pytest.mark.parametrize("name", [one.name for one in CASES])
def test_as_onnx_runtime(outcomes, name):
    assert outcomes[name].status == "passed", outcomes[name].message


def convert(source: onnx.ModelProto, folder, *options: str) -> str:
    onnx.save(source, folder / "m.onnx")
    command = [SUBBYTE, "convert", folder / "m.onnx", "--precision", "float32", "--output", folder / "m.webgpu.js", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return (folder / "m.webgpu.js").read_text(encoding="utf8")


def test_an_input_of_the_cpu_is_not_read_back(tmp_path):
    assert '"segments"' not in convert(by_input(), tmp_path)


def test_sizes_of_levels_stay_short(tmp_path):
    """What pads leave is a size, and so is what is computed of it: no clamp of it is kept, nor a message that spells one."""
    assert len(convert(levels().model, tmp_path)) < 120_000


def test_an_old_resize_is_not_guessed_when_it_makes_smaller(tmp_path):
    """Before opset 11 it was not said which element of smaller ones is the nearest."""
    source = model([node("Resize", ["x", "scales"], "y", mode="nearest")], {"x": (FLOAT, [1, 1, 4, 4]), "scales": (FLOAT, [4])}, {"y": (FLOAT, None)})
    source.opset_import[0].version = 10
    convert(source, tmp_path)
    runs = [{"x": x(1, 1, 4, 4), "scales": np.float32([1, 1, *pair])} for pair in ((2, 3), (2, 0.5))]
    (session,) = run_sessions("node", [{"module": tmp_path / "m.webgpu.js", "device": "default", "runs": runs}])
    larger, smaller = session["runs"]
    np.testing.assert_array_equal(larger["outputs"]["y"], expected(source, runs[0])["y"])
    assert "export the model with opset 11 or later" in smaller["error"]["message"]


@pytest.mark.parametrize("one", [*CASES[:5], *CASES[6:8]], ids=lambda one: one.name)
def test_written_as_onnx(one, tmp_path):
    written_as_onnx(one, tmp_path)
