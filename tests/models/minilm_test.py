"""What of MiniLM (paraphrase-MiniLM-L3-v2) no other model need show; real_models_test.py runs it."""

import gzip
import subprocess

import pytest

from harness import MODELS, SUBBYTE, assert_outputs, convert, manifest_of, oracle, run_sessions
from real_models import MINILM

SOURCE = MODELS / MINILM.file


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """(module, the ONNX file with the same weights) at 4 bits."""
    folder = tmp_path_factory.mktemp("minilm")
    module = convert(SOURCE, folder / "m.webgpu.js", "--precision", "4bit")
    return module, convert(SOURCE, folder / "m.onnx", "--target-format", "onnx", "--precision", "4bit")


def test_loads_without_a_device(converted):
    """In Node the module finds the package `webgpu` by itself."""
    module, exported = converted
    given = MINILM.inputs[0]
    (result,) = run_sessions("node", [{"module": module, "device": "own", "runs": [given]}])
    assert_outputs(result["runs"][0]["outputs"], oracle(exported, given), 2e-5, "own device")


def test_describes_itself(converted):
    module, _ = converted
    (result,) = run_sessions("node", [{"module": module, "device": "default", "runs": []}])
    dims = ["batch_size", "sequence_length"]
    assert result["inputs"] == [
        {"name": "input_ids", "dtype": "int64", "dims": dims},
        {"name": "attention_mask", "dtype": "int64", "dims": dims},
    ]
    assert [(output["name"], output["dtype"]) for output in result["outputs"]] == [
        ("output", "int64"),
        ("463", "int64"),
        ("onnx::Shape_422", "float32"),
        ("461", "float32"),
    ]
    manifest = manifest_of(module)
    assert manifest["inputs"] == result["inputs"]
    assert manifest["outputs"] == result["outputs"]


def test_code_is_small(converted):
    module, _ = converted
    assert len(gzip.compress(module.read_bytes(), 9)) <= 40 * 1024


def test_same_input_same_bytes(converted, tmp_path):
    """However many threads there are, and in whatever folder it stands."""
    module, exported = converted
    one = tmp_path / "one" / module.name
    one.parent.mkdir()
    subprocess.run(
        [
            *("taskset", "-c", "0", SUBBYTE, "convert", SOURCE, "--precision", "4bit", "--calibration", "none"),
            *("--output", one),
        ],
        check=True,
        capture_output=True,
    )
    stem = module.name.removesuffix(".webgpu.js")
    first = sorted(module.parent.glob(f"{stem}.webgpu*"))
    assert len(first) == 4
    assert [path.name for path in first] == sorted(path.name for path in one.parent.iterdir())
    for path in first:
        assert path.read_bytes() == (one.parent / path.name).read_bytes(), path.name
    again = convert(SOURCE, tmp_path / exported.name, "--target-format", "onnx", "--precision", "4bit")
    assert again.read_bytes() == exported.read_bytes()
