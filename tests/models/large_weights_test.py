"""Weights larger than what WebGPU binds at once: read by a Gather and by a product, in chunks of their rows."""

import os

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness import assert_outputs, convert, manifest_of, oracle, plan_of, run_sessions

BINDING = 128 * 2**20  # WebGPU's default maxStorageBufferBindingSize
TOLERANCE = 2e-5
WIDTH = 96


def tied_embedding(folder, rows: int):
    """Looks tokens up in a table, and scores what was found against the same table, as language models do."""
    random = np.random.default_rng(rows)
    table = random.standard_normal((rows, WIDTH), np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "ids"], ["found"]),
            helper.make_node("Tanh", ["found"], ["hidden"]),
            helper.make_node("Gemm", ["hidden", "table"], ["scores"], transB=1),
        ],
        "tied",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["tokens"])],
        [
            helper.make_tensor_value_info("found", TensorProto.FLOAT, ["tokens", WIDTH]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["tokens", rows]),
        ],
        [numpy_helper.from_array(table, "table")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    path = folder / "tied.onnx"
    onnx.save(model, str(path))
    return path


def ids_of(rows: int, chunk: int) -> list[dict]:
    """Of the first and the last row, of those at the cut, and counted from the end."""
    return [
        {"ids": np.array([0, rows - 1, chunk - 1, chunk, -1, -rows], np.int64)},
        {"ids": np.array([chunk + 1], np.int64)},
    ]


def check(folder, rows: int, precision: str) -> None:
    source = tied_embedding(folder, rows)
    module = convert(source, folder / "tied.webgpu.js", "--precision", precision, "--no-check")
    exported = source
    if precision != "float32":
        exported = convert(
            source, folder / "exported.onnx", "--precision", precision, "--target-format", "onnx", "--no-check"
        )
    (weight,) = manifest_of(module)["weights"]
    values = weight["parts"]["values"]
    assert rows * values["row_stride"] > BINDING
    steps = plan_of(module)["steps"]
    assert ["split" in step for step in steps] == [True, False, True]
    chunk = BINDING // values["row_stride"] // 256 * 256
    chunks = -(-rows // chunk)
    assert chunks >= 2
    inputs = ids_of(rows, chunk)
    # A device with the adapter's own limits binds the table whole.
    sessions = [{"module": module, "device": device, "runs": inputs} for device in ["default", "all"]]
    results = run_sessions("node", sessions)
    for result, times in zip(results, [chunks, 1]):
        assert result["errors"] == []
        for given, run in zip(inputs, result["runs"]):
            assert "error" not in run, run
            assert run["counts"]["dispatches"] == 1 + 2 * times
            assert 1 <= run["counts"]["submits"] <= 4
            assert_outputs(run["outputs"], oracle(exported, given), TOLERANCE, f"{rows} rows at {precision}")


def test_floats(tmp_path):
    check(tmp_path, 350_000, "float32")


@pytest.mark.skipif(os.environ.get("SUBBYTE_ALL", "0") in {"", "0"}, reason="half a gigabyte; with ./dev test --all")
@pytest.mark.parametrize("precision", ["float16", "8bit"])
def test_packed(tmp_path, precision):
    check(tmp_path, {"float16": 700_000, "8bit": 1_400_000}[precision], precision)
