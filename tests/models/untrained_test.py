"""Constants that no product, normalisation or table trains keep all their digits at every precision."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness import assert_outputs, convert, manifest_of, oracle, run_sessions

PRECISIONS = ["float16", "8bit", "4bit", "2bit"]
FLOAT = TensorProto.FLOAT
INT64 = TensorProto.INT64
random = np.random.default_rng(23)


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), **attributes)


def model(nodes, inputs, output, constants):
    """`inputs` and `output`: name -> (dtype, dims)."""
    ports = [helper.make_tensor_value_info(name, *what) for name, what in inputs.items()]
    results = [helper.make_tensor_value_info(name, *what) for name, what in output.items()]
    weights = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "untrained", ports, results, weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    made.ir_version = 8
    return made


def floats(*values):
    return np.array(values, np.float32)


FREQUENCIES = (10000.0 ** (-np.arange(32) / 32)).astype(np.float32)
ANGLES = np.outer(np.arange(4096), FREQUENCIES)
X = {"x": (FLOAT, [2, 3, 4, 5])}
Y = {"y": (FLOAT, None)}


def around(center, spread, *shape):
    return (center + spread * random.standard_normal(shape)).astype(np.float32)


# name: (model, inputs)
CASES = {
    "mean and deviation": (
        model(
            [node("Sub", "x mean", "c"), node("Div", "c std", "y")],
            X,
            Y,
            {
                "mean": floats(60001, 60003, 59998.5).reshape(3, 1, 1),
                "std": floats(100, 101, 99).reshape(3, 1, 1),
            },
        ),
        {"x": around(60000, 100, 2, 3, 4, 5)},
    ),
    "mean of input": (
        model(
            [node("Sub", "x mean", "y")],
            X,
            Y,
            {"mean": floats(3001.3, 3000.7, 2999.9).reshape(3, 1, 1)},
        ),
        {"x": around(3001, 1, 2, 3, 4, 5)},
    ),
    "mean of input before a convolution": (
        model(
            [node("Sub", "x mean", "c"), node("Div", "c std", "n"), node("Conv", "n w", "y")],
            X,
            Y,
            {
                "mean": floats(3001.3, 3000.7, 2999.9).reshape(3, 1, 1),
                "std": floats(1, 1, 1).reshape(3, 1, 1),
                "w": np.full((4, 3, 1, 1), 0.77, np.float32),
            },
        ),
        {"x": around(3001, 1, 2, 3, 4, 5)},
    ),
    "angles": (
        model(
            [node("Mul", "x f", "angle"), node("Sin", "angle", "y")],
            {"x": (FLOAT, [4, 1])},
            Y,
            {"f": FREQUENCIES},
        ),
        {"x": floats(0, 999, 2000, 8000).reshape(4, 1)},
    ),
    "rotary frequencies": (
        model(
            [
                node("Cast", "p", "pf", to=FLOAT),
                node("MatMul", "f pf", "angle"),
                node("Transpose", "angle", "t", perm=[0, 2, 1]),
                node("Concat", "t t", "both", axis=-1),
                node("Cos", "both", "y"),
            ],
            {"p": (INT64, [1, 1, 3])},
            Y,
            {"f": FREQUENCIES.reshape(1, 32, 1)},
        ),
        {"p": np.array([[[3, 2000, 8000]]])},
    ),
    "outer product of positions": (
        model(
            [
                node("Cast", "p", "pf", to=FLOAT),
                node("MatMul", "pf f", "angle"),
                node("Sin", "angle", "y"),
            ],
            {"p": (INT64, [5, 1])},
            Y,
            {"f": FREQUENCIES.reshape(1, 32)},
        ),
        {"p": np.array([[1], [77], [999], [2000], [8000]])},
    ),
    "table of cosines": (
        model(
            [
                node("MatMul", "x w", "q"),
                node("Gather", "cos p", "c"),
                node("Mul", "q c", "y"),
            ],
            {"x": (FLOAT, [3, 32]), "p": (INT64, [3])},
            Y,
            {"w": np.full((32, 32), 0.25, np.float32), "cos": np.cos(ANGLES).astype(np.float32)},
        ),
        {"x": np.ones((3, 32), np.float32), "p": np.array([5, 1000, 4000])},
    ),
    "random frequencies": (
        model(
            [node("MatMul", "x b", "angle"), node("Cos", "angle", "y")],
            {"x": (FLOAT, [6, 2])},
            Y,
            {"b": around(0, 20, 2, 64)},
        ),
        {"x": around(0, 3, 6, 2)},
    ),
    "anchors": (
        model(
            [node("Add", "x anchors", "y")],
            {"x": (FLOAT, [1, 50, 4])},
            Y,
            {"anchors": around(2000, 30, 50, 4)},
        ),
        {"x": around(-2000, 0.1, 1, 50, 4)},
    ),
    "anchors after a convolution": (
        model(
            [
                node("Conv", "x w", "c"),
                node("Reshape", "c shape", "d"),
                node("Add", "d anchors", "moved"),
                node("Mul", "moved strides", "y"),
            ],
            {"x": (FLOAT, [1, 4, 4, 4])},
            Y,
            {
                "w": np.full((4, 4, 1, 1), 0.25, np.float32),
                "shape": np.array([1, 4, 16]),
                "anchors": around(2000, 30, 1, 4, 16),
                "strides": around(17.3, 1, 1, 16),
            },
        ),
        {"x": np.ones((1, 4, 4, 4), np.float32)},
    ),
    "a tiny factor": (
        model(
            [node("Mul", "x factor", "y")],
            {"x": (FLOAT, [2, 3])},
            Y,
            {"factor": floats(1e-9, 2.5e-9, 3.3e-9)},
        ),
        {"x": around(0, 1, 2, 3)},
    ),
    "exponents": (
        model(
            [node("Pow", "x e", "y")],
            {"x": (FLOAT, [2, 3])},
            Y,
            {"e": floats(7.7777, 11.1111, 9.87654)},
        ),
        {"x": np.abs(around(3, 1, 2, 3))},
    ),
    "what a result is scaled to": (
        model(
            [
                node("MatMul", "x w", "h"),
                node("Mul", "h std", "s"),
                node("Add", "s mean", "y"),
            ],
            {"x": (FLOAT, [2, 4])},
            Y,
            {"w": np.full((4, 4), 0.25, np.float32), "std": floats(1, 1, 1, 1), "mean": around(60001, 3, 4)},
        ),
        {"x": np.ones((2, 4), np.float32)},
    ),
    "sizes of a resize": (
        model(
            [node("Resize", "x  scales", "y", mode="linear")],
            {"x": (FLOAT, [1, 2, 12, 7])},
            Y,
            {"scales": floats(1, 1, 1 / 3, 1 / 3)},
        ),
        {"x": around(0, 1, 1, 2, 12, 7)},
    ),
}
CASES["sizes of a resize"][0].graph.node[0].input[:] = ["x", "", "scales"]

# Angles of thousands are themselves known to half an ulp only.
TOLERANCE = 3e-4


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("untrained")


@pytest.fixture(scope="module")
def results(folder):
    """(case, precision) -> the run's result; and the modules."""
    modules, sessions = {}, []
    for index, (name, (made, inputs)) in enumerate(CASES.items()):
        source = folder / f"{index}.onnx"
        onnx.save(made, source)
        for precision in PRECISIONS:
            module = folder / f"{index}-{precision}.webgpu.js"
            modules[name, precision] = convert(source, module, "--precision", precision, "--no-check")
            sessions.append({"module": module, "device": "default", "runs": [inputs]})
    runs = [result["runs"][0] for result in run_sessions("node", sessions)]
    return {key: (module, run) for (key, module), run in zip(modules.items(), runs)}


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", CASES)
def test_as_onnx_runtime(folder, results, name, precision):
    made, inputs = CASES[name]
    _, run = results[name, precision]
    assert "outputs" in run, run.get("error")
    source = folder / f"{list(CASES).index(name)}.onnx"
    assert_outputs(run["outputs"], oracle(source, inputs), TOLERANCE, f"{name} at {precision}")


