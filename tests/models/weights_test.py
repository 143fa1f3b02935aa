"""The weights in the files, read by docs/format.md alone, are those that the exported ONNX model holds."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from harness import MODELS, convert, manifest_of
from read_weights import read_weights

PRECISIONS = ["float32", "float16", "8bit", "4bit", "3bit", "2bit", "mixed"]


# The detector has depthwise and transposed convolutions, the recogniser kernels of 1x3.
CASES = [("minilm", precision) for precision in PRECISIONS]
CASES += [(name, precision) for name in ("ppocr-rec", "ppocr-det") for precision in ("4bit", "3bit", "mixed")]


@pytest.mark.parametrize("name, precision", CASES)
def test_decoded_weights_equal_the_export(tmp_path, name, precision):
    source = MODELS / f"{name}.onnx"
    module = convert(source, tmp_path / "m.webgpu.js", "--precision", precision, "--no-check")
    exported = convert(
        source, tmp_path / "m.onnx", "--precision", precision, "--target-format", "onnx", "--no-check"
    )
    ours = read_weights(module.with_suffix(".json"))
    theirs = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(str(exported)).graph.initializer}
    assert ours.keys() == {weight["name"] for weight in manifest_of(module)["weights"]}
    assert len(ours) >= 20
    for name, values in ours.items():
        assert name in theirs, f"{name} is not in the exported model"
        assert values.shape == theirs[name].shape, name
        np.testing.assert_array_equal(values, theirs[name].astype(values.dtype), err_msg=name)


@pytest.mark.parametrize("bits", [8, 4, 3, 2])
def test_a_precision_is_a_promise(tmp_path, bits):
    """At least 95 % of the parameters take so many bits or fewer, and what does not says why."""
    module = convert(MODELS / "minilm.onnx", tmp_path / "m.webgpu.js", "--precision", f"{bits}bit", "--no-check")
    manifest = manifest_of(module)
    sizes = {weight["name"]: int(np.prod(weight["shape"])) for weight in manifest["weights"]}
    kept = sum(sizes[weight["name"]] for weight in manifest["weights"] if weight["bits"] <= bits)
    assert kept >= 0.95 * sum(sizes.values())
    for weight in manifest["weights"]:
        if weight["bits"] > bits and weight["encoding"]["kind"] == "float":
            assert weight.get("reason"), weight["name"]
