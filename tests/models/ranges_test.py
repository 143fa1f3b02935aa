"""Models whose integers are proved to stay within 32 bits carry no flag, and what a proof assumes is said in the types."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save

from harness import MODELS, convert, plan_of
from real_models import REAL_MODELS


@pytest.mark.parametrize("model", REAL_MODELS, ids=lambda model: model.name)
def test_real_models_carry_no_flag(model, tmp_path):
    plan = plan_of(convert(MODELS / model.file, tmp_path / "m.webgpu.js", "--no-check", "--precision", "8bit"))
    assert "watch" not in plan
    # What a model looks up in a table of its own is said; no proof needs more.
    ranges = {spec["name"]: spec["range"] for spec in plan["inputs"] if "range" in spec}
    assert ranges == ({"input_ids": [-30522, 30521]} if model.name == "minilm" else {})


def positions_of_a_mask(path):
    """Where each token stands, as decoders find it."""
    mask = helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["batch", "n"])
    graph = helper.make_graph(
        [
            helper.make_node("CumSum", ["attention_mask", "axis"], ["sums"]),
            helper.make_node("Sub", ["sums", "one"], ["positions"]),
        ],
        "positions",
        [mask],
        [helper.make_tensor_value_info("positions", TensorProto.INT64, ["batch", "n"])],
        [numpy_helper.from_array(np.array(1, np.int64), name) for name in ["axis", "one"]],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), path)
    return path


def test_an_assumed_range_is_in_the_types(tmp_path):
    module = convert(positions_of_a_mask(tmp_path / "m.onnx"), tmp_path / "m.webgpu.js", "--no-check")
    plan = plan_of(module)
    assert "watch" not in plan
    assert plan["inputs"][0]["range"] == [0, 1]
    types = module.with_suffix(".d.ts").read_text(encoding="utf8")
    assert "/** Values from 0 to 1. */\n  TensorInfo<'attention_mask'" in types.replace('"', "'")
