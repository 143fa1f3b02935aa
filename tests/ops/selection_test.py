"""TopK, NonMaxSuppression, GridSample, ReverseSequence, Compress and bits against ONNX Runtime: short and long lines, ties, sizes
from run to run, what the GPU counts.
"""

import os

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from onnx_cases import Case
from run_cases import run_cases

RANDOM = np.random.default_rng(31)
ALL = os.environ.get("SUBBYTE_ALL", "0") not in {"", "0"}


def case(name: str, op: str, attributes: dict, outputs: int, *runs: dict, constants: dict = {}, opset=20) -> Case:
    """One node whose inputs are the keys of a run, then the constants, in their order; one module for all runs."""
    first = runs[0]
    names = [*first, *constants]
    made = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(op, names, made, **attributes)
    inputs = [
        helper.make_tensor_value_info(key, helper.np_dtype_to_tensor_dtype(array.dtype), [f"{key}{axis}" for axis in range(array.ndim)] if len(runs) > 1 else array.shape)
        for key, array in first.items()
    ]
    tensors = [onnx.numpy_helper.from_array(array, key) for key, array in constants.items()]
    graph = helper.make_graph([node], name, inputs, [onnx.ValueInfoProto(name=output) for output in made], tensors)
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", opset)])
    inferred = onnx.shape_inference.infer_shapes(model)
    for output, known in zip(model.graph.output, inferred.graph.output):
        output.type.tensor_type.elem_type = known.type.tensor_type.elem_type
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = [dict(zip(made, session.run(made, run))) for run in runs]
    return Case(name, model, frozenset({op}), list(zip(runs, expected)), atol=2e-5)


def noise(*dims, scale=1.0) -> np.ndarray:
    return RANDOM.uniform(-scale, scale, dims).astype(np.float32)


def top_k(name, x, k, axis=-1, largest=1, *more) -> Case:
    attributes = {"axis": axis, "largest": largest}
    return case(f"top_k_{name}", "TopK", attributes, 2, {"x": x}, *({"x": other} for other in more), constants={"k": np.array([k])})


def whole(*dims, most=9, dtype=np.float32) -> np.ndarray:
    """Whole numbers, many of them equal."""
    return RANDOM.integers(0, most, dims).astype(dtype)


def boxes(batch, count, center=False) -> np.ndarray:
    a, b = RANDOM.random((2, batch, count, 2)).astype(np.float32)
    return np.concatenate([a * 9, b + 1], -1) if center else np.concatenate([a * 9, a * 9 + b * 2 - 0.5], -1)


def suppression(name, batch, classes, count, most, overlap, score=None, center=False) -> Case:
    constants = {"most": np.array([most]), "overlap": np.array([overlap], np.float32)}
    if score is not None:
        constants["score"] = np.array([score], np.float32)
    run = {"boxes": boxes(batch, count, center), "scores": RANDOM.random((batch, classes, count)).astype(np.float32)}
    return case(f"suppression_{name}", "NonMaxSuppression", {"center_point_box": int(center)}, 1, run, constants=constants)


def counted_top_k(*runs: dict) -> Case:
    """As many elements as a mask names; where they were is read before what becomes of their values."""
    made = [
        helper.make_node("Cast", ["mask"], ["ones"], to=7),
        helper.make_node("ReduceSum", ["ones"], ["k"], keepdims=1),
        helper.make_node("TopK", ["x", "k"], ["values", "places"], axis=1),
        helper.make_node("GatherElements", ["x", "places"], ["again"], axis=1),
        helper.make_node("ReduceSum", ["again", "axis"], ["sum"], keepdims=1),
        helper.make_node("Sigmoid", ["values"], ["gates"]),
        helper.make_node("Add", ["gates", "sum"], ["y"]),
    ]
    inputs = [helper.make_tensor_value_info("x", 1, ["n", "m"]), helper.make_tensor_value_info("mask", 9, ["m"])]
    outputs = [helper.make_tensor_value_info("y", 1, None), helper.make_tensor_value_info("places", 7, None)]
    graph = helper.make_graph(made, "counted", inputs, outputs, [onnx.numpy_helper.from_array(np.array([1]), "axis")])
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 20)])
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = [dict(zip(["y", "places"], session.run(["y", "places"], run))) for run in runs]
    return Case("top_k_counted", model, frozenset({node.op_type for node in made}), list(zip(runs, expected)), atol=2e-5)


