"""Operators that are spelled out in others, in all their forms, against ONNX Runtime: through the C++ reference, with
what shape inference says of every value, and through the executor."""

import concurrent.futures
import os
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
import pytest

import executor_test
import reference_test
from reference_test import DONE, run_tool

sys.path.insert(0, str(pathlib.Path(__file__).parent / "ops"))
from microsoft_cases import all_cases  # noqa: E402

RTOL, ATOL = 1e-4, 2e-5


def onnx_runtime(case) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(case.model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, case.inputs)


def run(case, folder: pathlib.Path) -> str:
    """What is wrong with the case; "" where nothing is."""
    folder.mkdir(parents=True)
    path = folder / "model.onnx"
    onnx.save(case.model, path)
    try:
        expected = case.expected or onnx_runtime(case.same or case)
    except Exception as error:  # ONNX Runtime has classes of its own for each
        return f"ONNX Runtime: {error}"
    names = [info.name for info in case.model.graph.input]
    pairs = [(str(case.inputs[name].dtype), case.inputs[name]) for name in names]
    for tool in (reference_test.TOOL, executor_test.TOOL):
        status, message, actual = run_tool(path, folder / tool.name, pairs, tool)
        if status != DONE:
            return f"{tool.name}: {message}"
        for wanted, (_, given) in zip(expected, actual, strict=True):
            if given.shape != wanted.shape:
                return f"{tool.name}: shape {given.shape}, expected {wanted.shape}"
            if not np.allclose(given, wanted, RTOL, ATOL):
                return f"{tool.name}: {given} instead of {wanted}"
    return ""


CASES = {case.name: case for case in all_cases()}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("spelled")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda name: run(CASES[name], folder / name), CASES)
    return dict(zip(CASES, results))


@pytest.mark.parametrize("name", CASES)
def test_agrees_with_onnx_runtime(name, outcomes):
    assert outcomes[name] == ""
