"""What an interrupted, a killed and a failed convert leave: nothing, in the end."""

import pathlib
import resource
import signal
import subprocess
import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness import SUBBYTE, run
from options_test import one_product


@pytest.fixture(scope="module")
def slow_model(tmp_path_factory) -> pathlib.Path:
    """A model whose weights take seconds to pack."""
    path = tmp_path_factory.mktemp("slow") / "slow.onnx"
    weights = np.random.default_rng(0).normal(size=(2048, 8192)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 2048])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 8192])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 8
    onnx.save(model, str(path))
    return path


def names(folder: pathlib.Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def heed_signals():
    """Who starts the tests in the background may have their processes ignore these, which a program inherits."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def start(source: pathlib.Path, output: pathlib.Path) -> subprocess.Popen:
    """A convert that has just opened its first file."""
    before = names(output.parent)
    process = subprocess.Popen(
        [SUBBYTE, "convert", source, "--precision", "2bit", "--no-check", "--calibration", "none", "--output", output],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=heed_signals,
    )
    until = time.monotonic() + 60
    while names(output.parent) == before:
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.002)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_convert_leaves_nothing(slow_model, tmp_path, number):
    process = start(slow_model, tmp_path / "m.webgpu.js")
    process.send_signal(number)
    assert process.wait(timeout=60) == -number
    assert names(tmp_path) == []


def test_the_next_convert_removes_what_a_killed_one_left(slow_model, tmp_path):
    for output in ("m.webgpu.js", "other.webgpu.js"):
        process = start(slow_model, tmp_path / output)
        process.kill()
        process.wait(timeout=60)
    (tmp_path / ".subbyte-mine.tmp").write_text("a name that is nearly one of ours\n")
    assert len(names(tmp_path)) == 3
    run("convert", slow_model, "--no-check", "--calibration", "none", "--single-file", "--output", tmp_path / "m.webgpu.js")
    # Those of another output stay until it is converted again; those of nobody stay.
    assert len(names(tmp_path)) == 5
    run("convert", slow_model, "--no-check", "--calibration", "none", "--output", tmp_path / "other.webgpu.js")
    rest = [name for name in names(tmp_path) if not name.startswith(("m.webgpu", "other.webgpu"))]
    assert rest == [".subbyte-mine.tmp"]


def test_two_converts_of_one_name_do_not_disturb_each_other(slow_model, tmp_path):
    output = tmp_path / "m.webgpu.js"
    first = start(slow_model, output)
    run("convert", slow_model, "--precision", "2bit", "--no-check", "--calibration", "none", "--output", output)
    assert first.wait(timeout=60) == 0
    assert len(names(tmp_path)) == 4
    run("verify", output)


def test_many_converts_of_one_name_at_once_leave_one_module(tmp_path):
    """Each at another width, so that no file of one is another's."""
    (tmp_path / "m.onnx").write_bytes(one_product())
    options = ["--no-check", "--calibration", "none", "--output", tmp_path / "m.webgpu.js"]
    for target, files in (("webgpu", 4), ("onnx", 1)):
        if target == "onnx":
            options[-1] = tmp_path / "q.onnx"
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started = [
            subprocess.Popen(
                [SUBBYTE, "convert", tmp_path / "m.onnx", "--target-format", target, "-p", precision, *options], **quiet
            )
            for precision in ("2bit", "3bit", "4bit", "8bit", "float16", "float32")
        ]
        assert [process.wait(timeout=60) for process in started] == [0] * 6
        left = [name for name in names(tmp_path) if name.startswith(("q" if target == "onnx" else "m.webgpu"))]
        assert len(left) == files, left
        run("verify", options[-1])


def test_a_file_that_cannot_be_written_is_named_with_its_size(slow_model, tmp_path):
    """The user's limit on files stands for a full disk, which a test cannot make."""
    most = 1 << 20
    done = subprocess.run(
        [SUBBYTE, "convert", slow_model, "--precision", "2bit", "--no-check", "--calibration", "none", "--output", "m.webgpu.js"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)),
    )
    assert done.returncode == 1 and done.stdout == ""
    assert names(tmp_path) == []
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    run("convert", slow_model, "--precision", "2bit", "--no-check", "--calibration", "none", "--output", "m.webgpu.js", cwd=tmp_path)
    (weights,) = tmp_path.glob("*.bin")
    size = weights.stat().st_size
    assert line == f"error: 'm.webgpu.bin': the file, which needs {size} bytes, cannot be written: File too large"
