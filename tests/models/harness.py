"""What whole-model tests share: the program, the modules it writes run in Node and Chromium, and ONNX Runtime."""

import base64
import hashlib
import json
import os
import pathlib
import subprocess
import tempfile

import numpy as np
import onnxruntime

ROOT = pathlib.Path(__file__).resolve().parents[2]
SUBBYTE = pathlib.Path(os.environ.get("SUBBYTE", ROOT / "build" / "subbyte"))
MODELS = pathlib.Path(os.environ.get("SUBBYTE_MODELS", ROOT / ".cache" / "models"))

DTYPES = {
    "float32": np.float32,
    "float16": np.float16,
    "int64": np.int64,
    "int32": np.int32,
    "uint8": np.uint8,
    "int8": np.int8,
    "bool": np.bool_,
}


def run(*arguments, check=True, **options) -> subprocess.CompletedProcess:
    """Runs subbyte, weights being rounded as they are unless --calibration or --effort is said. With `check`, a failure
    is an AssertionError that shows what it printed."""
    command = [str(SUBBYTE), *map(str, arguments)]
    if arguments[:1] == ("convert",) and not {"--calibration", "--effort"} & set(command):
        command += ["--calibration", "none"]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, **options
    )
    if check:
        assert done.returncode == 0, f"{command} gave {done.returncode}:\n{done.stdout}{done.stderr}"
    return done


def convert(source, output, *options, **run_options) -> pathlib.Path:
    """Converts a model. Returns the output's path."""
    run("convert", source, "--output", output, *options, **run_options)
    output = pathlib.Path(output)
    if output.name.endswith(".webgpu.js"):
        keep_shaders(output)
    return output


def plan_of(module: pathlib.Path) -> dict:
    """The plan that a module carries (docs/plan.md)."""
    text = module.read_text(encoding="utf8")
    start = text.index("const plan = ") + len("const plan = ")
    return json.JSONDecoder().raw_decode(text, start)[0]


def keep_shaders(module: pathlib.Path) -> None:
    """Leaves every shader of a module, those too that no device here would choose, for the suite `shaders`."""
    folder = os.environ.get("SUBBYTE_WGSL_DUMP")
    if not folder:
        return
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    plan = plan_of(module)
    for pipeline in plan["pipelines"]:
        code = "\n".join(plan["pieces"][piece] for piece in pipeline["pieces"])
        name = hashlib.sha256(code.encode()).hexdigest()[:16]
        (pathlib.Path(folder) / f"{name}.wgsl").write_text(code, encoding="utf8")


def manifest_of(module: pathlib.Path) -> dict:
    return json.loads(module.with_suffix(".json").read_text(encoding="utf8"))


def encode(array: np.ndarray) -> dict:
    """A tensor as the sessions of tests/browser/session.mjs take it."""
    names = {np.dtype(value): key for key, value in DTYPES.items()}
    return {
        "dtype": names[array.dtype],
        "dims": list(array.shape),
        "base64": base64.b64encode(np.ascontiguousarray(array).tobytes()).decode(),
    }


def decode(tensor: dict) -> np.ndarray:
    data = np.frombuffer(base64.b64decode(tensor["base64"]), DTYPES[tensor["dtype"]])
    return data.reshape(tensor["dims"])


def run_sessions(target: str, sessions: list[dict]) -> list[dict]:
    """Runs sessions in "node" or "chromium". In each run `outputs` hold numpy arrays, or `error` is there.

    A session is {"module": path, "device": "default" | "all" | "own", "runs": [{name: array}]}.
    """
    given = [
        {
            "module": str(session["module"]),
            "device": session["device"],
            "runs": [{name: encode(value) for name, value in run.items()} for run in session["runs"]],
        }
        for session in sessions
    ]
    with tempfile.TemporaryDirectory(prefix="subbyte-sessions-") as scratch:
        sessions_file = pathlib.Path(scratch) / "sessions.json"
        results_file = pathlib.Path(scratch) / "results.json"
        sessions_file.write_text(json.dumps(given), encoding="utf8")
        done = subprocess.run(
            ["node", ROOT / "tests" / "browser" / "run_sessions.mjs", target, sessions_file, results_file],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600 + 120 * len(sessions),
        )
        assert done.returncode == 0, f"{target} sessions gave {done.returncode}:\n{done.stdout}{done.stderr}"
        results = json.loads(results_file.read_text(encoding="utf8"))
    for result in results:
        for one in result["runs"]:
            if "outputs" in one:
                one["outputs"] = {name: decode(tensor) for name, tensor in one["outputs"].items()}
    return results


def oracle(model, inputs: dict) -> dict:
    """All outputs of an ONNX model by ONNX Runtime on the CPU."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs)))


def relative_l2(actual: np.ndarray, expected: np.ndarray) -> float:
    """|actual - expected| / |expected|, in double precision."""
    assert actual.shape == expected.shape, f"shape {actual.shape}, expected {expected.shape}"
    difference = actual.astype(np.float64) - expected.astype(np.float64)
    size = np.linalg.norm(expected.astype(np.float64))
    return float(np.linalg.norm(difference) / size) if size else float(np.linalg.norm(difference))


def assert_outputs(actual: dict, expected: dict, tolerance: float | dict, about: str) -> None:
    """Floats within `tolerance` of relative L2, everything else exact, and no output missing or extra.

    Each output may have a tolerance of its own: {name: tolerance}.
    """
    # Not in order: a JavaScript object has names that are numbers first.
    assert sorted(actual) == sorted(expected), about
    for name, value in expected.items():
        found = actual[name]
        if np.issubdtype(value.dtype, np.floating):
            error = relative_l2(found, value)
            most = tolerance[name] if isinstance(tolerance, dict) else tolerance
            assert error <= most, f"{about}: output {name!r}: relative L2 {error:.3g} > {most:.3g}"
        else:
            np.testing.assert_array_equal(found, value, err_msg=f"{about}: output {name!r}")
