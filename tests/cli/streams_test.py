"""Where results, progress and logs go: nothing is lost without a word, and the terminal's width is kept."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios

import pytest

from options_test import one_product
from harness import SUBBYTE, run

VERBS = [
    ["convert", "m.onnx", "--calibration", "none"],
    ["convert", "m.onnx", "--calibration", "none", "--json"],
    ["inspect", "m.onnx"],
    ["verify", "m.onnx", "--format", "json"],
    ["detect", "m.onnx"],
    ["list"],
    ["find", "."],
    ["help"],
    ["convert", "--help"],
    ["--version"],
    ["completion", "bash"],
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "m.onnx").write_bytes(one_product())
    return tmp_path


def start(arguments, folder, **streams) -> subprocess.CompletedProcess:
    return subprocess.run(
        [SUBBYTE, *arguments], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=folder, **streams
    )


@pytest.mark.parametrize("arguments", VERBS, ids=" ".join)
def test_a_full_stdout_is_an_error(folder, arguments):
    with open("/dev/full", "w") as full:
        done = start(arguments, folder, stdout=full)
    assert done.returncode == 1
    assert done.stderr.endswith("error: stdout: the result cannot be written: No space left on device\n")


@pytest.mark.parametrize("arguments", VERBS, ids=" ".join)
def test_a_closed_stdout_is_an_error_and_no_file_takes_its_place(folder, arguments):
    done = start(arguments, folder, preexec_fn=lambda: os.close(1))
    assert done.returncode == 1
    assert done.stderr.endswith("error: stdout: the result cannot be written: Bad file descriptor\n")
    if arguments[0] == "convert" and "--help" not in arguments:
        run("verify", "m.webgpu.js", cwd=folder)


@pytest.mark.parametrize("arguments", [["list"], ["convert", "m.onnx", "--no-check"]], ids=" ".join)
def test_a_stdout_whose_reader_is_gone_is_an_error(folder, arguments):
    reader, writer = os.pipe()
    os.close(reader)
    done = start(arguments, folder, stdout=writer)
    os.close(writer)
    assert done.returncode == 1
    assert done.stderr.endswith("error: stdout: the result cannot be written: Broken pipe\n")
    if arguments[0] == "convert":
        run("verify", "m.webgpu.js", cwd=folder)


def test_a_closed_stderr_is_never_an_abort(folder):
    def done(*arguments):
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE}
        return subprocess.run([SUBBYTE, *arguments], cwd=folder, preexec_fn=lambda: os.close(2), **streams)

    for arguments in (["convert", "no.onnx"], ["inspect", "no.onnx"], ["transmogrify"]):
        failed = done(*arguments)
        assert failed.returncode in (1, 2) and failed.stdout == b"", arguments
    # Lines of progress that nobody hears stop no work.
    for options in ([], ["-q"]):
        whole = done("convert", "m.onnx", *options)
        assert whole.returncode == 0 and b"m.webgpu.js" in whole.stdout, options


def test_a_full_log_is_one_error(folder):
    done = run("convert", "m.onnx", "--log-file", "/dev/full", check=False, cwd=folder)
    assert done.returncode == 1 and done.stderr.count("error:") == 1
    assert done.stderr.endswith("error: --log-file '/dev/full': the log cannot be written: No space left on device\n")


def test_the_level_governs_the_log_file(folder):
    def logged(*options) -> list[str]:
        run("convert", "m.onnx", "--log-file", "log.txt", *options, cwd=folder)
        return (folder / "log.txt").read_text().splitlines()[1:]

    assert logged("--log-level", "error") == []
    assert logged() == ["reading 'm.onnx'"]
    # -q is about the terminal.
    assert logged("-q") == ["reading 'm.onnx'"]
    assert any(line.startswith("1 dispatches, ") for line in logged("--log-level", "debug"))


def on_a_terminal(columns: int, arguments, folder) -> str:
    """What a terminal of so many columns shows of stderr."""
    shown, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [SUBBYTE, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=terminal,
        cwd=folder,
        env={**os.environ, "TERM": "xterm", "NO_COLOR": "1"},
    )
    os.close(terminal)
    text = b""
    try:
        while part := os.read(shown, 65536):
            text += part
    except OSError:  # the end of a terminal is an error
        pass
    os.close(shown)
    assert process.wait(timeout=60) == 0
    return text.decode()


@pytest.mark.parametrize("columns", [24, 40, 80, 200])
def test_progress_is_redrawn_in_place_at_any_width(folder, columns):
    text = on_a_terminal(columns, ["convert", "m.onnx"], folder)
    reading, *rest = text.split("\r\n")
    assert reading.endswith("reading 'm.onnx'")
    # All that follows is drawn over itself, and taken away in the end.
    assert len(rest) == 1 and rest[0].endswith("\r\x1b[K")
    drawn = [part for part in re.split(r"\r|\x1b\[K", rest[0]) if part]
    assert {"passes", "calibrating", "checking", "packing"} <= {part.split()[0] for part in drawn}
    assert all(len(part) < columns for part in drawn)
    assert any(part.startswith("quantizing ") and "100 %" in part for part in drawn)
    if columns >= 80:
        assert any(re.match(r"quantizing \[=+\] 100 % [\d.]+ k?B of [\d.]+ k?B", part) for part in drawn)


def test_the_last_line_says_what_was_written(folder):
    done = run("convert", "m.onnx", "--precision", "4bit", cwd=folder)
    totals = json.loads((folder / "m.webgpu.json").read_text())["totals"]
    pattern = (
        r"'m\.webgpu\.js': [\d.]+ k?B of weights \([\d.]+ kB before\), ([\d.]+) bits a weight; checked on \d+ samples "
        r"\(.*\): output 'y' is off by [\d.]+ %.*; [\d.]+ s\n"
    )
    told = re.fullmatch(pattern, done.stdout)
    assert told, done.stdout
    assert float(told[1]) == round(totals["bits_per_weight"], 2)


def test_totals_as_json(folder):
    done = run("convert", "m.onnx", "--precision", "4bit", "--json", cwd=folder)
    assert json.loads(done.stdout) == json.loads((folder / "m.webgpu.json").read_text())["totals"]
    done = run("convert", "m.onnx", "--target-format", "onnx", "--output", "q.onnx", "--json", cwd=folder)
    totals = json.loads(done.stdout)
    assert totals["bytes"] == (folder / "q.onnx").stat().st_size and totals["parameters"] == 64 * 32
