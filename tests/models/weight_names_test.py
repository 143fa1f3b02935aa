"""A weight that is folded through operators before it is stored is still found by the name that its source gave it."""

import json
import subprocess

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from harness import SUBBYTE, convert, manifest_of
from read_weights import read_weights
from stored_once_test import SQUARE, X, model, node

FLOAT = TensorProto.FLOAT


@pytest.mark.parametrize(
    "op, attributes, value, constants",
    [
        ("Identity w", {}, SQUARE, {}),
        ("Transpose w", {"perm": [1, 0]}, SQUARE, {}),
        ("Cast w", {"to": FLOAT}, SQUARE.astype(np.float16), {}),
        ("Reshape w s", {}, SQUARE.reshape(64, 4, 16), {"s": np.array([64, 64])}),
        ("Reshape w s", {}, SQUARE.reshape(1, 64, 1, 64, 1), {"s": np.array([64, 64])}),
    ],
)
def test_a_folded_weight_is_found_by_its_name(tmp_path, op, attributes, value, constants):
    op, inputs = op.split(" ", 1)
    made = model([node(op, inputs, "f", **attributes), node("MatMul", "x f", "y")], X, ["y"], {"w": value, **constants})
    source = tmp_path / "m.onnx"
    onnx.save(made, source)
    rules = tmp_path / "folded.json"
    rules.write_text('{"tensors": {"w": "2bit"}}')
    module = convert(source, tmp_path / "m.webgpu.js", "--precision", "8bit", "--mixed-precision-config", rules)
    (weight,) = manifest_of(module)["weights"]
    assert (weight["name"], weight["shape"], weight["bits"]) == ("w", list(value.shape), 2)
    module = convert(source, tmp_path / "m.webgpu.js", "--precision", "float32")
    np.testing.assert_array_equal(read_weights(module.with_suffix(".json"))["w"], value)
    inspected = subprocess.run([SUBBYTE, "inspect", source, "--format", "json"], check=True, capture_output=True, text=True)
    assert [(w["name"], w["shape"]) for w in json.loads(inspected.stdout)["weights"]] == [("w", list(value.shape))]
    subprocess.run([SUBBYTE, "evaluate", module, "--source", source, "--runtime", "cpp"], check=True, capture_output=True)


def test_what_is_no_order_of_the_sources_axes_keeps_its_own_name(tmp_path):
    value = SQUARE.reshape(32, 128)
    made = model([node("Reshape", "w s", "f"), node("MatMul", "x f", "y")], X, ["y"], {"w": value, "s": np.array([64, 64])})
    source = tmp_path / "m.onnx"
    onnx.save(made, source)
    module = convert(source, tmp_path / "m.webgpu.js")
    (weight,) = manifest_of(module)["weights"]
    assert (weight["name"], weight["shape"], weight["also_named"]) == ("f", [64, 64], ["w"])