def cases() -> list[Case]:
    made = [
        top_k("last", noise(3, 4, 17), 5),
        top_k("middle", noise(3, 40, 5), 7, 1),
        top_k("least", noise(2, 100), 100, -1, 0),
        top_k("ties", whole(4, 200), 50),
        top_k("ties_least", whole(4, 200), 50, 1, 0),
        top_k("of_integers", whole(4, 30, most=1000, dtype=np.int64) - 500, 9),
        top_k("nothing", noise(3, 6), 0),
        top_k("one", noise(1), 1),
        top_k("long", noise(2, 5000), 40),
        top_k("long_ties", whole(3, 9001), 3000, -1, 0),
        top_k("long_first_axis", noise(4097, 3), 4097, 0),
        # Short and long lines in one module, and none.
        top_k("from_run_to_run", noise(2, 3000), 20, -1, 1, whole(5, 30), noise(1, 20), noise(3, 70000), noise(0, 50)),
        counted_top_k({"x": noise(4, 33), "mask": np.arange(33) < 5}, {"x": noise(2, 9), "mask": np.arange(9) < 9}, {"x": noise(2, 9), "mask": np.arange(9) < 0}),
        suppression("one_class", 1, 1, 60, 20, 0.3),
        suppression("several", 3, 4, 50, 7, 0.5, 0.2),
        suppression("centers", 2, 2, 300, 100, 0.4, 0.1, True),
        suppression("all", 1, 2, 40, 1000, 1.0),
        suppression("none", 1, 2, 40, 10, 0.5, 2.0),
        suppression("long", 1, 2, 3000, 200, 0.2),
    ]
    if ALL:
        made.append(top_k("million", noise(1, 1_000_000), 1000))
        made.append(top_k("million_ties", whole(2, 1_000_000), 700_000, -1, 0))
    for mode in ["linear", "nearest", "cubic"]:
        for padding in ["zeros", "border", "reflection"]:
            for align in [0, 1]:
                attributes = {"mode": mode, "padding_mode": padding, "align_corners": align}
                run = {"x": noise(2, 3, 5, 7), "grid": noise(2, 4, 6, 2, scale=1.6)}
                made.append(case(f"grid_{mode}_{padding}_{align}", "GridSample", attributes, 1, run))
    for mode in ["linear", "nearest"]:
        run = {"x": noise(1, 2, 4, 5, 6), "grid": noise(1, 3, 4, 2, 3, scale=1.3)}
        made.append(case(f"grid_volume_{mode}", "GridSample", {"mode": mode, "padding_mode": "border"}, 1, run))
    lengths = np.array([3, 1, 5, 4])
    made.append(case("reverse", "ReverseSequence", {"batch_axis": 1, "time_axis": 0}, 1, {"x": noise(5, 4, 3), "lengths": lengths}))
    made.append(case("reverse_batch", "ReverseSequence", {"batch_axis": 0, "time_axis": 1}, 1, {"x": noise(4, 6), "lengths": lengths}))
    masks = [RANDOM.random(6) < share for share in [0.5, 0, 1]]
    made.append(case("compress_axis", "Compress", {"axis": 1}, 1, *({"x": noise(3, 6, 2), "mask": mask} for mask in masks)))
    made.append(case("compress_flat", "Compress", {}, 1, {"x": noise(3, 6), "mask": masks[0]}))
    return made


CASES = cases()


@pytest.fixture(scope="module")
def outcomes():
    return run_cases(CASES)


@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_as_onnx_runtime(name, outcomes):
    assert outcomes[name].status == "passed", outcomes[name].message
