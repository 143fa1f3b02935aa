"""Folding makes no module larger, and what is made of constants takes nothing of a run."""

import numpy as np
import pytest
from onnx import helper, numpy_helper

from harness import assert_outputs, manifest_of, oracle, plan_of, run_sessions
from small_models import FLOAT, INT64, convert_all, model, node, normal


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("folded")


def filled(value, *shape):
    return helper.make_node(
        "ConstantOfShape", ["s"], ["c"], value=numpy_helper.from_array(np.array([value], np.float32))
    ), {"s": np.array(shape)}


SMALL = normal(1, 64)
FILL, FILL_SHAPE = filled(1.25, 512, 64)
FOLDED = {
    "expand": (
        model(
            [node("Expand", "small shape", "e"), node("Add", "x e", "y")],
            {"x": (FLOAT, [4096, 64])},
            ["y"],
            {"small": SMALL, "shape": np.array([4096, 64])},
        ),
        {"x": normal(4096, 64)},
    ),
    "tile": (
        model(
            [node("Tile", "small times", "e"), node("Add", "x e", "y")],
            {"x": (FLOAT, [64, 128])},
            ["y"],
            {"small": normal(2, 32), "times": np.array([32, 4])},
        ),
        {"x": normal(64, 128)},
    ),
    "constant of shape in concat": (
        model([FILL, node("Concat", "x c", "y", axis=0)], {"x": (FLOAT, [3, 64])}, ["y"], FILL_SHAPE),
        {"x": normal(3, 64)},
    ),
    "constant of shape in add": (
        model([FILL, node("Add", "x c", "y")], {"x": (FLOAT, [512, 64])}, ["y"], FILL_SHAPE),
        {"x": normal(512, 64)},
    ),
}

FOLDED |= {
    "a curve of an outer product": (
        model(
            [node("MatMul", "column row", "o"), node("Mul", "column row", "p"), node("Exp", "p", "e")]
            + [node("Add", "x e", "s"), node("Add", "s o", "y")],
            {"x": (FLOAT, [256, 256])},
            ["y"],
            {"column": normal(256, 1) / 2, "row": normal(1, 256) / 2},
        ),
        {"x": normal(256, 256)},
    ),
    "marks of places": (
        model(
            [node("OneHot", "places depth marks", "m"), node("MatMul", "m x", "y")],
            {"x": (FLOAT, [64, 5])},
            ["y"],
            {"places": np.arange(64)[::-1].copy(), "depth": np.array(64), "marks": np.array([0, 2], np.float32)},
        ),
        {"x": normal(64, 5)},
    ),
    "what is filled as an output": (
        model([FILL, node("Relu", "x", "y")], {"x": (FLOAT, [3, 64])}, ["y", "c"], FILL_SHAPE),
        {"x": normal(3, 64)},
    ),
    "biases of relative positions": (
        model(
            [node("Gather", "table at", "g"), node("Transpose", "g", "h", perm=[2, 0, 1]), node("Add", "x h", "s")]
            + [node("Softmax", "s", "y", axis=-1)],
            {"x": (FLOAT, [8, 16, 16])},
            ["y"],
            {"table": normal(60, 8), "at": (np.arange(16)[:, None] * 3 + np.arange(16)) % 61 - 1},
        ),
        {"x": normal(8, 16, 16)},
    ),
    "a table that is enlarged": (
        model(
            [helper.make_node("Resize", ["table", "", "", "size"], ["e"], mode="cubic"), node("Add", "x e", "y")],
            {"x": (FLOAT, [1, 2, 96, 96])},
            ["y"],
            {"table": normal(1, 2, 14, 14), "size": np.array([1, 2, 96, 96])},
        ),
        {"x": normal(1, 2, 96, 96)},
    ),
    "a weight of low rank": (
        model(
            [node("MatMul", "a b", "w"), node("Transpose", "w", "t", perm=[1, 0]), node("MatMul", "x t", "h")]
            + [node("Gemm", "h w c", "y", transB=1, alpha=0.5)],
            {"x": (FLOAT, [3, 96])},
            ["y"],
            {"a": normal(96, 4), "b": normal(4, 96), "c": normal(96)},
        ),
        {"x": normal(3, 96)},
    ),
    "repeats within an axis": (
        model(
            [node("Expand", "w shape", "e"), node("Reshape", "e long", "t"), node("Add", "x t", "y")],
            {"x": (FLOAT, [256, 16])},
            ["y"],
            {"w": normal(64, 1, 16), "shape": np.array([64, 4, 16]), "long": np.array([256, 16])},
        ),
        {"x": normal(256, 16)},
    ),
    "a matrix that repeats": (
        model(
            [node("Expand", "w shape", "e"), node("Reshape", "e long", "t"), node("MatMul", "x t", "y")],
            {"x": (FLOAT, [3, 256])},
            ["y"],
            {"w": normal(16, 1, 64), "shape": np.array([16, 16, 64]), "long": np.array([256, 64])},
        ),
        {"x": normal(3, 256)},
    ),
    "a causal mask": (
        model(
            [node("Range", "zero n one", "r"), node("Unsqueeze", "r axis", "c"), node("LessOrEqual", "r c", "m")]
            + [node("Where", "m zeros far", "b"), node("Add", "x b", "s"), node("Softmax", "s", "y", axis=-1)],
            {"x": (FLOAT, [2, 96, 96])},
            ["y"],
            {
                "zero": np.array(0),
                "n": np.array(96),
                "one": np.array(1),
                "axis": np.array([1]),
                "zeros": np.float32(0),
                "far": np.float32(-np.inf),
            },
        ),
        {"x": normal(2, 96, 96)},
    ),
    "arithmetic of a mask": (
        model(
            [node("Cast", "m", "f", to=FLOAT), node("Sub", "one f", "g"), node("Mul", "g far", "b")]
            + [node("Expand", "b shape", "e"), node("Add", "x e", "s"), node("Softmax", "s", "y", axis=-1)],
            {"x": (FLOAT, [4, 96, 96])},
            ["y"],
            {
                "m": np.arange(96).reshape(1, 1, 96) < 77,
                "one": np.float32(1),
                "far": np.float32(-1e9),
                "shape": np.array([1, 96, 96]),
            },
        ),
        {"x": normal(4, 96, 96)},
    ),
    "a kernel for every channel": (
        model(
            [node("Expand", "w shape", "e"), node("Conv", "x e", "y", group=64)],
            {"x": (FLOAT, [1, 64, 9, 9])},
            ["y"],
            {"w": normal(1, 1, 5, 5), "shape": np.array([64, 1, 5, 5])},
        ),
        {"x": normal(1, 64, 9, 9)},
    ),
}

