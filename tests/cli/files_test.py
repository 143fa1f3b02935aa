"""No option destroys a file: none that another option names, and no other without --force."""

import os
import pathlib
import shutil
import subprocess

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness import SUBBYTE, run


def save_model(path: pathlib.Path, data: str = "") -> None:
    """y = x W, with W in the file `data` beside it where there is one."""
    weight = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 64])],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 8
    outside = {"save_as_external_data": True, "location": data, "size_threshold": 0} if data else {}
    onnx.save(model, str(path), **outside)


@pytest.fixture
def folder(tmp_path):
    """m.onnx, far.onnx with its weights in far.data, and rules.json."""
    save_model(tmp_path / "m.onnx")
    save_model(tmp_path / "far.onnx", "far.data")
    (tmp_path / "rules.json").write_text('{"components": {"other": "fp16"}}\n')
    return tmp_path


def contents(folder: pathlib.Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


# Arguments, and the whole message. Each is tried with --force and without, and nothing changes.
PAIRS = [
    # the log and the source, by whatever name
    ("m.onnx --log-file m.onnx", "--log-file 'm.onnx': this is the source itself"),
    ("m.onnx --log-file ./sub/../m.onnx", "--log-file './sub/../m.onnx': this is the source itself"),
    ("m.onnx --log-file link", "--log-file 'link': this is the source itself"),
    ("m.onnx --log-file hard", "--log-file 'hard': this is the source itself"),
    ("link --log-file hard", "--log-file 'hard': this is the source itself"),
    ("far.onnx --log-file far.data", "--log-file 'far.data': this is the source's own data"),
    # the log and the config
    (
        "m.onnx --mixed-precision-config rules.json --log-file rules.json",
        "--log-file 'rules.json': this is the file of --mixed-precision-config",
    ),
    # the log and the output's files, there or not
    (
        "m.onnx --output q.webgpu.js --log-file q.webgpu.js",
        "--log-file 'q.webgpu.js': this is the module that --output names",
    ),
    ("m.onnx --log-file m.webgpu.js", "--log-file 'm.webgpu.js': this is the module that --output names"),
    (
        "m.onnx --log-file m.webgpu.d.ts",
        "--log-file 'm.webgpu.d.ts': --output 'm.webgpu.js' has the file of its types there",
    ),
    (
        "m.onnx --log-file m.webgpu.json",
        "--log-file 'm.webgpu.json': --output 'm.webgpu.js' has its manifest there",
    ),
    (
        "m.onnx --log-file sub/../m.webgpu-0123456789abcdef.bin",
        "--log-file 'sub/../m.webgpu-0123456789abcdef.bin': --output 'm.webgpu.js' has its weights there",
    ),
    (
        "m.onnx --target-format onnx --output q.onnx --log-file q.onnx",
        "--log-file 'q.onnx': this is the file that --output names",
    ),
    (
        "m.onnx --target-format onnx --output q.onnx --log-file q.onnx.data",
        "--log-file 'q.onnx.data': --output 'q.onnx' has the file of its data there",
    ),
    # the output and the source
    (
        "m.onnx --target-format onnx --output m.onnx",
        "--output 'm.onnx': this is the source itself",
    ),
    ("m.onnx --target-format onnx --output hard.onnx", "--output 'hard.onnx': this is the source itself"),
    ("strange.onnx --target-format onnx --output data.onnx", "--output 'data.onnx': this is the source's own data"),
    ("named.webgpu.js --output named.webgpu.js", "--output 'named.webgpu.js': this is the source itself"),
    (
        "named.webgpu.json --output named.webgpu.js",
        "--output 'named.webgpu.js': its manifest 'named.webgpu.json' is the source itself",
    ),
    (
        "named.webgpu.d.ts --output named.webgpu.js",
        "--output 'named.webgpu.js': the file of its types 'named.webgpu.d.ts' is the source itself",
    ),
    (
        "named.webgpu-0123456789abcdef.bin --output named.webgpu.js",
        "--output 'named.webgpu.js': its weights may get the name of the source itself, "
        "'named.webgpu-0123456789abcdef.bin'",
    ),
    (
        "odd.onnx --target-format onnx --output own.onnx",
        "--output 'own.onnx': the file of its data 'own.onnx.data' is the source's own data",
    ),
    # the output and the config
    (
        "m.onnx --mixed-precision-config q.webgpu.json --output q.webgpu.js",
        "--output 'q.webgpu.js': its manifest 'q.webgpu.json' is the file of --mixed-precision-config",
    ),
    (
        "m.onnx --mixed-precision-config rules.js --output rules.js",
        "--output 'rules.js': this is the file of --mixed-precision-config",
    ),
    (
        "m.onnx --mixed-precision-config q.webgpu.d.ts --output q.webgpu.js",
        "--output 'q.webgpu.js': the file of its types 'q.webgpu.d.ts' is the file of --mixed-precision-config",
    ),
    (
        "m.onnx --mixed-precision-config q.webgpu-00000000000000aa.bin --output q.webgpu.js",
        "--output 'q.webgpu.js': its weights may get the name of the file of --mixed-precision-config, "
        "'q.webgpu-00000000000000aa.bin'",
    ),
    (
        "m.onnx --target-format onnx --mixed-precision-config rules.onnx --output rules.onnx",
        "--output 'rules.onnx': this is the file of --mixed-precision-config",
    ),
    (
        "m.onnx --target-format onnx --mixed-precision-config q.onnx.data --output q.onnx",
        "--output 'q.onnx': the file of its data 'q.onnx.data' is the file of --mixed-precision-config",
    ),
]


@pytest.mark.parametrize("force", [False, True])
def test_no_file_that_another_option_names_is_written(folder, force):
    (folder / "sub").mkdir()
    (folder / "link").symlink_to("m.onnx")
    os.link(folder / "m.onnx", folder / "hard")
    os.link(folder / "m.onnx", folder / "hard.onnx")
    for name in ("named.webgpu.js", "named.webgpu.json", "named.webgpu.d.ts", "named.webgpu-0123456789abcdef.bin"):
        shutil.copy(folder / "m.onnx", folder / name)
    save_model(folder / "odd.onnx", "own.onnx.data")
    save_model(folder / "strange.onnx", "data.onnx")
    weights = "q.webgpu-00000000000000aa.bin"
    for name in ("q.webgpu.json", "rules.js", "rules.onnx", "q.webgpu.d.ts", weights, "q.onnx.data"):
        shutil.copy(folder / "rules.json", folder / name)
    before = contents(folder)
    for arguments, message in PAIRS:
        done = run("convert", *arguments.split(), *(["--force"] if force else []), check=False, cwd=folder)
        assert (done.returncode, done.stdout) == (2, ""), (arguments, done)
        # Data of the source are known once it was read, after a line of progress.
        errors = done.stderr[done.stderr.index("error: ") :]
        assert errors == f"error: {message}; name another file\n", arguments
        assert contents(folder) == before, arguments


NOT_OURS = "a file that subbyte did not write is there; name another output, or pass --force to replace it"


@pytest.mark.parametrize(
    "arguments, name, message",
    [
        ("m.onnx", "m.webgpu.js", f"'m.webgpu.js': {NOT_OURS}"),
        ("m.onnx", "m.webgpu.d.ts", f"'m.webgpu.d.ts': {NOT_OURS}"),
        ("m.onnx", "m.webgpu.json", f"'m.webgpu.json': {NOT_OURS}"),
        ("m.onnx --target-format onnx --output q.onnx", "q.onnx", f"'q.onnx': {NOT_OURS}"),
        (
            "m.onnx --log-file notes.txt",
            "notes.txt",
            "--log-file 'notes.txt': a file that is no log of subbyte is there; name another, or pass --force to "
            "replace it",
        ),
    ],
)
def test_only_force_replaces_what_others_wrote(folder, arguments, name, message):
    (folder / name).write_text("mine\n")
    before = contents(folder)
    done = run("convert", *arguments.split(), check=False, cwd=folder)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"reading 'm.onnx'\nerror: {message}\n")
    assert contents(folder) == before
    run("convert", *arguments.split(), "--force", cwd=folder)
    assert (folder / name).read_bytes() != b"mine\n"
    # Now it is ours.
    run("convert", *arguments.split(), cwd=folder)


