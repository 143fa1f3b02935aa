"""Small models of one operator of com.microsoft in each of its forms, and of Einsum in many equations, for comparison
with ONNX Runtime. A case is its name, its model, and one set of inputs."""

import dataclasses
import math

import numpy as np
import onnx
from onnx import TensorProto, helper

TYPES = {
    np.dtype(np.float32): TensorProto.FLOAT,
    np.dtype(np.float16): TensorProto.FLOAT16,
    np.dtype(np.uint8): TensorProto.UINT8,
    np.dtype(np.int32): TensorProto.INT32,
    np.dtype(np.int64): TensorProto.INT64,
    np.dtype(np.bool_): TensorProto.BOOL,
}
EPSILON = {"epsilon": 1e-5}


@dataclasses.dataclass
class Case:
    name: str
    model: onnx.ModelProto
    inputs: dict[str, np.ndarray]
    # Another that computes the same, where ONNX Runtime's CPU provider has no kernel for this one.
    same: "Case | None" = None
    # What NumPy says, for the same reason.
    expected: list[np.ndarray] | None = None


class Maker:
    """Makes cases whose inputs are random, and the same in every run."""

    def __init__(self) -> None:
        self.cases: list[Case] = []
        self.random = np.random.default_rng(7)

    def normal(self, *dims: int) -> np.ndarray:
        return self.random.standard_normal(dims).astype(np.float32)

    def case(self, name, operator, inputs, outputs=1, constants=(), symbolic=(), domain="com.microsoft", opset=18, **attributes):
        """`inputs`: arrays in order, None where one is absent. Those numbered in `constants` are initializers; of
        `symbolic` no size is known when converting. `outputs`: how many, or which."""
        numbers = range(outputs) if isinstance(outputs, int) else outputs
        names = ["" if array is None else f"in{i}" for i, array in enumerate(inputs)]
        results = [f"out{i}" if i in numbers else "" for i in range(max(numbers) + 1)]
        node = helper.make_node(operator, names, results, domain=domain, name="node", **attributes)
        given = [(i, array) for i, array in enumerate(inputs) if array is not None]
        infos, initializers = [], []
        for i, array in given:
            if i in constants:
                initializers.append(onnx.numpy_helper.from_array(array, names[i]))
                continue
            dims = [f"d{i}_{axis}" for axis in range(array.ndim)] if i in symbolic else array.shape
            infos.append(helper.make_tensor_value_info(names[i], TYPES[array.dtype], dims))
        first = next(array for _, array in given if array.dtype in (np.float32, np.float16)).dtype
        dtypes = {"EmbedLayerNormalization": {1: TensorProto.INT32}}.get(operator, {})
        made = [helper.make_tensor_value_info(n, dtypes.get(i, TYPES[first]), None) for i, n in enumerate(results) if n]
        graph = helper.make_graph([node], "g", infos, made, initializers)
        imports = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=imports, ir_version=10)
        feeds = {names[i]: array for i, array in given if i not in constants}
        self.cases.append(Case(name, model, feeds))

    def same(self, *arguments, **keywords) -> None:
        """What computes the same as the last case."""
        self.case("", *arguments, **keywords)
        other = self.cases.pop()
        self.cases[-1].same = other

    def expect(self, *outputs: np.ndarray) -> None:
        """What the last case must give."""
        self.cases[-1].expected = list(outputs)


def activations(m: Maker) -> None:
    x, bias = 2 * m.normal(2, 3, 8), m.normal(8)
    m.case("gelu", "Gelu", [x])
    m.case("bias_gelu", "BiasGelu", [x, bias], constants=[1])
    m.case("bias_gelu_sizes", "BiasGelu", [x, bias], symbolic=[0])
    m.case("fast_gelu", "FastGelu", [x])
    m.case("fast_gelu_bias", "FastGelu", [x, bias])
    m.case("quick_gelu", "QuickGelu", [x])
    m.case("quick_gelu_alpha", "QuickGelu", [x], alpha=0.7)
    m.case("split_gelu", "BiasSplitGelu", [x, bias])
    value, gate = np.split(x + bias, 2, axis=-1)
    m.expect(value * gate * 0.5 * (1 + np.vectorize(math.erf)(gate / math.sqrt(2))))


