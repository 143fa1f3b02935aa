"""The contract of the command line: exit statuses, streams, what is written and what is refused."""

import hashlib
import json
import os
import pathlib
import pty
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness import ROOT, SUBBYTE, run

DONE, FAILED, WRONG_COMMAND = 0, 1, 2


def small_model(seed=0) -> onnx.ModelProto:
    """y = relu(x W + b), 64 to 48."""
    random = np.random.default_rng(seed)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["xw"], name="product"),
            helper.make_node("Add", ["xw", "b"], ["sum"], name="bias"),
            helper.make_node("Relu", ["sum"], ["y"], name="activation"),
        ],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 48])],
        [
            numpy_helper.from_array(random.normal(size=(64, 48)).astype(np.float32), "w"),
            numpy_helper.from_array(random.normal(size=48).astype(np.float32), "b"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 8
    return model


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "small.onnx"
    onnx.save(small_model(), str(path))
    return path


def written(folder: pathlib.Path) -> list[str]:
    """The names in a folder, the hash in a weight file's name left out."""
    names = []
    for path in folder.iterdir():
        head, dash, tail = path.name.partition(".webgpu-")
        names.append(f"{head}.webgpu-HASH.bin" if dash and tail.endswith(".bin") else path.name)
    return sorted(names)


def assert_error(done: subprocess.CompletedProcess, status: int, *words) -> None:
    """One message on stderr that holds the words; nothing on stdout."""
    assert done.returncode == status, done
    assert done.stdout == ""
    assert done.stderr.endswith("\n")
    for word in words:
        assert str(word) in done.stderr, f"{word!r} is not in {done.stderr!r}"


def test_convert_needs_only_the_file(model, tmp_path):
    done = run("convert", "small.onnx", cwd=tmp_path)
    assert done.stdout == "" or done.stdout.endswith("\n")
    assert written(tmp_path) == [
        "small.onnx",
        "small.webgpu-HASH.bin",
        "small.webgpu.d.ts",
        "small.webgpu.js",
        "small.webgpu.json",
    ]
    manifest = json.loads((tmp_path / "small.webgpu.json").read_text())
    assert manifest["format"] == 2
    assert manifest["source_format"] == "onnx" and manifest["target_format"] == "webgpu"
    assert manifest["precision"] == "8bit"
    assert manifest["source"] == {
        "name": "small.onnx",
        "bytes": model.stat().st_size,
        "sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
    }
    assert manifest["inputs"] == [{"name": "x", "dtype": "float32", "dims": ["batch", 64]}]
    assert manifest["outputs"] == [{"name": "y", "dtype": "float32", "dims": ["batch", 48]}]
    (file,) = manifest["files"]
    content = (tmp_path / file["name"]).read_bytes()
    assert file["bytes"] == len(content)
    assert file["sha256"] == hashlib.sha256(content).hexdigest()
    assert file["chunks"] == [file["sha256"]]


@pytest.mark.parametrize("precision", ["float32", "float16", "int8", "8bit", "4bit", "3bit", "2bit", "mixed"])
def test_every_precision(model, tmp_path, precision):
    output = tmp_path / "out" / "m.webgpu.js"
    output.parent.mkdir()
    run("convert", "--source", model, "--source-format", "onnx", "--target-format", "webgpu",
        "--precision", precision, "--output", output)  # fmt: skip
    manifest = json.loads(output.with_suffix(".json").read_text())
    (weight,) = [entry for entry in manifest["weights"] if entry["name"] == "w"]
    bits = {"float32": 32, "float16": 16, "int8": 8, "8bit": 8, "4bit": 4, "3bit": 3, "2bit": 2}
    if precision in bits:
        assert weight["bits"] == bits[precision]


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([], ["subbyte"]),
        (["transmogrify"], ["transmogrify", "convert"]),
        (["convert"], ["--source"]),
        (["convert", "small.onnx", "--precision", "5bit"], ["--precision", "5bit", "4bit"]),
        (["convert", "small.onnx", "--target-format", "wasm"], ["--target-format", "wasm", "webgpu", "onnx"]),
        (["convert", "small.onnx", "--source-format", "gguf"], ["--source-format", "gguf", "onnx"]),
        (["convert", "small.onnx", "--nonsense"], ["--nonsense"]),
        (["convert", "small.onnx", "--source", "small.onnx"], ["--source"]),
        (["convert", "small.onnx", "--dim", "batch"], ["--dim", "'batch'", "write a name, = and a value"]),
        (["convert", "small.onnx", "--dim", "batch=-1"], ["--dim", "'batch'", "'-1' is no size"]),
        (["convert", "small.onnx", "--dim", "batch=1", "--dim", "batch=2"], ["--dim", "fixed twice"]),
        (["convert", "small.onnx", "--dim", "batch=1", "--input", "x=one"], ["--input", "'one' is no float32"]),
        (["convert", "small.onnx", "--input", "x=1"], ["--input", "'batch' is open", "--dim"]),
        (["inspect"], ["--model"]),
        (["inspect", "small.onnx", "--format", "xml"], ["--format", "xml", "json"]),
        (["find"], ["--directory"]),
    ],
)
def test_a_wrong_command_line_is_2(model, tmp_path, arguments, words):
    done = run(*arguments, check=False, cwd=tmp_path)
    assert_error(done, WRONG_COMMAND, *words)
    assert written(tmp_path) == ["small.onnx"]


