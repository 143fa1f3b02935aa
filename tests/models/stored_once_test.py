"""A weight is stored once, however often and however it is read."""

import numpy as np
import pytest

from harness import assert_outputs, convert, manifest_of, oracle, run, run_sessions
from read_weights import read_weights
from small_models import FLOAT, INT64, convert_all, model, node, normal, saved

X = {"x": (FLOAT, [3, 64])}
SQUARE = normal(64, 64)
TABLE = normal(200, 64)

# name: (model, inputs, weights that are stored, most bytes of them at float32)
SHARED = {
    "identities": (
        model(
            [node("Identity", "w", f"w{i}") for i in range(4)]
            + [node("MatMul", f"{'x' if i == 0 else f'h{i - 1}'} w{i}", f"h{i}") for i in range(4)],
            X,
            ["h3"],
            {"w": SQUARE / 8},
        ),
        {"x": normal(3, 64)},
        1,
    ),
    "equal bytes": (
        model(
            [node("MatMul", "x a", "h"), node("Relu", "h", "r"), node("MatMul", "r b", "y")],
            X,
            ["y"],
            {"a": SQUARE, "b": SQUARE.copy()},
        ),
        {"x": normal(3, 64)},
        1,
    ),
    "tied embedding": (
        model(
            [
                node("Gather", "table ids", "e"),
                node("Transpose", "table", "t", perm=[1, 0]),
                node("MatMul", "e t", "y"),
            ],
            {"ids": (INT64, [5])},
            ["y"],
            {"table": TABLE},
        ),
        {"ids": np.array([3, 199, 0, 7, 42])},
        1,
    ),
    "a copy that is the transpose": (
        model(
            [node("Gather", "table ids", "e"), node("MatMul", "e head", "y")],
            {"ids": (INT64, [5])},
            ["y"],
            {"table": TABLE, "head": np.ascontiguousarray(TABLE.T)},
        ),
        {"ids": np.array([3, 199, 0, 7, 42])},
        1,
    ),
    "a copy in other dims": (
        model(
            [node("MatMul", "x a", "h"), node("Reshape", "h s", "r"), node("Conv", "r b", "y")],
            X,
            ["y"],
            {"a": SQUARE, "b": SQUARE.reshape(64, 64, 1, 1).copy(), "s": np.array([3, 64, 1, 1])},
        ),
        {"x": normal(3, 64)},
        1,
    ),
    "a tied embedding of halves": (
        model(
            [
                node("Gather", "table ids", "rows"),
                node("Cast", "rows", "e", to=FLOAT),
                node("Cast", "table", "wide", to=FLOAT),
                node("Transpose", "wide", "t", perm=[1, 0]),
                node("MatMul", "e t", "y"),
            ],
            {"ids": (INT64, [5])},
            ["y"],
            {"table": TABLE.astype(np.float16)},
        ),
        {"ids": np.array([3, 199, 0, 7, 42])},
        1,
    ),
    "a convolution at two levels": (
        model(
            [
                node("Conv", "x w", "a"),
                node("Mul", "a s", "b"),
                node("MaxPool", "x", "p", kernel_shape=[2, 2], strides=[2, 2]),
                node("Conv", "p w", "c"),
                node("Mul", "c t", "d"),
                node("GlobalAveragePool", "b", "e"),
                node("GlobalAveragePool", "d", "f"),
                node("Add", "e f", "y"),
            ],
            {"x": (FLOAT, [1, 16, 8, 8])},
            ["y"],
            {
                "w": normal(16, 16, 3, 3),
                "s": np.abs(normal(16, 1, 1)) + 0.5,
                "t": np.abs(normal(16, 1, 1)) + 0.5,
            },
        ),
        {"x": normal(1, 16, 8, 8)},
        3,
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("once")


@pytest.mark.parametrize("precision,tolerance", [("float32", 1e-5), ("8bit", 0.05)])
def test_shared_weights(folder, precision, tolerance):
    modules = convert_all(folder, SHARED, precision)
    sessions = [
        {"module": module, "device": "default", "runs": [inputs]}
        for module, (_, inputs, _) in zip(modules, SHARED.values())
    ]
    for (name, (_, inputs, count)), module, result in zip(SHARED.items(), modules, run_sessions("node", sessions)):
        source = folder / f"{name.replace(' ', '-')}.onnx"
        assert_outputs(result["runs"][0]["outputs"], oracle(source, inputs), tolerance, name)
        weights = manifest_of(module)["weights"]
        assert len(weights) == count, [weight["name"] for weight in weights]
        assert not any("read_by_elements" in weight for weight in weights), name


PARTS = {"from": np.array([0]), "to": np.array([60]), "then": np.array([4]), "end": np.array([64]), "axis": np.array([1])}
READ_WHOLE_TOO = {
    "in two parts": model(
        [node("MatMul", "x w", "y"), node("Split", "w", "a b", axis=1, num_outputs=2)]
        + [node("MatMul", "x a", "p"), node("MatMul", "x b", "q")],
        X,
        ["y", "p", "q"],
        {"w": SQUARE / 8},
    ),
    "in parts that overlap": model(
        [node("Slice", "w from to axis", "a"), node("Slice", "w then end axis", "b")]
        + [node("MatMul", "x a", "p"), node("MatMul", "x b", "q")],
        X,
        ["p", "q"],
        {"w": SQUARE / 8, **PARTS},
    ),
}


@pytest.mark.parametrize("precision,tolerance", [("float32", 1e-5), ("8bit", 0.02), ("4bit", 0.12)])
def test_a_weight_that_is_read_in_parts_too(folder, precision, tolerance):
    """Rows of a packed matrix are read where they lie."""
    cases = {name: (made, {"x": normal(3, 64)}) for name, made in READ_WHOLE_TOO.items()}
    modules = convert_all(folder, cases, precision)
    sessions = [
        {"module": module, "device": "default", "runs": [inputs]}
        for module, (_, inputs) in zip(modules, cases.values())
    ]
    for (name, (_, inputs)), module, result in zip(cases.items(), modules, run_sessions("node", sessions)):
        (weight,) = manifest_of(module)["weights"]
        assert weight["shape"] == [64, 64] and "read_by_elements" not in weight, name
        expected = oracle(folder / f"{name.replace(' ', '-')}.onnx", inputs)
        assert_outputs(result["runs"][0]["outputs"], expected, tolerance, f"{name} at {precision}")


def test_an_output_that_is_a_weight_is_what_is_stored(folder):
    """To the bit what the products compute with, in whatever shape: docs/format.md."""
    made = model(
        [node("MatMul", "x w", "y"), node("Identity", "w", "same"), node("Transpose", "w", "turned", perm=[1, 0])]
        + [node("Reshape", "w shape", "long"), node("Identity", "apart", "exact")],
        X,
        ["y", "same", "turned", "long", "w", "exact"],
        {"w": SQUARE / 8, "shape": np.array([16, 256]), "apart": TABLE},
    )
    for precision in ["float32", "4bit"]:
        source = saved(folder, made, "outputs")
        module = folder / f"outputs.{precision}.webgpu.js"
        told = run("convert", source, "--precision", precision, "--output", module, "--no-check").stderr
        assert ("output 'turned' is the weight 'w', and gives its values as they are stored at 4 bits" in told) == (
            precision == "4bit"
        )
        weights = {weight["name"]: weight["bits"] for weight in manifest_of(module)["weights"]}
        assert weights == {"w": 32 if precision == "float32" else 4, "apart": 32}
        stored = read_weights(module.with_suffix(".json"))["w"]
        assert precision == "4bit" or np.array_equal(stored, SQUARE / 8)
        (result,) = run_sessions("node", [{"module": module, "device": "default", "runs": [{"x": normal(3, 64)}]}])
        outputs = result["runs"][0]["outputs"]
        np.testing.assert_array_equal(outputs["same"], stored)
        np.testing.assert_array_equal(outputs["w"], stored)
        np.testing.assert_array_equal(outputs["turned"], stored.T)
        np.testing.assert_array_equal(outputs["long"], stored.reshape(16, 256))
        np.testing.assert_array_equal(outputs["exact"], TABLE)


def test_the_other_names_are_kept(folder):
    source = saved(folder, SHARED["equal bytes"][0], "names")
    rules = folder / "rules.json"
    rules.write_text('{"tensors": {"b": "2bit"}}')
    module = convert(source, folder / "names.webgpu.js", "--precision", "8bit", "--mixed-precision-config", rules)
    (weight,) = manifest_of(module)["weights"]
    assert (weight["name"], weight["also_named"], weight["bits"]) == ("a", ["b"], 2)


def test_a_reader_along_the_other_axis_is_named(folder):
    """x w sums over the first axis of w, x w' over the second: one is stored, and the other said."""
    made = model(
        [node("MatMul", "x w", "h"), node("MatMul", "h v", "y")],
        {"x": (FLOAT, [3, 96])},
        ["y"],
        {"w": (wide := normal(96, 64)), "v": np.ascontiguousarray(wide.T)},
    )
    made.graph.node[1].name = "back"
    source = saved(folder, made, "two-ways")
    module = folder / "two-ways.webgpu.js"
    done = run("convert", source, "--precision", "8bit", "--output", module)
    assert "weight 'w': 'back' sums over other axes" in done.stderr
    (weight,) = manifest_of(module)["weights"]
    assert weight["read_by_elements"] == ["back"]
    inputs = {"x": normal(3, 96)}
    (result,) = run_sessions("node", [{"module": module, "device": "default", "runs": [inputs]}])
    assert_outputs(result["runs"][0]["outputs"], oracle(source, inputs), 0.05, "two ways")


# name: (model, inputs): weights of matrices, one for each place along other axes
BATCHED = {
    "one for each batch": (
        model([node("MatMul", "x w", "y")], {"x": (FLOAT, [4, 5, 64])}, ["y"], {"w": normal(4, 64, 96)}),
        {"x": normal(4, 5, 64)},
    ),
    "the same x for each": (
        model([node("MatMul", "x w", "y")], {"x": (FLOAT, [5, 64])}, ["y"], {"w": normal(4, 64, 96)}),
        {"x": normal(5, 64)},
    ),
    "inner batches": (
        model([node("MatMul", "x w", "y")], {"x": (FLOAT, [3, 4, 5, 64])}, ["y"], {"w": normal(4, 64, 96)}),
        {"x": normal(3, 4, 5, 64)},
    ),
    "outer batches": (
        model([node("MatMul", "x w", "y")], {"x": (FLOAT, [4, 3, 5, 64])}, ["y"], {"w": normal(4, 1, 64, 96)}),
        {"x": normal(4, 3, 5, 64)},
    ),
    "two axes of batches": (
        model([node("MatMul", "x w", "y")], {"x": (FLOAT, ["n", 2, 3, 5, 64])}, ["y"], {"w": normal(2, 3, 64, 32)}),
        {"x": normal(2, 2, 3, 5, 64)},
    ),
    "a batch of one": (
        model([node("MatMul", "x w", "y")], {"x": (FLOAT, [3, 5, 64])}, ["y"], {"w": normal(1, 64, 32)}),
        {"x": normal(3, 5, 64)},
    ),
    "transposed": (
        model(
            [node("Transpose", "w", "t", perm=[0, 2, 1]), node("MatMul", "x t", "y")],
            {"x": (FLOAT, [4, 5, 64])},
            ["y"],
            {"w": normal(4, 96, 64)},
        ),
        {"x": normal(4, 5, 64)},
    ),
    "on the left": (
        model([node("MatMul", "w x", "y")], {"x": (FLOAT, [64, 7])}, ["y"], {"w": normal(96, 64)}),
        {"x": normal(64, 7)},
    ),
    "on the left of many": (
        model([node("MatMul", "w x", "y")], {"x": (FLOAT, ["n", 64, 7])}, ["y"], {"w": normal(96, 64)}),
        {"x": normal(3, 64, 7)},
    ),
    "many on the left": (
        model([node("MatMul", "w x", "y")], {"x": (FLOAT, [64, 7])}, ["y"], {"w": normal(4, 32, 64)}),
        {"x": normal(64, 7)},
    ),
    "many on the left of a vector": (
        model([node("MatMul", "w x", "y")], {"x": (FLOAT, [64])}, ["y"], {"w": normal(4, 32, 64)}),
        {"x": normal(64)},
    ),
    "on the left of Gemm, transposed": (
        model(
            [node("Gemm", "w x", "y", transA=1, transB=1, alpha=0.5)],
            {"x": (FLOAT, [7, 64])},
            ["y"],
            {"w": normal(64, 96)},
        ),
        {"x": normal(7, 64)},
    ),
    "experts of a size that is no multiple": (
        model([node("MatMul", "x w", "y")], {"x": (FLOAT, [3, 7, 50])}, ["y"], {"w": normal(3, 50, 33)}),
        {"x": normal(3, 7, 50)},
    ),
}
# Rounding to N bits of numbers from a normal distribution.
ERRORS = {"float32": 1e-5, "float16": 2e-3, "8bit": 0.02, "4bit": 0.12, "3bit": 0.25}


@pytest.mark.parametrize("precision", ERRORS)
def test_weights_of_many_matrices_are_packed(folder, precision):
    modules = convert_all(folder, BATCHED, precision)
    sessions = [
        {"module": module, "device": "default", "runs": [inputs]}
        for module, (_, inputs) in zip(modules, BATCHED.values())
    ]
    bits = {"float32": 32, "float16": 16, "8bit": 8, "4bit": 4, "3bit": 3}[precision]
    for (name, (_, inputs)), module, result in zip(BATCHED.items(), modules, run_sessions("node", sessions)):
        (weight,) = manifest_of(module)["weights"]
        assert weight["bits"] == bits and "read_by_elements" not in weight, name
        expected = oracle(folder / f"{name.replace(' ', '-')}.onnx", inputs)
        assert_outputs(result["runs"][0]["outputs"], expected, ERRORS[precision], f"{name} at {precision}")


def test_a_promise_that_is_not_kept_is_a_warning(folder):
    """Most parameters are anchors, which no precision narrows."""
    made = model(
        [node("MatMul", "x w", "h"), node("Add", "h anchors", "y")],
        {"x": (FLOAT, [512, 64])},
        ["y"],
        {"w": normal(64, 64), "anchors": 2000 + normal(512, 64)},
    )
    done = run("convert", saved(folder, made, "promise"), "--precision", "4bit", "--output", folder / "promise.webgpu.js")
    assert "4bit: 11.1 % of the parameters are stored at 4 bits or fewer, where 95 % are promised" in done.stderr
    assert "'anchors' (88.9 %) has 32 bits, for it is no trained operand" in done.stderr


# name: (model, inputs): weights without elements
EMPTY = {
    "no depth": (
        model([node("MatMul", "x w", "y")], {"x": (FLOAT, ["n", 0])}, ["y"], {"w": normal(0, 4)}),
        {"x": normal(3, 0)},
    ),
    "no depth and a bias": (
        model([node("Gemm", "x w b", "y")], {"x": (FLOAT, ["n", 0])}, ["y"], {"w": normal(0, 4), "b": normal(4)}),
        {"x": normal(3, 0)},
    ),
    "no columns": (
        model([node("MatMul", "x w", "y")], {"x": (FLOAT, ["n", 4])}, ["y"], {"w": normal(4, 0)}),
        {"x": normal(3, 4)},
    ),
    "no depth on the left": (
        model([node("MatMul", "w x", "y")], {"x": (FLOAT, [0, "n"])}, ["y"], {"w": normal(4, 0)}),
        {"x": normal(0, 3)},
    ),
    "a table of no rows": (
        model([node("Gather", "w x", "y")], {"x": (INT64, ["n"])}, ["y"], {"w": normal(0, 4)}),
        {"x": np.zeros(0, np.int64)},
    ),
    "added to nothing": (
        model([node("Add", "x w", "y")], {"x": (FLOAT, ["n", 0])}, ["y"], {"w": normal(1, 0)}),
        {"x": normal(3, 0)},
    ),
}


@pytest.mark.parametrize("precision", ["float32", "4bit"])
@pytest.mark.parametrize("name", EMPTY)
def test_weights_without_elements(folder, name, precision):
    made, inputs = EMPTY[name]
    source = saved(folder, made, f"empty {name}")
    module = convert(source, source.with_suffix(f".{precision}.webgpu.js"), "--precision", precision)
    (result,) = run_sessions("node", [{"module": module, "device": "default", "runs": [inputs]}])
    assert "outputs" in result["runs"][0], result["runs"][0]
    assert_outputs(result["runs"][0]["outputs"], oracle(source, inputs), 1e-6, name)
