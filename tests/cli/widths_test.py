"""Widths that are chosen by measuring: budgets are kept, and what quantize writes is what convert does by itself."""

import json
import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import harness


def run(*arguments, **options):
    """Measured and calibrated on the samples of the folder, but where --calibration is said."""
    if "--calibration" not in arguments:
        arguments += ("--calibration", "d.npz")
    return harness.run(*arguments, **options)


SIZES = [64, 96, 128, 64, 32]


@pytest.fixture
def folder(tmp_path):
    """Four products with biases, of which the second has outliers, and a softmax."""
    random = np.random.default_rng(1)
    weights, nodes, at = [], [], "x"
    for i, (k, n) in enumerate(zip(SIZES, SIZES[1:])):
        weight = random.standard_normal((k, n)).astype(np.float32) / np.sqrt(k).astype(np.float32)
        if i == 1:
            weight[::16] *= 8
        weights += [numpy_helper.from_array(weight, f"w{i}")]
        weights += [numpy_helper.from_array(random.standard_normal(n).astype(np.float32) / 4, f"b{i}")]
        nodes += [helper.make_node("MatMul", [at, f"w{i}"], [f"p{i}"])]
        nodes += [helper.make_node("Add", [f"p{i}", f"b{i}"], [f"s{i}"])]
        at = f"r{i}"
        nodes += [helper.make_node("Relu" if i < 3 else "Softmax", [f"s{i}"], [at])]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", SIZES[0]])],
        [helper.make_tensor_value_info(at, TensorProto.FLOAT, ["batch", SIZES[-1]])],
        weights,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "m.onnx")
    np.savez(tmp_path / "d.npz", x=random.standard_normal((96, SIZES[0])).astype(np.float32))
    return tmp_path


def manifest(folder, name="m"):
    return json.loads((folder / f"{name}.webgpu.json").read_text())


def weights_file(folder, name="m"):
    return folder / manifest(folder, name)["files"][0]["name"]


def test_a_size_is_kept_and_used(folder):
    for size in (14_000, 18_000, 26_000):
        run("convert", "m.onnx", "--target-size", str(size), "--force", cwd=folder)
        bytes_written = weights_file(folder).stat().st_size
        assert manifest(folder)["precision"] == "mixed"
        assert 0.93 * size <= bytes_written <= size


def test_bits_are_kept_and_used(folder):
    run("convert", "m.onnx", "--target-bits", "4.5", "--force", cwd=folder)
    assert 4.2 <= manifest(folder)["totals"]["bits_per_weight"] <= 4.5


def test_more_bytes_lose_less(folder):
    found = []
    for bits in ("3.2", "4.5", "6"):
        run("convert", "m.onnx", "--target-bits", bits, "--force", cwd=folder)
        found.append(manifest(folder)["check"]["outputs"][0]["relative_l2"])
    assert found == sorted(found, reverse=True) and found[-1] < found[0]


@pytest.mark.parametrize("option", ["--target-size 5KB", "--target-bits 1.1"])
def test_an_impossible_budget_names_what_is_possible(folder, option):
    done = run("convert", "m.onnx", *option.split(), check=False, cwd=folder)
    assert done.returncode == 1 and done.stderr.count("error:") == 1
    least = re.search(r"take at least ([\d.]+ [kM]?B)", done.stderr)
    assert least and "at most" in done.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["d.npz", "m.onnx"]


def test_the_smallest_that_loses_no_more(folder):
    found = {}
    for most in ("20%", "3%"):
        run("convert", "m.onnx", "--max-loss", f"error={most}", "--force", cwd=folder)
        lost = manifest(folder)["check"]["outputs"][0]["relative_l2"]
        assert lost <= float(most[:-1]) / 100
        found[most] = manifest(folder)["totals"]["bytes"]
    run("convert", "m.onnx", "--precision", "8bit", "--force", cwd=folder)
    assert found["20%"] < found["3%"]
    assert found["20%"] < manifest(folder)["totals"]["bytes"]


def test_a_loss_that_no_width_keeps_to(folder):
    done = run("convert", "m.onnx", "--max-loss", "error=0", check=False, cwd=folder)
    assert done.returncode == 1 and "lose least" in done.stderr


def test_the_measure_that_fits_is_told(folder):
    told = run("convert", "m.onnx", "--max-loss", "20%", cwd=folder).stderr
    assert "--max-loss: what fits the outputs is 'flips'" in told


@pytest.mark.parametrize("options", [["--precision", "mixed"], ["--target-bits", "4.2"], ["--precision", "3bit"]])
def test_the_file_gives_the_bytes_that_convert_gives(folder, options):
    for where in "ab":
        (folder / where).mkdir()
    run("convert", "m.onnx", *options, "--output", "a/a.webgpu.js", cwd=folder)
    run("quantize", "m.onnx", *options, "--output", "widths.json", cwd=folder)
    widths = json.loads((folder / "widths.json").read_text())
    assert sorted(widths["tensors"]) == ["w0", "w1", "w2", "w3"]
    assert all(entry["loss"] > 0 for entry in widths["tensors"].values())
    run("convert", "m.onnx", "--mixed-precision-config", "widths.json", "--output", "b/a.webgpu.js", cwd=folder)
    a, b = (sorted((folder / where).iterdir()) for where in "ab")
    assert [path.name for path in a] == [path.name for path in b]
    for one, other in zip(a, b):
        if options[1] != "3bit" or not one.name.endswith(".json"):  # why a weight is wider is a rule there
            assert one.read_bytes() == other.read_bytes(), one.name


def test_quantize_replaces_only_its_own(folder):
    run("quantize", "m.onnx", "--precision", "4bit", cwd=folder)
    first = (folder / "m.4bit.json").read_bytes()
    run("quantize", "m.onnx", "--precision", "4bit", cwd=folder)
    assert (folder / "m.4bit.json").read_bytes() == first
    (folder / "mine.json").write_text("{}")
    done = run("quantize", "m.onnx", "--output", "mine.json", check=False, cwd=folder)
    assert done.returncode == 1 and "a file that subbyte quantize did not write is there" in done.stderr
    assert (folder / "mine.json").read_text() == "{}"
    run("quantize", "m.onnx", "--output", "mine.json", "--force", cwd=folder)
    assert "tensors" in json.loads((folder / "mine.json").read_text())


def test_without_running_widths_go_by_rounding(folder):
    done = run("convert", "m.onnx", "--target-bits", "4.2", "--calibration", "none", cwd=folder)
    assert "by what rounding loses of the weights alone" in done.stderr
    assert manifest(folder)["totals"]["bits_per_weight"] <= 4.2


def test_rules_stand_beside_a_budget(folder):
    (folder / "rules.json").write_text('{"tensors": {"w2": "8bit"}}')
    run("convert", "m.onnx", "--target-bits", "5", "--mixed-precision-config", "rules.json", cwd=folder)
    bits = {weight["name"]: weight["bits"] for weight in manifest(folder)["weights"]}
    assert bits["w2"] == 8 and min(bits.values()) < 8
    assert manifest(folder)["totals"]["bits_per_weight"] <= 5
