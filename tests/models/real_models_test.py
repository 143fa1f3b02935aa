"""Real models whole, at every precision, in Node and in headless Chromium, against ONNX Runtime."""

import functools
import json
import os

import numpy as np
import pytest

from harness import MODELS, assert_outputs, convert, manifest_of, oracle, relative_l2, run_sessions
from real_models import MIXED, PRECISIONS, REAL_MODELS, WIDTHS

ALL = os.environ.get("SUBBYTE_ALL", "0") not in {"", "0"}
TOLERANCE = 2e-5
# A size again at once, and again with others between.
RUNS = [0, 1, 1, 2, 0]
# (target, device, precision); "all" is a device with all that the adapter has. A software GPU takes a quarter of a minute
# to compile a model's kernels, so that by default only the smallest model runs at every precision, and each in one target.
FEW = [("node", "default", "float32"), ("node", "all", MIXED), ("chromium", "default", "4bit")]
EACH_ONCE = [
    *FEW,
    ("node", "default", "3bit"),
    ("chromium", "default", "float16"),
    ("chromium", "all", "8bit"),
    ("chromium", "default", "2bit"),
]
EVERYTHING = [
    (target, device, precision)
    for target in ("node", "chromium")
    for device in ("default", "all")
    for precision in (PRECISIONS if device == "default" else ("float32", "4bit"))
]
SESSIONS = {
    model.name: EVERYTHING if ALL else EACH_ONCE if model.name == "minilm" else FEW for model in REAL_MODELS
}

by_name = {model.name: model for model in REAL_MODELS}
each_model = pytest.mark.parametrize("name", by_name)
each_width = pytest.mark.parametrize("precision", ["8bit", "4bit", "3bit", "2bit"])


@pytest.fixture(scope="session")
def converted(tmp_path_factory):
    """(model, precision) -> (module, the ONNX file with the same weights)."""

    @functools.cache
    def get(name: str, precision: str):
        model = by_name[name]
        folder = tmp_path_factory.mktemp(f"{name}-{precision}")
        options = ["--precision", precision, "--no-check"]
        if precision == MIXED:
            config = folder / "mixed.json"
            config.write_text(json.dumps(model.mixed), encoding="utf8")
            options = ["--precision", "8bit", "--mixed-precision-config", config, "--no-check"]
        source = MODELS / model.file
        module = convert(source, folder / f"{name}.webgpu.js", *options)
        if precision == "float32":
            return module, source
        return module, convert(source, folder / f"{name}.onnx", "--target-format", "onnx", *options)

    return get


@pytest.fixture(scope="session")
def ran(converted):
    """(target, model) -> for each of its (device, precision) what it gave; one browser serves them all."""

    @functools.cache
    def get(target: str, name: str) -> dict:
        given = [by_name[name].inputs[index] for index in RUNS]
        wanted = [(device, precision) for where, device, precision in SESSIONS[name] if where == target]
        sessions = [
            {"module": converted(name, precision)[0], "device": device, "runs": given} for device, precision in wanted
        ]
        return dict(zip(wanted, run_sessions(target, sessions)))

    return get


def one_unit_up(inputs: dict) -> dict:
    """The same inputs with every float moved by one unit in the last place."""
    return {
        name: np.nextafter(value, np.inf, dtype=value.dtype) if np.issubdtype(value.dtype, np.floating) else value
        for name, value in inputs.items()
    }


@pytest.fixture(scope="session")
def expected(converted):
    """(model, precision) -> for each of its inputs what ONNX Runtime computes, and the error allowed for each output."""

    def error_allowed(exported, inputs: dict, outputs: dict) -> dict:
        moved = oracle(exported, one_unit_up(inputs))
        return {name: max(TOLERANCE, 5 * relative_l2(moved[name], value)) for name, value in outputs.items()}

    @functools.cache
    def get(name: str, precision: str):
        _, exported = converted(name, precision)
        made = []
        for inputs in by_name[name].inputs:
            outputs = oracle(exported, inputs)
            strict = dict.fromkeys(outputs, TOLERANCE)
            made.append((outputs, strict if precision == "float32" else error_allowed(exported, inputs, outputs)))
        return made

    return get


@pytest.mark.parametrize(
    ("name", "target", "device", "precision"),
    # Models of one target side by side, as `ran` makes them.
    sorted((name, *session) for name, sessions in SESSIONS.items() for session in sessions),
)
def test_outputs_and_counts(target, name, device, precision, ran, expected):
    result = ran(target, name)[device, precision]
    assert result["errors"] == []
    assert len(result["runs"]) == len(RUNS)
    seen = set()
    for number, (index, run) in enumerate(zip(RUNS, result["runs"])):
        shapes = {key: value.shape for key, value in by_name[name].inputs[index].items()}
        about = f"run {number} of {shapes}"
        assert "error" not in run, f"{about}: {run}"
        outputs, tolerance = expected(name, precision)[index]
        assert_outputs(run["outputs"], outputs, tolerance, about)
        counts = run["counts"]
        assert 1 <= counts["submits"] <= 4, f"{about}: {counts}"
        assert 1 <= counts["dispatches"] <= by_name[name].most_dispatches, f"{about}: {counts}"
        if index in seen:
            assert counts["memory"] == 0, f"{about}: sizes seen before, and yet {counts}"
        seen.add(index)


def bits_each(weights: list[dict]) -> float:
    """Bits a weight, with scales and zero points; without what aligns the parts."""
    parameters = sum(int(np.prod(weight["shape"])) for weight in weights)
    return 8 * sum(weight["bytes"] for weight in weights) / parameters


@each_width
@each_model
def test_sizes(name, precision, converted):
    """The bits of the tensors stored at the width asked for, and of the whole model."""
    weights = manifest_of(converted(name, precision)[0])["weights"]
    width = WIDTHS[precision]
    assert bits_each([weight for weight in weights if weight["bits"] == width]) <= by_name[name].most_bits[precision]
    assert bits_each(weights) <= width + by_name[name].most_above_width


@each_width
@each_model
def test_a_precision_is_a_promise(name, precision, converted):
    """At least 95 % of the parameters take so many bits or fewer, and what does not says why."""
    weights = manifest_of(converted(name, precision)[0])["weights"]
    parameters = {weight["name"]: int(np.prod(weight["shape"])) for weight in weights}
    width = WIDTHS[precision]
    kept = sum(parameters[weight["name"]] for weight in weights if weight["bits"] <= width)
    assert kept >= 0.95 * sum(parameters.values())
    for weight in weights:
        if weight["bits"] > width and weight["encoding"]["kind"] == "float":
            assert weight.get("reason"), weight["name"]


@each_model
def test_mixed_means_mixed(name, converted):
    """Each width that the file names is there."""
    weights = manifest_of(converted(name, MIXED)[0])["weights"]
    named = json.dumps(by_name[name].mixed)
    wanted = {bits for bits in (8, 4, 3, 2) if f"{bits}bit" in named} | ({16} if "fp16" in named else set())
    assert len(wanted) >= 3
    assert wanted <= {weight["bits"] for weight in weights}


@pytest.mark.parametrize("precision", PRECISIONS)
@each_model
def test_manifest_totals_are_the_files_sizes(name, precision, converted):
    module, _ = converted(name, precision)
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
