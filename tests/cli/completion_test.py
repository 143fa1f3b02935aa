"""What shells complete, and the manual: made of the table of options, as help is."""

import os
import shutil
import subprocess

import pytest

from harness import SUBBYTE, run

DRIVER = r"""
source <("$0" completion bash)
COMP_WORDS=("$@")
COMP_CWORD=$(( $# - 1 ))
_subbyte
printf '%s\n' "${COMPREPLY[@]}"
"""


def completed(folder, *words: str) -> set[str]:
    """What bash offers for the last of the words, which stand as bash cuts them."""
    done = subprocess.run(
        ["bash", "--norc", "-c", DRIVER, SUBBYTE, *words], capture_output=True, text=True, cwd=folder, timeout=60
    )
    assert done.returncode == 0 and done.stderr == "", done
    return set(done.stdout.split("\n")) - {""}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"")
    (tmp_path / "models dir").mkdir()
    return tmp_path


def test_bash_completes_verbs(folder):
    verbs = {"convert", "quantize", "inspect", "verify", "evaluate", "list", "detect", "find", "completion", "help"}
    assert verbs | {"--help", "--version"} <= completed(folder, "subbyte", "")
    assert completed(folder, "subbyte", "con") == {"convert"}


def test_bash_completes_options_and_their_words(folder):
    assert completed(folder, "subbyte", "convert", "--prec") == {"--precision"}
    assert completed(folder, "subbyte", "convert", "m.onnx", "--precision", "") == {
        "float32", "float16", "int8", "8bit", "4bit", "3bit", "2bit", "mixed"
    }  # fmt: skip
    assert completed(folder, "subbyte", "convert", "-p", "4") == {"4bit"}
    # bash cuts words at "=".
    assert completed(folder, "subbyte", "convert", "--target-format", "=", "on") == {"onnx"}
    assert completed(folder, "subbyte", "convert", "--target-format", "=") == {"webgpu", "onnx"}
    assert completed(folder, "subbyte", "inspect", "--sort", "b") == {"bytes", "bits"}
    assert "--precision" not in completed(folder, "subbyte", "inspect", "--")
    assert completed(folder, "subbyte", "list", "") == {"formats", "precisions", "ops"}
    assert completed(folder, "subbyte", "help", "ev") == {"evaluate"}


def test_bash_completes_files_and_folders(folder):
    assert completed(folder, "subbyte", "convert", "mod") == {"model.onnx", "models dir"}
    assert completed(folder, "subbyte", "convert", "--mixed-precision-config", "model.") == {"model.onnx"}
    assert completed(folder, "subbyte", "find", "mod") == {"models dir"}
    # What nobody can know.
    assert completed(folder, "subbyte", "convert", "--dim", "") == set()


@pytest.mark.parametrize("shell", ["zsh", "fish", "bash"])
def test_shells_read_their_scripts(shell, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    script = tmp_path / "script"
    script.write_text(run("completion", shell).stdout)
    done = subprocess.run([shell, "-n", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_fish_completes(tmp_path):
    if shutil.which("fish") is None:
        pytest.skip("there is no fish here")
    script = tmp_path / "script"
    script.write_text(run("completion", "fish").stdout)
    command = f"source {script}; complete -C 'subbyte convert --precision 4'; complete -C 'subbyte ver'"
    done = subprocess.run(
        ["fish", "--no-config", "-c", command],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["4bit", "verify"]


def test_the_manual_is_what_roff_reads(tmp_path):
    page = run("completion", "man").stdout
    assert page.startswith(".TH SUBBYTE 1 ")
    if shutil.which("groff") is None and shutil.which("mandoc") is None:
        pytest.skip("there is no groff here")
    reader = ["groff", "-man", "-Tascii", "-ww", "-P-cbou"] if shutil.which("groff") else ["mandoc", "-Tascii"]
    done = subprocess.run(reader, input=page, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    for word in ("NAME", "SYNOPSIS", "EXIT STATUS", "-p, --precision WORD", "subbyte convert [OPTIONS] [FILE]..."):
        assert word in done.stdout