@pytest.mark.parametrize("name", CASES)
def test_onnx_keeps_them_too(folder, results, name):
    made, inputs = CASES[name]
    source = folder / f"{list(CASES).index(name)}.onnx"
    written = convert(source, source.with_suffix(".4bit.onnx"), "--target-format", "onnx", "--precision", "4bit")
    assert_outputs(oracle(written, inputs), oracle(source, inputs), TOLERANCE, name)


def test_the_manifest_says_why(results):
    module, _ = results["angles", "4bit"]
    (weight,) = manifest_of(module)["weights"]
    assert weight["bits"] == 32
    assert weight["reason"] == "it is no trained operand"


def network():
    """A network in which every kind of constant occurs. Names say what is expected of it."""
    nodes = [
        node("Sub", "image wide.mean", "centered"),
        node("Conv", "centered narrow.stem.weight narrow.stem.bias", "stem", kernel_shape=[2, 2], strides=[2, 2]),
        node("Reshape", "stem tokens_shape", "flat"),
        node("Transpose", "flat", "tokens", perm=[0, 2, 1]),
        node("Concat", "wide.class_token tokens", "all", axis=1),
        node("Add", "all narrow.positions", "h0"),
        node("LayerNormalization", "h0 narrow.norm.scale narrow.norm.bias", "h1", axis=-1),
        node("MatMul", "h1 narrow.query.weight", "q0"),
        node("Add", "q0 narrow.query.bias", "q"),
        node("Cast", "position", "position_float", to=FLOAT),
        node("Mul", "position_float wide.frequencies", "angle"),
        node("Cos", "angle", "cos"),
        node("Mul", "q cos", "turned"),
        node("MatMul", "turned narrow.out.weight", "o0"),
        node("Mul", "o0 narrow.layer_scale", "o1"),
        node("Add", "o1 h0", "h2"),
        node("Gemm", "pooled narrow.head.weight narrow.head.bias", "logits", transB=1),
        node("ReduceMean", "h2 axes", "pooled", keepdims=0),
        node("Mul", "logits wide.spread", "y"),
    ]
    nodes[-3], nodes[-2] = nodes[-2], nodes[-3]
    d = 32
    constants = {
        "wide.mean": around(120, 3, 3, 1, 1),
        "narrow.stem.weight": around(0, 0.3, d, 3, 2, 2),
        "narrow.stem.bias": around(0, 1, d),
        "tokens_shape": np.array([1, d, 4]),
        "wide.class_token": around(0, 1, 1, 1, d),
        "narrow.positions": around(0, 1, 1, 5, d),
        "narrow.norm.scale": around(1, 0.1, d),
        "narrow.norm.bias": around(0, 0.1, d),
        "narrow.query.weight": around(0, 0.2, d, d),
        "narrow.query.bias": around(0, 1, d),
        "wide.frequencies": FREQUENCIES,
        "narrow.out.weight": around(0, 0.2, d, d),
        "narrow.layer_scale": around(0.1, 0.01, d),
        "axes": np.array([1]),
        "narrow.head.weight": around(0, 0.2, 10, d),
        "narrow.head.bias": around(0, 1, 10),
        "wide.spread": around(3, 1, 7, 1, 10),
    }
    inputs = {"image": (FLOAT, [1, 3, 4, 4]), "position": (INT64, [1, 5, 1])}
    return model(nodes, inputs, Y, constants)


@pytest.mark.parametrize("precision", ["float16", "4bit"])
def test_what_is_narrowed(folder, precision):
    source = folder / f"network-{precision}.onnx"
    onnx.save(network(), source)
    module = convert(source, folder / f"network-{precision}.webgpu.js", "--precision", precision, "--no-check")
    narrowed = {w["name"]: w["bits"] < 32 for w in manifest_of(module)["weights"]}
    folded = {"narrow.layer_scale"}  # it is in the product's weights
    expected = {name: name.startswith("narrow.") for name in narrowed}
    assert narrowed == expected
    named = {i.name for i in network().graph.initializer if i.data_type == FLOAT}
    assert named - set(narrowed) <= folded