def norms(m: Maker) -> None:
    x, skip, scale, offset, bias = m.normal(2, 3, 8), m.normal(2, 3, 8), m.normal(8), m.normal(8), m.normal(8)
    m.case("simplified", "SimplifiedLayerNormalization", [x, scale], domain="", axis=-1, **EPSILON)
    m.case("simplified_first", "SimplifiedLayerNormalization", [x, m.normal(3, 8)], domain="", axis=1, **EPSILON)
    for name, operator, parameters in [
        ("skip", "SkipLayerNormalization", [scale, offset]),
        ("skip_simplified", "SkipSimplifiedLayerNormalization", [scale]),
    ]:
        m.case(name, operator, [x, skip, *parameters], **EPSILON)
        m.case(name + "_sum", operator, [x, skip, *parameters, bias], [0, 3], symbolic=[0, 1], **EPSILON)
        m.case(name + "_one", operator, [x, skip[:1], *parameters], [0, 3], **EPSILON)
    m.case("skip_no_offset", "SkipLayerNormalization", [x, skip, scale], **EPSILON)
    group_norms(m)
    tokens = m.random.integers(0, 9, (2, 5)).astype(np.int32)
    segments = m.random.integers(0, 2, (2, 5)).astype(np.int32)
    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], np.int32)
    tables = [m.normal(9, 8), m.normal(6, 8), m.normal(2, 8), scale, offset]
    m.case("embed", "EmbedLayerNormalization", [tokens, segments, *tables], 2, symbolic=[0, 1], **EPSILON)
    m.case("embed_mask", "EmbedLayerNormalization", [tokens, segments, *tables, mask], 3, **EPSILON)
    places = m.random.integers(0, 6, (2, 5)).astype(np.int32)
    no_segments = [tokens, None, *tables[:2], None, *tables[3:], None, places]
    m.case("embed_places", "EmbedLayerNormalization", no_segments, 2, **EPSILON)


