"""The C++ reference, after the passes, against ONNX Runtime on random windows and interpolations."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from reference_test import DONE, run_tool

FLOAT = TensorProto.FLOAT


def model_of(nodes, inputs, weights, outputs=1, opset=18, symbolic=True) -> onnx.ModelProto:
    """A model whose inputs have sizes that are not known when converting."""

    def dims(name, array):
        return [f"{name}{i}" for i in range(array.ndim)] if symbolic else array.shape

    results = [
        helper.make_tensor_value_info("y", FLOAT, None),
        helper.make_tensor_value_info("z", TensorProto.INT64, None),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(array.dtype), dims(name, array)
            )
            for name, array in inputs.items()
        ],
        results[:outputs],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    return model


def onnx_runtime(model, inputs):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, inputs)


def compare(model, inputs, folder, rtol=1e-4, atol=1e-4) -> None:
    expected = onnx_runtime(model, inputs)
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    pairs = [(str(array.dtype), array) for array in inputs.values()]
    status, message, actual = run_tool(path, folder, pairs)
    text = helper.printable_graph(model.graph)
    assert (status, message) == (DONE, ""), text
    for (dtype, array), wanted in zip(actual, expected, strict=True):
        assert dtype == str(wanted.dtype), text
        np.testing.assert_allclose(array, wanted, rtol=rtol, atol=atol, err_msg=text)


def window(random, rank) -> dict:
    kernel = random.integers(1, 4, rank)
    dilations = random.integers(1, 3, rank)
    attributes = {
        "kernel_shape": kernel.tolist(),
        "strides": random.integers(1, 4, rank).tolist(),
        "dilations": dilations.tolist(),
    }
    how = random.integers(0, 4)
    if how == 0:
        attributes["auto_pad"] = "VALID"
    elif how == 1 and (dilations == 1).all():  # ONNX Runtime leaves dilations out of SAME
        attributes["auto_pad"] = random.choice(["SAME_UPPER", "SAME_LOWER"])
    elif how > 1:
        attributes["pads"] = [int(random.integers(0, k)) for k in [*kernel, *kernel]]
    return attributes


def noise(random, *shape):
    return random.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("seed", range(40))
def test_convolutions(seed, tmp_path):
    random = np.random.default_rng(seed)
    rank = int(random.integers(1, 4))
    groups, depth, wide = (int(v) for v in random.integers(1, 4, 3))
    transposed = seed % 2 == 1
    attributes = window(random, rank) | {"group": groups}
    kernel = attributes["kernel_shape"]
    x = noise(random, 2, groups * depth, *random.integers(6, 10, rank))
    if transposed:
        weights = noise(random, groups * depth, wide, *kernel)
        if "auto_pad" not in attributes:
            strides = attributes["strides"]
            attributes["output_padding"] = [int(random.integers(0, s)) for s in strides]
    else:
        weights = noise(random, groups * wide, depth, *kernel)
    channels = groups * wide
    constants = {
        "w": weights,
        "b": noise(random, channels),
        "s": noise(random, channels),
        "v": np.full(channels, 0.5, np.float32),
        "f": noise(random, channels, *[1] * rank),
    }
    bias = ["b"] if random.integers(0, 2) else []
    kind = "ConvTranspose" if transposed else "Conv"
    nodes = [
        helper.make_node(kind, ["x", "w", *bias], ["c"], **attributes),
        helper.make_node("BatchNormalization", ["c", "s", "b", "b", "v"], ["n"]),
        helper.make_node("Mul", ["n", "f"], ["y"]),
    ]
    compare(model_of(nodes, {"x": x}, constants, symbolic=bool(seed % 3)), {"x": x}, tmp_path)


@pytest.mark.parametrize("seed", range(40))
def test_pools(seed, tmp_path):
    random = np.random.default_rng(seed)
    rank = int(random.integers(1, 4))
    attributes = window(random, rank)
    attributes["ceil_mode"] = int(random.integers(0, 2))
    kind = ["MaxPool", "AveragePool", "LpPool"][seed % 3]
    outputs = ["y"]
    if kind == "MaxPool":
        outputs += ["z"]
        attributes["storage_order"] = int(random.integers(0, 2))
    elif kind == "AveragePool":
        attributes["count_include_pad"] = int(random.integers(0, 2))
    else:
        attributes["p"] = int(random.integers(1, 4))
    x = noise(random, 2, 3, *random.integers(6, 10, rank))
    node = helper.make_node(kind, ["x"], outputs, **attributes)
    model = model_of([node], {"x": x}, {}, len(outputs), 19, symbolic=bool(seed % 2))
    compare(model, {"x": x}, tmp_path)


COORDINATES = [
    "half_pixel",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "half_pixel_symmetric",
]
FACTORS = [0.5, 0.6, 0.75, 1.0, 1.5, 2.0, 2.6, 3.0]
NEAREST = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]


@pytest.mark.parametrize("seed", range(60))
def test_resizes(seed, tmp_path):
    random = np.random.default_rng(seed)
    mode = ["nearest", "linear", "cubic"][seed % 3]
    attributes = {
        "mode": mode,
        "coordinate_transformation_mode": COORDINATES[int(random.integers(0, 5))],
        "nearest_mode": NEAREST[int(random.integers(0, 4))],
    }
    if mode == "cubic":
        attributes["cubic_coeff_a"] = -0.5
        attributes["exclude_outside"] = int(random.integers(0, 2))
    if mode != "nearest" and random.integers(0, 3) == 0:
        attributes["antialias"] = 1
    x = noise(random, 1, 2, *random.integers(3, 9, 2))
    sizes = np.array([1, 2, *random.integers(1, 14, 2)], np.int64)
    scales = np.array([1, 1, *random.choice(FACTORS, 2)], np.float32)
    by_size = bool(random.integers(0, 2))
    inputs = ["x", "", "", "sizes"] if by_size else ["x", "", "scales"]
    constants = {"sizes": sizes} if by_size else {"scales": scales}
    node = helper.make_node("Resize", inputs, ["y"], **attributes)
    symbolic = bool(seed % 2)
    compare(model_of([node], {"x": x}, constants, opset=19, symbolic=symbolic), {"x": x}, tmp_path)


# Upsample, which stands before opset 10, only scales up.
@pytest.mark.parametrize(
    ("opset", "scale"), [(opset, scale) for opset in (7, 9, 10) for scale in (2.0, 3.0, 0.5) if opset == 10 or scale > 1]
)
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_old_resizes(opset, scale, mode, tmp_path):
    random = np.random.default_rng(int(scale * 2))
    x = noise(random, 1, 2, 6, 4)
    scales = np.array([1, 1, scale, scale], np.float32)
    if opset == 7:
        node = helper.make_node("Upsample", ["x"], ["y"], mode=mode, scales=scales.tolist())
    else:
        kind = "Upsample" if opset == 9 else "Resize"
        node = helper.make_node(kind, ["x", "scales"], ["y"], mode=mode)
    constants = {} if opset == 7 else {"scales": scales}
    compare(model_of([node], {"x": x}, constants, opset=opset), {"x": x}, tmp_path)


@pytest.mark.parametrize("seed", range(24))
def test_pads(seed, tmp_path):
    random = np.random.default_rng(seed)
    mode = ["constant", "reflect", "edge", "wrap"][seed % 4]
    x = noise(random, *random.integers(3, 6, 3))
    least = -2 if mode == "constant" else 0
    constants = {"pads": random.integers(least, 3, 6)}
    node = helper.make_node("Pad", ["x", "pads"], ["y"], mode=mode)
    compare(model_of([node], {"x": x}, constants, opset=19), {"x": x}, tmp_path)


NORMS = [
    ("InstanceNormalization", ["x", "s", "b"], {"epsilon": 1e-3}),
    ("LRN", ["x"], {"size": 3, "alpha": 0.3, "beta": 0.6, "bias": 1.5}),
    ("LRN", ["x"], {"size": 7}),
    ("LpNormalization", ["x"], {"axis": 1, "p": 1}),
    ("LpNormalization", ["x"], {"axis": -1, "p": 2}),
    ("MeanVarianceNormalization", ["x"], {}),
    ("Hardmax", ["x"], {"axis": 2}),
    ("GlobalAveragePool", ["x"], {}),
    ("GlobalMaxPool", ["x"], {}),
    ("GlobalLpPool", ["x"], {"p": 3}),
    ("GroupNormalization", ["x", "s", "b"], {"num_groups": 2}),
]


@pytest.mark.parametrize(("kind", "inputs", "attributes"), NORMS)
@pytest.mark.parametrize("symbolic", [True, False])
def test_norms(kind, inputs, attributes, symbolic, tmp_path):
    random = np.random.default_rng(len(kind))
    x = noise(random, 2, 4, 3, 5)
    constants = {"s": noise(random, 4), "b": noise(random, 4)}
    opset = 21 if kind == "GroupNormalization" else 18
    node = helper.make_node(kind, inputs, ["y"], **attributes)
    used = {name: array for name, array in constants.items() if name in inputs}
    compare(model_of([node], {"x": x}, used, opset=opset, symbolic=symbolic), {"x": x}, tmp_path)
