"""Unique, RoiAlign, DeformConv, MaxUnpool, running products, and axes that a run says, against ONNX Runtime: sizes from run to
run, equal elements, places outside.
"""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from onnx_cases import Case
from run_cases import run_cases
from selection_test import case, noise, whole

RANDOM = np.random.default_rng(41)


def unique(name, *arrays, **attributes) -> Case:
    return case(f"unique_{name}", "Unique", attributes, 4, *({"x": array} for array in arrays))


def regions(count, height, width) -> np.ndarray:
    """Some reach over the border, and some are turned inside out."""
    corner = RANDOM.uniform(-0.3, 1, (count, 2)) * [width, height]
    return np.concatenate([corner, corner + RANDOM.uniform(-0.1, 0.6, (count, 2)) * [width, height]], -1).astype(np.float32)


def roi_align(name, runs, **attributes) -> Case:
    feeds = [
        {"x": noise(images, 3, height, width), "rois": regions(count, height, width), "which": RANDOM.integers(0, images, count)}
        for images, height, width, count in runs
    ]
    return case(f"roi_align_{name}", "RoiAlign", attributes, 1, *feeds)


def deform_conv(name, batch, channels, outputs, group, offset_group, masked, **attributes) -> Case:
    height, width, kernel = 6, 7, (3, 2)
    pads, stride = attributes.get("pads", [0, 0, 0, 0]), attributes.get("strides", [1, 1])
    dilation = attributes.get("dilations", [1, 1])
    places = [
        (size + pads[i] + pads[2 + i] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1 for i, size in enumerate((height, width))
    ]
    elements = offset_group * kernel[0] * kernel[1]
    feeds = {"x": noise(batch, channels, height, width)}
    constants = {"w": noise(outputs, channels // group, *kernel)}
    inputs = {**feeds, **constants, "offset": noise(batch, 2 * elements, *places, scale=3)}
    if masked:
        inputs |= {"b": noise(outputs), "mask": noise(batch, elements, *places)}
    return case(f"deform_conv_{name}", "DeformConv", {"group": group, "offset_group": offset_group, **attributes}, 1, inputs)


def max_unpool(name, *dims, **attributes) -> Case:
    x = noise(*dims)
    pooled = {"kernel_shape": [2] * (len(dims) - 2), "strides": [2] * (len(dims) - 2)}
    graph = helper.make_graph(
        [helper.make_node("MaxPool", ["x"], ["y", "i"], **pooled)],
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, dims)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None), helper.make_tensor_value_info("i", TensorProto.INT64, None)],
    )
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 20)])
    y, places = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"x": x})
    return case(f"max_unpool_{name}", "MaxUnpool", {**pooled, **attributes}, 1, {"y": y, "i": places})


def computed_axes(op, name, rank, axes, attributes=(), **others) -> Case:
    """Two runs of one module, which say different axes."""
    runs = [{"x": noise(*range(2 + i, 2 + i + rank)), **{key: values[i] for key, values in others.items()}, "axes": np.array(a)} for i, a in enumerate(axes)]
    return case(f"axes_{op}_{name}", op, dict(attributes), 1, *runs)


def fixed(made: Case, name: str, size: int) -> Case:
    """With the number of axes in the model, as a rank follows from it."""
    for value in made.model.graph.input:
        if value.name == name:
            value.type.tensor_type.shape.dim[0].dim_value = size
    return made


def axes_cases() -> list[Case]:
    cases = [
        fixed(computed_axes(op, "kept", 3, [[0, -1], [2, 1]]), "axes", 2) for op in ["ReduceSum", "ReduceMax", "ReduceMean"]
    ]
    cases += [
        fixed(computed_axes("ReduceProd", "dropped", 3, [[1], [-1]], {"keepdims": 0}.items()), "axes", 1),
        fixed(computed_axes("Unsqueeze", "two", 2, [[0, -1], [1, 2]]), "axes", 2),
        fixed(computed_axes("CumSum", "one", 3, [[1], [-3]], {"reverse": 1}.items()), "axes", 1),
    ]
    return cases


CASES = [
    unique("numbers", whole(40), whole(7), np.zeros(1, np.float32)),
    unique("by_appearance", whole(40, dtype=np.int64), whole(3, dtype=np.int64), sorted=0),
    unique("of_a_matrix", whole(5, 6, dtype=np.int64), whole(2, 3, dtype=np.int64)),
    unique("rows", whole(30, 2, most=3, dtype=np.int64), axis=0),
    unique("columns_by_appearance", whole(3, 30, most=2), axis=1, sorted=0),
    roi_align("average", [(2, 9, 7, 4), (1, 5, 12, 3)], output_height=3, output_width=2, sampling_ratio=2, spatial_scale=0.8),
    roi_align("old", [(2, 6, 6, 5)], output_height=2, output_width=2, sampling_ratio=3, coordinate_transformation_mode="output_half_pixel"),
    deform_conv("plain", 2, 4, 6, 1, 1, False),
    deform_conv("groups", 1, 4, 6, 2, 2, True, pads=[1, 1, 1, 1], strides=[2, 1], dilations=[1, 2]),
    max_unpool("image", 2, 3, 6, 4),
    max_unpool("line", 1, 2, 8),
    *axes_cases(),
]


@pytest.fixture(scope="module")
def outcomes():
    return run_cases(CASES)


@pytest.mark.parametrize("made", CASES, ids=lambda made: made.name)
def test_they_agree_with_onnx_runtime(outcomes, made):
    outcome = outcomes[made.name]
    assert outcome.status == "passed", outcome.message


def test_an_axis_that_is_out_of_range_is_told_when_the_module_runs():
    made = axes_cases()[0]
    made.data[0][0]["axes"] = np.array([0, 3])
    outcome = run_cases([Case("out_of_range", made.model, made.operators, made.data[:1])])["out_of_range"]
    assert outcome.status == "failed"
    assert 'input "axes": value 3 at index 1 is not within -3 to 2' in outcome.message
