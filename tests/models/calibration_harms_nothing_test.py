"""Calibration on made inputs harms no model whose real inputs are far from what is usually made up.

Small networks of many kinds, each with inputs as it is used on, which convert never sees. What ONNX Runtime computes
with the weights of the ONNX file that convert writes is compared with the float model's, rounded and calibrated."""

import functools
import os

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness import relative_l2, run

FLOAT, INT64, UINT8 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.UINT8
ROWS = 200


class Network:
    """Nodes and constants; `mlp` ends it with two products."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.nodes, self.constants, self.inputs, self.feeds = [], [], [], {}

    def normal(self, *shape):
        return self.random.standard_normal(shape).astype(np.float32)

    def constant(self, value, dtype=np.float32):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def input(self, values, dtype=FLOAT, batch="n"):
        name = f"x{len(self.inputs)}"
        self.inputs.append(helper.make_tensor_value_info(name, dtype, [batch, *values.shape[1:]]))
        self.feeds[name] = values
        return name

    def node(self, op, *inputs, **attributes):
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def product(self, x, k, n, bias=False):
        weight = self.constant(self.normal(k, n) / np.sqrt(k))
        return self.node("Gemm", x, weight, self.constant(self.normal(n) / 4)) if bias else self.node("MatMul", x, weight)

    def mlp(self, x, k, bias=False):
        hidden = self.node("Relu", self.product(x, k, 128, bias))
        return self.node("Identity", self.product(hidden, 128, 16, bias))

    def standardised(self, x, mean, deviation):
        return self.node("Div", self.node("Sub", x, self.constant(mean)), self.constant(deviation))

    def save(self, path, output):
        graph = helper.make_graph(
            self.nodes, "g", self.inputs, [helper.make_tensor_value_info(output, FLOAT, None)], self.constants
        )
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
        return self.feeds


def joined(net):
    parts = [net.input(net.normal(ROWS, 32) * 20 + 500), net.input(net.normal(ROWS, 32) * 3 - 70)]
    means, deviations = np.repeat([500, -70], 32), np.repeat([20, 3], 32)
    return net.mlp(net.standardised(net.node("Concat", *parts, axis=1), means, deviations), 64)


def partly_standardised(net):
    bits = (net.normal(ROWS, 24) > 0).astype(np.float32)
    x = net.input(np.concatenate([net.normal(ROWS, 40) * 20 + 500, bits], axis=1))
    left, right = f"v{len(net.nodes)}", "right"
    net.nodes.append(helper.make_node("Split", [x, net.constant([40, 24], np.int64)], [left, right], axis=1))
    return net.mlp(net.node("Concat", net.standardised(left, 500, 20), right, axis=1), 64)


def standardised_elsewhere(net):
    """No constant says where the numbers lie; a product takes it off."""
    x = net.input(net.normal(ROWS, 64) * 20 + 500)
    centring = net.node("MatMul", x, net.constant(np.eye(64) - 1 / 64))
    return net.mlp(centring, 64)


def whole_standardised(net):
    x = net.input((net.normal(ROWS, 64) * 20 + 500).astype(np.int64), INT64)
    return net.mlp(net.standardised(net.node("Cast", x, to=FLOAT), 500, 20), 64)


def whole(net, largest, dtype=np.int64, onnx_dtype=INT64, bias=False):
    x = net.input(net.random.integers(0, largest + 1, (ROWS, 64)).astype(dtype), onnx_dtype)
    return net.mlp(net.node("Cast", x, to=FLOAT), 64, bias)


def one_hot(net, bias=False):
    return net.mlp(net.input(np.eye(64, dtype=np.float32)[net.random.integers(0, 64, ROWS)]), 64, bias)


def several_one_hot(net):
    chosen = net.random.integers(0, 8, (ROWS, 8))
    return net.mlp(net.input(np.eye(8, dtype=np.float32)[chosen].reshape(ROWS, 64)), 64, bias=True)


def bits(net):
    return net.mlp(net.input((net.normal(ROWS, 64) > 1).astype(np.float32)), 64, bias=True)


def numbers(net, mean, deviation, bias=False):
    return net.mlp(net.input(net.normal(ROWS, 64) * deviation + mean), 64, bias)


def normalised_after(net, mean, deviation, spread=0.0):
    means = mean + spread * net.normal(64)
    x = net.input((net.normal(ROWS, 64) * deviation + means).astype(np.float32))
    weight = net.normal(64, 128) / 8
    result = net.node("MatMul", x, net.constant(weight))
    gain, offset = 1 + 0.2 * net.normal(128), 0.2 * net.normal(128)
    statistics = [gain, offset, means @ weight, (deviation * weight).__pow__(2).sum(0)]
    normal = net.node("BatchNormalization", result, *[net.constant(s) for s in statistics])
    return net.product(net.node("Relu", normal), 128, 16)


def normalised_first(net):
    means, deviations = 300 * net.normal(64), np.exp(net.normal(64))
    x = net.input((net.normal(ROWS, 64) * deviations + means).astype(np.float32))
    statistics = [np.ones(64), np.zeros(64), means, deviations**2]
    return net.mlp(net.node("BatchNormalization", x, *[net.constant(s) for s in statistics]), 64)


def logarithms(net, standardised):
    x = net.input(np.exp(2 * net.normal(ROWS, 64) + 3))
    logarithm = net.node("Log", x)
    return net.mlp(net.standardised(logarithm, 3, 2) if standardised else logarithm, 64)


def saturated(net):
    x = net.input(net.normal(ROWS, 64) * 5)
    hidden = net.node("Tanh", net.product(x, 64, 128, True))
    return net.node("Sigmoid", net.product(hidden, 128, 16, True))


def sensors(net):
    x = net.input(net.normal(50, 6, 64) * 30 + 9.8)
    y = net.node("Conv", x, net.constant(net.normal(32, 6, 5) / np.sqrt(30)), net.constant(net.normal(32)))
    y = net.node("GlobalAveragePool", net.node("Relu", y))
    return net.mlp(net.node("Flatten", y), 32)


def nucleotides(net):
    x = net.input(np.moveaxis(np.eye(4, dtype=np.float32)[net.random.integers(0, 4, (50, 100))], 2, 1).copy())
    y = net.node("Relu", net.node("Conv", x, net.constant(net.normal(64, 4, 7) / np.sqrt(7))))
    y = net.node("Relu", net.node("Conv", y, net.constant(net.normal(32, 64, 5) / 18)))
    return net.mlp(net.node("Flatten", net.node("GlobalMaxPool", y)), 32)


def bytes_of_pictures(net):
    """A network of pictures that takes bytes as floats and divides them in its first weights."""
    noise = np.cumsum(np.cumsum(net.normal(20, 3, 32, 32), 2), 3)
    scaled = (noise - noise.min()) / (noise.max() - noise.min())
    x = net.input((255 * scaled).astype(np.float32))
    y = net.node("Conv", x, net.constant(net.normal(32, 3, 3, 3) / 5 / 255), net.constant(net.normal(32) / 10))
    y = net.node("Relu", net.node("Conv", net.node("Relu", y), net.constant(net.normal(32, 32, 3, 3) / 17)))
    return net.mlp(net.node("Flatten", net.node("GlobalAveragePool", y)), 32)


def recurrence(net):
    x = net.input(np.abs(net.normal(12, 20, 32)) * 4, batch="steps")
    weights = [net.constant(net.normal(1, 3 * 48, k) / np.sqrt(k)) for k in (32, 48)]
    name = f"v{len(net.nodes)}"
    net.nodes.append(helper.make_node("GRU", [x, *weights], ["all", name], hidden_size=48))
    return net.mlp(net.node("Squeeze", name, net.constant([0], np.int64)), 48)


def attention(net):
    x = net.input(net.normal(8, 24, 64) * 0.05 + 0.2 * net.normal(8, 1, 64))
    q, k, v = (net.product(x, 64, 64) for _ in range(3))
    scores = net.node("MatMul", q, net.node("Transpose", k, perm=[0, 2, 1]))
    mixed = net.node("MatMul", net.node("Softmax", net.node("Div", scores, net.constant(8)), axis=-1), v)
    return net.mlp(net.node("Add", x, mixed), 64)


MODELS = {
    "inputs joined before they are standardised": joined,
    "a part is standardised": partly_standardised,
    "a product takes off the mean": standardised_elsewhere,
    "whole numbers, standardised": whole_standardised,
    "counts": functools.partial(whole, largest=9),
    "whole numbers of hundreds": functools.partial(whole, largest=500, bias=True),
    "bytes": functools.partial(whole, largest=255, dtype=np.uint8, onnx_dtype=UINT8),
    "one-hot": one_hot,
    "one-hot, with biases": functools.partial(one_hot, bias=True),
    "several one-hot": several_one_hot,
    "bits": bits,
    "mean 0, deviation 1": functools.partial(numbers, mean=0, deviation=1),
    "small": functools.partial(numbers, mean=0, deviation=0.05, bias=True),
    "far from 0": functools.partial(numbers, mean=-300, deviation=10),
    "large": functools.partial(numbers, mean=0, deviation=1000, bias=True),
    "batch normalisation after a product": functools.partial(normalised_after, mean=50, deviation=10),
    "the same, each feature elsewhere": functools.partial(normalised_after, mean=0, deviation=2, spread=100),
    "batch normalisation first": normalised_first,
    "logarithms": functools.partial(logarithms, standardised=False),
    "logarithms, standardised": functools.partial(logarithms, standardised=True),
    "saturated": saturated,
    "sensors": sensors,
    "nucleotides": nucleotides,
    "pictures of bytes": bytes_of_pictures,
    "recurrence": recurrence,
    "attention": attention,
}


def outputs(path, feeds):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)[0]


def errors(name, precision, folder):
    """Of the outputs: rounded, calibrated."""
    net = Network(sum(map(ord, name)))
    feeds = net.save(folder / "m.onnx", MODELS[name](net))
    exact = outputs(folder / "m.onnx", feeds)
    for options in (["--calibration", "none"], ["--effort", "good"]):
        run("convert", "m.onnx", "--target-format", "onnx", "--precision", precision, *options,
            "--output", "q.onnx", "--force", cwd=folder)  # fmt: skip
        yield relative_l2(outputs(folder / "q.onnx", feeds), exact)


@pytest.mark.parametrize("precision", ["4bit", "8bit"] if os.environ.get("SUBBYTE_ALL") else ["4bit"])
@pytest.mark.parametrize("name", MODELS)
def test_calibrated_is_no_worse_than_rounded(name, precision, tmp_path):
    rounded, calibrated = errors(name, precision, tmp_path)
    assert calibrated <= 1.1 * rounded


if __name__ == "__main__":  # the figures of all
    import pathlib
    import sys
    import tempfile

    for precision in sys.argv[1:] or ["4bit"]:
        for name in MODELS:
            with tempfile.TemporaryDirectory() as folder:
                rounded, calibrated = errors(name, precision, pathlib.Path(folder))
                print(f"{precision} {rounded:8.4f} {calibrated:8.4f} {calibrated / rounded:6.2f}  {name}", flush=True)
