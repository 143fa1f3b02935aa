"""--checkpoint: what was found is kept, and work that was interrupted goes on from there to the same bytes."""

import pathlib
import signal
import subprocess
import time

import pytest

from harness import MODELS, SUBBYTE, run
from interrupts_test import heed_signals, names
from options_test import one_product

ARGUMENTS = ["--precision", "3bit", "--effort", "good", "--no-check", "--quiet"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    """The weights of a conversion that nothing interrupts and that keeps nothing."""
    folder = tmp_path_factory.mktemp("whole")
    run("convert", MODELS / "ppocr-cls.onnx", *ARGUMENTS, "--output", folder / "m.webgpu.js")
    return weights_in(folder)


def weights_in(folder: pathlib.Path) -> bytes:
    (weights,) = folder.glob("*.bin")
    return weights.read_bytes()


def test_goes_on_where_it_was_interrupted(tmp_path, whole):
    kept, output = tmp_path / "not" / "there", tmp_path / "m.webgpu.js"
    command = [SUBBYTE, "convert", MODELS / "ppocr-cls.onnx", *ARGUMENTS, "--checkpoint", kept, "--output", output]
    counts = []
    for least, number in [(3, signal.SIGTERM), (20, signal.SIGKILL), (40, signal.SIGTERM)]:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, preexec_fn=heed_signals)
        until = time.monotonic() + 120
        while not (kept.is_dir() and len(names(kept)) >= least):
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.002)
        process.send_signal(number)
        assert process.wait() != 0
        assert not output.exists()
        counts.append(len([name for name in names(kept) if name.endswith(".checkpoint")]))
    assert counts == sorted(counts)
    assert subprocess.run(command, stdout=subprocess.DEVNULL).returncode == 0
    assert weights_in(tmp_path) == whole
    before = {path: path.stat().st_mtime_ns for path in kept.iterdir()}
    assert all(path.name.endswith(".checkpoint") for path in before)
    # All is there: nothing is worked out again, to the same bytes.
    assert subprocess.run([*command, "--force"], stdout=subprocess.DEVNULL).returncode == 0
    assert weights_in(tmp_path) == whole
    assert {path: path.stat().st_mtime_ns for path in kept.iterdir()} == before


def test_damaged_files_are_as_if_they_were_not_there(tmp_path):
    kept = tmp_path / "kept"
    command = ["convert", MODELS / "ppocr-cls.onnx", "--precision", "3bit", "--effort", "fast", "--no-check", "--checkpoint", kept]
    run(*command, "--output", f"{tmp_path / 'a'}/")
    for number, path in enumerate(sorted(kept.iterdir())):
        content = bytearray(path.read_bytes())
        if number % 3 == 0:
            content[-1] ^= 1
        elif number % 3 == 1:
            del content[len(content) // 2 :]
        else:
            content.clear()
        path.write_bytes(content)
    run(*command, "--output", f"{tmp_path / 'b'}/")
    assert weights_in(tmp_path / "a") == weights_in(tmp_path / "b")


def test_another_model_and_other_options_find_nothing(tmp_path):
    kept = tmp_path / "kept"
    counts = [0]
    for model, *options in [
        ("ppocr-cls.onnx", "--precision", "3bit", "--effort", "fast"),
        ("ppocr-cls.onnx", "--precision", "2bit", "--effort", "fast"),
        ("product.onnx", "--precision", "3bit", "--effort", "fast"),
    ]:
        source = MODELS / model
        if model == "product.onnx":
            source = tmp_path / model
            source.write_bytes(one_product())
        run("convert", source, *options, "--checkpoint", kept, "--output", tmp_path / "m.webgpu.js", "--force", "--no-check")
        counts.append(len(names(kept)))
    assert counts == sorted(set(counts))


def test_the_same_model_under_another_name_goes_on(tmp_path):
    kept = tmp_path / "kept"
    options = ["--precision", "3bit", "--effort", "fast", "--no-check", "--checkpoint", kept]
    run("convert", MODELS / "ppocr-cls.onnx", *options, "--output", tmp_path / "a.webgpu.js")
    before = names(kept)
    (tmp_path / "moved.onnx").write_bytes((MODELS / "ppocr-cls.onnx").read_bytes())
    run("convert", "moved.onnx", *options, cwd=tmp_path)
    assert names(kept) == before


def test_quantize_keeps_what_it_measures(tmp_path):
    kept = tmp_path / "kept"
    for name in ("a.json", "b.json"):
        run("quantize", MODELS / "ppocr-cls.onnx", "--target-bits", "6", "--effort", "fast", "--checkpoint", kept, "--output", tmp_path / name)
    assert (tmp_path / "a.json").read_text() == (tmp_path / "b.json").read_text()
    assert names(kept)


def test_errors_come_before_the_work(tmp_path):
    (tmp_path / "m.onnx").write_bytes(one_product())
    (tmp_path / "file").write_text("mine")
    done = run("convert", tmp_path / "m.onnx", "--effort", "fast", "--checkpoint", tmp_path / "file", check=False)
    assert done.returncode == 1
    assert f"--checkpoint '{tmp_path / 'file'}': this is no folder; name another\n" in done.stderr
    done = run("convert", tmp_path / "m.onnx", "--calibration", "none", "--checkpoint", tmp_path / "new", check=False)
    assert done.returncode == 2
    assert "with --calibration none there is no work to keep" in done.stderr
    assert (tmp_path / "file").read_text() == "mine"
    assert names(tmp_path) == ["file", "m.onnx"]
