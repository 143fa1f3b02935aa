"""Quantized operators in every granularity against ONNX Runtime, and weights that arrive quantized: they keep their bits."""

import functools
import json

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import harness
from onnx_cases import Case
from read_weights import read_weights
from run_cases import run_cases

MICROSOFT = "com.microsoft"


def model_of(name, nodes, inputs, outputs, constants, opset=21, narrow=()):
    """`inputs` are arrays by name, `outputs` dtypes by name; `narrow` are TensorProtos as they are."""
    initializers = [numpy_helper.from_array(array, key) for key, array in constants.items()]
    infos = [helper.make_tensor_value_info(key, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for key, a in inputs.items()]
    results = [helper.make_tensor_value_info(key, dtype, None) for key, dtype in outputs.items()]
    graph = helper.make_graph(nodes, name, infos, results, [*initializers, *narrow])
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def expected_of(model, inputs):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs)))


def random(name):
    return np.random.default_rng(sum(name.encode()))


def floats(rng, *dims, dtype=np.float32):
    return rng.standard_normal(dims).astype(dtype)


def packed(codes, bits):
    """Codes along the last axis, several a byte, the first in the lowest bits."""
    per = 8 // bits
    padded = np.pad(codes, [(0, 0)] * (codes.ndim - 1) + [(0, -codes.shape[-1] % per)])
    groups = padded.reshape(*codes.shape[:-1], -1, per).astype(np.uint32)
    return (groups << (np.arange(per) * bits)).sum(-1).astype(np.uint8)


