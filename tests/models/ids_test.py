"""What a table of embeddings allows: ids that are its rows, and as many positions as it has."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save

from harness import MODELS, assert_outputs, convert, oracle, plan_of, run_sessions
from real_models import MINILM

ROWS, POSITIONS = 12, 6


def embedding(path):
    """y[batch, sequence] = words[ids] + positions[:sequence]."""
    random = np.random.default_rng(2)
    nodes = [
        helper.make_node("Gather", ["words", "ids"], ["embedded"], "words"),
        helper.make_node("Shape", ["ids"], ["end"], "length", start=1, end=2),
        helper.make_node("Slice", ["positions", "zero", "end", "zero"], ["places"], "places"),
        helper.make_node("Add", ["embedded", "places"], ["y"], "sum"),
    ]
    weights = {"words": (ROWS, 32), "positions": (POSITIONS, 32)}
    graph = helper.make_graph(
        nodes,
        "embedding",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "sequence"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", "sequence", 32])],
        [
            *(numpy_helper.from_array(random.normal(size=s).astype(np.float32), n) for n, s in weights.items()),
            numpy_helper.from_array(np.array([0], np.int64), "zero"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 8
    save(model, path)
    return path


def test_ids_and_lengths_that_the_tables_have_not_are_errors(tmp_path):
    source = embedding(tmp_path / "m.onnx")
    module = convert(source, tmp_path / "m.webgpu.js", "--precision", "float32")
    assert "/** Values from -12 to 11. */" in module.with_suffix(".d.ts").read_text(encoding="utf8")
    good = [np.array([[0, 11, 5]], np.int64), np.array([[-1, -12], [3, 4]], np.int64)]
    bad = [np.array([[0, 12]], np.int64), np.array([[-13]], np.int64), np.zeros((1, 7), np.int64)]
    (result,) = run_sessions(
        "node", [{"module": module, "device": "default", "runs": [{"ids": ids} for ids in [*good, *bad]]}]
    )
    for ids, run in zip(good, result["runs"]):
        assert_outputs(run["outputs"], oracle(source, {"ids": ids}), 1e-6, str(ids))
    errors = [run["error"] for run in result["runs"][len(good) :]]
    within = "is not within -12 to 11"
    assert f'input "ids": value 12 at index 1 {within}' in str(errors[0])
    assert f'input "ids": value -13 at index 0 {within}' in str(errors[1])
    assert "sequence may be at most 6: node 'sum' (Add): " in str(errors[2])


def test_an_id_that_is_replaced_before_it_is_looked_up_is_allowed(tmp_path):
    """As -100 is by models that pad with it."""
    weights = np.random.default_rng(2).normal(size=(ROWS, 32)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Max", ["ids", "zero"], ["positive"]),
            helper.make_node("Gather", ["words", "positive"], ["y"]),
        ],
        "m",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["n"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 32])],
        [numpy_helper.from_array(weights, "words"), numpy_helper.from_array(np.array(0, np.int64), "zero")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 8
    save(model, tmp_path / "m.onnx")
    module = convert(tmp_path / "m.onnx", tmp_path / "m.webgpu.js", "--precision", "float32")
    given = {"ids": np.array([-100, 3], np.int64)}
    (result,) = run_sessions("node", [{"module": module, "device": "default", "runs": [given]}])
    assert_outputs(result["runs"][0]["outputs"], oracle(tmp_path / "m.onnx", given), 1e-6, "replaced")


def test_the_limit_of_a_sentence_encoder_is_told(tmp_path):
    if not (MODELS / MINILM.file).is_file():
        pytest.skip("the model is not there")
    plan = plan_of(convert(MODELS / MINILM.file, tmp_path / "m.webgpu.js", "--no-check"))
    (constraint,) = plan["constraints"]
    assert constraint["message"].startswith("sequence_length may be at most 512: node ")