WAVES = (
    [node("Range", "zero n one", "r"), node("Cast", "r", "f", to=FLOAT), node("Unsqueeze", "f axis", "p")]
    + [node("Mul", "p frequencies", "half"), node("Concat", "half half", "angles", axis=1)]
    + [node("Cos", "angles", "cos"), node("Sin", "angles", "sin")]
)
POSITIONS = {
    "zero": np.array(0),
    "n": np.array(320),
    "one": np.array(1),
    "axis": np.array([1]),
    "frequencies": (10000.0 ** (-np.arange(32) / 32)).astype(np.float32)[None],
}
FOLDED |= {
    "waves of positions": (
        model(
            WAVES + [node("Mul", "x cos", "a"), node("Mul", "x sin", "b"), node("Sub", "a b", "y")],
            {"x": (FLOAT, [2, 320, 64])},
            ["y"],
            POSITIONS,
        ),
        {"x": normal(2, 320, 64)},
    ),
    "waves that several kernels read": (
        model(
            WAVES
            + [node("Mul", "x cos", "a"), node("Softmax", "a", "y", axis=-1)]
            + [node("Add", "y cos", "b"), node("Softmax", "b", "z", axis=-1)],
            {"x": (FLOAT, [2, 320, 64])},
            ["z"],
            POSITIONS,
        ),
        {"x": normal(2, 320, 64)},
    ),
}


def dispatches(module):
    """Those at load, and those of a run."""
    plan = plan_of(module)
    once = sum(segment["steps"] for segment in plan.get("segments", []) if segment.get("once"))
    return once, len(plan["steps"]) - once


def test_what_is_made_of_constants_takes_no_dispatch_of_a_run(folder):
    (module,) = convert_all(folder, {"waves": FOLDED["waves that several kernels read"]}, "float32")
    assert dispatches(module) == (0, 2)
    ids = {"ids": (INT64, [2, 5])}
    gathered = model(WAVES + [node("Gather", "cos ids", "y")], ids, ["y"], POSITIONS)
    (module,) = convert_all(folder, {"gathered waves": (gathered,)}, "float32")
    assert dispatches(module) == (1, 1)
    inputs = [{"ids": np.array(some).reshape(2, 5)} for some in (range(10), range(319, 309, -1))]
    (result,) = run_sessions("node", [{"module": module, "device": "default", "runs": inputs}])
    for given, one in zip(inputs, result["runs"]):
        assert_outputs(one["outputs"], oracle(folder / "gathered-waves.onnx", given), 2e-6, "gathered waves")


def test_folding_makes_nothing_larger(folder):
    modules = convert_all(folder, FOLDED, "float32")
    sessions = [
        {"module": module, "device": "default", "runs": [inputs]}
        for module, (_, inputs) in zip(modules, FOLDED.values())
    ]
    for (name, (_, inputs)), module, result in zip(FOLDED.items(), modules, run_sessions("node", sessions)):
        assert manifest_of(module)["totals"]["bytes"] <= 4096, name
        expected = oracle(folder / f"{name.replace(' ', '-')}.onnx", inputs)
        assert_outputs(result["runs"][0]["outputs"], expected, 2e-6, name)
