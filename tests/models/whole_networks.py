"""Networks of the kinds that people run on the web, small and of random weights: what each is made of, in the operators that
exporters write, with inputs of several sizes. A run may be given what the one before it returned (`carried`)."""

from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
random = np.random.default_rng(12)


@dataclass
class Network:
    model: onnx.ModelProto
    runs: list[dict]
    carried: dict = field(default_factory=dict)  # input: the output that it was in the run before


class Builder:
    def __init__(self, prefix: str = ""):
        self.nodes, self.weights, self.prefix = [], [], prefix

    def __call__(self, op: str, *inputs: str, outputs: int = 1, **attributes):
        names = [f"{self.prefix}{op}{len(self.nodes)}" + (f"_{i}" if i else "") for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, name=names[0], **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, value) -> str:
        name = f"{self.prefix}c{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def weight(self, *dims: int, scale: float | None = None) -> str:
        deviation = scale if scale is not None else (2 / np.prod(dims[1:] if len(dims) > 2 else dims[:1])) ** 0.5
        return self.constant((random.standard_normal(dims) * deviation).astype(np.float32))

    def ints(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def conv(self, x: str, into: int, out: int, size: int = 3, **attributes) -> str:
        attributes.setdefault("pads", [size // 2] * 4)
        return self("Conv", x, self.weight(out, into, size, size), self.weight(out, scale=0.1), **attributes)

    def silu(self, x: str) -> str:
        return self("Mul", x, self("Sigmoid", x))

    def linear(self, x: str, into: int, out: int) -> str:
        return self("Add", self("MatMul", x, self.weight(into, out)), self.weight(out, scale=0.1))

    def norm(self, x: str, width: int) -> str:
        return self("LayerNormalization", x, self.constant(np.float32(1 + random.uniform(-0.1, 0.1, width))), self.weight(width, scale=0.1), axis=-1)

    def heads(self, x: str, heads: int, width: int) -> str:
        return self("Transpose", self("Reshape", x, self.ints(0, -1, heads, width // heads)), perm=[0, 2, 1, 3])

    def attend(self, q: str, k: str, v: str, width: int, heads: int, mask: str = "") -> str:
        scale = self.constant(np.float32((width // heads) ** -0.5))
        scores = self("MatMul", self("Mul", q, scale), self("Transpose", k, perm=[0, 1, 3, 2]))
        if mask:
            scores = self("Add", scores, mask)
        mixed = self("Transpose", self("MatMul", self("Softmax", scores, axis=-1), v), perm=[0, 2, 1, 3])
        return self.linear(self("Reshape", mixed, self.ints(0, -1, width)), width, width)

    def feed_forward(self, x: str, width: int) -> str:
        hidden = self("Gelu", self.linear(self.norm(x, width), width, 2 * width))
        return self("Add", x, self.linear(hidden, 2 * width, width))

    def encoder_layer(self, x: str, width: int, heads: int) -> str:
        y = self.norm(x, width)
        q, k, v = (self.heads(self.linear(y, width, width), heads, width) for _ in range(3))
        return self.feed_forward(self("Add", x, self.attend(q, k, v, width, heads)), width)

    def graph(self, name: str, inputs: dict, outputs: dict) -> onnx.GraphProto:
        """`outputs`: what each is called, by the value that it is."""
        results = []
        for value, (as_name, *of) in outputs.items():
            self.nodes.append(helper.make_node("Identity", [value], [as_name]))
            results.append(helper.make_tensor_value_info(as_name, *of))
        ports = [helper.make_tensor_value_info(key, *of) for key, of in inputs.items()]
        return helper.make_graph(self.nodes, name, ports, results, self.weights)

    def model(self, inputs: dict, outputs: dict) -> onnx.ModelProto:
        graph = self.graph("network", inputs, outputs)
        return helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 20)])


def floats(*dims: int) -> np.ndarray:
    return random.standard_normal(dims).astype(np.float32)


def voice_activity() -> Network:
    """A spectrum by a convolution, an LSTM whose state goes from run to run, and the rate of the sound deciding what is run."""
    b = Builder()
    branches = {}
    for side, samples in (("then", 64), ("else", 32)):
        inner = Builder(side)
        x = inner("Unsqueeze", "sound", inner.ints(1))
        x = inner("Conv", x, inner.weight(32, 1, samples, scale=0.2), strides=[samples // 2])
        x = inner("Relu", inner("Conv", inner("Abs", x), inner.weight(24, 32, 3), inner.weight(24, scale=0.1), pads=[1, 1]))
        branches[f"{side}_branch"] = inner.graph(side, {}, {x: (f"features_{side}", FLOAT, None)})
    fast = b("Equal", "rate", b.constant(np.int64(16000)))
    x = b("Transpose", b("If", fast, **branches), perm=[2, 0, 1])
    h, c = b("Split", "state", axis=0, num_outputs=2, outputs=2)
    y, h, c = b("LSTM", x, b.weight(1, 96, 24), b.weight(1, 96, 24), b.weight(1, 192, scale=0.1), "", h, c, hidden_size=24, outputs=3)
    last = b("Squeeze", b("Slice", y, b.ints(-1), b.ints(2**31 - 1), b.ints(0)), b.ints(0, 1))
    speech = b("Sigmoid", b.linear(last, 24, 1))
    model = b.model(
        {"sound": (FLOAT, ["n", "samples"]), "state": (FLOAT, [2, "n", 24]), "rate": (INT64, [])},
        {speech: ("speech", FLOAT, None), b("Concat", h, c, axis=0): ("next_state", FLOAT, [2, "n", 24])},
    )
    runs = [{"sound": floats(n, length), "state": np.zeros((2, n, 24), np.float32), "rate": np.array(rate, np.int64)} for n, length, rate in ((2, 256, 16000), (2, 192, 8000), (2, 256, 16000))]
    return Network(model, runs, {"state": "next_state"})


def detector() -> Network:
    """Two scales, boxes decoded from both, and what overlaps suppressed in the graph."""
    b = Builder()
    x = b.silu(b.conv("image", 3, 12, strides=[2, 2]))
    fine = b.silu(b.conv(x, 12, 16, strides=[2, 2]))
    left, right = b("Split", fine, axis=1, num_outputs=2, outputs=2)
    fine = b("Concat", left, b("Add", right, b.silu(b.conv(right, 8, 8))), axis=1)
    coarse = b.silu(b.conv(fine, 16, 24, strides=[2, 2]))
    pooled = b("MaxPool", coarse, kernel_shape=[5, 5], pads=[2] * 4)
    coarse = b.silu(b.conv(b("Concat", coarse, pooled, axis=1), 48, 24, 1))
    above = b("Resize", coarse, "", b.constant(np.float32([1, 1, 2, 2])), mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    fine = b.silu(b.conv(b("Concat", fine, above, axis=1), 40, 16))
    rows = [b("Reshape", b.conv(y, width, 7, 1), b.ints(0, 7, -1)) for y, width in ((fine, 16), (coarse, 24))]
    all_rows = b("Concat", *rows, axis=2)
    centre, size, scores = b("Split", all_rows, b.ints(2, 2, 3), axis=1, outputs=3)
    scores = b("Sigmoid", scores)
    half = b("Mul", b("Exp", size), b.constant(np.float32(0.5)))
    boxes = b("Transpose", b("Concat", b("Sub", centre, half), b("Add", centre, half), axis=1), perm=[0, 2, 1])
    kept = b("NonMaxSuppression", boxes, scores, b.ints(8), b.constant(np.float32([0.4])), b.constant(np.float32([0.5])))
    picked = b("GatherND", b("Transpose", scores, perm=[0, 2, 1]), b("Gather", kept, b.ints(0, 2), axis=1))
    model = b.model({"image": (FLOAT, ["n", 3, "h", "w"])}, {kept: ("kept", INT64, ["k", 3]), picked: ("picked", FLOAT, None), boxes: ("boxes", FLOAT, None)})
    return Network(model, [{"image": floats(n, 3, h, w)} for n, h, w in ((1, 32, 48), (2, 64, 32))])


def file_kind() -> Network:
    """Bytes of a file as one-hot rows, two dense layers on groups of them, the greatest over all, and a softmax."""
    b = Builder()
    levels = b.constant(np.float32([0, 1]))
    x = b("OneHot", "bytes", b.ints(257), levels, axis=-1)
    x = b("Gelu", b.linear(x, 257, 16))
    x = b("Reshape", x, b.ints(0, -1, 64))
    x = b.norm(b("Gelu", b.linear(x, 64, 48)), 48)
    x = b("ReduceMax", x, b.ints(1), keepdims=0)
    kinds = b("Softmax", b.linear(b.norm(x, 48), 48, 20), axis=-1)
    model = b.model({"bytes": (INT64, ["n", "length"])}, {kinds: ("kinds", FLOAT, None)})
    return Network(model, [{"bytes": random.integers(0, 257, dims)} for dims in ((1, 64), (3, 128))])


WIDTH, HEADS = 32, 4


def speech_encoder() -> Network:
    b = Builder()
    x = "mel"
    for into, stride in ((16, 1), (WIDTH, 2)):
        x = b("Gelu", b("Conv", x, b.weight(WIDTH, into, 3), b.weight(WIDTH, scale=0.1), pads=[1, 1], strides=[stride]))
    x = b("Transpose", x, perm=[0, 2, 1])
    length = b("Gather", b("Shape", x), b.ints(1))
    x = b("Add", x, b("Slice", b.weight(64, WIDTH, scale=0.3), b.ints(0), length, b.ints(0)))
    x = b.norm(b.encoder_layer(x, WIDTH, HEADS), WIDTH)
    return Network(b.model({"mel": (FLOAT, ["n", 16, "frames"])}, {x: ("hidden", FLOAT, None)}), [{"mel": floats(n, 16, frames)} for n, frames in ((1, 40), (2, 24))])


def speech_decoder() -> Network:
    """One layer with a cache of its own words, and one that attends to what was heard, whose keys do not change."""
    b = Builder()
    table = b.weight(60, WIDTH, scale=0.5)
    past = b("Gather", b("Shape", "past_key"), b.ints(2))
    new = b("Gather", b("Shape", "ids"), b.ints(1))
    total = b("Add", past, new)
    places = b("Slice", b.constant(np.arange(64)), past, total, b.ints(0))
    x = b("Add", b("Gather", table, "ids"), b("Gather", b.weight(64, WIDTH, scale=0.3), places))
    y = b.norm(x, WIDTH)
    q, k, v = (b.heads(b.linear(y, WIDTH, WIDTH), HEADS, WIDTH) for _ in range(3))
    key, value = b("Concat", "past_key", k, axis=2), b("Concat", "past_value", v, axis=2)
    columns = b("Slice", b.constant(np.arange(64)), b.ints(0), total, b.ints(0))
    later = b("Greater", b("Unsqueeze", columns, b.ints(0)), b("Unsqueeze", places, b.ints(1)))
    mask = b("Where", later, b.constant(np.float32(-1e9)), b.constant(np.float32(0)))
    x = b("Add", x, b.attend(q, key, value, WIDTH, HEADS, mask))
    y = b.norm(x, WIDTH)
    heard = [b.heads(b.linear("hidden", WIDTH, WIDTH), HEADS, WIDTH) for _ in range(2)]
    x = b.feed_forward(b("Add", x, b.attend(b.heads(b.linear(y, WIDTH, WIDTH), HEADS, WIDTH), *heard, WIDTH, HEADS)), WIDTH)
    logits = b("MatMul", b.norm(x, WIDTH), b("Transpose", table, perm=[1, 0]))
    cache = (FLOAT, ["n", HEADS, "past", WIDTH // HEADS])
    model = b.model(
        {"ids": (INT64, ["n", "words"]), "hidden": (FLOAT, ["n", "heard", WIDTH]), "past_key": cache, "past_value": cache},
        {logits: ("logits", FLOAT, None), key: ("key", FLOAT, None), value: ("value", FLOAT, None)},
    )
    empty = np.zeros((2, HEADS, 0, WIDTH // HEADS), np.float32)
    hidden = floats(2, 12, WIDTH)
    runs = [{"ids": random.integers(0, 60, (2, words)), "hidden": hidden, "past_key": empty, "past_value": empty} for words in (5, 1, 3)]
    return Network(model, runs, {"past_key": "key", "past_value": "value"})


def segmenter() -> Network:
    """A U-Net: transposed convolutions up, what was on the way down beside them."""
    b = Builder()
    one = b("Relu", b.conv("image", 3, 12))
    two = b("Relu", b.conv(b("MaxPool", one, kernel_shape=[2, 2], strides=[2, 2]), 12, 24))
    deep = b("Relu", b.conv(b("MaxPool", two, kernel_shape=[2, 2], strides=[2, 2]), 24, 32))
    up = b("ConvTranspose", deep, b.weight(32, 24, 2, 2), b.weight(24, scale=0.1), strides=[2, 2])
    x = b("Relu", b.conv(b("Concat", up, two, axis=1), 48, 24))
    up = b("ConvTranspose", x, b.weight(24, 12, 2, 2), b.weight(12, scale=0.1), strides=[2, 2])
    x = b("Relu", b.conv(b("Concat", up, one, axis=1), 24, 12))
    mask = b("Sigmoid", b.conv(x, 12, 1, 1))
    return Network(b.model({"image": (FLOAT, ["n", 3, "h", "w"])}, {mask: ("mask", FLOAT, None)}), [{"image": floats(n, 3, h, w)} for n, h, w in ((1, 32, 24), (2, 16, 40))])


def vision_transformer() -> Network:
    b = Builder()
    patches = b("Conv", "image", b.weight(WIDTH, 3, 8, 8), b.weight(WIDTH, scale=0.1), strides=[8, 8])
    x = b("Transpose", b("Reshape", patches, b.ints(0, WIDTH, -1)), perm=[0, 2, 1])
    count = b("Gather", b("Shape", x), b.ints(0))
    token = b("Expand", b.weight(1, 1, WIDTH, scale=0.3), b("Concat", count, b.ints(1, WIDTH), axis=0))
    x = b("Add", b("Concat", token, x, axis=1), b.weight(1, 17, WIDTH, scale=0.3))
    for _ in range(2):
        x = b.encoder_layer(x, WIDTH, HEADS)
    classes = b.linear(b("Gather", b.norm(x, WIDTH), b.constant(np.int64(0)), axis=1), WIDTH, 10)
    return Network(b.model({"image": (FLOAT, ["n", 3, 32, 32])}, {classes: ("classes", FLOAT, None)}), [{"image": floats(n, 3, 32, 32)} for n in (1, 3)])


def packed(network: Network) -> Network:
    """Its products in blocks of 32 codes of 4 bits with zero points (MatMulNBits), as hubs publish them."""
    graph = network.model.graph
    weights = {weight.name: weight for weight in graph.initializer}
    for node in graph.node:
        if node.op_type != "MatMul" or node.input[1] not in weights:
            continue
        name = node.input[1]
        matrix = numpy_helper.to_array(weights[name])  # [k, n]
        k, n = matrix.shape
        blocks = matrix.T.reshape(n, k // 32, 32)
        least, most = np.minimum(blocks.min(2), 0), np.maximum(blocks.max(2), 0)
        scales = np.float32((most - least) / 15)
        zeros = np.round(-least / scales).astype(np.uint8)
        codes = np.clip(np.round(blocks / scales[..., None]) + zeros[..., None], 0, 15).astype(np.uint8)
        zeros = np.pad(zeros, [(0, 0), (0, zeros.shape[1] % 2)])
        parts = {"codes": codes[..., ::2] | codes[..., 1::2] << 4, "scales": scales.reshape(-1), "zeros": (zeros[:, ::2] | zeros[:, 1::2] << 4).reshape(-1)}
        graph.initializer.extend(numpy_helper.from_array(part, f"{name}_{key}") for key, part in parts.items())
        graph.initializer.remove(weights[name])
        node.CopyFrom(helper.make_node("MatMulNBits", [node.input[0], *(f"{name}_{key}" for key in parts)], node.output, name=node.name,
                                       domain="com.microsoft", K=k, N=n, bits=4, block_size=32))  # fmt: skip
    network.model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return network


def static(network: Network, folder) -> Network:
    """Pairs of QuantizeLinear and DequantizeLinear around its convolutions and products, int8, by channel."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        left = list(network.runs)

        def get_next(self):
            return self.left.pop() if self.left else None

    onnx.save(network.model, folder / "float.onnx")
    quantize_static(folder / "float.onnx", folder / "int8.onnx", Reader(), QuantFormat.QDQ, per_channel=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
    return Network(onnx.load(folder / "int8.onnx"), network.runs, network.carried)
