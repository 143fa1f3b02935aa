"""Sizes that the exporter did not know: "?", no name and a number in text are each their own, one name is one size."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from harness import assert_outputs, convert, manifest_of, oracle, run_sessions


def save_model(path, x_dims, z_dims):
    """y = average pool of x, z2 = 2 z."""
    graph = helper.make_graph(
        [
            helper.make_node("AveragePool", ["x"], ["y"], kernel_shape=[2, 2], strides=[2, 2]),
            helper.make_node("Add", ["z", "z"], ["z2"]),
        ],
        "g",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, x_dims),
            helper.make_tensor_value_info("z", TensorProto.FLOAT, z_dims),
        ],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, None),
            helper.make_tensor_value_info("z2", TensorProto.FLOAT, None),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 8
    onnx.save(model, str(path))


@pytest.mark.parametrize("unknown", ["?", "", "-1", "7", "1.5", "0x10"])
def test_each_unknown_size_is_its_own(tmp_path, unknown):
    source = tmp_path / "m.onnx"
    save_model(source, ["N", 3, unknown, unknown], [unknown, "N"])
    module = convert(source, tmp_path / "m.webgpu.js")
    x, z = manifest_of(module)["inputs"]
    assert x["dims"] == ["N", 3, "x.2", "x.3"] and z["dims"] == ["z.0", "N"]
    assert '"N", 3, "x.2", "x.3"' in module.with_suffix(".d.ts").read_text()
    random = np.random.default_rng(3)
    runs = [
        {
            "x": random.normal(size=(n, 3, height, width)).astype(np.float32),
            "z": random.normal(size=(rows, n)).astype(np.float32),
        }
        for n, height, width, rows in [(2, 48, 192, 5), (1, 6, 4, 7)]
    ]
    wrong = {"x": runs[0]["x"], "z": np.zeros((5, 3), np.float32)}  # N is 2 and 3
    (session,) = run_sessions("node", [{"module": module, "device": "default", "runs": [*runs, wrong]}])
    for inputs, done in zip(runs, session["runs"]):
        assert "outputs" in done, done
        assert_outputs(done["outputs"], oracle(source, inputs), 1e-6, f"dims {unknown!r}")
    assert "N" in str(session["runs"][2]["error"])