def test_a_log_that_is_a_pipe(folder):
    """Nobody reads it: an error, and no wait without end. Somebody does: it is written."""
    os.mkfifo(folder / "pipe")
    arguments = ["convert", "m.onnx", "--no-check", "--log-file", "pipe"]
    done = run(*arguments, check=False, cwd=folder)
    assert done.returncode == 1
    assert done.stderr.endswith(
        "error: --log-file 'pipe': this is a pipe that nothing reads, or a socket; name a file\n"
    )
    assert not list(folder.glob("m.webgpu.*"))
    reader = os.open(folder / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    run(*arguments, cwd=folder)
    assert os.read(reader, 65536).startswith(b"# Log of subbyte")
    os.close(reader)


def test_weights_of_others_are_not_replaced(folder):
    """A file that has the name of the weights to come, but neither their content nor a place in our manifest."""
    run("convert", "m.onnx", cwd=folder)
    (weights,) = folder.glob("*.bin")
    for path in folder.glob("m.webgpu.*"):
        path.unlink()
    run("convert", "m.onnx", cwd=folder)  # what has its own hash in its name is ours
    for path in folder.glob("m.webgpu.*"):
        path.unlink()
    weights.write_bytes(b"mine")
    done = run("convert", "m.onnx", check=False, cwd=folder)
    assert done.returncode == 1 and done.stderr.endswith(f"error: '{weights.name}': {NOT_OURS}\n"), done
    assert weights.read_bytes() == b"mine" and not list(folder.glob("m.webgpu.*"))
    assert not list(folder.glob(".subbyte*"))
    run("convert", "m.onnx", "--force", cwd=folder)
    # Listed in our manifest it is ours whatever became of it.
    weights.write_bytes(b"damaged")
    run("convert", "m.onnx", cwd=folder)
    run("verify", "m.webgpu.js", cwd=folder)


@pytest.mark.parametrize("name", ["m.webgpu.js", "m.webgpu.d.ts", "m.webgpu.json", "log.txt"])
def test_a_folder_of_that_name_is_found_before_anything_is_written(folder, name):
    (folder / name).mkdir()
    before = contents(folder)
    done = run("convert", "m.onnx", "--force", "--log-file", "log.txt", check=False, cwd=folder)
    subject = {"m.webgpu.js": "--output ", "log.txt": "--log-file "}.get(name, "")
    assert done.stderr == f"error: {subject}'{name}': this is a folder; name a file to write\n"
    assert (done.returncode, done.stdout) == (1, "") and contents(folder) == before


def test_a_log_of_ours_is_replaced(folder):
    run("convert", "m.onnx", "--log-level", "debug", "--log-file", "log.txt", cwd=folder)
    first = (folder / "log.txt").read_text()
    assert first.startswith("# Log of subbyte ") and "\nreading 'm.onnx'\n" in first and "MatMul" in first
    done = run("convert", "far.onnx", "--log-file", "log.txt", check=False, cwd=folder)
    assert done.returncode == 0
    second = (folder / "log.txt").read_text()
    assert "\nreading 'far.onnx'\n" in second and "m.onnx" not in second


@pytest.mark.parametrize("verb", ["convert", "quantize"])
def test_the_log_of_a_model_that_cannot_be_read(folder, verb):
    (folder / "broken.onnx").write_bytes(b"\x08\x08")
    arguments = (verb, "broken.onnx", "--log-file", "log.txt")
    assert run(*arguments, check=False, cwd=folder).returncode == 1
    assert (folder / "log.txt").read_text().count("error: 'broken.onnx': not an ONNX model") == 1
    # What its data are is not known, so not even --force replaces another file.
    (folder / "log.txt").write_text("mine\n")
    assert run(*arguments, "--force", check=False, cwd=folder).returncode == 1
    assert (folder / "log.txt").read_text() == "mine\n"


def test_a_log_may_be_a_device(folder):
    run("convert", "m.onnx", "--log-file", "/dev/null", cwd=folder)
    assert pathlib.Path("/dev/null").is_char_device()


@pytest.mark.parametrize("target", ["webgpu", "onnx"])
def test_the_size_before_counts_the_data_beside_the_model(folder, target):
    done = run("convert", "far.onnx", "--target-format", target, cwd=folder)
    before = (folder / "far.onnx").stat().st_size + (folder / "far.data").stat().st_size
    assert f"({before / 1000:.1f} kB before)" in done.stdout and before > 64 * 64 * 4


def test_a_name_that_is_not_utf8_is_refused(folder):
    done = run("convert", "m.onnx", "--output", os.fsdecode(b"\xff.webgpu.js"), check=False, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: --output '\\xff.webgpu.js': the name is not UTF-8; give one that is\n"
    done = run("convert", os.fsdecode(b"\xff.onnx"), check=False, cwd=folder)
    assert done.returncode == 2 and "which is not UTF-8; name another with --output" in done.stderr


def test_a_name_that_gets_too_long_is_found_first(folder):
    stem = "m" * 235
    done = run("convert", "m.onnx", "--output", f"{stem}.js", check=False, cwd=folder)
    assert done.returncode == 1 and "reading" not in done.stderr
    assert "the name of its weights would have 256 bytes, and 255 is the most; give a shorter name" in done.stderr
    run("convert", "m.onnx", "--no-check", "--output", f"{stem[1:]}.js", cwd=folder)
    run("convert", "m.onnx", "--no-check", "--single-file", "--output", f"{stem}.js", cwd=folder)


def test_a_folder_that_takes_no_file_is_found_first(folder):
    (folder / "shut").mkdir(mode=0o555)
    # Root may write anywhere, until it gives up what makes it root.
    command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*command, SUBBYTE, "convert", "m.onnx", "--output", "shut/m.webgpu.js"],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=60,
    )
    assert done.returncode == 1 and done.stderr == (
        "error: --output 'shut/m.webgpu.js': no file can be made in the folder 'shut'; name another folder, or get "
        "the right to write there\n"
    )
