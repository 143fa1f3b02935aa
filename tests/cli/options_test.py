"""What is not there yet, and what contradicts itself, is refused: no option is ignored."""

import pytest

from harness import run

VERBS = "convert, inspect, verify, evaluate, list, detect, find"


def version() -> str:
    return run("--version").stdout.split()[-1]


@pytest.mark.parametrize("verb", ["quantize", "session", "generate", "tune", "profile", "help"])
def test_verbs_to_come(tmp_path, verb):
    done = run(verb, "m.onnx", check=False, cwd=tmp_path)
    message = f"error: subbyte {version()} has no verb '{verb}' yet; there are {VERBS}\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)


@pytest.mark.parametrize(
    "option",
    [
        *("--state", "--activations", "--target-size", "--target-bits", "--max-loss"),
        *("--checkpoint", "--report", "--dim", "--input", "--rename", "--qdq", "--json", "-o", "-p", "-q", "-v"),
    ],
)
@pytest.mark.parametrize("spelling", ["{} int8", "{}=int8"])
def test_options_to_come(tmp_path, option, spelling):
    done = run("convert", "m.onnx", *spelling.format(option).split(), check=False, cwd=tmp_path)
    message = (
        f"error: subbyte {version()} has no option {option} of convert yet; leave it out, or see subbyte convert "
        "--help for those that there are\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            "--target-format onnx --output q.webgpu.js",
            "--output 'q.webgpu.js': --target-format onnx writes no module; give a name that ends in .onnx",
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
        (
            "--single-file --shard-size 1MB",
            "--shard-size: with --single-file there are no files of weights; leave one of the two out",
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
