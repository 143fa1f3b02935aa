"""The smallest matrices are stored at 8 bits where fewer are asked for (docs/format.md)."""

import numpy as np
import pytest

from harness import MODELS, convert, manifest_of


RULE = ["--precision", "4bit", "--no-check", "--calibration", "none"]


def parameters(weights: list) -> int:
    return sum(int(np.prod(weight["shape"])) for weight in weights)


@pytest.mark.parametrize("name", ["minilm", "ppocr-rec", "ppocr-det", "ppocr-cls"])
def test_the_smallest_are_wider_and_say_why(name, tmp_path):
    module = convert(
        MODELS / f"{name}.onnx", tmp_path / "m.webgpu.js", *RULE
    )
    weights = manifest_of(module)["weights"]
    wider = [weight for weight in weights if weight["bits"] == 8]
    narrow = [weight for weight in weights if weight["bits"] == 4]
    assert max(parameters([weight]) for weight in wider) <= min(parameters([weight]) for weight in narrow)
    assert 0.01 * parameters(weights) <= parameters(wider) <= 0.04 * parameters(weights)
    for weight in weights:
        if weight["encoding"]["kind"] == "integer":
            continue
        assert ("reason" in weight) == (weight["bits"] > 4), weight["name"]
    assert all("smallest" in weight["reason"] for weight in wider)
    if name != "minilm":
        depthwise = [w for w in weights if len(w["shape"]) == 4 and w["shape"][1] == 1 and w["shape"][2] == 3]
        assert depthwise and all(weight["bits"] == 8 for weight in depthwise)


def test_those_that_are_measured_take_no_more_bytes_and_keep_the_promise(tmp_path):
    source = MODELS / "ppocr-cls.onnx"
    rule = manifest_of(convert(source, tmp_path / "rule.webgpu.js", *RULE))
    measured = manifest_of(convert(source, tmp_path / "m.webgpu.js", *RULE[:3], "--effort", "good"))

    # A bias that calibration makes is in the one alone.
    before, after = ({weight["name"]: weight["bytes"] for weight in m["weights"]} for m in (rule, measured))
    assert sum(size for name, size in after.items() if name in before) <= sum(before.values())
    wide = [w for w in measured["weights"] if w["bits"] > 4 and w["encoding"]["kind"] != "integer"]
    assert parameters(wide) <= 0.05 * parameters(measured["weights"])
    assert all("reason" in weight for weight in wide)


# At 5.9 fewer bytes for the matrices gave the same widths again, and again.
@pytest.mark.parametrize("bits", [5.7, 5.9, 6.1])
def test_a_budget_between_the_least_and_the_most_is_met(bits, tmp_path):
    options = ["--target-bits", str(bits), "--no-check", "--calibration", "none"]
    manifest = manifest_of(convert(MODELS / "ppocr-cls.onnx", tmp_path / "m.webgpu.js", *options))
    assert bits - 0.1 < manifest["totals"]["bits_per_weight"] <= bits
