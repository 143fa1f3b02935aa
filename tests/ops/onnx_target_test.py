"""The ONNX that convert writes of ONNX's own operator tests and of the models: ONNX's checker passes it, and ONNX Runtime
loads it and computes what the test says.

A part of the tests by default; all with SUBBYTE_ALL=1.
"""

import os
import pathlib
import subprocess

import numpy as np
import onnx
import onnxruntime
import pytest

import table
from harness import MODELS, SUBBYTE
from onnx_cases import Case, all_cases, quick_subset

ALL = os.environ.get("SUBBYTE_ALL", "0") not in {"", "0"}
QUICK = 150
PASSING = table.read_passing()
# Each becomes several nodes, which had one name.
SEVERAL = {
    "BatchNormalization",
    "GroupNormalization",
    "Hardmax",
    "InstanceNormalization",
    "LpNormalization",
    "LRN",
    "MeanVarianceNormalization",
    "Softmax",
}
CASES = [case for case in all_cases() if case.name in PASSING]
if not ALL:
    chosen = {case.name for case in quick_subset(CASES, QUICK)}
    CASES = [case for case in CASES if case.name in chosen or case.operators & SEVERAL]


def session(model: pathlib.Path | bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run(model: pathlib.Path, inputs: dict) -> dict:
    loaded = session(str(model))
    taken = {value.name for value in loaded.get_inputs()}
    names = [output.name for output in loaded.get_outputs()]
    return dict(zip(names, loaded.run(names, {name: value for name, value in inputs.items() if name in taken})))


def runtime_loads(source: pathlib.Path) -> bool:
    """Whether ONNX Runtime loads the test itself: it has not all operators for all data types."""
    try:
        session(str(source))
    except Exception:
        return False
    return True


def runtime_runs(source: pathlib.Path, inputs: list[dict]) -> bool:
    """Whether it runs it too: not where tensors are empty, or of a data type that NumPy has not."""
    try:
        for one in inputs:
            run(source, one)
    except Exception:
        return False
    return True


def write_onnx(source: pathlib.Path, target: pathlib.Path, precision: str) -> None:
    command = [SUBBYTE, "convert", source, "--target-format", "onnx", "--precision", precision, "--output", target, "--no-check"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def named_nodes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with a name for each node, as exporters give: the tests have none."""
    named = onnx.ModelProto()
    named.CopyFrom(model)
    for index, node in enumerate(named.graph.node):
        node.name = f"n{index}"
    return named


def close(actual, expected, case: Case) -> bool:
    if not np.issubdtype(expected.dtype, np.floating):
        return np.array_equal(actual, expected)
    rtol = 1e-2 if expected.dtype == np.float16 else 1e-3
    return np.allclose(actual, expected, rtol=rtol, atol=max(case.atol, 1e-5), equal_nan=True)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_onnx_file_is_valid(case, tmp_path):
    source, target = tmp_path / "source.onnx", tmp_path / "target.onnx"
    model = named_nodes(case.model)
    onnx.save(model, source)
    write_onnx(source, target, "float32")
    onnx.checker.check_model(str(target), full_check=True)
    names = [node.name for node in onnx.load(target).graph.node if node.name]
    assert len(names) == len(set(names))
    if not runtime_loads(source):
        return
    session(str(target))
    if not runtime_runs(source, [inputs for inputs, _ in case.data or []]):
        return
    for inputs, expected in case.data or []:
        found = run(target, inputs)
        assert sorted(found) == sorted(expected)
        for name, value in expected.items():
            assert close(found[name], value, case), name


@pytest.mark.parametrize("precision", ["float32", "8bit", "4bit", "2bit"] if ALL else ["float32", "3bit"])
@pytest.mark.parametrize("name", ["minilm", "ppocr-cls", "ppocr-rec", "ppocr-det"])
def test_every_model_is_valid(name, precision, tmp_path):
    target = tmp_path / "target.onnx"
    write_onnx(MODELS / f"{name}.onnx", target, precision)
    onnx.checker.check_model(str(target), full_check=True)
    session(str(target))