@pytest.mark.parametrize(
    "arguments, status, message",
    [
        (["transmogrify"], 2, "'transmogrify' is not a verb of subbyte; there are "),
        (["cnvert", "small.onnx"], 2, "'cnvert' is not a verb of subbyte (did you mean convert?); there are "),
        (
            ["convert", "small.onnx", "--precison", "4bit"],
            2,
            "'--precison' is not an option of convert (did you mean --precision?); see subbyte convert --help\n",
        ),
        (
            ["inspect", "small.onnx", "--zzz=1"],
            2,
            "'--zzz' is not an option of inspect; see subbyte inspect --help\n",
        ),
        ([], 2, "subbyte needs a verb; there are convert, quantize, inspect, verify, evaluate, list, detect, find, completion, help; see subbyte --help\n"),
        (["convert"], 2, "convert needs a model: FILE or --source FILE\n"),
        (
            ["convert", "small.onnx", "--precision", "5bit"],
            2,
            "--precision: '5bit' is not one of float32, float16, int8, 8bit, 4bit, 3bit, 2bit, mixed; did you mean "
            "8bit?; see subbyte convert --help\n",
        ),
        (
            ["convert", "small.onnx", "--target-format", "wasm"],
            2,
            "--target-format: 'wasm' is not one of webgpu, onnx; see subbyte convert --help\n",
        ),
        (
            ["convert", "small.onnx", "--shard-size", "banana"],
            2,
            "--shard-size: 'banana' is not a size; write a number and kB, MB or GB, such as 200MB\n",
        ),
        (
            ["convert", "small.onnx", "--dim", "bach=1"],
            1,
            "--dim 'bach': 'small.onnx' has no such dimension of an input (did you mean 'batch'?); there are 'batch'\n",
        ),
        (["convert", "no.onnx"], 1, "'no.onnx': the file cannot be opened: No such file or directory\n"),
        (
            ["convert", "small.onnx", "--output", "other.webgpu.js"],
            1,
            "'other.webgpu.js': a file that subbyte did not write is there; name another output, or pass --force to "
            "replace it\n",
        ),
        (
            ["convert", "small.onnx", "--target-format", "onnx", "--output", "small.onnx", "--force"],
            2,
            "--output 'small.onnx': this is the source itself; name another file\n",
        ),
        (
            ["convert", "small.onnx", "--output", "model.txt"],
            2,
            "--output 'model.txt': a module's name ends in .js, best in .webgpu.js\n",
        ),
    ],
)
def test_error_texts(model, tmp_path, arguments, status, message):
    """The whole text after the lines of progress: the object, what was found, what is allowed, what to do."""
    (tmp_path / "other.webgpu.js").write_text("not ours\n")
    done = run(*arguments, check=False, cwd=tmp_path)
    assert done.returncode == status
    errors = done.stderr[done.stderr.index("error: ") :]
    assert errors.startswith("error: " + message) and errors.count("error: ") == 1
    assert errors == "error: " + message or not message.endswith("\n")


