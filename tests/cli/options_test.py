"""What is not there yet, and what contradicts itself, is refused: no option is ignored."""

import json
import pathlib

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness import run

VERBS = "convert, quantize, inspect, verify, evaluate, list, detect, find, completion, help"


def version() -> str:
    return run("--version").stdout.split()[-1]


@pytest.mark.parametrize("verb", ["session", "generate", "tune", "profile"])
def test_verbs_to_come(tmp_path, verb):
    done = run(verb, "m.onnx", check=False, cwd=tmp_path)
    message = f"error: subbyte {version()} has no verb '{verb}' yet; there are {VERBS}\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)


@pytest.mark.parametrize("spelling", ["--state a=b", "--state=a=b"])
def test_options_to_come(tmp_path, spelling):
    done = run("convert", "m.onnx", *spelling.split(), check=False, cwd=tmp_path)
    message = (
        f"error: subbyte {version()} has no option --state of convert yet; leave it out, or see subbyte convert "
        "--help for those that there are\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)


def one_product() -> bytes:
    weight = np.random.default_rng(1).standard_normal((64, 32)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "m",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 32])],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def test_help_of_a_verb():
    assert run("help", "convert").stdout == run("convert", "--help").stdout
    assert run("help").stdout == run("--help").stdout
    done = run("help", "inspct", check=False)
    message = f"error: 'inspct' is not a verb of subbyte (did you mean inspect?); there are {VERBS}\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)


