"""What a formula gives is stored as it is, whatever reads it, and so are coordinates; the trained weights beside it are packed."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness import assert_outputs, convert, manifest_of, oracle, run_sessions

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
random = np.random.default_rng(31)


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), **attributes)



def exact(*shape):
    """Numbers that 2 bits hold."""
    return random.choice([-0.25, 0.25], shape).astype(np.float32)


ANGLES = np.outer(np.arange(64), 10000.0 ** (-np.arange(16) / 16))
SINES_COSINES = np.concatenate([np.sin(ANGLES), np.cos(ANGLES)], 1)
GRID = np.stack(np.meshgrid(np.arange(16), np.arange(16)), -1).reshape(256, 2)
X = {"x": (FLOAT, [6, 32])}
P = {"p": (INT64, [6])}
IMAGE = {"x": (FLOAT, [1, 3, 16, 16])}
PRODUCT = node("MatMul", "x w", "h")
CONV = node("Conv", "x w", "c")


def rotary(table):
    nodes = [
        PRODUCT,
        node("Gather", "made p", "t"),
        node("Split", "t", "s c", axis=-1, num_outputs=2),
        node("Concat", "s s", "sin", axis=-1),
        node("Mul", "h sin", "turned"),
        node("MatMul", "turned w", "y"),
    ]
    return nodes, X | P, {"w": exact(32, 32), "made": table}


def places(side, width):
    """As DETR and MAE make them: half of the channels for each axis."""
    at = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), -1).reshape(-1, 2)
    angles = at[:, :, None] / 10000.0 ** (np.arange(width // 4) / (width // 4))
    return np.stack([np.sin(angles), np.cos(angles)], -1).reshape(side * side, width)


def mel(bins, filters):
    edges = np.linspace(0, np.sqrt(bins - 1), filters + 2) ** 2
    f = np.arange(bins)[:, None]
    left, middle, right = edges[:-2], edges[1:-1], edges[2:]
    slopes = np.minimum((f - left) / (middle - left), (right - f) / (right - middle))
    return np.maximum(0, slopes) * 2 / (right - left)


def bilinear(channels):
    ramp = 1 - np.abs(np.arange(4) - 1.5) / 2
    return np.einsum("ij,y,x->ijyx", np.eye(channels), ramp, ramp)


# name: (nodes, inputs, constants); %made is what nobody trained.
CASES = {
    "rotary, sines beside cosines": rotary(SINES_COSINES),
    "rotary from position 3": rotary(SINES_COSINES[3:]),
    "positions added to an embedding": (
        [
            node("Gather", "words i", "e"),
            node("Gather", "made p", "t"),
            node("Add", "e t", "s"),
            node("MatMul", "s w", "y"),
        ],
        P | {"i": (INT64, [6])},
        {"words": exact(64, 32), "made": SINES_COSINES * 0.7 + 0.1, "w": exact(32, 32)},
    ),
    "places added to tokens": (
        [PRODUCT, node("Add", "h made", "s"), node("MatMul", "s w", "y")],
        {"x": (FLOAT, [1, 197, 32])},
        {"w": exact(32, 32), "made": np.concatenate([np.zeros((1, 32)), places(14, 32)])[None]},
    ),
    "expectation over a grid": (
        [CONV, node("Reshape", "c s", "r"), node("Softmax", "r", "p", axis=-1), node("MatMul", "p made", "y")],
        IMAGE,
        {"w": exact(17, 3, 1, 1), "s": np.array([1, 17, 256]), "made": GRID * 7.3 + 0.37},
    ),
    "distances as an expectation": (
        [CONV, node("Reshape", "c s", "r"), node("Softmax", "r", "p", axis=1), node("Conv", "p made", "y")],
        IMAGE,
        {"w": exact(64, 3, 1, 1), "s": np.array([1, 16, 4, 256]), "made": np.arange(16).reshape(1, 16, 1, 1)},
    ),
    "centres of bins": (
        [PRODUCT, node("ArgMax", "h", "i", axis=1, keepdims=0), node("Gather", "made i", "y")],
        X,
        {"w": exact(32, 64), "made": np.linspace(0.1, 2000, 64)[:, None]},
    ),
    "a schedule of noise": (
        [node("Gather", "made p", "a"), node("Mul", "x a", "n"), node("MatMul", "n w", "y")],
        X | P,
        {"w": exact(32, 32), "made": np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))[:, None]},
    ),
    "filters of a spectrum": (
        [node("MatMul", "x made", "m"), node("Relu", "m", "r"), node("MatMul", "r w", "y")],
        {"x": (FLOAT, [6, 201])},
        {"made": mel(201, 32), "w": exact(32, 32)},
    ),
    "a blur": (
        [node("Conv", "x made", "b", group=3), node("Conv", "b w", "y")],
        IMAGE,
        {"made": np.full((3, 1, 3, 3), 1 / 9), "w": exact(16, 3, 3, 3)},
    ),
    "bilinear enlargement": (
        [CONV, node("ConvTranspose", "c made", "y", strides=[2, 2], pads=[1, 1, 1, 1])],
        IMAGE,
        {"w": exact(8, 3, 1, 1), "made": bilinear(8)},
    ),
    # Too few numbers to tell: by what they are computed from, and how few they are.
    "colours of the input": (
        [node("Conv", "x made", "b"), node("Conv", "b w", "y")],
        IMAGE,
        {
            "made": np.array([[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]]).reshape(3, 3, 1, 1),
            "w": exact(16, 3, 3, 3),
        },
    ),
    "corners of boxes": (
        [node("MatMul", "x w", "h"), node("MatMul", "h made", "y")],
        X,
        {"w": exact(32, 4), "made": np.array([[1, 0, 1, 0], [0, 1, 0, 1], [-0.5, 0, 0.5, 0], [0, -0.5, 0, 0.5]])},
    ),
    "boxes picked by rank": (
        [
            PRODUCT,
            node("Reshape", "h s", "r"),
            node("TopK", "r k", "v i"),
            node("Gather", "made i", "y"),
        ],
        X,
        {"w": exact(32, 32), "s": np.array([192]), "k": np.array([10]), "made": random.uniform(0, 2000, (192, 4))},
    ),
}
RUN = ["rotary from position 3", "expectation over a grid"]


def write(folder, name):
    nodes, inputs, constants = CASES[name]
    ports = [helper.make_tensor_value_info(port, *what) for port, what in inputs.items()]
    weights = [
        numpy_helper.from_array(np.asarray(v, np.int64 if key in ("s", "k") else np.float32), key)
        for key, v in constants.items()
    ]
    graph = helper.make_graph(
        nodes, "made", ports, [helper.make_tensor_value_info("y", FLOAT, None)], weights
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    source = folder / f"{list(CASES).index(name)}.onnx"
    onnx.save(model, source)
    return source


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("made_by_rule")


def convert_plainly(source):
    options = ["--precision", "2bit", "--no-check", "--calibration", "none", "--force"]
    return convert(source, source.with_suffix(".webgpu.js"), *options)


@pytest.mark.parametrize("name", CASES)
def test_keeps_its_digits(folder, name):
    module = convert_plainly(write(folder, name))
    weights = {w["name"]: w for w in manifest_of(module)["weights"]}
    made = weights.pop("made")
    assert made["bits"] == 32
    assert made["reason"] == "it is no trained operand"
    assert weights and all(w["bits"] <= 16 for w in weights.values())


def feed(name, what):
    dtype, dims = what
    if dtype == INT64:
        return random.integers(0, 60, dims)
    return random.uniform(-1, 1, dims).astype(np.float32)


def test_as_onnx_runtime(folder):
    sources = [write(folder, name) for name in RUN]
    inputs = [{port: feed(port, what) for port, what in CASES[name][1].items()} for name in RUN]
    sessions = [
        {"module": convert_plainly(source), "device": "default", "runs": [given]}
        for source, given in zip(sources, inputs)
    ]
    for name, source, given, result in zip(RUN, sources, inputs, run_sessions("node", sessions)):
        assert_outputs(result["runs"][0]["outputs"], oracle(source, given), 2e-3, name)