def test_a_missing_file_is_1(tmp_path):
    for verb in ("convert", "inspect", "verify", "detect"):
        assert_error(run(verb, "nothing.onnx", check=False, cwd=tmp_path), FAILED, "nothing.onnx")
    assert written(tmp_path) == []


@pytest.mark.parametrize("content", [b"", b"\x00" * 64, b"PK\x03\x04 not a model", bytes(range(256)) * 16, b"\x08\x08"])
def test_a_broken_file_is_1(tmp_path, content):
    (tmp_path / "broken.onnx").write_bytes(content)
    for verb in ("convert", "inspect", "verify"):
        assert_error(run(verb, "broken.onnx", check=False, cwd=tmp_path), FAILED, "broken.onnx")
    assert written(tmp_path) == ["broken.onnx"]


def test_a_truncated_model_is_1(model, tmp_path):
    whole = model.read_bytes()
    for part in (0.1, 0.5, 0.9, 0.999):
        model.write_bytes(whole[: int(len(whole) * part)])
        assert_error(run("convert", "small.onnx", check=False, cwd=tmp_path), FAILED, "small.onnx")
        assert written(tmp_path) == ["small.onnx"]


def test_an_unsupported_operator_is_named(tmp_path):
    model = small_model()
    model.graph.node[2].op_type = "Transmogrify"
    onnx.save(model, str(tmp_path / "odd.onnx"))
    done = run("convert", "odd.onnx", check=False, cwd=tmp_path)
    assert_error(done, FAILED, "odd.onnx", "Transmogrify", "activation")
    assert written(tmp_path) == ["odd.onnx"]


def test_only_force_replaces_what_others_wrote(model, tmp_path):
    for name in ("small.webgpu.js", "small.webgpu.json", "small.webgpu.d.ts"):
        for path in tmp_path.glob("small.webgpu*"):
            path.unlink()
        (tmp_path / name).write_text("mine\n")
        done = run("convert", "small.onnx", check=False, cwd=tmp_path)
        assert_error(done, FAILED, name, "--force")
        assert written(tmp_path) == ["small.onnx", name]
        assert (tmp_path / name).read_text() == "mine\n"
        run("convert", "small.onnx", "--force", cwd=tmp_path)
        assert (tmp_path / name).read_text() != "mine\n"


def test_what_subbyte_wrote_is_replaced(model, tmp_path):
    run("convert", "small.onnx", cwd=tmp_path)
    first = {path.name for path in tmp_path.iterdir()}
    onnx.save(small_model(seed=1), str(model))
    run("convert", "small.onnx", cwd=tmp_path)
    second = {path.name for path in tmp_path.iterdir()}
    assert len(second) == 5
    # Other weights have another name, and the old file is gone.
    assert len(first - second) == 1 and len(second - first) == 1


def test_the_source_is_never_replaced(model, tmp_path):
    before = model.read_bytes()
    done = run("convert", "small.onnx", "--target-format", "onnx", "--output", "small.onnx", "--force",
               check=False, cwd=tmp_path)  # fmt: skip
    assert_error(done, done.returncode, "small.onnx")
    assert done.returncode != DONE
    assert model.read_bytes() == before


def test_single_file(model, tmp_path):
    run("convert", "small.onnx", "--single-file", cwd=tmp_path)
    assert written(tmp_path) == ["small.onnx", "small.webgpu.d.ts", "small.webgpu.js", "small.webgpu.json"]


