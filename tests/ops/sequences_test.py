"""Sequences that loops fill and read, and tensors that only grow in them, against ONNX Runtime: turns that the run counts, that are
known and few, and that are known and many.
"""

import subprocess

import numpy as np
import onnx
import pytest
from onnx import helper

from harness import SUBBYTE, run_sessions
from loops_test import FLOAT, GOES_ON, INT64, TURN, body, case, model, node, number, written_as_onnx, x
from onnx_cases import Case
from run_cases import run_cases


def sequence(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_sequence_value_info(name, FLOAT, None)


def filling(*nodes, more: dict | None = None, constants: dict | None = None) -> onnx.GraphProto:
    """A body that carries the sequence `s`, which goes on as `s_out`."""
    inside = body(TURN, GOES_ON | (more or {}), *nodes, node("Identity", ["c"], "c_out"), constants=constants)
    inside.input.append(sequence("s"))
    inside.output.insert(1, sequence("s_out"))
    return inside


ROW = [node("Cast", ["i"], "f", to=FLOAT), node("Mul", ["x", "f"], "row"), node("Identity", ["x"], "other")]


def appended(name: str, turns: int | None) -> Case:
    """A list of rows, joined in three ways, and its places and length."""
    inside = filling(*ROW, node("SequenceInsert", ["s", "row"], "s_out"))
    nodes = [node("SequenceEmpty", [], "none"), node("Loop", ["turns", "", "none"], "list", body=inside), node("ConcatFromSequence", ["list"], "long", axis=1),
             node("ConcatFromSequence", ["list"], "stack", axis=-1, new_axis=1), node("ConcatFromSequence", ["list"], "first", axis=0, new_axis=1),
             node("SequenceAt", ["list", "last"], "at"), node("SequenceLength", ["list"], "length")]  # fmt: skip
    outputs = {"long": (FLOAT, [2, "k"]), "stack": (FLOAT, [2, "n", "m"]), "first": (FLOAT, ["m", 2, "n"]), "at": (FLOAT, [2, "n"]), "length": (INT64, [])}
    constants = {"last": number(-1)} | ({} if turns is None else {"turns": number(turns)})
    source = model(nodes, {"x": (FLOAT, [2, "n"])} | ({"turns": (INT64, [])} if turns is None else {}), outputs, constants)
    runs = [{"x": x(2, n)} | ({"turns": number(count)} if turns is None else {}) for n, count in ((3, 4), (1, 1), (5, 80))]
    return case(name, source, *runs)


def several() -> Case:
    """Two tensors a turn behind those that were there."""
    inside = filling(*ROW, node("SequenceInsert", ["s", "row"], "s1"), node("Identity", ["s1"], "s2"), node("SequenceInsert", ["s2", "other"], "s_out"))
    nodes = [node("SequenceConstruct", ["x", "y"], "begin"), node("Loop", ["turns", "", "begin"], "list", body=inside), node("ConcatFromSequence", ["list"], "z", axis=0),
             node("SequenceLength", ["list"], "length")]  # fmt: skip
    source = model(nodes, {"x": (FLOAT, ["n"]), "y": (FLOAT, ["n"]), "turns": (INT64, [])}, {"z": (FLOAT, ["k"]), "length": (INT64, [])})
    return case("several", source, *({"x": x(n), "y": x(n), "turns": number(turns)} for n, turns in ((3, 2), (2, 0), (4, 66))))


def grows(name: str, axis: int, begin: list, *, turns: int | None = None) -> Case:
    """Tensors that grow: one that is empty at first, one that is not and takes two parts a turn, beside one that keeps its shape."""
    states = {"a": (FLOAT, None), "b": (FLOAT, None), "h": (FLOAT, [2, 3])}
    inside = body(
        TURN | states, GOES_ON | {"a_out": (FLOAT, None), "b_out": (FLOAT, None), "h_out": (FLOAT, [2, 3]), "sum": (FLOAT, [])},
        node("Mul", ["h", "x"], "p"), node("Tanh", ["p"], "h_out"), node("Cast", ["a"], "a1", to=FLOAT), node("Concat", ["a1", "h_out"], "a_out", axis=axis), node("Concat", ["b", "p", "x"], "b1", axis=axis),
        node("Concat", ["b1", "h"], "b_out", axis=axis), node("ReduceSum", ["p"], "sum", keepdims=0), node("Identity", ["c"], "c_out"),
    )  # fmt: skip
    nodes = [node("Loop", ["turns", "", "none", "x", "x"], "a_end", "b_end", "h_end", "sums", body=inside)]
    outputs = {"a_end": (FLOAT, None), "b_end": (FLOAT, None), "h_end": (FLOAT, [2, 3]), "sums": (FLOAT, ["k"])}
    constants = {"none": np.zeros(begin, np.float32)} | ({} if turns is None else {"turns": number(turns)})
    source = model(nodes, {"x": (FLOAT, [2, 3])} | ({"turns": (INT64, [])} if turns is None else {}), outputs, constants)
    return case(name, source, *({"x": x(2, 3)} | ({"turns": number(count)} if turns is None else {}) for count in (3, 0, 70)))


def read(name: str, **how) -> Case:
    """The tensors of a sequence of any length, one a turn; and of a list that is known, by a place that is not."""
    inside = body(
        TURN | {"h": (FLOAT, None)}, GOES_ON | {"h_out": (FLOAT, None), "part": (FLOAT, None)},
        node("SequenceAt", ["parts", "i"], "part"), node("Mod", ["i", "two"], "at"), node("SequenceAt", ["pair", "at"], "weight"), node("Mul", ["part", "weight"], "p"),
        node("Add", ["h", "p"], "h_out"), node("Identity", ["c"], "c_out"),
    )  # fmt: skip
    ones = [node("Shape", ["x"], "dims", start=how["axis"], end=how["axis"] + 1), node("ConstantOfShape", ["dims"], "ones", value=onnx.numpy_helper.from_array(np.array([1])))]
    split = node("SplitToSequence", ["x", "ones"], "parts", axis=how["axis"]) if how.get("sized") else node("SplitToSequence", ["x"], "parts", **how)
    nodes = [*ones, split, node("SequenceConstruct", ["u", "v"], "pair"), node("SequenceLength", ["parts"], "length"), node("Loop", ["length", "", "u"], "y", "all", body=inside),
             node("ConcatFromSequence", ["pair"], "z", axis=0)]  # fmt: skip
    each = [1, 3] if how["axis"] == 0 else [4, 1]
    each = each if how.get("keepdims", 1) else [size for size in each if size != 1]
    ports_in = {"x": (FLOAT, ["n", 3] if how["axis"] == 0 else [4, "n"]), "u": (FLOAT, each), "v": (FLOAT, each)}
    source = model(nodes, ports_in, {"y": (FLOAT, None), "all": (FLOAT, None), "z": (FLOAT, None)}, {"two": number(2)})
    return case(name, source, *({"x": x(n, 3) if how["axis"] == 0 else x(4, n), "u": x(*each), "v": x(*each)} for n in (5, 1, 71)))


def nested() -> Case:
    """A list that an inner loop fills in each turn of an outer one, whose joined tensors are a list again."""
    inner = filling(node("Add", ["x", "u"], "row"), node("SequenceInsert", ["s", "row"], "s_out"))
    for one, new in zip([*inner.input[:3], *inner.output[:1]], ("j", "d", "t", "d_out")):
        one.name = new
    inner.output[1].name = "t_out"
    del inner.node[:]
    inner.node.extend([node("Cast", ["j"], "g", to=FLOAT), node("Add", ["u", "g"], "row"), node("SequenceInsert", ["t", "row"], "t_out"), node("Identity", ["d"], "d_out")])
    outer = filling(node("Cast", ["i"], "f", to=FLOAT), node("Mul", ["x", "f"], "u"), node("SequenceEmpty", [], "empty"), node("Loop", ["three", "", "empty"], "list", body=inner),
                    node("ConcatFromSequence", ["list"], "joined", axis=0), node("SequenceInsert", ["s", "joined"], "s_out"))  # fmt: skip
    nodes = [node("SequenceEmpty", [], "none"), node("Loop", ["turns", "", "none"], "lists", body=outer), node("ConcatFromSequence", ["lists"], "y", axis=0, new_axis=1)]
    source = model(nodes, {"x": (FLOAT, ["n"]), "turns": (INT64, []), "three": (INT64, [])}, {"y": (FLOAT, None)})
    return case("nested", source, *({"x": x(n), "turns": number(a), "three": number(b)} for n, a, b in ((2, 3, 3), (4, 70, 1), (3, 2, 66))))


def in_branch() -> Case:
    """A list by either side of an If."""
    sides = [helper.make_graph([node("Neg", ["x"], f"n{i}"), node("SequenceConstruct", pair, f"list{i}")], f"side{i}", [], [sequence(f"list{i}")])
             for i, pair in enumerate((["x", "n0"], ["n1", "y"]))]  # fmt: skip
    nodes = [node("ReduceSum", ["x"], "sum", keepdims=0), node("Greater", ["sum", "zero"], "positive"), node("If", ["positive"], "list", then_branch=sides[0], else_branch=sides[1]),
             node("ConcatFromSequence", ["list"], "z", axis=0), node("SequenceAt", ["list", "one"], "at")]  # fmt: skip
    source = model(nodes, {"x": (FLOAT, ["n"]), "y": (FLOAT, ["n"])}, {"z": (FLOAT, None), "at": (FLOAT, None)}, {"zero": np.float32(0), "one": number(1)})
    return case("in_branch", source, *({"x": sign * np.abs(x(4)), "y": x(4)} for sign in (1, -1)))


def repeats(axis: int, sized: bool) -> Case:
    """Each row as often as a number says, as PyTorch exports repeat_interleave: none of a row, of all, and more turns than are written out."""
    wide = ["c1", "times", "c2"] if axis else ["c1", "times", "three"]
    sizes = [node("Concat", wide, "wide", axis=0), node("Shape", ["wide"], "rank"), node("ConstantOfShape", ["rank"], "ones", value=onnx.numpy_helper.from_array(np.array([1]))),
             node("Mul", ["ones", "minus"], "open"), node("Equal", ["wide", "open"], "is_open"), node("Where", ["is_open", "ones", "wide"], "shape")]  # fmt: skip
    inside = filling(node("SequenceAt", ["counts", "i"], "times"), node("SequenceAt", ["rows", "i"], "row"), node("Unsqueeze", ["row", "after"], "apart"), *sizes,
                     node("Expand", ["apart", "shape"], "repeated"), node("Reshape", ["repeated", "flat"], "part"), node("SequenceInsert", ["s", "part"], "s_out"))  # fmt: skip
    ones = [node("Shape", ["lengths"], "n"), node("ConstantOfShape", ["n"], "single", value=onnx.numpy_helper.from_array(np.array([1])))] if sized else [node("Shape", ["lengths"], "n")]
    by = ["single"] if sized else []
    nodes = [*ones, node("SplitToSequence", ["x", *by], "rows", axis=axis), node("SplitToSequence", ["lengths", *by], "counts", axis=0), node("SequenceEmpty", [], "none"),
             node("Loop", ["n", "yes", "none"], "list", body=inside), node("ConcatFromSequence", ["list"], "long", axis=axis), node("Relu", ["long"], "y")]  # fmt: skip
    constants = {"yes": np.array(True), "minus": np.int64(-1), "after": np.array([axis + 1]), "c1": np.array([2, 1] if axis else [1]), "c2": np.array([], np.int64), "three": np.array([3]),
                 "flat": np.array([2, -1] if axis else [-1, 3])}  # fmt: skip
    source = model(nodes, {"x": (FLOAT, [2, "n"] if axis else ["n", 3]), "lengths": (INT64, ["n"])}, {"y": (FLOAT, None)}, constants)
    runs = [np.array(one, np.int64) for one in ([2, 0, 3, 1], [0, 0, 5], [4], [1, 1, 1, 1, 1], list(range(70)))]
    return case(f"repeats_{axis}", source, *({"x": x(2, len(one)) if axis else x(len(one), 3), "lengths": one} for one in runs))


CASES = [
    repeats(0, False), repeats(1, True),
    appended("appended", None), appended("appended_few", 3), appended("appended_many", 70), several(), grows("grows_in_front", 0, [0, 3]), grows("grows_behind", -1, [2, 0]),
    grows("grows_few", 1, [2, 0], turns=2), grows("grows_many", 0, [0, 3], turns=65), read("read_rows", axis=0), read("read_rows_flat", axis=0, keepdims=0),
    read("read_columns", axis=1), read("read_sized", axis=1, sized=True), nested(), in_branch(),
]  # fmt: skip


@pytest.fixture(scope="module")
def outcomes():
    return run_cases(CASES)


@pytest.mark.parametrize("name", [one.name for one in CASES])
def test_as_onnx_runtime(outcomes, name):
    assert outcomes[name].status == "passed", outcomes[name].message


@pytest.mark.parametrize("one", CASES, ids=lambda one: one.name)
def test_written_as_onnx(one, tmp_path):
    written_as_onnx(one, tmp_path)


def refusal(source: onnx.ModelProto, folder) -> str:
    onnx.save(source, folder / "m.onnx")
    done = subprocess.run([SUBBYTE, "convert", folder / "m.onnx", "--output", folder / "m.webgpu.js"], capture_output=True, text=True)
    assert done.returncode == 1
    return done.stderr


def test_what_is_read_while_it_grows_is_refused(tmp_path):
    inside = filling(node("SequenceAt", ["s", "last"], "before"), node("Add", ["before", "x"], "row"), node("SequenceInsert", ["s", "row"], "s_out"))
    nodes = [node("SequenceConstruct", ["x"], "begin"), node("Loop", ["turns", "", "begin"], "list", body=inside), node("ConcatFromSequence", ["list"], "y", axis=0)]
    source = model(nodes, {"x": (FLOAT, [3]), "turns": (INT64, [])}, {"y": (FLOAT, None)}, {"last": number(-1)})
    assert "it carries the sequence 'begin', and does more with it in a turn than to put tensors at its end" in refusal(source, tmp_path)


def list_of(name: str, *nodes) -> onnx.ModelProto:
    inside = filling(*nodes, node("SequenceInsert", ["s", name], "s_out"))
    outside = [node("SequenceEmpty", [], "none"), node("Loop", ["turns", "", "none"], "list", body=inside), node("ConcatFromSequence", ["list"], "y", axis=0)]
    constants = {"one": number(1), "row": np.array([1]), "start": np.array([0])}
    return model(outside, {"x": (FLOAT, ["n"]), "turns": (INT64, [])}, {"y": (FLOAT, None)}, constants)


def test_parts_whose_sizes_each_turn_finds_out_are_refused(tmp_path):
    source = list_of("kept", node("Gather", ["x", "i"], "limit"), node("Greater", ["x", "limit"], "above"), node("Compress", ["x", "above"], "kept"))
    assert "which each turn finds out anew; it must be the same in all" in refusal(source, tmp_path)


def test_parts_of_several_sizes_are_an_error_of_the_run(tmp_path):
    source = list_of("cut", node("Add", ["i", "one"], "next"), node("Reshape", ["next", "row"], "end"), node("Slice", ["x", "start", "end"], "cut"))
    onnx.save(source, tmp_path / "m.onnx")
    subprocess.run([SUBBYTE, "convert", tmp_path / "m.onnx", "--precision", "float32", "--output", tmp_path / "m.webgpu.js"], check=True, capture_output=True)
    runs = [{"x": x(1), "turns": number(3)}, {"x": x(4), "turns": number(3)}]
    (session,) = run_sessions("node", [{"module": tmp_path / "m.webgpu.js", "device": "default", "runs": runs}])
    np.testing.assert_array_equal(session["runs"][0]["outputs"]["y"], np.repeat(runs[0]["x"], 3))
    assert "it must be the same in all" in session["runs"][1]["error"]["message"]
