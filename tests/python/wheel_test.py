"""The wheel that `./dev pack python` makes, where users install it: a bare Python without a compiler or a library of ours.

It needs the wheel, whose path SUBBYTE_WHEEL says: the verb sets it.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import zipfile

import pytest

from harness import MODELS

WHEEL = os.environ.get("SUBBYTE_WHEEL")
pytestmark = pytest.mark.skipif(not WHEEL, reason="no wheel: `./dev pack python` makes one and tests it")

OWN_LIBRARIES = {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "ld-linux-x86-64.so.2"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The python of a new environment that has nothing but the wheel."""
    folder = tmp_path_factory.mktemp("wheel") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-index", "--no-deps", WHEEL], check=True)
    return python


def run(*command, **options):
    """With nothing of this machine's on the way to programs and libraries."""
    environment = {"PATH": "/nonexistent", "HOME": "/nonexistent", **options.pop("env", {})}
    return subprocess.run(command, capture_output=True, text=True, env=environment, **options)


def test_its_name_says_which_systems_it_runs_on():
    assert re.search(r"-py3-none-manylinux_2_(\d+)_x86_64(\.|$)", WHEEL.removesuffix("whl"))
    assert min(int(minor) for minor in re.findall(r"manylinux_2_(\d+)", WHEEL)) <= 34


def test_the_program_takes_nothing_but_the_c_library(installed, tmp_path):
    with zipfile.ZipFile(WHEEL) as wheel:
        names = wheel.namelist()
        (program,) = [name for name in names if name.endswith("/bin/subbyte")]
        wheel.extract(program, tmp_path)
    assert not [name for name in names if ".so" in name]
    told = subprocess.run(["readelf", "-dV", tmp_path / program], capture_output=True, text=True, check=True).stdout
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", told))
    assert needed and needed <= OWN_LIBRARIES
    assert max(int(minor) for minor in re.findall(r"GLIBC_2\.(\d+)", told)) <= 34
    assert "GLIBCXX" not in told and "CXXABI" not in told


def test_licences_types_and_metadata_are_in_it():
    with zipfile.ZipFile(WHEEL) as wheel:
        names = wheel.namelist()
        (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        text = wheel.read(metadata).decode()
    for library in ("fmt", "highway|hwy", "zip", "png", "turbojpeg", "ssl", "zlib1g", "nlohmann", "protozero", "expected", "stdc"):
        assert any(re.search(f"subbyte/licences/.*({library})", name) for name in names), library
    assert any(name.endswith("LICENSE") for name in names)
    assert "subbyte/py.typed" in names
    assert "License-Expression: Apache-2.0" in text and "Classifier: Typing :: Typed" in text


def test_the_line_of_the_contract_and_the_module_run(installed, tmp_path):
    source = MODELS / "ppocr-cls.onnx"
    if not source.is_file():
        pytest.skip("the model is not there")
    line = ["-m", "refactored_model_conversion_generator", "convert", "--source", source, "--source-format", "onnx"]
    line += ["--target-format", "webgpu", "--precision", "4bit", "--calibration", "none", "--output", "model.webgpu.js"]
    done = run(installed, *line, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "model.webgpu.json").read_text())["precision"] == "4bit"
    # Exceptions of libraries find their way through a program that carries its own unwinder.
    (tmp_path / "broken.json").write_text('{"components": ')
    done = run(installed, *line, "--force", "--mixed-precision-config", "broken.json", cwd=tmp_path)
    assert done.returncode != 0 and "broken.json" in done.stderr and "terminate" not in done.stderr
    program = pathlib.Path(installed).parent / "subbyte"
    assert run(program, "--version").stdout.startswith("subbyte ")
    script = (
        "import subbyte; done = subbyte.convert('c.onnx', precision='4bit', calibration=False); "
        "print(done.output, done.bits_per_weight < 8); print(subbyte.inspect('c.onnx').inputs[0].name)"
    )
    (tmp_path / "c.onnx").write_bytes(source.read_bytes())
    done = run(installed, "-c", script, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "c.webgpu.js True\nx\n"), done.stderr