def test_onnx_target(model, tmp_path):
    run("convert", "small.onnx", "--target-format", "onnx", "--precision", "4bit", "--output", "q.onnx", cwd=tmp_path)
    assert written(tmp_path) == ["q.onnx", "small.onnx"]
    exported = onnx.load(str(tmp_path / "q.onnx"))
    onnx.checker.check_model(exported, full_check=True)
    assert {entry.domain for entry in exported.opset_import} <= {"", "ai.onnx"}


@pytest.mark.parametrize("arguments", [["inspect", "small.onnx"], ["verify", "small.onnx"], ["detect", "small.onnx"],
                                       ["list"], ["list", "formats"], ["list", "precisions"], ["list", "ops"],
                                       ["find", "."]])  # fmt: skip
def test_json_is_alone_on_stdout(model, tmp_path, arguments):
    done = run(*arguments, "--format", "json", cwd=tmp_path)
    json.loads(done.stdout)
    table = run(*arguments, cwd=tmp_path)
    assert table.stdout and table.stdout != done.stdout


def test_what_is_fixed_is_constant(model, tmp_path):
    run("convert", model, "--dim", "batch=3", cwd=tmp_path)
    manifest = json.loads((tmp_path / "small.webgpu.json").read_text())
    assert manifest["inputs"][0]["dims"] == [3, 64]
    told = json.loads(run("inspect", model, "--dim", "batch=3", "--input", "x=0.5", "--format", "json").stdout)
    assert told["inputs"] == []


def test_inspect_tells_what_is_in_a_model(model, tmp_path):
    told = json.loads(run("inspect", "--model", "small.onnx", "--format", "json", cwd=tmp_path).stdout)
    assert told["inputs"] == [{"name": "x", "dtype": "float32", "dims": ["batch", 64]}]
    assert told["outputs"] == [{"name": "y", "dtype": "float32", "dims": ["batch", 48]}]


def test_inspect_tells_what_decides_an_if(tmp_path):
    floats = onnx.TensorProto.FLOAT
    sides = [
        helper.make_graph([helper.make_node(op, ["x"], ["z"])], op, [], [helper.make_tensor_value_info("z", floats, ["batch"])])
        for op in ["Neg", "Exp"]
    ]
    graph = helper.make_graph(
        [helper.make_node("If", ["cached"], ["y"], then_branch=sides[0], else_branch=sides[1])],
        "branches",
        [helper.make_tensor_value_info("x", floats, ["batch"]), helper.make_tensor_value_info("cached", onnx.TensorProto.BOOL, [1])],
        [helper.make_tensor_value_info("y", floats, ["batch"])],
    )
    onnx.save(helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)]), tmp_path / "if.onnx")
    told = json.loads(run("inspect", "if.onnx", "--format", "json", cwd=tmp_path).stdout)
    assert told["deciding"] == ["--input cached=VALUE"]
    fixed = json.loads(run("inspect", "if.onnx", "--input", "cached=true", "--format", "json", cwd=tmp_path).stdout)
    assert fixed["deciding"] == []


def test_verify_finds_a_flipped_bit(model, tmp_path):
    run("convert", "small.onnx", cwd=tmp_path)
    run("verify", "small.webgpu.js", cwd=tmp_path)
    (weights,) = tmp_path.glob("*.bin")
    content = bytearray(weights.read_bytes())
    content[100] ^= 1
    weights.write_bytes(content)
    done = run("verify", "small.webgpu.js", check=False, cwd=tmp_path)
    assert done.returncode == FAILED
    assert weights.name in done.stderr


