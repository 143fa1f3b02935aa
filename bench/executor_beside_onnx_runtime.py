"""The float executor beside ONNX Runtime on the CPU: the same models, inputs and number of threads, taking turns.

    executor_beside_onnx_runtime.py PROGRAM [THREADS]

PROGRAM is bench/executor_time.cc as it was built. Each figure is the least of several processes' medians, which what
else the machine does disturbs least.
"""

import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnxruntime

ROOT = pathlib.Path(__file__).parents[1]
MODELS = pathlib.Path(os.environ.get("SUBBYTE_MODELS", ROOT / ".cache" / "models"))
TURNS, RUNS = 5, 7

random = np.random.default_rng(0)
# Name, file, inputs, and how many times ONNX Runtime's time the executor may take.
CASES = [
    (
        "MiniLM, 1x128",
        "minilm.onnx",
        {
            "input_ids": random.integers(0, 30522, (1, 128), dtype=np.int64),
            "attention_mask": np.ones((1, 128), np.int64),
        },
        3,
    ),
    (
        "PP-OCRv4 recognition, 1x3x48x320",
        "ppocr-rec.onnx",
        {"x": random.standard_normal((1, 3, 48, 320)).astype(np.float32)},
        4,
    ),
]


def write_tensor(path: pathlib.Path, array: np.ndarray) -> None:
    header = " ".join([str(array.dtype), *map(str, array.shape)])
    path.write_bytes(header.encode() + b"\n" + np.ascontiguousarray(array).tobytes())


def time_executor(program: str, model: pathlib.Path, folder: str, threads: int) -> float:
    """Milliseconds of a run."""
    done = subprocess.run(
        [program, str(model), folder, str(threads), str(RUNS)], capture_output=True, text=True
    )
    if done.returncode != 0:
        sys.exit(done.stderr)
    return statistics.median(map(float, done.stdout.split()))


def time_onnx_runtime(session: onnxruntime.InferenceSession, feeds: dict) -> float:
    session.run(None, feeds)
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        session.run(None, feeds)
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def main() -> None:
    program = sys.argv[1]
    threads = int(sys.argv[2]) if sys.argv[2:] and sys.argv[2] else len(os.sched_getaffinity(0))
    print(f"milliseconds of a run, {threads} threads   executor  ONNX Runtime  ratio  aim")
    for name, file, feeds, aim in CASES:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(
            str(MODELS / file), options, providers=["CPUExecutionProvider"]
        )
        ours, theirs = [], []
        with tempfile.TemporaryDirectory() as folder:
            for i, value in enumerate(session.get_inputs()):
                write_tensor(pathlib.Path(folder) / f"input_{i}.tensor", feeds[value.name])
            for _ in range(TURNS):
                ours.append(time_executor(program, MODELS / file, folder, threads))
                theirs.append(time_onnx_runtime(session, feeds))
        ratio = min(ours) / min(theirs)
        print(f"{name:36} {min(ours):8.1f}  {min(theirs):12.1f}  {ratio:5.2f}  {aim:3}")


if __name__ == "__main__":
    main()
