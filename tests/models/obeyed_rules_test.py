"""A rule that names a bias or a scale is obeyed as one that names a matrix is; a pattern for matrices says what it leaves."""

import json

import numpy as np
import onnx
import pytest

from harness import assert_outputs, manifest_of, oracle, run, run_sessions
from read_weights import read_weights
from small_models import FLOAT, model, node, normal

VALUES = {"w": normal(64, 96) / 8, "b": normal(96), "g": normal(96) + 1, "o": normal(96), "v": normal(96, 8) / 8, "c": normal(8)}
NODES = [
    node("MatMul", "x w", "h"), node("Add", "h b", "hb"), node("LayerNormalization", "hb g o", "n"), node("Gemm", "n v c", "y"),
]  # fmt: skip


def converted(folder, rules, *options):
    source = folder / "m.onnx"
    onnx.save(model(NODES, {"x": (FLOAT, [5, 64])}, ["y"], VALUES), source)
    (folder / "rules.json").write_text(json.dumps({"tensors": rules}))
    done = run("convert", source, "--precision", "8bit", "--mixed-precision-config", folder / "rules.json", "--force", *options)
    return source, folder / "m.webgpu.js", done.stderr


def bits_of(module):
    return {weight["name"]: weight["bits"] for weight in manifest_of(module)["weights"]}


@pytest.mark.parametrize("options", [["--calibration", "none"], ["--effort", "fast"]])
def test_what_is_no_matrix_is_as_narrow_as_its_rule(tmp_path, options):
    source, module, said = converted(tmp_path, {"b": "2bit", "g": "4bit", "o": "3bit", "c": "8bit"}, *options)
    assert {name: bits_of(module)[name] for name in "bgoc"} == {"b": 2, "g": 4, "o": 3, "c": 8}
    assert "is for matrices" not in said
    # The module computes with what is stored.
    stored = tmp_path / "stored.onnx"
    onnx.save(model(NODES, {"x": (FLOAT, [5, 64])}, ["y"], read_weights(module.with_suffix(".json"))), stored)
    inputs = {"x": normal(5, 64)}
    (session,) = run_sessions("node", [{"module": module, "device": "default", "runs": [inputs]}])
    assert_outputs(session["runs"][0]["outputs"], oracle(stored, inputs), 1e-4, "rules")


def test_a_pattern_that_matches_no_matrix_is_for_what_it_matches(tmp_path):
    _, module, said = converted(tmp_path, {"b*": "3bit"})
    assert bits_of(module)["b"] == 3 and "is for matrices" not in said


def test_a_pattern_for_matrices_says_what_it_leaves(tmp_path):
    _, module, said = converted(tmp_path, {"*": "2bit", "g": "4bit"})
    bits = bits_of(module)
    assert bits["w"] == bits["v"] == 2 and bits["g"] == 4 and bits["b"] == bits["o"] == bits["c"] == 16
    assert "the rule '*' (2bit) is for matrices: 'b' and 2 more, which it matches too, are none and stay wider" in said
    _, module, said = converted(tmp_path, {"*": "fp16"})
    assert set(bits_of(module).values()) == {16} and "is for matrices" not in said