def on_a_terminal(*arguments, **environment) -> tuple[int, str]:
    """Exit status and what a terminal shows of stderr."""
    shown, terminal = pty.openpty()
    process = subprocess.Popen(
        [str(SUBBYTE), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=terminal,
        env={**{k: v for k, v in os.environ.items() if k != "NO_COLOR"}, "TERM": "xterm", **environment},
    )
    os.close(terminal)
    text = b""
    try:
        while part := os.read(shown, 65536):
            text += part
    except OSError:  # the end of a terminal is an error
        pass
    os.close(shown)
    return process.wait(timeout=60), text.decode()


def test_a_terminal_has_a_bar(model, tmp_path):
    status, text = on_a_terminal("convert", model)
    assert status == DONE
    assert "\rquantizing [" in text and "=] 100 % " in text
    # The bar is cleared when the work is done.
    assert text.endswith("\r\x1b[K")
    assert "\x1b[1;31m" not in text


def test_colours_are_for_terminals_that_want_them(tmp_path):
    missing = tmp_path / "no.onnx"
    status, text = on_a_terminal("convert", missing)
    assert status == FAILED and "\x1b[1;31merror:\x1b[0m '" in text
    for wanted in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        status, text = on_a_terminal("convert", missing, **wanted)
        assert status == FAILED and "error: '" in text and "\x1b" not in text
    # An empty NO_COLOR asks for nothing (no-color.org).
    assert "\x1b[1;31m" in on_a_terminal("convert", missing, NO_COLOR="")[1]
    assert "\x1b[1;31merror:\x1b[0m" in on_a_terminal("transmogrify")[1]


def test_a_dumb_terminal_has_plain_lines(model):
    status, text = on_a_terminal("convert", model, TERM="dumb")
    assert status == DONE and "reading '" in text and "\x1b" not in text and "\r" not in text.replace("\r\n", "")


@pytest.mark.parametrize("verb", ["convert", "quantize", "inspect", "verify", "evaluate", "list", "detect", "find"])
def test_help_has_an_example(verb):
    done = run(verb, "--help")
    assert f"Example:\n  subbyte {verb} " in done.stdout and done.stderr == ""
    assert max(len(line) for line in done.stdout.splitlines()) <= 160


def test_help_and_version():
    for arguments in (["--help"], ["convert", "--help"]):
        done = run(*arguments)
        assert "convert" in done.stdout and done.stderr == ""
    assert run("--version").stdout.startswith("subbyte 0.") or run("--version").stdout.startswith("0.")


def test_log_file(model, tmp_path):
    run("convert", "small.onnx", "--log-level", "debug", "--log-file", "log.txt", cwd=tmp_path)
    assert (tmp_path / "log.txt").stat().st_size > 0


def test_progress_goes_to_stderr_without_control_characters(model, tmp_path):
    done = run("convert", "small.onnx", cwd=tmp_path)
    assert "\r" not in done.stderr and "\x1b" not in done.stderr


def test_a_missing_folder_is_1(model, tmp_path):
    done = run("convert", "small.onnx", "--output", "no/where/x.webgpu.js", check=False, cwd=tmp_path)
    assert_error(done, FAILED, "no/where")


def test_python_package(tmp_path):
    """The line of the contract to the letter, from a fresh virtual environment."""
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    python = environment / "bin" / "python"
    # The compiler cache has seen all of it in ./dev build, which calls the compiler by this name.
    cached = {"CMAKE_CXX_COMPILER_LAUNCHER": "ccache", "CXX": "c++"} if shutil.which("ccache") else {}
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "--no-input", ROOT], check=True, timeout=1500, env=os.environ | cached
    )
    onnx.save(small_model(), str(tmp_path / "model.onnx"))
    line = ("-m refactored_model_conversion_generator convert --source model.onnx --source-format onnx "
            "--target-format webgpu --precision 4bit --output model.webgpu.js")  # fmt: skip
    subprocess.run([python, *line.split()], check=True, cwd=tmp_path)
    assert "model.webgpu.js" in written(tmp_path)
    done = subprocess.run([python, "-m", "refactored_model_conversion_generator", "convert"], capture_output=True)
    assert done.returncode == WRONG_COMMAND
