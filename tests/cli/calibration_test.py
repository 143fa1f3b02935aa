"""--calibration PATH: what numpy saves is what the model runs on, and nothing is written where it is wrong."""

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness import run

K, N = 64, 32


@pytest.fixture
def folder(tmp_path):
    weight = np.random.default_rng(1).standard_normal((K, N)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["product"]), helper.make_node("Softmax", ["product"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", K])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", N])],
        [numpy_helper.from_array(weight, "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "m.onnx")
    return tmp_path


def samples(count: int) -> np.ndarray:
    return np.random.default_rng(2).standard_normal((count, K)).astype(np.float32)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_samples_of_numpy(folder, save):
    save(folder / "d.npz", x=samples(40))
    done = run("convert", "m.onnx", "--precision", "4bit", "--calibration", "d.npz", cwd=folder)
    assert "checked on" in done.stdout and "samples of 'd.npz'" in done.stdout
    check = json.loads((folder / "m.webgpu.json").read_text())["check"]
    assert check["made_of"] == "samples of 'd.npz'"
    assert check["inputs"] == [{"name": "x", "dims": [1, K]}]
    (output,) = check["outputs"]
    for figure in ("relative_l2", "top1_agreement", "flips", "kl"):
        low, high = output[f"{figure}_interval"]
        assert low <= output[figure] <= high


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"x": samples(40).astype(np.float64)}, "'d.npz': input 'x' is float64; it must be float32"),
        ({"z": samples(40)}, "'d.npz': it has an array 'z', and the model has no input of that name; there are 'x'"),
        ({"x": samples(40)[:, 1:]}, f"'d.npz': input 'x' has shape [1, {K - 1}]; it must be [batch, {K}]"),
        ({"x": samples(40) * np.nan}, "'d.npz': input 'x' is NaN at element 0"),
        ({"x": samples(3)}, "--calibration 'd.npz': it holds 3 samples, and at least 4 are needed"),
    ],
)
def test_samples_that_are_wrong(folder, arrays, message):
    np.savez(folder / "d.npz", **arrays)
    done = run("convert", "m.onnx", "--calibration", "d.npz", check=False, cwd=folder)
    assert done.returncode == 1 and done.stderr.count("error:") == 1 and message in done.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["d.npz", "m.onnx"]


def test_samples_are_never_overwritten(folder):
    (folder / "d").mkdir()
    (folder / "d" / "inputs.json").write_text("{}")
    np.save(folder / "d" / "x.npy", samples(8))
    for output, options in (
        ("d/inputs.js", ["--force"]),
        ("m.webgpu.js", ["--log-file", "d/x.npy", "--force"]),
        # What is new there would be read the next time.
        ("m.webgpu.js", ["--log-file", "d/log.npy"]),
    ):
        arguments = ("convert", "m.onnx", "--calibration", "d", "--output", output, *options)
        done = run(*arguments, check=False, cwd=folder)
        assert done.returncode == 2 and "of --calibration; name another file" in done.stderr, done.stderr
    assert sorted(path.name for path in (folder / "d").iterdir()) == ["inputs.json", "x.npy"]
    assert (folder / "d" / "inputs.json").read_text() == "{}"


def test_the_same_command_twice_beside_its_samples(folder):
    (folder / "d").mkdir()
    np.save(folder / "d" / "x.npy", samples(8))
    for _ in range(2):
        arguments = ("--calibration", "d", "--output", "d/m.webgpu.js", "--log-file", "d/log.txt")
        run("convert", "m.onnx", "--no-check", *arguments, cwd=folder)


def test_a_device_is_no_file_of_samples(folder):
    done = run("convert", "m.onnx", "--calibration", "/dev/null", check=False, cwd=folder)
    assert done.returncode == 1
    assert "--calibration '/dev/null': this is neither a regular file nor a folder" in done.stderr