def nbits(name, bits, k=70, n=24, block=32, zeros=None, scale_dtype=np.float32, order=None, bias=False):
    """A MatMulNBits, and the weights that it multiplies with, [N, K]."""
    rng = random(name)
    blocks = -(-k // block)
    codes = rng.integers(0, 1 << bits, (n, blocks * block))
    scales = (rng.random((n, blocks)) + 0.25).astype(scale_dtype)
    zero = np.full((n, blocks), 1 << (bits - 1), np.float32)
    inputs = {"x": floats(rng, 3, k, dtype=scale_dtype)}
    constants = {"B": packed(codes.reshape(n, blocks, block), bits), "scales": scales}
    names = ["x", "B", "scales", "", "", ""]
    if zeros == "packed":
        whole = rng.integers(0, 1 << bits, (n, blocks))
        zero, constants["zeros"] = whole.astype(np.float32), packed(whole, bits)
    if zeros == "floats":
        zero = rng.integers(0, 4 << bits, (n, blocks)).astype(np.float32) / 4
        constants["zeros"] = zero.astype(scale_dtype)
    if zeros:
        names[3] = "zeros"
    group = np.arange(k) // block
    if order:
        group = rng.permutation(group)
        names[4], constants["groups"] = "groups", group.astype(np.int32)
    if bias:
        names[5], constants["bias"] = "bias", floats(rng, n, dtype=scale_dtype)
    while not names[-1]:
        names.pop()
    node = helper.make_node("MatMulNBits", names, ["y"], domain=MICROSOFT, K=k, N=n, bits=bits, block_size=block)
    dtype = helper.np_dtype_to_tensor_dtype(np.dtype(scale_dtype))
    model = model_of(name, [node], inputs, {"y": dtype}, constants)
    weights = (codes[:, :k] - zero[:, group]) * scales.astype(np.float32)[:, group]
    if order:
        weights = weights[:, np.argsort(group, kind="stable")]
    return model, inputs, weights.astype(np.float32)


NBITS = {
    f"nbits_{bits}_{zeros}_{block}{'_bias' if bias else ''}": dict(bits=bits, zeros=zeros, block=block, bias=bias)
    for bits, block, bias in [(2, 16, False), (2, 32, True), (4, 32, False), (4, 16, True), (8, 32, False), (8, 64, False)]
    for zeros in [None, "packed", "floats"]
    if not (bits != 4 and zeros == "floats")  # ONNX Runtime has none
}
NBITS["nbits_4_order"] = dict(bits=4, k=96, order=True)
NBITS["nbits_4_order_zeros"] = dict(bits=4, k=96, order=True, zeros="packed")

FP4 = [0, 5.208333333e-03, 0.66666667, 1, 0.33333333, 0.5, 0.16666667, 0.25]
NF4 = [-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
       -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
       0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1]  # fmt: skip
CODEBOOKS = [np.array(FP4 + [-v for v in FP4], np.float32), np.array(NF4, np.float32)]


def bnb4(name, kind, k=128, n=20, block=64):
    rng = random(name)
    codes = rng.integers(0, 16, n * k)
    scales = (rng.random(-(-n * k // block)) + 0.25).astype(np.float32)
    inputs = {"x": floats(rng, 3, k)}
    constants = {"B": (codes[0::2] << 4 | codes[1::2]).astype(np.uint8), "scales": scales}
    node = helper.make_node("MatMulBnb4", ["x", "B", "scales"], ["y"], domain=MICROSOFT, K=k, N=n, block_size=block, quant_type=kind)
    model = model_of(name, [node], inputs, {"y": TensorProto.FLOAT}, constants)
    weights = CODEBOOKS[kind][codes] * np.repeat(scales, block)[: n * k]
    return model, inputs, weights.reshape(n, k)


BNB4 = {"bnb4_fp4": dict(kind=0), "bnb4_nf4": dict(kind=1), "bnb4_across_rows": dict(kind=1, k=96), "bnb4_16": dict(kind=0, k=80, block=16)}


def gathered(name, bits, zeros, axis=1, block=16):
    rng = random(name)
    codes = rng.integers(0, 1 << bits, (12, 64))
    blocks = [12, 64]
    blocks[axis] //= block
    scales = (rng.random(blocks) + 0.25).astype(np.float32)
    constants = {"table": packed(codes, bits), "scales": scales, "i": np.array([[3, 0, 11], [5, 5, 1]], np.int64)}
    names = ["table", "i", "scales"]
    zero = np.full(blocks, 1 << (bits - 1))
    if zeros:
        zero = rng.integers(0, 1 << bits, blocks)
        names.append("zeros")
        constants["zeros"] = packed(zero, bits)
    inputs = {"i": constants.pop("i")}
    attributes = dict(bits=bits, block_size=block, gather_axis=0, quantize_axis=axis)
    node = helper.make_node("GatherBlockQuantized", names, ["y"], domain=MICROSOFT, **attributes)
    model = model_of(name, [node], inputs, {"y": TensorProto.FLOAT}, constants)
    weights = (codes - np.repeat(zero, block, axis)) * np.repeat(scales, block, axis)
    return model, inputs, weights.astype(np.float32)


# ONNX Runtime takes blocks along the last axis only.
GATHERED = {f"gather_{bits}{'_zeros' if zeros else ''}": dict(bits=bits, zeros=zeros) for bits in [4, 8] for zeros in [False, True]}


def dequantized(name, dtype, lowest, highest, axis=None, block=0, zeros=True, cast=False):
    """x [5, 64] times a weight [64, 24] of DequantizeLinear; per tensor, axis or block."""
    rng = random(name)
    codes = rng.integers(lowest, highest + 1, (64, 24))
    dims = [] if axis is None else [codes.shape[axis]]
    if block:
        dims = list(codes.shape)
        dims[axis] //= block
    scales = (rng.random(dims) + 0.25).astype(np.float32)
    zero = rng.integers(lowest, highest + 1, dims) if zeros else np.zeros(dims, np.int64)
    narrow = [helper.make_tensor("q", dtype, codes.shape, codes.ravel())]
    if zeros:
        narrow.append(helper.make_tensor("z", dtype, zero.shape, np.ravel(zero)))
    attributes = {} if axis is None else dict(axis=axis) | (dict(block_size=block) if block else {})
    inputs = {"x": floats(rng, 5, 64)}
    if cast:
        nodes = [helper.make_node("Cast", ["q"], ["f"], to=TensorProto.FLOAT), helper.make_node("Mul", ["f", "s"], ["w"])]
    else:
        nodes = [helper.make_node("DequantizeLinear", ["q", "s", "z"][: 3 if zeros else 2], ["w"], **attributes)]
    nodes.append(helper.make_node("MatMul", ["x", "w"], ["y"]))
    model = model_of(name, nodes, inputs, {"y": TensorProto.FLOAT}, {"s": scales}, narrow=narrow)
    each, middle = scales, zero
    if block:
        each, middle = np.repeat(scales, block, axis), np.repeat(zero, block, axis)
    elif axis == 0:
        each, middle = scales[:, None], zero[:, None]
    return model, inputs, ((codes - middle) * each).astype(np.float32)


INT8, UINT8, INT4, UINT4 = (TensorProto.INT8, -128, 127), (TensorProto.UINT8, 0, 255), (TensorProto.INT4, -8, 7), (TensorProto.UINT4, 0, 15)
DEQUANTIZED = {
    "dq_int8_tensor": (*INT8,), "dq_uint8_tensor": (*UINT8,), "dq_int8_axis": (*INT8, 1), "dq_uint8_axis": (*UINT8, 1),
    "dq_int4_axis": (*INT4, 1), "dq_uint4_tensor": (*UINT4,), "dq_int4_blocks": (*INT4, 0, 16), "dq_uint4_blocks": (*UINT4, 0, 32),
    "dq_int8_symmetric": (*INT8, 1, 0, False), "dq_int8_cast": (*INT8, None, 0, False, True),
}  # fmt: skip


def arrived(name):
    for made, table in [(nbits, NBITS), (bnb4, BNB4), (gathered, GATHERED)]:
        if name in table:
            return made(name, **table[name])
    return dequantized(name, *DEQUANTIZED[name])


ARRIVED = [*NBITS, *BNB4, *GATHERED, *DEQUANTIZED]


def integer_product(name, k, signed=False, per_column=False, computed=False):
    rng = random(name)
    a = rng.integers(0, 256, (4, k)).astype(np.uint8)
    b = rng.integers(-128, 128, (k, 9)).astype(np.int8) if signed else rng.integers(0, 256, (k, 9)).astype(np.uint8)
    zeros = rng.integers(0, 20, 9 if per_column else 1).astype(b.dtype)
    inputs = {"a": a} | ({"b": b} if computed else {})
    constants = {"az": np.array(7, np.uint8), "bz": zeros if per_column else zeros[0]} | ({} if computed else {"b": b})
    node = helper.make_node("MatMulInteger", ["a", "b", "az", "bz"], ["y"])
    return model_of(name, [node], inputs, {"y": TensorProto.INT32}, constants), inputs


def integer_convolution(name, channels, groups=1):
    rng = random(name)
    inputs = {"x": rng.integers(0, 256, (1, channels, 6, 6)).astype(np.uint8)}
    weights = rng.integers(0, 256, (4, channels // groups, 3, 3)).astype(np.uint8)
    constants = {"w": weights, "xz": np.array(11, np.uint8), "wz": np.array(128, np.uint8)}
    node = helper.make_node("ConvInteger", ["x", "w", "xz", "wz"], ["y"], pads=[1, 1, 1, 1], group=groups)
    return model_of(name, [node], inputs, {"y": TensorProto.INT32}, constants), inputs


def dynamic_product(name, operator):
    rng = random(name)
    b = rng.integers(-128, 128, (40, 9)).astype(np.int8)
    constants = {"b": b, "bs": (rng.random(9) / 64 + 0.01).astype(np.float32), "bz": np.zeros(9, np.int8), "bias": floats(rng, 9)}
    if operator == "DynamicQuantizeMatMul":
        inputs = {"a": floats(rng, 2, 5, 40)}
        node = helper.make_node(operator, ["a", "b", "bs", "bz", "bias"], ["y"], domain=MICROSOFT)
    else:
        inputs = {"a": rng.integers(0, 256, (5, 40)).astype(np.uint8)}
        constants |= {"as": np.float32(0.02), "az": np.array(100, np.uint8)}
        node = helper.make_node(operator, ["a", "b", "as", "bs", "az", "bz", "bias"], ["y"], domain=MICROSOFT)
    return model_of(name, [node], inputs, {"y": TensorProto.FLOAT}, constants), inputs


def gemm(name, to_codes, **attributes):
    """Both matrices as they are, or turned; a bias of int32; a scale for each column of the weights."""
    rng = random(name)
    b = rng.integers(-128, 128, (9, 40) if attributes.get("transB") else (40, 9)).astype(np.int8)
    inputs = {"a": rng.integers(0, 256, (40, 5) if attributes.get("transA") else (5, 40)).astype(np.uint8)}
    constants = {"as": np.float32(0.02), "az": np.array(100, np.uint8), "b": b, "bs": (rng.random(9) / 64 + 0.01).astype(np.float32),
                 "bz": np.zeros(9, np.int8), "c": rng.integers(-4000, 4000, 9).astype(np.int32)}  # fmt: skip
    if to_codes:
        constants |= {"ys": np.float32(0.5), "yz": np.array(120, np.uint8)}
    node = helper.make_node("QGemm", [*inputs, *constants], ["y"], domain=MICROSOFT, **attributes)
    return model_of(name, [node], inputs, {"y": TensorProto.UINT8 if to_codes else TensorProto.FLOAT}, constants), inputs


def attention(name, per_column, unidirectional):
    """As ONNX Runtime quantizes the Attention that its optimizer makes, with a mask."""
    rng = random(name)
    x = floats(rng, 2, 5, 16)
    inputs = {"x": x, "mask": np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], np.int32)}
    columns = (48,) if per_column else ()
    constants = {
        "w": rng.integers(-127, 128, (16, 48)).astype(np.int8), "bias": floats(rng, 48), "ws": ((rng.random(columns) + 0.5) / 100).astype(np.float32),
        "wz": np.zeros(columns, np.int8),
    }  # fmt: skip
    nodes = [helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
             helper.make_node("QAttention", ["q", "w", "bias", "s", "ws", "mask", "z", "wz"], ["y"], domain=MICROSOFT, num_heads=2, unidirectional=unidirectional)]  # fmt: skip
    return model_of(name, nodes, inputs, {"y": TensorProto.FLOAT}, constants), inputs


def embedding(name, segments):
    rng = random(name)
    inputs = {"ids": rng.integers(0, 30, (2, 5)).astype(np.int32)} | ({"segments": rng.integers(0, 2, (2, 5)).astype(np.int32)} if segments else {})
    parts = {"words": (30, 16), "positions": (9, 16), "kinds": (2, 16), "gamma": (16,), "beta": (16,)}
    if not segments:
        del parts["kinds"]
    constants = {}
    for part, dims in parts.items():
        constants[part] = rng.integers(0, 256, dims).astype(np.uint8)
        constants[part + "_scale"] = np.float32(rng.random() / 50 + 0.01)
        constants[part + "_zero"] = np.array(rng.integers(100, 140), np.uint8)
    every = ["words", "positions", "kinds", "gamma", "beta"]
    given = [[part + end if part in parts else "" for part in every] for end in ("", "_scale", "_zero")]
    node = helper.make_node("QEmbedLayerNormalization", ["ids", "segments" if segments else "", *given[0], "", *given[1], *given[2]], ["y", "counts"], domain=MICROSOFT, epsilon=1e-5)
    return model_of(name, [node], inputs, {"y": TensorProto.FLOAT, "counts": TensorProto.INT32}, constants), inputs


def dynamic_quantization(name, low, high):
    x = (random(name).random((3, 7)) * (high - low) + low).astype(np.float32)
    outputs = {"y": TensorProto.UINT8, "s": TensorProto.FLOAT, "z": TensorProto.UINT8}
    return model_of(name, [helper.make_node("DynamicQuantizeLinear", ["x"], list(outputs))], {"x": x}, outputs, {}), {"x": x}


def static_quantization(name, dtype, axis=None):
    """Ties, what saturates, and what lies between."""
    rng = random(name)
    x = np.concatenate([np.arange(-40, 40) / 8, rng.standard_normal(48) * 100]).astype(np.float32).reshape(2, 4, 16)
    info = np.iinfo(dtype)
    dims = () if axis is None else (x.shape[axis],)
    scales = np.full(dims, 0.25, np.float32) if axis is None else (rng.random(dims) + 0.1).astype(np.float32)
    zeros = rng.integers(max(info.min, -100), min(info.max, 100), dims).astype(dtype)
    attributes = {} if axis is None else {"axis": axis}
    node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"], **attributes)
    outputs = {"y": helper.np_dtype_to_tensor_dtype(np.dtype(dtype))}
    return model_of(name, [node], {"x": x}, outputs, {"s": scales, "z": zeros}), {"x": x}


def linear(name, operator, **attributes):
    """An operator of codes, of ONNX Runtime's own."""
    rng = random(name)
    code = lambda *dims: rng.integers(0, 256, dims).astype(np.uint8)
    point = lambda key, scale, zero: {f"{key}s": np.float32(scale), f"{key}z": np.array(zero, np.uint8)}
    constants = point("a", 0.02, 120) | point("c", 0.025, 100)
    inputs = {"a": code(1, 4, 6, 6)}
    names = ["a", "as", "az", "cs", "cz"]
    if operator in {"QLinearAdd", "QLinearMul"}:
        inputs |= {"b": code(4, 1, 1)}
        constants |= point("b", 0.03, 131)
        names = ["a", "as", "az", "b", "bs", "bz", "cs", "cz"]
    if operator == "QLinearConcat":
        inputs |= {"b": code(1, 2, 6, 6)}
        constants |= point("b", 0.03, 131)
        names = ["cs", "cz", "a", "as", "az", "b", "bs", "bz"]
    node = helper.make_node(operator, names, ["y"], domain=MICROSOFT, **attributes)
    return model_of(name, [node], inputs, {"y": TensorProto.UINT8}, constants), inputs


COMPUTED = {
    "product": (integer_product, 40), "product_signed": (integer_product, 40, True), "product_columns": (integer_product, 40, True, True),
    "product_long": (integer_product, 2000), "product_computed": (integer_product, 40, False, False, True),
    "product_computed_long": (integer_product, 300, False, False, True),
    "convolution": (integer_convolution, 4), "convolution_long": (integer_convolution, 120), "convolution_groups": (integer_convolution, 4, 2),
    "dynamic_matmul": (dynamic_product, "DynamicQuantizeMatMul"), "matmul_to_float": (dynamic_product, "MatMulIntegerToFloat"),
    "gemm": (gemm, False),
    "attention": (attention, False, 0), "attention_columns": (attention, True, 1), "embedding": (embedding, True), "embedding_alone": (embedding, False),
    "dynamic": (dynamic_quantization, -2, 3), "dynamic_positive": (dynamic_quantization, 1, 5), "dynamic_negative": (dynamic_quantization, -5, -1),
    "dynamic_zero": (dynamic_quantization, 0, 0),
    "quantize_uint8": (static_quantization, np.uint8), "quantize_int8": (static_quantization, np.int8),
    "quantize_int16": (static_quantization, np.int16), "quantize_uint16": (static_quantization, np.uint16),
    "quantize_axis": (static_quantization, np.int8, 1), "quantize_last_axis": (static_quantization, np.uint8, 2),
}  # fmt: skip
# Rounded as ONNX Runtime does up to what lies between two codes, where its own arithmetic differs from machine to machine.
NEAR = {
    "linear_add": ("QLinearAdd", {}), "linear_mul": ("QLinearMul", {}), "linear_sigmoid": ("QLinearSigmoid", {}),
    "linear_leaky": ("QLinearLeakyRelu", {"alpha": 0.1}), "linear_concat": ("QLinearConcat", {"axis": 1}),
    "linear_softmax": ("QLinearSoftmax", {"axis": -1, "opset": 13}), "linear_mean": ("QLinearGlobalAveragePool", {}),
    "linear_gemm": ("QGemm", {"transA": 1, "transB": 1, "alpha": 0.5}),
    "linear_pool": ("QLinearAveragePool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
}  # fmt: skip


def make(name):
    if name == "linear_gemm":
        return gemm(name, True, **NEAR[name][1])
    if name in NEAR:
        return linear(name, NEAR[name][0], **NEAR[name][1])
    if name in COMPUTED:
        function, *arguments = COMPUTED[name]
        return function(name, *arguments)
    return arrived(name)[:2]


@functools.cache
def case_of(name):
    model, inputs = make(name)
    operators = frozenset(node.op_type for node in model.graph.node)
    atol = 1e-3 if name in ARRIVED else 1e-5
    return Case(name, model, operators, [(inputs, expected(name, model, inputs))], atol)


def expected(name, model, inputs):
    if name != "nbits_4_order_zeros":
        return expected_of(model, inputs)
    # ONNX Runtime leaves the zero points out where there are groups; its documentation does not.
    groups = next(numpy_helper.to_array(i) for i in model.graph.initializer if i.name == "groups")
    weights = arrived(name)[2]
    return {"y": inputs["x"][:, np.argsort(groups, kind="stable")] @ weights.T}


@pytest.fixture(scope="module")
def outcomes():
    return run_cases([case_of(name) for name in [*ARRIVED, *COMPUTED]])


@pytest.mark.parametrize("name", [*ARRIVED, *COMPUTED])
def test_operator(name, outcomes):
    assert outcomes[name].status == "passed", outcomes[name].message


@pytest.fixture(scope="module")
def near_outcomes():
    """Codes may be 1 off."""
    cases = [case_of(name) for name in NEAR]
    floats_of = []
    for case in cases:
        model = onnx.ModelProto()
        model.CopyFrom(case.model)
        model.graph.node.append(helper.make_node("Cast", ["y"], ["f"], to=TensorProto.FLOAT))
        model.graph.output[0].CopyFrom(helper.make_tensor_value_info("f", TensorProto.FLOAT, None))
        (inputs, outputs), = case.data
        expected = {"f": outputs["y"].astype(np.float32)}
        floats_of.append(Case(case.name, model, case.operators | {"Cast"}, [(inputs, expected)], 1.01))
    return run_cases(floats_of)


@pytest.mark.parametrize("name", NEAR)
def test_operator_of_codes(name, near_outcomes):
    assert near_outcomes[name].status == "passed", near_outcomes[name].message


@pytest.mark.parametrize("name", ARRIVED)
def test_weights_keep_their_bits(name, tmp_path):
    model, _, weights = arrived(name)
    onnx.save(model, tmp_path / "m.onnx")
    done = harness.run("convert", tmp_path / "m.onnx", "--output", tmp_path / "m.webgpu.js", "--no-check")
    assert "anew" not in done.stderr
    stored = [w for w in read_weights(tmp_path / "m.webgpu.json").values() if w.size == weights.size]
    assert len(stored) == 1
    found = stored[0] if stored[0].shape == weights.shape else stored[0].T
    np.testing.assert_array_equal(found, weights)
    # The program itself reads all that it writes.
    harness.run("verify", tmp_path / "m.webgpu.js")
    told = harness.run("evaluate", tmp_path / "m.webgpu.js", "--source", tmp_path / "m.onnx", "--format", "json")
    assert [output["relative_l2"] for output in json.loads(told.stdout)["outputs"]] == [0]


@pytest.mark.parametrize("name", ["nbits_4_None_32", "nbits_4_packed_32", "bnb4_nf4"])
def test_files_of_4_bits_stay_their_size(name, tmp_path):
    made, sizes = (bnb4, dict(k=256, n=200)) if name in BNB4 else (nbits, dict(k=256, n=200))
    model, _, _ = made(name, **((BNB4 | NBITS)[name] | sizes))
    onnx.save(model, tmp_path / "m.onnx")
    harness.convert(tmp_path / "m.onnx", tmp_path / "m.webgpu.js", "--no-check")
    before = sum(len(initializer.raw_data) for initializer in model.graph.initializer)
    after = sum(path.stat().st_size for path in tmp_path.glob("*.bin"))
    assert after <= 1.02 * before + 256 * len(model.graph.initializer)


def test_a_table_of_codes_is_stored_as_codes(tmp_path):
    """A Gather of codes whose rows are dequantized, beside a product that reads the same table across."""
    rng = random("table")
    codes = rng.integers(0, 256, (160, 64)).astype(np.uint8)
    point = {"s": np.float32(0.021), "z": np.array(121, np.uint8)}
    nodes = [
        helper.make_node("Gather", ["t", "i"], ["rows"]), helper.make_node("DequantizeLinear", ["rows", "s", "z"], ["x"]),
        helper.make_node("Transpose", ["t"], ["across"]), helper.make_node("DequantizeLinear", ["across", "s", "z"], ["w"]),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]  # fmt: skip
    inputs = {"i": np.array([[3, 0, 159]], np.int64)}
    model = model_of("table", nodes, inputs, {"y": TensorProto.FLOAT}, {"t": codes, **point})
    onnx.save(model, tmp_path / "m.onnx")
    harness.convert(tmp_path / "m.onnx", tmp_path / "m.webgpu.js", "--no-check")
    (found,) = read_weights(tmp_path / "m.webgpu.json").values()
    np.testing.assert_array_equal(found, (codes.astype(np.float32) - 121) * point["s"])
    assert sum(path.stat().st_size for path in tmp_path.glob("*.bin")) <= codes.size + 4 * len(codes) + 512


def test_fewer_bits_are_quantized_anew_and_said(tmp_path):
    model, _, weights = nbits("narrower", 8, k=256, n=200)
    onnx.save(model, tmp_path / "m.onnx")
    options = ["--precision", "4bit", "--no-check", "-v"]
    done = harness.run("convert", tmp_path / "m.onnx", "--output", tmp_path / "m.webgpu.js", *options, check=False)
    if done.returncode == 2:  # without -v notes are printed
        done = harness.run("convert", tmp_path / "m.onnx", "--output", tmp_path / "m.webgpu.js", *options[:-1])
    assert "arrived at 8 bits and is quantized anew at 4" in done.stderr
    (found,) = read_weights(tmp_path / "m.webgpu.json").values()
    found = found if found.shape == weights.shape else found.T
    assert 0 < np.linalg.norm(found - weights) < 0.2 * np.linalg.norm(weights)


def test_activations_without_their_roundings(tmp_path):
    """A product with dynamically rounded activations, computed with floats: nearer to that of the floats themselves."""
    model, inputs = dynamic_product("plain", "DynamicQuantizeMatMul")
    constants = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    exact = inputs["a"] @ (constants["b"] * constants["bs"]) + constants["bias"]
    onnx.save(model, tmp_path / "m.onnx")
    harness.run("convert", tmp_path / "m.onnx", "--target-format", "onnx", "--output", tmp_path / "plain.onnx", "--activations", "float32")
    (found,) = expected_of(onnx.load(tmp_path / "plain.onnx"), inputs).values()
    np.testing.assert_allclose(found, exact, rtol=1e-4, atol=1e-5)
    harness.run("convert", tmp_path / "m.onnx", "--target-format", "onnx", "--output", tmp_path / "rounded.onnx")
    (rounded,) = expected_of(onnx.load(tmp_path / "rounded.onnx"), inputs).values()
    (wanted,) = expected_of(model, inputs).values()
    np.testing.assert_allclose(rounded, wanted, rtol=1e-4, atol=1e-5)
    assert np.abs(rounded - exact).max() > 1e-3


def test_activations_in_int8_are_refused(tmp_path):
    model, _ = dynamic_product("int8", "DynamicQuantizeMatMul")
    onnx.save(model, tmp_path / "m.onnx")
    done = harness.run("convert", tmp_path / "m.onnx", "--output", tmp_path / "m.webgpu.js", "--activations", "int8", check=False)
    assert done.returncode == 2 and "--activations int8" in done.stderr
