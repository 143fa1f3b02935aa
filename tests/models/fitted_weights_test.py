"""Weights that calibration chose: the module computes with them, biases that were made included, what ONNX Runtime
computes with the ONNX file that convert writes, and both are nearer to the float model than with rounded weights."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness import assert_outputs, convert, manifest_of, oracle, relative_l2, run, run_sessions

TOLERANCE = 2e-4


def network(folder):
    """Convolutions with and without a bias, depthwise, transposed; a Gemm; products whose bias is an Add or missing."""
    random = np.random.default_rng(5)
    weights = []

    def weight(name, *shape):
        scale = np.sqrt(2 / np.prod(shape[1:]))
        weights.append(numpy_helper.from_array((random.standard_normal(shape) * scale).astype(np.float32), name))
        return name

    node = helper.make_node
    nodes = [
        node("Conv", ["x", weight("stem", 24, 3, 3, 3)], ["a"], pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Relu", ["a"], ["a1"]),
        node("Conv", ["a1", weight("depthwise", 24, 1, 3, 3), weight("depthwise_b", 24)], ["b"], group=24, pads=[1] * 4),
        node("HardSwish", ["b"], ["b1"]),
        node("Conv", ["b1", weight("wide", 64, 24, 3, 3)], ["c"], pads=[1, 1, 1, 1]),
        node("Relu", ["c"], ["c1"]),
        node("ConvTranspose", ["c1", weight("up", 64, 32, 2, 2), weight("up_b", 32)], ["d"], strides=[2, 2]),
        node("Relu", ["d"], ["d1"]),
        node("GlobalAveragePool", ["d1"], ["e"]),
        node("Flatten", ["e"], ["e1"]),
        node("Gemm", ["e1", weight("gemm", 64, 32)], ["f"], transB=1),
        node("Relu", ["f"], ["f1"]),
        node("MatMul", ["f1", weight("product", 64, 48)], ["g"]),
        node("Add", ["g", weight("product_b", 48)], ["g1"]),
        node("Relu", ["g1"], ["g2"]),
        node("MatMul", ["g2", weight("head", 48, 12)], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "calibrated",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 32, 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 12])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    path = folder / "m.onnx"
    onnx.save(model, str(path))
    return path


def test_what_arrived_quantized_is_not_calibrated(tmp_path):
    """Its codes stay as they are, and nothing is lost that a bias could take back: the model is not run."""
    random = np.random.default_rng(3)
    codes = random.integers(0, 256, (8, 4, 3, 3), np.uint8)
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["xq", "xs", "xz"]),
        helper.make_node("ConvInteger", ["xq", "codes", "xz", "zero"], ["sums"]),
        helper.make_node("Cast", ["sums"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["xs", "scale"], ["scales"]),
        helper.make_node("Mul", ["floats", "scales"], ["product"]),
        helper.make_node("Add", ["product", "b"], ["y"]),
    ]
    constants = {"codes": codes, "scale": np.float32(0.01), "zero": np.uint8(120), "b": np.float32(random.uniform(-1, 1, (1, 8, 1, 1)))}
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in (("x", ["n", 4, "h", "w"]), ("y", None))]
    graph = helper.make_graph(nodes, "arrived", ports[:1], ports[1:], [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(tmp_path / "m.onnx"))
    for precision in ("float32", "8bit"):
        said = run("convert", tmp_path / "m.onnx", "--output", tmp_path / "m.webgpu.js", "--precision", precision, "--no-check", "--force", "--effort", "good", "-v")
        assert "calibrat" not in said.stderr, precision


@pytest.mark.parametrize("precision", ["4bit", "8bit"])
def test_a_calibrated_module_computes_with_what_was_chosen(tmp_path, precision):
    source = network(tmp_path)
    options = ("--precision", precision, "--no-check")
    module = convert(source, tmp_path / "m.webgpu.js", *options, "--effort", "fast")
    exported = convert(source, tmp_path / "q.onnx", *options, "--effort", "fast", "--target-format", "onnx")
    rounded = convert(source, tmp_path / "r.onnx", *options, "--calibration", "none", "--target-format", "onnx")
    # Each product has a bias now, one for each channel; those that there were keep their names.
    biases = {entry["name"]: entry["shape"] for entry in manifest_of(module)["weights"] if entry["shape"][1:] == []}
    assert len(biases) == 7 and {"depthwise_b", "up_b", "product_b"} <= set(biases), biases
    # A picture of its own, no noise alone: smooth, its channels alike.
    random = np.random.default_rng(9)
    x = np.cumsum(np.cumsum(random.standard_normal((2, 1, 32, 32)), 2), 3) / 40 + random.standard_normal((2, 3, 32, 32)) / 8
    inputs = {"x": x.astype(np.float32)}
    wanted = oracle(exported, inputs)
    (run,) = run_sessions("node", [{"module": module, "device": "default", "runs": [inputs]}])
    assert_outputs(run["runs"][0]["outputs"], wanted, TOLERANCE, precision)
    exact = oracle(source, inputs)["y"]
    assert relative_l2(wanted["y"], exact) < 0.8 * relative_l2(oracle(rounded, inputs)["y"], exact)
