"""A weight that is folded through operators before it is stored is still found by the name that its source gave it."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from harness import convert, manifest_of
from stored_once_test import SQUARE, X, model, node

FLOAT = TensorProto.FLOAT


@pytest.mark.parametrize(
    "op, attributes, value, constants",
    [
        ("Identity w", {}, SQUARE, {}),
        ("Transpose w", {"perm": [1, 0]}, SQUARE, {}),
        ("Cast w", {"to": FLOAT}, SQUARE.astype(np.float16), {}),
        ("Reshape w s", {}, SQUARE.reshape(64, 4, 16), {"s": np.array([64, 64])}),
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
    assert "w" in [weight["name"], *weight.get("also_named", [])] and weight["bits"] == 2
