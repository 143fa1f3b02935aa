"""The float executor against ONNX's own operator tests and against ONNX Runtime on whole models."""

import concurrent.futures
import os
import pathlib

import numpy as np
import onnxruntime
import pytest

from harness import MODELS, SUBBYTE
from reference_test import (
    DONE,
    TOLERANCES,
    difference,
    operator_tests,
    run_case,
    run_tool,
    to_array,
)

TOOL = pathlib.Path(
    os.environ.get(
        "SUBBYTE_EXECUTOR_TOOL", SUBBYTE.parent / "src" / "calibrate" / "subbyte_executor_tool"
    )
)
# Fewer would mean that what once ran does not any more.
FEWEST_PASSED = 950


@pytest.fixture(scope="module", autouse=True)
def tool() -> None:
    assert TOOL.is_file(), f"{TOOL} is missing; build the target subbyte_executor_tool"


def difference_in_float32(expected, actual, tolerance=None) -> str:
    """As difference() where the executor gives float32 for floats of any width."""
    dtype, array = expected
    if dtype not in TOLERANCES:
        return difference(expected, actual)
    if dtype == "bfloat16":
        array = to_array(dtype, array.tobytes()).reshape(array.shape)
    # As exact as the wider of the two is.
    tolerance = tolerance or max(TOLERANCES[dtype], TOLERANCES["float32"])
    return difference(("float32", array.astype(np.float32)), actual, tolerance)


def test_operators_pass_or_are_refused(tmp_path):
    cases = operator_tests()

    def run(case):
        return run_case(case, tmp_path / case.name, "static", TOOL, difference_in_float32)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        outcomes = list(pool.map(run, cases))
    failed = [f"{o.name}: {o.message}" for o in outcomes if o.result == "failed"]
    assert not failed, "\n".join(failed)
    assert sum(o.result == "passed" for o in outcomes) >= FEWEST_PASSED


def onnx_runtime(path: pathlib.Path, feeds: dict) -> list:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    return session.run(None, {name: feeds[name] for name in names})


def compare(name: str, feeds: dict, folder: pathlib.Path, rtol: float, atol: float) -> None:
    path = MODELS / name
    assert path.is_file(), f"{path} is missing; ./dev setup fetches it, or set SUBBYTE_MODELS"
    expected = onnx_runtime(path, feeds)
    pairs = [(str(array.dtype), array) for array in feeds.values()]
    status, message, actual = run_tool(path, folder, pairs, TOOL)
    assert (status, message) == (DONE, "")
    for (dtype, array), wanted in zip(actual, expected, strict=True):
        assert dtype == str(wanted.dtype)
        np.testing.assert_allclose(array, wanted, rtol=rtol, atol=atol)


@pytest.mark.parametrize(("batch", "sequence"), [(1, 128), (3, 9)])
def test_minilm_agrees_with_onnx_runtime(batch, sequence, tmp_path):
    random = np.random.default_rng(batch)
    tokens = random.integers(0, 30522, (batch, sequence), dtype=np.int64)
    mask = np.ones_like(tokens)
    mask[-1, sequence // 2 :] = 0  # a padded row
    feeds = {"input_ids": tokens, "attention_mask": mask}
    compare("minilm.onnx", feeds, tmp_path, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize(
    ("name", "dims"),
    [("cls", (2, 3, 48, 192)), ("det", (1, 3, 96, 160)), ("rec", (1, 3, 48, 320))],
)
def test_ppocr_agrees_with_onnx_runtime(name, dims, tmp_path):
    x = np.random.default_rng(0).standard_normal(dims).astype(np.float32)
    compare(f"ppocr-{name}.onnx", {"x": x}, tmp_path, rtol=1e-3, atol=2e-5)