def test_short_options(tmp_path):
    assert run("-V").stdout == run("--version").stdout
    (tmp_path / "m.onnx").write_bytes(one_product())
    done = run("convert", "m.onnx", "-q", "-p", "4bit", "-o", "short.webgpu.js", cwd=tmp_path)
    assert done.stderr == ""
    run("convert", "m.onnx", "--precision", "4bit", "--output", "long.webgpu.js", cwd=tmp_path)
    short, long = (json.loads((tmp_path / f"{n}.webgpu.json").read_text()) for n in ("short", "long"))
    assert short["precision"] == "4bit"
    assert short["weights"] == long["weights"]
    assert "1 dispatches" in run("convert", "m.onnx", "-v", "--force", cwd=tmp_path).stderr
    assert run("convert", "m.onnx", "-q", "-v", check=False, cwd=tmp_path).returncode == 2


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            "--target-format onnx --output q.webgpu.js",
            "--output 'q.webgpu.js': --target-format onnx writes no module; give a name that ends in .onnx",
        ),
        (
            "--target-format onnx --output q.bin",
            "--output 'q.bin': an ONNX file's name ends in .onnx",
        ),
        ("--output q.onnx", "--output 'q.onnx': a module's name ends in .js, best in .webgpu.js"),
        (
            "--target-format onnx --single-file",
            "--single-file: this is for --target-format webgpu; an ONNX file is one file, with its weights beside it "
            "only above 2 GB",
        ),
        (
            "--target-format onnx --shard-size 1MB",
            "--shard-size: this is for --target-format webgpu; an ONNX file is one file, with its weights beside it "
            "only above 2 GB",
        ),
        ("--qdq", "--qdq: this is for --target-format onnx; a module always keeps its weights quantized"),
        (
            "--single-file --shard-size 1MB",
            "--shard-size: with --single-file there are no files of weights; leave one of the two out",
        ),
        (
            "--target-size 1MB --precision 4bit",
            "--target-size: it chooses the width of each weight, --precision 4bit is one for all; leave one of the two "
            "out",
        ),
        (
            "--target-bits 3.2 --max-loss 1%",
            "--max-loss: --target-bits already says how small the model is to be; leave one of the two out",
        ),
        (
            "--calibration none --effort fast",
            "--effort fast: with --calibration none there is no work to do; leave one of the two out",
        ),
        ("--target-size big", "--target-size: 'big' is not a size; write a number and kB, MB or GB, such as 200MB"),
        ("--target-size 0MB", "--target-size: '0MB' is not a size; write a number and kB, MB or GB, such as 200MB"),
        (
            "--target-bits 33",
            "--target-bits: '33' is no number of bits a weight; write one above 0 and up to 32, such as 3.2",
        ),
        ("--max-loss psnr=1%", "--max-loss: 'psnr' is no measure; there are error, kl, flips"),
        (
            "--max-loss error=-1",
            "--max-loss: 'error=-1' is no loss; write a measure, = and a number, such as error=1%, flips=2% or kl=0.05",
        ),
        (
            "--max-loss error=1",
            "--max-loss: 'error=1' allows all of an output to be lost; write less than 100%, such as error=1%",
        ),
        (
            "--max-loss flips=250%",
            "--max-loss: 'flips=250%' allows all of an output to be lost; write less than 100%, such as flips=1%",
        ),
        (
            "--max-loss 1% --calibration none",
            "--max-loss: with --calibration none nothing is run that would tell what is lost; leave one of the two out",
        ),
        ("--output EMPTY", "--output: the name is empty; name a file; see subbyte convert --help"),
        ("--log-file EMPTY", "--log-file: the name is empty; name a file; see subbyte convert --help"),
        (
            "--mixed-precision-config EMPTY",
            "--mixed-precision-config: the name is empty; name a file; see subbyte convert --help",
        ),
    ],
)
def test_wrong_combinations(tmp_path, arguments, message):
    """Before the model is looked at: there is none."""
    given = ["" if word == "EMPTY" else word for word in arguments.split()]
    done = run("convert", "m.onnx", *given, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {message}\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["-V", "x"], "'x' is one too many: -V stands alone; see subbyte --help"),
        (["--version", "x"], "'x' is one too many: --version stands alone; see subbyte --help"),
        (["--version=3"], "--version takes no value; see subbyte --help"),
        (["--colour"], "'--colour' is not an option of subbyte; see subbyte --help"),
    ],
)
def test_wrong_words_without_a_verb(arguments, message):
    done = run(*arguments, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {message}\n")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            "convert m.onnx --mixed-precision-config no.json",
            "--mixed-precision-config: 'no.json': the file cannot be opened: No such file or directory",
        ),
        (
            "convert m.onnx --calibration no.npz",
            "--calibration 'no.npz': there is no such file or folder; \"none\" turns calibration off",
        ),
        ("evaluate m.webgpu.js --source m.onnx --data no.npz", "--data 'no.npz': there is no such file or folder"),
        *(
            (f"{verb} {option} m.onnx/{name}", f"{option} 'm.onnx/{name}': 'm.onnx' is a file and no folder; name another")
            for verb, option, name in [
                ("convert m.onnx", "--output", "x.js"),
                ("convert m.onnx", "--output", "y/x.js"),
                ("convert m.onnx", "--log-file", "l"),
                ("convert m.onnx", "--report", "r.html"),
                ("quantize m.onnx", "--output", "w.json"),
            ]
        ),
        ("convert m.onnx --output no/x.js", "--output 'no/x.js': there is no folder 'no'; make it, or name another"),
        *(
            (f"{verb} m.webgpu.d.ts", "'m.webgpu.d.ts': these are the types of a module; name the module itself, "
             "'m.webgpu.js'")
            for verb in ("inspect", "verify", "evaluate --source m.onnx")
        ),
        *(
            (f"convert {name}", f"'{name}': subbyte itself wrote this; name the .onnx file that it was made from")
            for name in ("m.webgpu.js", "m.webgpu.d.ts", "m.webgpu.json")
        ),
    ],
)  # fmt: skip
def test_a_file_that_an_option_names(module_folder, arguments, message):
    done = run(*arguments.split(), check=False, cwd=module_folder)
    assert (done.returncode, done.stdout, done.stderr.splitlines()[-1]) == (1, "", f"error: {message}")


@pytest.fixture(scope="module")
def module_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("options")
    (folder / "m.onnx").write_bytes(one_product())
    run("convert", "m.onnx", cwd=folder)
    return folder


def test_weights_of_a_module_are_no_model(module_folder):
    (weights,) = module_folder.glob("*.bin")
    done = run("convert", weights.name, check=False, cwd=module_folder)
    assert done.returncode == 1
    assert done.stderr.endswith("subbyte itself wrote this; name the .onnx file that it was made from\n")


def test_find_tells_what_is_only_called_a_model(tmp_path):
    (tmp_path / "m.onnx").write_bytes(one_product())
    (tmp_path / "page.onnx").write_text("<!doctype html>")
    (tmp_path / "lfs.onnx").write_text("version https://git-lfs.github.com/spec/v1\n")
    (tmp_path / "other.js").write_text("export {};\n")
    found = json.loads(run("find", tmp_path, "--format", "json").stdout)
    formats = {pathlib.Path(entry["file"]).name: entry["format"] for entry in found}
    assert formats == {"m.onnx": "onnx", "page.onnx": "a web page", "lfs.onnx": "a Git LFS pointer"}
    lines = run("find", tmp_path).stdout.splitlines()
    assert len({line.index("'") for line in lines}) == 1, lines