def group_normal(x: np.ndarray, groups: int, scale: np.ndarray, offset: np.ndarray, silu: bool) -> np.ndarray:
    """Of an image whose channels are last."""
    parts = x.reshape(x.shape[0], -1, groups, x.shape[-1] // groups)
    parts = parts - parts.mean((1, 3), keepdims=True)
    normal = parts / np.sqrt((parts**2).mean((1, 3), keepdims=True) + 1e-5)
    y = normal.reshape(x.shape) * scale + offset
    return y / (1 + np.exp(-y)) if silu else y


def group_norms(m: Maker) -> None:
    x, scale, offset, bias = m.normal(2, 3, 5, 8), m.normal(8), m.normal(8), m.normal(8)
    for silu in (0, 1):
        m.case(f"group_norm_{silu}", "GroupNorm", [x, scale, offset], groups=4, activation=silu, **EPSILON)
        m.expect(group_normal(x, 4, scale, offset, bool(silu)))
    m.case("group_norm_first", "GroupNorm", [x.transpose(0, 3, 1, 2).copy(), scale, offset], groups=2, activation=0, channels_last=0, **EPSILON)
    m.expect(group_normal(x, 2, scale, offset, False).transpose(0, 3, 1, 2))
    for name, skip in [("all", m.normal(2, 3, 5, 8)), ("row", m.normal(2, 8)), ("image", m.normal(2, 1, 1, 8))]:
        m.case(f"skip_group_norm_{name}", "SkipGroupNorm", [x, scale, offset, skip, bias], 2, groups=4, activation=1, **EPSILON)
        total = x + (skip[:, None, None] if skip.ndim == 2 else skip) + bias
        m.expect(group_normal(total, 4, scale, offset, True), total)


def products(m: Maker) -> None:
    a, b = m.normal(2, 3, 4), m.normal(2, 4, 5)
    m.case("fused_matmul", "FusedMatMul", [a, b], alpha=0.5)
    m.case("fused_matmul_a", "FusedMatMul", [a.transpose(0, 2, 1).copy(), b], transA=1, symbolic=[0])
    m.case("fused_matmul_b", "FusedMatMul", [a, m.normal(5, 4)], transB=1, constants=[1])
    m.case("fused_matmul_batch", "FusedMatMul", [a.transpose(1, 0, 2).copy(), b], transBatchA=1)
    m.case("transpose_matmul", "TransposeMatMul", [a, m.normal(2, 5, 4)], transB=1)
    image, weights, bias = m.normal(1, 3, 6, 5), m.normal(4, 3, 3, 3), m.normal(4)
    for activation, parameters in [("Relu", []), ("Tanh", []), ("Sigmoid", []), ("LeakyRelu", [0.2]), ("Clip", [-0.5, 0.75]), ("HardSigmoid", [0.3, 0.4])]:
        given = {"activation_params": parameters} if parameters else {}
        m.case(f"conv_{activation}", "FusedConv", [image, weights, bias], activation=activation, pads=[1, 1, 1, 1], **given)
    m.case("nhwc_conv", "NhwcConv", [image.transpose(0, 2, 3, 1).copy(), weights[:, :, :1, :1].copy(), bias], strides=[2, 2])
    sampled = np.einsum("nchw,oc->nhwo", image[:, :, ::2, ::2], weights[:, :, 0, 0])
    m.expect(sampled + bias)
    m.case("conv_sum", "FusedConv", [image, weights, bias, m.normal(1, 4, 4, 3)], activation="Relu")
    for activation, given in [("Relu", {}), ("LeakyRelu", {"activation_alpha": 0.2}), ("Elu", {"activation_alpha": 0.5})]:
        m.case(f"gemm_{activation}", "FusedGemm", [m.normal(3, 4), m.normal(5, 4), m.normal(5)], activation=activation, transB=1, alpha=0.5, **given)


def transposed(m: Maker) -> None:
    image, weights, bias = m.normal(1, 3, 5, 4), m.normal(3, 2, 3, 3), m.normal(4)
    for name, pads in [("", [1, 0, 0, 1]), ("_none", [0, 0, 0, 0])]:
        pads = np.array(pads, np.int64)
        given = dict(strides=[2, 2], output_padding=[1, 0], group=1)
        m.case(f"dynamic_pads{name}", "ConvTransposeWithDynamicPads", [image, weights, pads, bias[:2].copy()], constants=[2], **given)
        m.case(f"dynamic_pads_computed{name}", "ConvTransposeWithDynamicPads", [image, weights, pads, bias[:2].copy()], **given)
        m.case(f"dynamic_pads_no_bias{name}", "ConvTransposeWithDynamicPads", [image, weights, pads], symbolic=[0], **given)
    m.case("dynamic_pads_absent", "ConvTransposeWithDynamicPads", [image, weights, np.zeros(4, np.int64), bias[:2].copy()], constants=[2], dilations=[2, 1])


def regions(m: Maker) -> None:
    image = m.normal(2, 3, 9, 7)
    rois = np.array([[0, 0, 0, 6, 8], [1, 2.5, 1.5, 5.5, 7.4], [1, 3, 3, 3, 3], [0, -4, -3, 2, 20], [0, 8, 2, 12, 5], [1, 5, 6, 1, 2]], np.float32)
    for name, scale, shape in [("", 1.0, [2, 3]), ("_scaled", 0.5, [3, 2]), ("_one", 1.0, [1, 1]), ("_fine", 0.7, [5, 9])]:
        m.case(f"roi_pool{name}", "MaxRoiPool", [image, rois], domain="", pooled_shape=shape, spatial_scale=scale)
    m.case("roi_pool_sizes", "MaxRoiPool", [image, rois], domain="", symbolic=[0, 1], pooled_shape=[4, 4])


def mixture(m: Maker, name: str, tokens: tuple, experts: int, hidden: int, inner: int, k: int, bias: bool, normal: int, **given) -> None:
    columns = 2 * inner if given["activation_type"] in ("swiglu", "geglu") else inner
    inputs = [m.normal(*tokens, hidden), m.normal(math.prod(tokens), experts), m.normal(experts, columns, hidden), None, m.normal(experts, hidden, inner), None]
    if bias:
        inputs[3], inputs[5] = m.normal(experts, columns), m.normal(experts, hidden)
    weights = [i for i in range(2, 6) if inputs[i] is not None]
    m.case(name, "MoE", inputs, constants=weights, symbolic=[0, 1] if normal else [], k=k, normalize_routing_weights=normal, **given)


def experts(m: Maker) -> None:
    for activation in ("relu", "gelu", "silu", "identity"):
        for normal in (0, 1):
            mixture(m, f"moe_{activation}_{normal}", (2, 3), 4, 8, 6, 2, bool(normal), normal, activation_type=activation)
    swiglu = dict(activation_type="swiglu", swiglu_fusion=1)
    mixture(m, "moe_swiglu", (5,), 4, 8, 6, 1, True, 0, **swiglu, activation_alpha=1.702, activation_beta=1.0, swiglu_limit=0.8)
    mixture(m, "moe_swiglu_plain", (1, 5), 3, 8, 8, 3, False, 1, **swiglu, activation_alpha=1.0)
    for name in ("apart", "behind", "gated", "geglu", "relu2"):
        expect_experts(m, name)
    for bits in (2, 4, 8):
        for block in (0, 16):
            for zeros in (False, True):
                quantized(m, f"qmoe_{bits}_{block}_{int(zeros)}", bits, block, zeros)
    for normal in (0, 1):
        quantized(m, f"qmoe_mixing_{normal}", 4, 16, False, mixing=True, normalize_routing_weights=normal)


def expect_experts(m: Maker, form: str) -> None:
    """The forms of which ONNX Runtime's CPU provider has no kernel."""
    count, hidden, inner, k = 4, 8, 6, 2
    activation = {"apart": "swiglu", "behind": "swiglu", "gated": "silu"}.get(form, form)
    is_apart, is_fused = form in ("apart", "gated"), form in ("behind", "geglu")
    x, router = m.normal(5, hidden), m.normal(5, count)
    fc1, fc2 = m.normal(count, 2 * inner if is_fused else inner, hidden), m.normal(count, hidden, inner)
    fc3 = m.normal(count, inner, hidden)
    b1, b2, b3 = m.normal(*fc1.shape[:2]), m.normal(count, hidden), m.normal(count, inner)
    inputs = [x, router, fc1, b1, fc2, b2, *([fc3, b3] if is_apart else [])]
    given = dict(k=k, activation_type=activation, swiglu_fusion=2 if is_fused else 0)
    limit = 0.9
    if form == "behind":
        given |= dict(swiglu_limit=limit, swiglu_limit_after_activation=1, activation_alpha=1.5, activation_beta=0.5)
    m.case(f"moe_{form}", "MoE", inputs, constants=range(2, len(inputs)), **given)

    def sigmoid(v: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-v))

    def gelu(v: np.ndarray) -> np.ndarray:
        return v / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3)))

    def inside(e: int, row: np.ndarray) -> np.ndarray:
        first = fc1[e] @ row + b1[e]
        third = fc3[e] @ row + b3[e]
        halves = first[:inner], first[inner:]
        return {
            "apart": lambda: first * sigmoid(first) * third,
            "gated": lambda: first * sigmoid(first) * third,
            "behind": lambda: np.minimum(halves[0] * sigmoid(1.5 * halves[0]), limit) * (np.clip(halves[1], -limit, limit) + 0.5),
            "geglu": lambda: gelu(halves[0]) * halves[1],
            "relu2": lambda: np.maximum(first, 0) ** 2,
        }[form]()

    shares = np.exp(router) / np.exp(router).sum(1, keepdims=True)
    result = np.zeros_like(x)
    for t in range(len(x)):
        for e in np.argsort(-shares[t])[:k]:
            result[t] += shares[t, e] * (fc2[e] @ inside(e, x[t]) + b2[e])
    m.expect(result)


