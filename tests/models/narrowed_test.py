"""Which constants of networks of many kinds are stored narrower than float32: those that training made, and no others.

Every constant is named for what is expected of it: "narrow." or "wide."; "either." where nobody can tell.
"""

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from harness import convert, manifest_of
from untrained_test import FLOAT, INT64, around, floats, model, node

D = 32


def linear(x, y, name):
    """y = x w + b, as exporters write it."""
    return [node("MatMul", f"{x} narrow.{name}.weight", f"{y}_product"), node("Add", f"{y}_product narrow.{name}.bias", y)]


def linear_weights(name, k=D, n=D):
    return {f"narrow.{name}.weight": around(0, 0.2, k, n), f"narrow.{name}.bias": around(0, 0.5, n)}


def rms_norm(x, y, name):
    return [
        node("Pow", f"{x} two", f"{y}_squares"),
        node("ReduceMean", f"{y}_squares last", f"{y}_mean"),
        node("Add", f"{y}_mean epsilon", f"{y}_safe"),
        node("Sqrt", f"{y}_safe", f"{y}_root"),
        node("Div", f"{x} {y}_root", f"{y}_unit"),
        node("Mul", f"{y}_unit narrow.{name}", y),
    ]


NORM = {"two": np.float32(2), "last": np.array([-1]), "epsilon": np.float32(1e-5)}
ANGLES = np.outer(np.arange(64), 10000.0 ** (-np.arange(D // 2) / (D // 2)))


def decoder():
    """Token embedding, RMSNorm, attention turned by tables along axis 0 and axis 1, a gated feed-forward, a tied head."""
    nodes = [
        node("Gather", "narrow.embedding ids", "h0"),
        *rms_norm("h0", "n0", "norm"),
        *linear("n0", "q", "query"),
        *linear("n0", "k", "key"),
        node("Gather", "wide.cos position", "cos", axis=0),
        node("Gather", "wide.sin position", "sin_one", axis=1),
        node("Squeeze", "sin_one zero", "sin"),
        node("Mul", "q cos", "q_cos"),
        node("Mul", "k sin", "k_sin"),
        node("Transpose", "k_sin", "turned", perm=[1, 0]),
        node("MatMul", "q_cos turned", "scores"),
        node("Mul", "position_float wide.slopes", "alibi"),
        node("Cast", "position", "position_float", to=FLOAT),
        node("Add", "scores alibi", "biased"),
        node("Gather", "narrow.buckets bucket", "relative_last"),
        node("Squeeze", "relative_last two_axis", "relative"),
        node("Add", "biased relative", "all_scores"),
        node("Softmax", "all_scores", "p", axis=-1),
        node("MatMul", "p n0", "mixed"),
        node("Add", "mixed h0", "h1"),
        node("MatMul", "h1 narrow.gate", "gate"),
        node("Sigmoid", "gate", "gate_open"),
        node("MatMul", "h1 narrow.up", "up"),
        node("Mul", "gate_open up", "inner"),
        node("MatMul", "inner narrow.down", "h2"),
        node("Transpose", "narrow.embedding", "head", perm=[1, 0]),
        node("MatMul", "h2 head", "y"),
    ]
    cast = next(i for i, n in enumerate(nodes) if n.op_type == "Cast")
    nodes.insert(cast - 1, nodes.pop(cast))
    table = lambda f: f(np.concatenate([ANGLES, ANGLES], 1)).astype(np.float32)
    constants = {
        "narrow.embedding": around(0, 1, 100, D),
        "narrow.norm": around(1, 0.1, D),
        **NORM,
        **linear_weights("query"),
        **linear_weights("key"),
        "wide.cos": table(np.cos),
        "wide.sin": table(np.sin)[None],
        "zero": np.array([0]),
        "two_axis": np.array([2]),
        "wide.slopes": (2.0 ** -np.arange(1, 9)).astype(np.float32),
        "narrow.buckets": around(0, 1, 16, 1),
        "narrow.gate": around(0, 0.2, D, 2 * D),
        "narrow.up": around(0, 0.2, D, 2 * D),
        "narrow.down": around(0, 0.2, 2 * D, D),
    }
    inputs = {"ids": (INT64, [8]), "position": (INT64, [8]), "bucket": (INT64, [8, 8])}
    return model(nodes, inputs, {"y": (FLOAT, None)}, constants)


def convolutional():
    """Input normalisation, convolutions with BatchNormalization that folds and one that does not, PReLU, squeeze and excite."""
    norm = lambda name, c: {
        f"narrow.{name}.scale": np.abs(around(1, 0.1, c)),
        f"narrow.{name}.offset": around(0, 0.1, c),
        f"folded.{name}.mean": around(0, 0.1, c),
        f"folded.{name}.variance": np.abs(around(1, 0.1, c)),
    }
    names = lambda name: f"narrow.{name}.scale narrow.{name}.offset folded.{name}.mean folded.{name}.variance"
    nodes = [
        node("Sub", "image wide.mean", "centered"),
        node("Div", "centered folded.deviation", "unit"),
        node("Conv", "unit narrow.stem", "c0", pads=[1, 1, 1, 1]),
        node("BatchNormalization", f"c0 {names('first')}", "b0"),
        node("PRelu", "b0 either.slopes", "r0"),
        node("Conv", "r0 narrow.depthwise", "c1", group=D, pads=[1, 1, 1, 1]),
        node("Relu", "c1", "r1"),
        node("GlobalAveragePool", "r1", "pooled"),
        node("Conv", "pooled narrow.squeeze narrow.squeeze.bias", "s0"),
        node("Relu", "s0", "s1"),
        node("Conv", "s1 narrow.excite narrow.excite.bias", "s2"),
        node("HardSigmoid", "s2", "s3"),
        node("Mul", "r1 s3", "m"),
        node("ConvTranspose", "m narrow.up narrow.up.bias", "u", strides=[2, 2]),
        node("Flatten", "pooled", "flat"),
        node("Gemm", "flat narrow.head narrow.head.bias", "logits", transB=1),
        node("Softmax", "logits", "y", axis=-1),
        node("ReduceMean", "u", "z"),
    ]
    constants = {
        "wide.mean": floats(123.675, 116.28, 103.53).reshape(1, 3, 1, 1),
        "folded.deviation": floats(58.395, 57.12, 57.375).reshape(1, 3, 1, 1),
        "narrow.stem": around(0, 0.3, D, 3, 3, 3),
        **norm("first", D),
        "either.slopes": around(0.2, 0.05, D, 1, 1),
        "narrow.depthwise": around(0, 0.3, D, 1, 3, 3),
        "narrow.squeeze": around(0, 0.3, 8, D, 1, 1),
        "narrow.squeeze.bias": around(0, 0.1, 8),
        "narrow.excite": around(0, 0.3, D, 8, 1, 1),
        "narrow.excite.bias": around(0, 0.1, D),
        "narrow.up": around(0, 0.3, D, 16, 2, 2),
        "narrow.up.bias": around(0, 0.1, 16),
        "narrow.head": around(0, 0.2, 10, D),
        "narrow.head.bias": around(0, 0.5, 10),
    }
    made = model(nodes, {"image": (FLOAT, [1, 3, 8, 8])}, {"y": (FLOAT, None)}, constants)
    made.graph.output.append(onnx.helper.make_tensor_value_info("z", FLOAT, None))
    return made


def detector():
    """Boxes as offsets from anchors, times strides; thresholds of scores; the sizes of the image."""
    nodes = [
        node("Conv", "image narrow.stem narrow.stem.bias", "c", strides=[2, 2], pads=[1, 1, 1, 1]),
        node("Relu", "c", "r"),
        node("Conv", "r narrow.boxes narrow.boxes.bias", "raw"),
        node("Reshape", "raw flat", "offsets"),
        node("Split", "offsets", "low high", axis=1, num_outputs=2),
        node("Sub", "wide.anchors low", "begin"),
        node("Add", "wide.anchors high", "end"),
        node("Concat", "begin end", "boxes", axis=1),
        node("Mul", "boxes wide.strides", "scaled"),
        node("Mul", "scaled wide.image_size", "y"),
        node("Conv", "r narrow.classes narrow.classes.bias", "classes"),
        node("Sigmoid", "classes", "scores"),
        node("Greater", "scores wide.thresholds", "z"),
    ]
    grid = np.stack(np.meshgrid(np.arange(16) + 0.5, np.arange(16) + 0.5)).reshape(1, 2, 256).astype(np.float32)
    constants = {
        "narrow.stem": around(0, 0.3, D, 3, 3, 3),
        "narrow.stem.bias": around(0, 0.3, D),
        "narrow.boxes": around(0, 0.3, 4, D, 1, 1),
        "narrow.boxes.bias": around(0, 0.3, 4),
        "flat": np.array([1, 4, 256]),
        "wide.anchors": grid,
        "wide.strides": np.repeat(floats(8, 16, 32, 64), 64).reshape(1, 1, 256),
        "wide.image_size": floats(1920, 1080, 1920, 1080).reshape(1, 4, 1),
        "narrow.classes": around(0, 0.3, 7, D, 1, 1),
        "narrow.classes.bias": around(0, 0.3, 7),
        "wide.thresholds": around(0.3, 0.1, 7, 1, 1),
    }
    made = model(nodes, {"image": (FLOAT, [1, 3, 32, 32])}, {"y": (FLOAT, None)}, constants)
    made.graph.output.append(onnx.helper.make_tensor_value_info("z", TensorProto.BOOL, None))
    return made


def speech():
    """A spectrum by convolution with windowed waves, a bank of mel filters, its logarithm, and a network on that."""
    size = 64
    window = np.hanning(size)
    waves = np.exp(-2j * np.pi * np.outer(np.arange(size // 2 + 1), np.arange(size)) / size) * window
    bins = size // 2 + 1
    mel = np.maximum(0, 1 - np.abs(np.arange(bins)[:, None] - np.linspace(1, bins - 2, 20)[None]) / 3)
    nodes = [
        node("Conv", "sound wide.real", "re", strides=[16]),
        node("Conv", "sound wide.imaginary", "im", strides=[16]),
        node("Pow", "re two", "re2"),
        node("Mul", "im im", "im2"),
        node("Add", "re2 im2", "power"),
        node("Transpose", "power", "frames", perm=[0, 2, 1]),
        node("MatMul", "frames wide.mel", "bank"),
        node("Clip", "bank least", "safe"),
        node("Log", "safe", "loudness"),
        node("Sub", "loudness wide.level", "centered"),
        node("Mul", "centered wide.spread", "unit"),
        *linear("unit", "h", "first"),
        node("Relu", "h", "r"),
        *linear("r", "y", "last"),
    ]
    constants = {
        "wide.real": waves.real[:, None].astype(np.float32),
        "wide.imaginary": waves.imag[:, None].astype(np.float32),
        "two": np.float32(2),
        "wide.mel": mel.astype(np.float32),
        "least": np.float32(1e-10),
        "wide.level": around(-8, 1, 20),
        "wide.spread": np.abs(around(0.2, 0.02, 20)),
        **linear_weights("first", 20, D),
        **linear_weights("last", D, 30),
    }
    return model(nodes, {"sound": (FLOAT, [1, 1, 256])}, {"y": (FLOAT, None)}, constants)


def forecast():
    """Quantiles of what was seen as features, a network, and levels that its answers are compared with or scaled to."""
    nodes = [
        node("Unsqueeze", "x last", "column"),
        node("GreaterOrEqual", "column wide.quantiles", "above"),
        node("Cast", "above", "counted", to=FLOAT),
        node("ReduceSum", "counted last", "rank", keepdims=0),
        node("Concat", "rank x", "features", axis=-1),
        *linear("features", "h", "first"),
        node("Tanh", "h", "t"),
        *linear("t", "o", "last"),
        node("Mul", "o wide.spread", "scaled"),
        node("Add", "scaled wide.center", "y"),
        node("ArgMax", "o", "best", axis=-1, keepdims=0),
        node("Gather", "wide.levels best", "z"),
    ]
    constants = {
        "last": np.array([-1]),
        "wide.quantiles": np.sort(around(1000, 300, 1, 12, 9), -1),
        **linear_weights("first", 24, D),
        **linear_weights("last", D, 9),
        "wide.spread": np.abs(around(300, 20, 1, 9)) * np.ones((5, 1), np.float32),
        "wide.center": around(1000, 100, 5, 9),
        "wide.levels": np.linspace(0.1, 0.9, 9).astype(np.float32),
    }
    made = model(nodes, {"x": (FLOAT, [5, 12])}, {"y": (FLOAT, None)}, constants)
    made.graph.output.append(onnx.helper.make_tensor_value_info("z", FLOAT, None))
    return made


def waves():
    """Positions and times as sines, of given and of random frequencies; a network on them."""
    nodes = [
        node("Cast", "step", "time", to=FLOAT),
        node("Mul", "time wide.frequencies", "angle"),
        node("Sin", "angle", "sin"),
        node("Cos", "angle", "cos"),
        node("MatMul", "point wide.directions", "phase"),
        node("Sin", "phase", "wave"),
        node("Concat", "sin cos wave", "all", axis=-1),
        *linear("all", "h", "first"),
        node("Mul", "h wide.powers_of_ten", "far"),
        node("Exp", "far", "e"),
        *linear("h", "o", "last"),
        node("ReduceMean", "e", "z"),
        node("Identity", "o", "y"),
    ]
    constants = {
        "wide.frequencies": (10000.0 ** (-np.arange(16) / 16)).astype(np.float32),
        "wide.directions": around(0, 30, 3, D),
        **linear_weights("first", 2 * D),
        "wide.powers_of_ten": (10.0 ** -np.arange(D)).astype(np.float32),
        **linear_weights("last"),
    }
    inputs = {"step": (INT64, [4, 1]), "point": (FLOAT, [4, 3])}
    made = model(nodes, inputs, {"y": (FLOAT, None)}, constants)
    made.graph.output.append(onnx.helper.make_tensor_value_info("z", FLOAT, None))
    return made


NETWORKS = [decoder, convolutional, detector, speech, forecast, waves]


@pytest.mark.parametrize("precision", ["float16", "8bit", "4bit", "2bit", "mixed"])
@pytest.mark.parametrize("network", NETWORKS)
def test_what_is_narrowed(tmp_path, network, precision):
    made = network()
    onnx.shape_inference.infer_shapes(made, check_type=True, strict_mode=True)
    source = tmp_path / "network.onnx"
    onnx.save(made, source)
    module = convert(source, tmp_path / "network.webgpu.js", "--precision", precision, "--no-check")
    weights = {w["name"]: w for w in manifest_of(module)["weights"]}
    for name, weight in weights.items():
        if name.startswith("wide."):
            assert weight["bits"] == 32, f"{name} has {weight['bits']} bits"
        # At 8 bits vectors stay wide.
        if name.startswith("narrow.") and (len(weight["order"]["rows"]) > 0 or precision != "8bit"):
            assert weight["bits"] < 32 or precision == "mixed", f"{name}: {weight.get('reason')}"
    expected = {i.name for i in made.graph.initializer if i.name.startswith(("wide.", "narrow.")) and i.dims}
    gone = {name for name in expected if name not in weights}
    assert not {name for name in gone if ".weight" in name or name.startswith("wide.")}, gone
