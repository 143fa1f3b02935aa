"""Converts cases, runs the modules in Node and compares: each case ends as passed, refused or failed."""

import base64
import concurrent.futures
import json
import pathlib
import re
import subprocess
import tempfile
from dataclasses import dataclass

import numpy as np
import onnx

from harness import SUBBYTE, keep_shaders
from onnx_cases import Case

# Relative tolerance by dtype; all other dtypes are exact.
RTOL = {"float32": 1e-4, "float64": 1e-4, "float16": 2e-3, "bfloat16": 1e-2}
# A refusal names a node with its operator, or else the value and what it is, or the operator set.
NODE = re.compile(r"node (?:'[^']*'|\d+) \('?(\w+)'?\)")
# Operators that left ONNX are named as what took their place.
BECAME = {"Upsample": "Resize", "Scatter": "ScatterElements"}
OTHER_REFUSALS = [
    r"(input|output|value|tensor) '[^']*' (has the dtype|is|is an?) [\w ]+, (which|but) subbyte",
    r"opset \d+ of ai\.onnx is not supported",
    r"it declares no opset of ai\.onnx",
]
CONVERSIONS_AT_ONCE = 2
# SwiftShader calls itself a fallback adapter, for which products have a form of their own; without it the forms of
# every GPU are taken.
FORMS = {"fallback": {}, "gpu": {"isFallbackAdapter": 0}}


@dataclass
class Outcome:
    status: str  # "passed", "refused" or "failed"
    message: str = ""


def run_cases(cases: list[Case], forms: str = "fallback", device: str = "") -> dict[str, Outcome]:
    """Case name -> outcome. The device may be "plain", with no features and the least limits."""
    with tempfile.TemporaryDirectory(prefix="subbyte-ops-") as folder:
        modules = [pathlib.Path(folder) / f"{index}.webgpu.js" for index in range(len(cases))]
        with concurrent.futures.ThreadPoolExecutor(CONVERSIONS_AT_ONCE) as pool:
            outcomes = list(pool.map(convert, cases, modules))
        converted = [i for i, outcome in enumerate(outcomes) if outcome is None]
        jobs = [job_of(cases[i], modules[i], FORMS[forms]) for i in converted]
        for i, result in zip(converted, run_jobs(jobs, pathlib.Path(folder), device)):
            outcomes[i] = compare(cases[i], result)
    return {case.name: outcome for case, outcome in zip(cases, outcomes)}


def convert(case: Case, module: pathlib.Path) -> Outcome | None:
    """None where a module was written."""
    source = module.with_suffix(".onnx")
    onnx.save(case.model, source)
    command = [str(SUBBYTE), "convert", source, "--precision", "float32", "--no-check", "--output", module]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    if done.returncode == 0:
        keep_shaders(module)
        return None
    if done.returncode != 1:
        return Outcome("failed", f"subbyte ended with {done.returncode}: {done.stderr}")
    if not is_refusal(case, done.stderr):
        return Outcome("failed", f"an error that names neither operator nor data type: {done.stderr}")
    return Outcome("refused", done.stderr)


def is_refusal(case: Case, message: str) -> bool:
    """Whether it says which node or value cannot be converted, and is about this model."""
    named = set(NODE.findall(message))
    if named:
        return named <= case.operators | {BECAME.get(operator) for operator in case.operators}
    return any(re.search(pattern, message) for pattern in OTHER_REFUSALS)


def job_of(case: Case, module: pathlib.Path, limits: dict) -> dict:
    runs = [{name: encode(array) for name, array in inputs.items()} for inputs, _ in case.data or []]
    return {"module": str(module), "limits": limits, "runs": runs}


def encode(array: np.ndarray) -> dict:
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"dtype": str(array.dtype), "dims": list(array.shape), "base64": data}


def run_jobs(jobs: list[dict], folder: pathlib.Path, device: str = "") -> list[dict]:
    """One result for each job. A process that dies is the fault of the job it was at; the next goes on after it."""
    results: list[dict] = []
    jobs_file, results_file = folder / "jobs.json", folder / "results.jsonl"
    while len(results) < len(jobs):
        jobs_file.write_text(json.dumps(jobs[len(results) :]), encoding="utf8")
        results_file.write_text("", encoding="utf8")
        command = ["node", pathlib.Path(__file__).with_name("run_modules.mjs"), jobs_file, results_file, device]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=3600)
        results += [json.loads(line) for line in results_file.read_text(encoding="utf8").splitlines()]
        if len(results) < len(jobs):
            results.append({"error": f"node ended with {done.returncode}: {done.stderr}"})
    return results


def compare(case: Case, result: dict) -> Outcome:
    if "error" in result:
        return Outcome("failed", result["error"])
    if not case.data:
        return Outcome("failed", "the test has no tensors to run the module with")
    for found, (_, expected) in zip(result["outputs"], case.data, strict=True):
        if list(found) != list(expected):
            return Outcome("failed", f"outputs {list(found)}, expected {list(expected)}")
        for name, array in expected.items():
            if difference := differs(found[name], array, case.atol):
                return Outcome("failed", f"output {name!r}: {difference}")
    return Outcome("passed")


def differs(found: dict, expected: np.ndarray, atol: float) -> str:
    """What is wrong with an output; "" where nothing is."""
    if found["dtype"] != str(expected.dtype):
        return f"is {found['dtype']}, expected {expected.dtype}"
    if found["dims"] != list(expected.shape):
        return f"has dims {found['dims']}, expected {list(expected.shape)}"
    actual = np.frombuffer(base64.b64decode(found["base64"]), expected.dtype).reshape(expected.shape)
    rtol = RTOL.get(str(expected.dtype), 0)
    if rtol:
        actual, expected = actual.astype(np.float64), expected.astype(np.float64)
    else:
        atol = 0
    try:
        np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol)
    except AssertionError as error:
        return str(error)
    return ""
