"""Several models at once, folders that are made, and sizes as people write them."""

import contextlib
import json
import os
import signal
import subprocess
import time

import pytest

from options_test import one_product
from harness import SUBBYTE, run


@pytest.fixture
def folder(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.onnx").write_bytes(one_product())
    return tmp_path


def modules(folder) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.js"))


def test_several_models_to_a_folder_that_is_made(folder):
    done = run("convert", "a.onnx", "b.onnx", "--output", "web/models/", "-p", "4bit", "--json", cwd=folder)
    assert modules(folder) == ["web/models/a.webgpu.js", "web/models/b.webgpu.js"]
    for name, totals in zip("ab", json.loads(done.stdout), strict=True):
        assert totals == json.loads((folder / f"web/models/{name}.webgpu.json").read_text())["totals"]
        run("verify", f"web/models/{name}.webgpu.js", cwd=folder)
    lines = run("convert", "a.onnx", "b.onnx", cwd=folder).stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == ["'a.webgpu.js'", "'b.webgpu.js'"]


def test_one_model_to_a_folder(folder):
    run("convert", "a.onnx", "-o", "out/", "--target-format", "onnx", "-p", "int4", cwd=folder)
    assert [path.name for path in (folder / "out").iterdir()] == ["a.4bit.onnx"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            "a.onnx b.onnx --output one.webgpu.js",
            "--output 'one.webgpu.js': 2 models are not written to one file; name a folder, with / at its end",
        ),
        (
            "a.onnx sub/a.onnx --output out/",
            "'a.onnx' and 'sub/a.onnx' would both be written to 'out/a.webgpu.js'; rename one of them",
        ),
        ("a.onnx ./a.onnx", "'a.onnx' and './a.onnx' are one model; name it once"),
        ("a.onnx --output sub", "--output 'sub': this is a folder; write 'sub/' for files in it"),
        (
            "a.onnx a.8bit.onnx --target-format onnx --force",
            "--output 'a.8bit.onnx': this is one of the sources; name another file",
        ),
    ],
)
def test_wrong_combinations_of_several(folder, arguments, message):
    (folder / "sub").mkdir()
    (folder / "sub" / "a.onnx").write_bytes(one_product())
    (folder / "a.8bit.onnx").write_bytes(one_product())
    before = sorted(path.name for path in folder.iterdir())
    done = run("convert", *arguments.split(), check=False, cwd=folder)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {message}\n")
    assert sorted(path.name for path in folder.iterdir()) == before


def test_a_model_that_cannot_be_read_stops_all_before_anything_is_written(folder):
    (folder / "c.onnx").write_bytes(b"\x08\x08")
    done = run("convert", "a.onnx", "c.onnx", "--output", "web/models/", check=False, cwd=folder)
    assert done.returncode == 1 and "error: 'c.onnx': not an ONNX model" in done.stderr
    # Folders that were made for nothing are gone.
    assert sorted(path.name for path in folder.iterdir()) == ["a.onnx", "b.onnx", "c.onnx"]


def test_a_folder_below_a_file(folder):
    done = run("convert", "a.onnx", "--output", "b.onnx/web/", check=False, cwd=folder)
    assert done.returncode == 1
    assert done.stderr == "error: --output 'b.onnx/web/': the folder 'b.onnx/web' cannot be made: Not a directory\n"
    done = run("convert", "a.onnx", "--output", "b.onnx/", check=False, cwd=folder)
    assert done.returncode == 1
    assert done.stderr == "error: --output 'b.onnx/': this is no folder; name another, or leave out the / at the end\n"


def test_an_interrupted_convert_leaves_no_folder(folder):
    """It waits for the log, a pipe that is full and that nobody empties."""
    os.mkfifo(folder / "log")
    pipe = os.open(folder / "log", os.O_RDWR | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(pipe, b"x" * 4096)
    process = subprocess.Popen(
        [SUBBYTE, "convert", "a.onnx", "--output", "x/y/", "--log-file", "log"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    until = time.monotonic() + 60
    while not (folder / "x" / "y").exists():
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.002)
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == -signal.SIGINT
    os.close(pipe)
    assert not (folder / "x").exists()


def test_sizes(folder):
    run("convert", "a.onnx", "--shard-size", "1.5KB", "--precision", "float32", cwd=folder)
    run("convert", "b.onnx", "--shard-size", "1500", "--precision", "float32", cwd=folder)
    first, second = (json.loads((folder / f"{name}.webgpu.json").read_text())["files"] for name in "ab")
    assert [file["sha256"] for file in first] == [file["sha256"] for file in second]


@pytest.mark.parametrize(
    "text, message",
    [
        ("{\n  \"tensors\": {\"w\": \"4bit\",}\n}", "line 2, column 27: "),
        ("", "line 1, column 1: "),
        ('{"tensors": {"w": "4bit", "w": "8bit"}}', "the key 'w' is there twice\n"),
    ],
)
def test_errors_of_json_say_where(folder, text, message):
    (folder / "rules.json").write_text(text)
    done = run("convert", "a.onnx", "--mixed-precision-config", "rules.json", check=False, cwd=folder)
    assert done.returncode == 1 and not modules(folder)
    assert f"error: --mixed-precision-config 'rules.json': {message}" in done.stderr
