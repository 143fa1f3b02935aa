"""Convolutions at sizes that ONNX's own tests do not have, against NumPy in float64.

Values are small integers, so that sums are exact whatever their order. With SUBBYTE_ALL=1 also in the kernels of a GPU.
"""

import itertools
import os

import numpy as np
import pytest

from run_cases import run_cases
from sizes_test import case, integers

ALL = os.environ.get("SUBBYTE_ALL", "0") not in {"", "0"}


def taps(kernel):
    return itertools.product(*(range(size) for size in kernel))


def conv(x, w, bias, strides, dilations, pads, group):
    """x [N, C, spatial...], w [M, C / group, kernel...]; pads begins, then ends."""
    axes = len(strides)
    padded = np.pad(x.astype(np.float64), [(0, 0), (0, 0), *zip(pads[:axes], pads[axes:], strict=True)])
    kernel = w.shape[2:]
    out = [(padded.shape[2 + d] - dilations[d] * (kernel[d] - 1) - 1) // strides[d] + 1 for d in range(axes)]
    y = np.zeros((x.shape[0], group, w.shape[0] // group, *out))
    grouped = padded.reshape(x.shape[0], group, w.shape[1], *padded.shape[2:])
    weights = w.reshape(group, w.shape[0] // group, *w.shape[1:]).astype(np.float64)
    for tap in taps(kernel):
        window = tuple(
            slice(tap[d] * dilations[d], tap[d] * dilations[d] + (out[d] - 1) * strides[d] + 1, strides[d])
            for d in range(axes)
        )
        y += np.einsum("ngc...,gmc->ngm...", grouped[(..., *window)], weights[(..., *tap)])
    y = y.reshape(x.shape[0], w.shape[0], *out)
    return y if bias is None else y + bias.reshape(-1, *[1] * axes)


def conv_transpose(x, w, bias, strides, dilations, pads, group):
    """x [N, C, spatial...], w [C, M / group, kernel...]."""
    axes = len(strides)
    kernel = w.shape[2:]
    full = [(x.shape[2 + d] - 1) * strides[d] + dilations[d] * (kernel[d] - 1) + 1 for d in range(axes)]
    y = np.zeros((x.shape[0], group, w.shape[1], *full))
    grouped = x.reshape(x.shape[0], group, w.shape[0] // group, *x.shape[2:]).astype(np.float64)
    weights = w.reshape(group, w.shape[0] // group, *w.shape[1:]).astype(np.float64)
    for tap in taps(kernel):
        window = tuple(
            slice(tap[d] * dilations[d], tap[d] * dilations[d] + (x.shape[2 + d] - 1) * strides[d] + 1, strides[d])
            for d in range(axes)
        )
        y[(..., *window)] += np.einsum("ngc...,gcm->ngm...", grouped, weights[(..., *tap)])
    y = y[(..., *(slice(pads[d], full[d] - pads[axes + d]) for d in range(axes)))]
    y = y.reshape(x.shape[0], -1, *y.shape[3:])
    return y if bias is None else y + bias.reshape(-1, *[1] * axes)


def build(op, function, name, x, w, strides=None, dilations=None, pads=None, group=1, constant=True, bias=True):
    axes = len(x) - 2
    strides, dilations = strides or [1] * axes, dilations or [1] * axes
    pads = pads or [0] * (2 * axes)
    x, w = integers(*x), integers(*w)
    channels = w.shape[0] if op == "Conv" else w.shape[1] * group
    b = integers(channels) if bias else None
    y = function(x, w, b, strides, dilations, pads, group).astype(np.float32)
    attributes = {"strides": strides, "dilations": dilations, "pads": pads, "group": group}
    inputs, constants = ({"x": x}, {"w": w}) if constant else ({"x": x, "w": w}, {})
    if bias:
        constants["b"] = b
    return case(name, [(op, ["x", "w", *(["b"] if bias else [])], ["y"], attributes)], inputs, {"y": y}, constants)


def forward(*args, **kwargs):
    return build("Conv", conv, *args, **kwargs)


def transposed(*args, **kwargs):
    return build("ConvTranspose", conv_transpose, *args, **kwargs)


CASES = [
    forward("pointwise_33_130", (2, 33, 5, 7), (130, 33, 1, 1)),
    forward("pointwise_129_to_1", (1, 129, 6, 5), (1, 129, 1, 1)),
    forward("pointwise_strided", (1, 16, 9, 7), (20, 16, 1, 1), strides=[2, 3]),
    forward("pointwise_padded", (1, 4, 3, 3), (5, 4, 1, 1), pads=[1, 0, 0, 2]),
    forward("one_place", (3, 40, 1, 1), (24, 40, 1, 1)),
    forward("three_33", (1, 33, 9, 11), (34, 33, 3, 3), pads=[1, 1, 1, 1]),
    forward("three_129", (1, 129, 5, 4), (9, 129, 3, 3), pads=[1, 1, 1, 1], strides=[2, 1]),
    forward("three_of_3", (2, 3, 17, 13), (16, 3, 3, 3), pads=[1, 1, 1, 1], strides=[2, 2]),
    forward("two_even", (1, 12, 8, 7), (10, 12, 2, 2), pads=[0, 1, 1, 0]),
    forward("five_dilated", (1, 8, 20, 19), (12, 8, 5, 5), dilations=[2, 3], pads=[4, 6, 4, 6]),
    forward("seven", (1, 5, 14, 15), (11, 5, 7, 7), strides=[3, 2], pads=[3, 3, 3, 3], bias=False),
    forward("wide_kernel", (1, 20, 3, 40), (24, 20, 1, 9), pads=[0, 4, 0, 4]),
    forward("depthwise_3", (2, 33, 9, 10), (33, 1, 3, 3), pads=[1, 1, 1, 1], group=33),
    forward("depthwise_5_strided", (1, 130, 11, 12), (130, 1, 5, 5), pads=[2, 2, 2, 2], strides=[2, 1], group=130),
    forward("depthwise_doubled", (1, 10, 6, 6), (20, 1, 3, 3), group=10),
    forward("grouped_3", (2, 24, 7, 6), (36, 8, 3, 3), pads=[1, 1, 1, 1], group=3),
    forward("grouped_odd", (1, 15, 7, 6), (9, 5, 2, 3), group=3, dilations=[2, 1]),
    forward("dynamic_weights", (1, 7, 6, 8), (9, 7, 3, 2), constant=False),
    forward("dynamic_grouped", (1, 8, 6, 8), (6, 4, 3, 3), constant=False, group=2),
    forward("one_axis", (2, 33, 50), (17, 33, 3), strides=[2], pads=[1, 1]),
    forward("one_axis_depthwise", (1, 130, 31), (130, 1, 7), pads=[3, 3], group=130),
    forward("three_axes", (1, 6, 5, 4, 7), (8, 6, 2, 3, 3), pads=[0, 1, 1, 1, 1, 1]),
    forward("no_images", (0, 6, 5, 4), (8, 6, 3, 3)),
    forward("many_places", (1, 4, 520, 515), (2, 4, 1, 1)),
    transposed("shuffle", (2, 33, 5, 4), (33, 18, 2, 2), strides=[2, 2]),
    transposed("shuffle_to_1", (1, 24, 7, 5), (24, 1, 2, 2), strides=[2, 2]),
    transposed("shuffle_uneven", (1, 8, 3, 5), (8, 6, 3, 1), strides=[3, 1]),
    transposed("transposed_4_2", (1, 12, 6, 5), (12, 10, 4, 4), strides=[2, 2], pads=[1, 1, 1, 1]),
    transposed("transposed_3_dilated", (1, 9, 6, 7), (9, 8, 3, 3), dilations=[2, 1], pads=[1, 0, 2, 1]),
    transposed("transposed_depthwise", (1, 12, 5, 6), (12, 1, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1], group=12),
    transposed("transposed_grouped", (2, 12, 5, 6), (12, 5, 3, 2), strides=[2, 1], group=3),
    transposed("transposed_dynamic", (1, 6, 5, 6), (6, 5, 2, 2), strides=[2, 2], constant=False),
    transposed("transposed_one_axis", (1, 16, 20), (16, 8, 4), strides=[4]),
]
# In the forms that a GPU takes SwiftShader is slow to compile.
GPU_NAMES = {"pointwise_33_130", "three_33", "five_dilated", "depthwise_5_strided", "grouped_3", "shuffle", "dynamic_grouped"}
GPU_CASES = [one for one in CASES if one.name in GPU_NAMES] if ALL else []


@pytest.fixture(scope="module")
def outcomes():
    return run_cases(CASES)


@pytest.fixture(scope="module")
def gpu_outcomes():
    return run_cases(GPU_CASES, forms="gpu")


@pytest.mark.parametrize("name", [one.name for one in CASES])
def test_convolution(name, outcomes):
    assert outcomes[name].status == "passed", outcomes[name].message


@pytest.mark.parametrize("name", [one.name for one in GPU_CASES])
def test_convolution_in_the_forms_of_a_gpu(name, gpu_outcomes):
    assert gpu_outcomes[name].status == "passed", gpu_outcomes[name].message
