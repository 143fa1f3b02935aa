"""--target-format onnx --qdq: weights stay quantized, and are to the bit those of the plain ONNX file."""

import json
import pathlib

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness import MODELS, run


def small_model(dtype=np.float32) -> onnx.ModelProto:
    """Products, a table, a convolution with a tail, and a weight that is read in two ways."""
    random = np.random.default_rng(5)
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))

    def weight(name, *shape):
        return numpy_helper.from_array((random.normal(size=shape) / 8).astype(dtype), name)

    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "ids"], ["rows"], name="table"),
            helper.make_node("MatMul", ["rows", "square"], ["a"], name="a"),
            helper.make_node("MatMul", ["a", "square"], ["b"], name="twice"),
            helper.make_node("MatMul", ["b", "odd"], ["c"], name="odd"),
            helper.make_node("Unsqueeze", ["c", "axis"], ["d"], name="unsqueeze"),
            helper.make_node("Conv", ["d", "kernel"], ["e"], name="conv", pads=[1, 1, 1, 1]),
            helper.make_node("Gemm", ["b", "table", "bias"], ["logits"], name="gemm", transB=1),
        ],
        "g",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["n"])],
        [
            helper.make_tensor_value_info("logits", kind, ["n", 50]),
            helper.make_tensor_value_info("e", kind, None),
        ],
        [
            weight("table", 50, 64),
            weight("square", 64, 64),
            weight("odd", 64, 45),
            weight("kernel", 8, 1, 3, 3),
            weight("bias", 50),
            numpy_helper.from_array(np.array([0, 1], np.int64), "axis"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return model


def session(path: pathlib.Path, model: onnx.ModelProto | None = None) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString() if model else str(path), options, providers=["CPUExecutionProvider"]
    )


def unpacked_product(node: onnx.NodeProto, constants: dict) -> np.ndarray:
    """[K, N] of a MatMulNBits node, as ONNX Runtime's documentation of the operator says."""
    says = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    k, n, bits, block = says["K"], says["N"], says["bits"], says["block_size"]
    groups = -(-k // block)
    packed = constants[node.input[1]].reshape(n, -1)
    codes = packed if bits == 8 else np.stack([packed & 15, packed >> 4], -1)
    scales = constants[node.input[2]].reshape(n, groups, 1)
    zeros = np.full((n, groups), 2 ** (bits - 1), np.float32)
    if len(node.input) > 3:
        zeros = constants[node.input[3]]
        if zeros.dtype == np.uint8 and bits == 4:
            zeros = zeros.reshape(n, -1)
            zeros = np.stack([zeros & 15, zeros >> 4], -1).reshape(n, -1)[:, :groups]
        zeros = zeros.reshape(n, groups).astype(np.float32)
    values = (codes.reshape(n, groups, block).astype(np.float32) - zeros[..., None]) * scales
    return values.reshape(n, -1)[:, :k].T


def assert_same_weights(plain: pathlib.Path, quantized: pathlib.Path, inputs: dict) -> set:
    """Each weight of the plain file is one of the quantized, to the bit. Returns the operators that weights come from."""
    model = onnx.load(str(quantized))
    constants = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    expected = {one.name: numpy_helper.to_array(one) for one in onnx.load(str(plain)).graph.initializer}
    products = {}
    for node in model.graph.node:
        if node.op_type == "MatMulNBits":
            products[node.input[1].removesuffix("_codes")] = unpacked_product(node, constants)
    made = {node.output[0]: node.op_type for node in model.graph.node}
    computed = [name for name in expected if name in made]
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    for name in computed:
        kind = helper.np_dtype_to_tensor_dtype(expected[name].dtype)
        probe.graph.output.append(helper.make_tensor_value_info(name, kind, expected[name].shape))
    found = dict(zip(computed, session(quantized, probe).run(computed, inputs))) if computed else {}
    for name, value in expected.items():
        actual = found.get(name, products.get(name, constants.get(name)))
        assert actual is not None and np.array_equal(actual, value), name
    return {made[name] for name in computed} | ({"MatMulNBits"} if products else set())


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("precision", ["float16", "8bit", "4bit", "3bit", "2bit", "mixed"])
def test_a_small_model(tmp_path, precision, dtype):
    source, plain, quantized = (tmp_path / name for name in ("source.onnx", "plain.onnx", "quantized.onnx"))
    onnx.save(small_model(dtype), str(source))
    for target, options in ((plain, []), (quantized, ["--qdq"])):
        run("convert", source, "--target-format", "onnx", "-p", precision, "--output", target, *options)
    assert onnx.load(str(quantized)).ir_version >= 8
    inputs = {"ids": np.array([3, 49, 0, 7, 7], np.int64)}
    made_by = assert_same_weights(plain, quantized, inputs)
    if precision != "float16" and dtype == np.float32:
        # The table is read as rows and as a product; the squares are products alone.
        assert "MatMulNBits" in made_by and made_by & {"DequantizeLinear", "Reshape", "Transpose"}
    for one, other in zip(session(plain).run(None, inputs), session(quantized).run(None, inputs), strict=True):
        scale = np.abs(one.astype(np.float64)).max()
        assert np.abs(one.astype(np.float64) - other).max() <= (1e-5 if dtype == np.float32 else 4e-3) * scale


@pytest.mark.parametrize("name", ["ppocr-cls"])
def test_a_real_model(tmp_path, name):
    plain, quantized = tmp_path / "plain.onnx", tmp_path / "quantized.onnx"
    for target, options in ((plain, []), (quantized, ["--qdq"])):
        done = run("convert", MODELS / f"{name}.onnx", "--target-format", "onnx", "-p", "4bit", "-o", target, *options)
    assert "stay float32" not in done.stdout
    loaded = session(plain)
    (taken,) = loaded.get_inputs()
    dims = [dim if isinstance(dim, int) else size for dim, size in zip(taken.shape, (1, 3, 48, 192))]
    x = np.random.default_rng(0).normal(size=dims).astype(np.float32)
    assert_same_weights(plain, quantized, {taken.name: x})
    (one,), (other,) = loaded.run(None, {taken.name: x}), session(quantized).run(None, {taken.name: x})
    assert np.abs(one - other).max() <= 1e-5
    assert quantized.stat().st_size < 0.6 * plain.stat().st_size


@pytest.mark.parametrize("precision, bits", [("2bit", 2), ("3bit", 3), ("4bit", 4), ("8bit", 8)])
def test_bits_that_no_node_holds_are_said(tmp_path, precision, bits):
    """MatMulNBits has 4 and 8 bits, DequantizeLinear of the opset 8: what takes more bytes than asked is told."""
    random = np.random.default_rng(2)
    shapes = {"w": (64, 64), "v": (64, 64), "k": (64, 1, 1, 8)}
    weights = [numpy_helper.from_array(random.normal(size=s).astype(np.float32), n) for n, s in shapes.items()]
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["h"]),
            helper.make_node("Relu", ["h"], ["r"]),
            helper.make_node("MatMul", ["r", "v"], ["m"]),
            helper.make_node("Unsqueeze", ["m", "axes"], ["s"]),
            helper.make_node("Conv", ["s", "k"], ["y"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 64, 1, 57])],
        [*weights, numpy_helper.from_array(np.array([0, 2], np.int64), "axes")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), str(tmp_path / "m"))
    rules = {"tensors": dict.fromkeys(shapes, precision)}
    (tmp_path / "rules.json").write_text(json.dumps(rules))
    options = ("--mixed-precision-config", "rules.json", "--target-format", "onnx", "--qdq", "-o", "q.onnx")
    done = run("convert", "m", *options, cwd=tmp_path)
    products = f"2 weights of {bits} bits take the bytes of 4, the fewest that MatMulNBits nodes hold; "
    kernels = f"1 weight of {bits} bits takes the bytes of 8, the fewest that DequantizeLinear nodes hold; "
    assert (products in done.stdout, kernels in done.stdout) == (bits < 4, bits < 8)
    nodes = {node.op_type: node for node in onnx.load(str(tmp_path / "q.onnx")).graph.node}
    sizes = {attribute.name: attribute.i for attribute in nodes["MatMulNBits"].attribute}
    assert sizes["bits"] == max(bits, 4) and "DequantizeLinear" in nodes


def test_codebooks_stay_float_and_are_counted(tmp_path):
    """What arrived as NF4 is on no grid of whole numbers."""
    random = np.random.default_rng(1)
    codes = random.integers(0, 256, size=64 * 32 // 2, dtype=np.uint8)
    graph = helper.make_graph(
        [
            helper.make_node(
                "MatMulBnb4", ["x", "codes", "absmax"], ["y"], domain="com.microsoft", name="nf4",
                K=64, N=32, block_size=64, quant_type=1,
            )  # fmt: skip
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 32])],
        [
            numpy_helper.from_array(codes, "codes"),
            numpy_helper.from_array(random.random(32).astype(np.float32) + 0.1, "absmax"),
        ],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(tmp_path / "m.onnx"))
    done = run("convert", "m.onnx", "--target-format", "onnx", "--qdq", "-p", "4bit", "-o", "q.onnx", cwd=tmp_path)
    assert "1 weights stay float32 (100.0 % of the parameters), for no node holds them exactly; " in done.stdout
    session(tmp_path / "q.onnx")