def quantized(m: Maker, name: str, bits: int, block: int, zeros: bool, mixing: bool = False, **given) -> None:
    count, hidden, inner, per_byte = 3, 32, 16, 8 // bits
    packed = lambda *dims: m.random.integers(0, 256, dims).astype(np.uint8)  # noqa: E731

    def layer(n: int, k: int) -> tuple:
        blocks = k // block if block else 1
        scales = np.abs(m.normal(count, n, blocks) if block else m.normal(count, n)) / 2**bits
        points = packed(count, n, -(-blocks // per_byte)) if block else packed(count, -(-n // per_byte))
        return packed(count, n, k // per_byte), scales, points

    w1, s1, z1 = layer(2 * inner, hidden)
    w2, s2, z2 = layer(hidden, inner)
    inputs = [m.normal(4, hidden), m.normal(4, count), w1, s1, m.normal(count, 2 * inner), w2, s2, m.normal(count, hidden)]
    inputs += [None] * 3 + [z1 if zeros else None, z2 if zeros else None, None]
    if mixing:
        inputs.append(np.abs(m.normal(4, count)))
    given |= dict(block_size=block) if block else {}
    held = [i for i in range(2, len(inputs)) if inputs[i] is not None and i != 14]
    m.case(name, "QMoE", inputs, constants=held, k=2, expert_weight_bits=bits, activation_type="swiglu", swiglu_fusion=1, activation_alpha=1.702, activation_beta=1.0, **given)
    # Of blocks of 8 bits ONNX Runtime rounds the activations.
    if bits == 8 and block:
        w1, w2 = (decoded(*one, bits, block, zeros) for one in [(w1, s1, z1), (w2, s2, z2)])
        plain = [*inputs[:2], w1, inputs[4], w2, inputs[7]]
        m.same("MoE", plain, k=2, normalize_routing_weights=1, activation_type="swiglu", swiglu_fusion=1, activation_alpha=1.702, activation_beta=1.0)


def decoded(codes: np.ndarray, scales: np.ndarray, points: np.ndarray, bits: int, block: int, zeros: bool) -> np.ndarray:
    """The weights of blocks of 8 bits."""
    each = codes.astype(np.float32).reshape(*codes.shape[:2], -1, block)
    zero = points[..., None].astype(np.float32) if zeros else np.float32(1 << (bits - 1))
    return ((each - zero) * scales[..., None]).reshape(codes.shape).astype(np.float32)


def inverses(m: Maker) -> None:
    for n in (1, 2, 3, 4):
        m.case(f"inverse_{n}", "Inverse", [m.normal(2, n, n) + 3 * np.eye(n, dtype=np.float32)])


def rotary(m: Maker) -> None:
    cosines, sines = m.normal(12, 4), m.normal(12, 4)
    places = m.random.integers(0, 12, (2, 3)).astype(np.int64)
    first = np.array([4], np.int64)
    for interleaved in (0, 1):
        m.case(f"rotary_{interleaved}", "RotaryEmbedding", [m.normal(2, 3, 24), places, cosines, sines], interleaved=interleaved)
        m.case(f"rotary_heads_{interleaved}", "RotaryEmbedding", [m.normal(2, 3, 3, 8), places, cosines, sines], interleaved=interleaved, symbolic=[1])
        m.case(f"rotary_first_{interleaved}", "RotaryEmbedding", [m.normal(2, 3, 24), first, cosines, sines], interleaved=interleaved, constants=[2, 3])
        m.case(f"rotary_part_{interleaved}", "RotaryEmbedding", [m.normal(2, 3, 24), places, cosines[:, :2].copy(), sines[:, :2].copy()], interleaved=interleaved, num_heads=3, rotary_embedding_dim=4)


def attention(m: Maker) -> None:
    x, weights, bias = m.normal(2, 4, 6), m.normal(6, 24), m.normal(24)
    lengths = np.array([4, 2], np.int32)
    ranges = np.array([4, 3, 0, 1], np.int32)
    mask2 = np.array([[1, 1, 1, 1], [1, 1, 1, 0]], np.int32)
    mask3 = m.random.integers(0, 2, (2, 4, 4)).astype(np.int32)
    mask3[:, :, 0] = 1
    for name, mask in [("none", None), ("lengths", lengths), ("ranges", ranges), ("rows", mask2), ("full", mask3)]:
        for causal in (0, 1):
            m.case(f"attention_{name}_{causal}", "Attention", [x, weights, bias, mask], num_heads=2, unidirectional=causal)
    m.case("attention_scale", "Attention", [x, weights, bias], num_heads=2, scale=0.4, constants=[1, 2], symbolic=[0])
    m.case("attention_filter", "Attention", [x, weights, bias, mask2], num_heads=2, mask_filter_value=-3.4028234663852886e38)
    m.case("attention_widths", "Attention", [x, m.normal(6, 20), m.normal(20)], num_heads=2, qkv_hidden_sizes=[8, 8, 4])
    past = m.normal(2, 2, 2, 3, 4)
    mask_past = np.ones((2, 7), np.int32)
    mask_past[1, :2] = 0
    m.case("attention_past", "Attention", [x, weights, bias, mask_past, past], 2, num_heads=2, unidirectional=1)
    m.case("attention_bias", "Attention", [x, weights, bias, None, None, m.normal(1, 2, 4, 4)], num_heads=2)


def multi_head(m: Maker) -> None:
    q, k, v, bias = m.normal(2, 4, 8), m.normal(2, 5, 8), m.normal(2, 5, 8), m.normal(24)
    m.case("mha", "MultiHeadAttention", [q, k, v], num_heads=2)
    m.case("mha_sizes", "MultiHeadAttention", [q, k, v, bias], num_heads=2, constants=[3])
    m.case("mha_wide_values", "MultiHeadAttention", [q, k, m.normal(2, 5, 12)], num_heads=2)
    kv, qkv = m.normal(2, 5, 2, 2, 4), m.normal(2, 4, 2, 3, 4)
    m.case("mha_packed_kv", "MultiHeadAttention", [q, kv], num_heads=2)
    m.same("MultiHeadAttention", [q, *(kv[..., i, :].reshape(2, 5, 8) for i in range(2))], num_heads=2)
    m.case("mha_packed_qkv", "MultiHeadAttention", [qkv], num_heads=2)
    m.same("MultiHeadAttention", [qkv[..., i, :].reshape(2, 4, 8) for i in range(3)], num_heads=2)
    m.case("mha_cross", "MultiHeadAttention", [q, m.normal(2, 2, 5, 4), m.normal(2, 2, 5, 4)], num_heads=2)
    m.case("mha_lengths", "MultiHeadAttention", [q, k, v, None, np.array([5, 3], np.int32)], num_heads=2)
    m.case("mha_rows", "MultiHeadAttention", [q, k, v, None, np.array([[1, 1, 1, 1, 1], [1, 0, 1, 1, 0]], np.int32)], num_heads=2)
    m.case("mha_bias", "MultiHeadAttention", [q, k, v, None, None, m.normal(2, 2, 4, 5)], num_heads=2, scale=0.3)
    m.case("mha_bias_of_all", "MultiHeadAttention", [q, k, v, None, None, m.normal(1, 1, 4, 5)], num_heads=2)
    past = [m.normal(2, 2, 3, 4), m.normal(2, 2, 3, 4)]
    own = [m.normal(2, 4, 8), m.normal(2, 4, 8)]
    m.case("mha_past", "MultiHeadAttention", [q, *own, bias, None, None, *past], 3, num_heads=2)
    m.case("mha_past_causal", "MultiHeadAttention", [q, *own, None, None, None, *past], 3, num_heads=2, unidirectional=1)
    m.case("mha_causal", "MultiHeadAttention", [q, *own], num_heads=2, unidirectional=1)


def grouped(m: Maker) -> None:
    tables = [m.normal(16, 8), m.normal(16, 8)]
    heads, shared, width = 4, 2, 16

    def one(name, batch, past, count, ends, packed=False, total=None, extra=(), rotary=True, **attributes):
        q = m.normal(batch, count, (heads + 2 * shared if packed else heads) * width)
        k = None if packed else m.normal(batch, count, shared * width)
        v = None if packed else m.normal(batch, count, shared * width)
        before = [m.normal(batch, shared, past, width), m.normal(batch, shared, past, width)]
        lengths = np.array(ends, np.int32) - 1
        all_of = np.array(total or max(ends), np.int32)
        inputs = [q, k, v, *before, lengths, all_of, *(tables if rotary else [None, None]), *extra]
        m.case("grouped_" + name, "GroupQueryAttention", inputs, 3, num_heads=heads, kv_num_heads=shared, do_rotary=int(rotary), **attributes)

    one("prompt", 2, 0, 3, [3, 3])
    one("prompt_padded", 2, 0, 3, [3, 2])
    one("packed", 1, 0, 4, [4], packed=True)
    one("next", 2, 5, 1, [6, 6])
    one("next_ragged", 2, 5, 1, [6, 4])
    one("next_packed", 2, 5, 1, [6, 3], packed=True)
    one("several", 1, 4, 3, [7])
    one("plain", 2, 5, 1, [6, 4], rotary=False)
    one("interleaved", 1, 2, 1, [3], rotary_interleaved=1)
    one("softcap", 1, 2, 1, [3], softcap=2.0)
    one("scale", 1, 2, 1, [3], scale=0.2)
    one("window", 1, 7, 1, [8], local_window_size=3)
    one("window_prompt", 1, 0, 6, [6], local_window_size=2)
    one("smooth", 1, 2, 1, [3], smooth_softmax=1)
    one("bias", 1, 2, 2, [4], extra=[None, m.normal(1, 4, 2, 4)])
    one("sink", 1, 2, 1, [3], extra=[None, None, m.normal(4)])
    one("places", 2, 5, 1, [6, 6], extra=[np.array([[2], [9]], np.int64)])


# An equation and the sizes of its letters; those of an ellipsis are written for each operand.
EQUATIONS = [
    ("ij,jk->ik", "i2j3k4"),
    ("ij,jk", "i2j3k4"),
    ("ij->ji", "i2j3"),
    ("ij->", "i2j3"),
    ("ii->i", "i3"),
    ("ii", "i3"),
    ("iji->j", "i3j2"),
    ("ibib->bi", "i3b2"),
    ("i,j->ij", "i3j4"),
    ("i,i->", "i5"),
    ("bhqd,bhkd->bhqk", "b2h3q4k5d6"),
    ("bqhd,bkhd->bhqk", "b2h3q4k5d6"),
    ("bhqk,bkhd->bqhd", "b2h3q4k5d6"),
    ("bsd,dhk->bshk", "b2s3d4h2k5"),
    ("bshk,hkd->bsd", "b2s3d4h2k5"),
    ("abc,cd,de->abe", "a2b3c4d2e3"),
    ("abc,abd->acd", "a2b3c4d5"),
    ("ab,ab->ab", "a2b3"),
    ("ab,cd->dbca", "a2b3c4d5"),
    ("abc,abc->b", "a2b3c4"),
    ("ab,bc,ca->", "a2b3c4"),
    ("nctkv,kvw->nctw", "n1c2t3k2v4w5"),
    ("bqnc,bnchw->bqnhw", "b2q3n2c4h3w2"),
    ("hij,hjk->hik", "h1i2j3k4"),
    ("Ab,bC->AC", "A2b3C4"),
]
DOTS = [
    ("...ij,...jk->...ik", [(2, 3, 4), (2, 4, 5)]),
    ("...ij,...jk->...ik", [(3, 2, 3, 4), (3, 1, 4, 5)]),
    ("...i->...", [(2, 3, 4)]),
    ("i...->i...", [(2, 3, 4)]),
    ("b...d,dk->b...k", [(2, 3, 5, 4), (4, 3)]),
    ("...,...->...", [(2, 3), (1, 3)]),
    ("...ii->...i", [(2, 3, 3)]),
    ("a...b,b", [(2, 3, 4), (4,)]),
]


def einsum(m: Maker) -> None:
    for equation, sizes in EQUATIONS:
        size = {sizes[i]: int(sizes[i + 1]) for i in range(0, len(sizes), 2)}
        terms = equation.split("->")[0].split(",")
        m_inputs = [m.normal(*(size[letter] for letter in term)) for term in terms]
        equation_cases(m, equation, m_inputs)
    for number, (equation, shapes) in enumerate(DOTS):
        equation_cases(m, equation, [m.normal(*shape) for shape in shapes], f"_{number}")


def equation_cases(m: Maker, equation: str, inputs: list, suffix: str = "") -> None:
    name = "einsum_" + equation.replace("->", "_to_").replace(",", "_").replace("...", "dots") + suffix
    everything = range(len(inputs))
    m.case(name, "Einsum", inputs, domain="", equation=equation)
    # Letters that stand in two terms are one size: ONNX Runtime is given the same.
    m.case(name + "_sizes", "Einsum", inputs, domain="", symbolic=everything, equation=equation)
    if len(inputs) > 1:
        m.case(name + "_weights", "Einsum", inputs, domain="", constants=everything[1:], equation=equation)


def all_cases() -> list[Case]:
    maker = Maker()
    for family in (activations, norms, products, transposed, regions, experts, inverses, rotary, attention, multi_head, grouped, einsum):
        family(maker)
    return maker.cases
