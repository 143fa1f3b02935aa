"""MiniLM (paraphrase-MiniLM-L3-v2) whole, in Node and in headless Chromium, against ONNX Runtime."""

import gzip
import pathlib
import subprocess

import numpy as np
import pytest

from harness import MODELS, SUBBYTE, assert_outputs, convert, manifest_of, oracle, run_sessions

MINILM = MODELS / "minilm.onnx"
PRECISIONS = ["float32", "float16", "4bit"]
TOLERANCE = 2e-5
MOST_DISPATCHES = 42
SHAPES = [(1, 16), (2, 40), (3, 9)]
# Each size twice: in a row, and with other sizes between.
RUNS = [0, 1, 1, 2, 2, 0]


def inputs_of(shape: tuple[int, int]) -> dict:
    """Random tokens; each row but the first is padded, so that the mask matters."""
    rows, columns = shape
    random = np.random.default_rng(rows * 1000 + columns)
    ids = random.integers(1000, 30000, shape, dtype=np.int64)
    mask = np.ones(shape, dtype=np.int64)
    for row in range(1, rows):
        padding = row * columns // 4
        mask[row, columns - padding :] = 0
        ids[row, columns - padding :] = 0
    return {"input_ids": ids, "attention_mask": mask}


INPUTS = [inputs_of(shape) for shape in SHAPES]


@pytest.fixture(scope="session")
def converted(tmp_path_factory):
    """precision -> (module, the ONNX file with the same weights)."""
    folder = tmp_path_factory.mktemp("minilm")
    made = {}

    def get(precision: str):
        if precision not in made:
            module = convert(MINILM, folder / f"{precision}.webgpu.js", "--precision", precision)
            if precision == "float32":
                exported = MINILM
            else:
                exported = folder / f"{precision}.onnx"
                convert(MINILM, exported, "--target-format", "onnx", "--precision", precision)
            made[precision] = module, exported
        return made[precision]

    return get


@pytest.fixture(scope="session")
def expected(converted):
    """precision -> what ONNX Runtime computes for each of INPUTS."""
    made = {}

    def get(precision: str):
        if precision not in made:
            made[precision] = [oracle(converted(precision)[1], inputs) for inputs in INPUTS]
        return made[precision]

    return get


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("device", ["default", "all"])
@pytest.mark.parametrize("target", ["node", "chromium"])
def test_outputs_and_counts(target, device, precision, converted, expected):
    module, _ = converted(precision)
    session = {"module": module, "device": device, "runs": [INPUTS[index] for index in RUNS]}
    (result,) = run_sessions(target, [session])
    assert result["errors"] == []
    seen = set()
    for number, (index, run) in enumerate(zip(RUNS, result["runs"])):
        about = f"run {number} of {SHAPES[index]}"
        assert "error" not in run, f"{about}: {run}"
        assert_outputs(run["outputs"], expected(precision)[index], TOLERANCE, about)
        counts = run["counts"]
        assert counts["submits"] == 1, f"{about}: {counts}"
        assert 1 <= counts["dispatches"] <= MOST_DISPATCHES, f"{about}: {counts}"
        if index in seen:
            assert counts["created"] == 0, f"{about}: sizes seen before, and yet {counts}"
        seen.add(index)


def test_loads_without_a_device(converted, expected):
    """In Node the module finds the package `webgpu` by itself."""
    module, _ = converted("4bit")
    (result,) = run_sessions("node", [{"module": module, "device": "own", "runs": [INPUTS[0]]}])
    assert_outputs(result["runs"][0]["outputs"], expected("4bit")[0], TOLERANCE, "own device")


def test_describes_itself(converted):
    module, _ = converted("4bit")
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


def test_four_bits_are_small(converted):
    """At 4 bits: the promise of 95 %, the bits of a weight with all that belongs to it, and the code's own size."""
    module, _ = converted("4bit")
    manifest = manifest_of(module)
    four = [weight for weight in manifest["weights"] if weight["bits"] == 4]
    parameters = sum(int(np.prod(weight["shape"])) for weight in four)
    bits = 8 * sum(weight["bytes"] for weight in four) / parameters
    assert bits <= 4.7
    assert parameters >= 0.95 * manifest["totals"]["parameters"]
    code = module.read_bytes()
    assert len(gzip.compress(code, 9)) <= 40 * 1024


def test_manifest_totals_are_the_files_sizes(converted):
    for precision in PRECISIONS:
        module, _ = converted(precision)
        manifest = manifest_of(module)
        for file in manifest["files"]:
            assert (module.parent / file["name"]).stat().st_size == file["bytes"]
        # The parts of the weights, each aligned to 256 bytes, are what the files hold, and nothing else.
        held = sum(weight["bytes"] for weight in manifest["weights"])
        stored = sum(file["bytes"] for file in manifest["files"])
        parts = sum(len(weight["parts"]) for weight in manifest["weights"])
        assert held <= stored <= held + 256 * (parts + len(manifest["files"]))
        assert manifest["totals"]["bytes"] == stored
        bits = 8 * stored / manifest["totals"]["parameters"]
        assert manifest["totals"]["bits_per_weight"] == pytest.approx(bits, abs=0.01)


def test_same_input_same_bytes(converted, tmp_path):
    """However many threads there are, and in whatever folder it stands."""
    module, exported = converted("4bit")
    name = module.name
    one = tmp_path / "one" / name
    one.parent.mkdir()
    subprocess.run(
        ["taskset", "-c", "0", SUBBYTE, "convert", MINILM, "--precision", "4bit", "--output", one],
        check=True,
        capture_output=True,
    )
    stem = name.removesuffix(".webgpu.js")
    first = sorted(path for path in module.parent.glob(f"{stem}.webgpu*"))
    assert len(first) == 4
    assert [path.name for path in first] == sorted(path.name for path in one.parent.iterdir())
    for path in first:
        assert path.read_bytes() == (one.parent / path.name).read_bytes(), path.name
    again = convert(MINILM, tmp_path / pathlib.Path(exported).name, "--target-format", "onnx", "--precision", "4bit")
    assert again.read_bytes() == exported.read_bytes()
