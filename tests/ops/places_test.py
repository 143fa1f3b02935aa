"""Pools, pads, resizes, gathers and scatters at odd sizes and in every mode, against ONNX Runtime.

Each model holds several nodes on the same input, whose dims are symbols. With SUBBYTE_ALL=1 also all that only round.
"""

import itertools
import os

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from onnx_cases import Case
from run_cases import run_cases

ALL = os.environ.get("SUBBYTE_ALL", "0") not in {"", "0"}
RANDOM = np.random.default_rng(11)


def case(name: str, nodes, inputs: dict, opset: int = 20, atol: float = 1e-5) -> Case:
    """`nodes` as (operator, inputs, attributes), an input being a name, an array or ""; each gives outputs of the case."""
    made, constants, outputs = [], [], []
    for index, (op, ins, attributes) in enumerate(nodes):
        names = []
        for operand in ins:
            if isinstance(operand, np.ndarray):
                constants.append(onnx.numpy_helper.from_array(operand, f"c{len(constants)}"))
                operand = constants[-1].name
            names.append(operand)
        attributes = dict(attributes)
        outs = [f"y{index}_{i}" for i in range(attributes.pop("outputs", 1))]
        made.append(helper.make_node(op, names, outs, **attributes))
        outputs += [helper.make_tensor_value_info(out, TensorProto.UNDEFINED, None) for out in outs]
    declared = []
    for key, array in inputs.items():
        dtype = helper.np_dtype_to_tensor_dtype(array.dtype)
        declared.append(helper.make_tensor_value_info(key, dtype, [f"{key}{axis}" for axis in range(array.ndim)]))
    graph = helper.make_graph(made, name, declared, outputs, constants)
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", opset)])
    for output in model.graph.output:
        output.ClearField("type")
    inferred = onnx.shape_inference.infer_shapes(model)
    known = {value.name: value.type for value in [*inferred.graph.value_info, *inferred.graph.output]}
    for output in model.graph.output:
        output.type.tensor_type.elem_type = known[output.name].tensor_type.elem_type
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    expected = dict(zip(names, session.run(names, inputs)))
    return Case(name, model, frozenset(node.op_type for node in made), [(inputs, expected)], atol=atol)


def floats(*dims) -> np.ndarray:
    return RANDOM.normal(0, 1, dims).astype(np.float32)


def counted(*dims) -> np.ndarray:
    """Each element its own number: a wrong place shows."""
    return np.arange(np.prod(dims), dtype=np.float32).reshape(dims)


def ints(*values) -> np.ndarray:
    return np.array(values, np.int64)


def pools() -> list[Case]:
    x2, x1, x3 = floats(2, 3, 37, 23), floats(2, 3, 41), floats(1, 2, 9, 11, 7)
    windows = [
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
        {"kernel_shape": [2, 5], "strides": [1, 3], "pads": [0, 2, 1, 1]},
        {"kernel_shape": [3, 2], "strides": [2, 3], "ceil_mode": 1},
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 0, 0, 1], "ceil_mode": 1},
        {"kernel_shape": [3, 3], "dilations": [2, 3], "pads": [2, 1, 0, 2]},
        {"kernel_shape": [4, 3], "strides": [3, 2], "auto_pad": "SAME_UPPER"},
        {"kernel_shape": [4, 3], "strides": [3, 2], "auto_pad": "SAME_LOWER"},
        {"kernel_shape": [4, 3], "strides": [3, 2], "auto_pad": "VALID"},
        {"kernel_shape": [1, 1], "strides": [2, 2]},
    ]
    line = {"kernel_shape": [5], "strides": [3], "pads": [2, 1]}
    block = {"kernel_shape": [2, 3, 3], "strides": [2, 1, 2], "pads": [0, 1, 1, 1, 0, 1]}
    made = [
        case("max_pool", [("MaxPool", ["x"], w) for w in windows], {"x": x2}),
        case("max_pool_indices", [("MaxPool", ["x"], {**w, "outputs": 2}) for w in windows], {"x": np.round(2 * x2)}),
        case("max_pool_column_major", [("MaxPool", ["x"], {**w, "outputs": 2, "storage_order": 1}) for w in windows[:2]], {"x": x2}),
        case("max_pool_uint8", [("MaxPool", ["x"], w) for w in windows[:3]], {"x": RANDOM.integers(0, 256, x2.shape, np.uint8)}),
        case("max_pool_int8", [("MaxPool", ["x"], w) for w in windows[:3]], {"x": RANDOM.integers(-128, 128, x2.shape, np.int8)}),
        case("lp_pool", [("LpPool", ["x"], {**windows[i], "p": p}) for i in [0, 1, 4, 5] for p in [1, 2, 3]], {"x": x2}),
    ]
    for include in [0, 1]:
        nodes = [("AveragePool", ["x"], {**w, "count_include_pad": include}) for w in windows]
        made.append(case(f"average_pool_{include}", nodes, {"x": x2}))
    for name, x, window in [("1d", x1, line), ("3d", x3, block)]:
        nodes = [("MaxPool", ["x"], window), ("AveragePool", ["x"], window), ("LpPool", ["x"], window)]
        nodes += [("MaxPool", ["x"], {**window, "outputs": 2}), ("AveragePool", ["x"], {**window, "count_include_pad": 1})]
        made.append(case(f"pools_{name}", nodes, {"x": x}))
    # A pool that reads what is computed, and whose result is computed with: one kernel each.
    made.append(case("pool_of_relu", [("Relu", ["x"], {}), ("MaxPool", ["y0_0"], windows[0]), ("Sigmoid", ["y1_0"], {})], {"x": x2}))
    return made


def pads() -> list[Case]:
    x = counted(2, 5, 7)
    amounts = [(0, 2, 1, 0, 1, 3), (0, -1, 2, 0, 3, -2), (1, 0, 0, 0, 0, 0), (0, 0, 4, 0, 0, 0), (0, -2, -3, 0, -1, -1), (0, 4, 6, 0, 4, 6)]
    made = []
    for mode in ["constant", "edge", "reflect", "wrap"]:
        fitting = amounts if mode in {"constant", "edge"} else [a for a in amounts if a != (1, 0, 0, 0, 0, 0)]
        nodes = [("Pad", ["x", ints(*a)], {"mode": mode}) for a in fitting]
        nodes.append(("Pad", ["x", ints(2, 3), "", ints(-1)], {"mode": mode}))
        made.append(case(f"pad_{mode}", nodes, {"x": x}))
    value = np.array(-2.5, np.float32)
    made.append(case("pad_value", [("Pad", ["x", ints(1, 2, 0, 0, 0, 1), value], {})], {"x": x}))
    made.append(case("pad_of_integers", [("Pad", ["x", ints(1, 2), np.array(9, np.int64), ints(1)], {})], {"x": x.astype(np.int64)}))
    made.append(case("pad_of_bools", [("Pad", ["x", ints(1, 2), np.array(True), ints(1)], {})], {"x": x > 20}))
    made.append(case("pad_of_nothing", [("Pad", ["x", ints(1, 0, 2, 0)], {})], {"x": counted(0, 3)}))
    return made


COORDINATES = ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric"]
NEAREST = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]
LENGTHS = [(100, 33), (100, 77), (7, 100), (33, 100), (64, 48), (49, 7), (1, 5), (5, 1), (3, 6), (10, 30), (11, 11), (1000, 999)]


def resize(scales=None, sizes=None, roi=None, **attributes):
    operands = ["x", "" if roi is None else np.array(roi, np.float32)]
    operands.append("" if scales is None else np.array(scales, np.float32))
    return ("Resize", operands if sizes is None else [*operands, ints(*sizes)], attributes)


def nearest() -> list[Case]:
    made = []
    for size in sorted({a for a, _ in LENGTHS}):
        for coordinates in COORDINATES:
            nodes = []
            for rounding, (_, out) in itertools.product(NEAREST, [pair for pair in LENGTHS if pair[0] == size]):
                # One element lies at 45 but for rounding, which ONNX Runtime does in another order than ONNX says.
                if (size, out, coordinates) == (49, 7, "half_pixel_symmetric"):
                    continue
                modes = {"coordinate_transformation_mode": coordinates, "nearest_mode": rounding}
                nodes.append(resize(sizes=[1, 1, out, 1], **modes))
                nodes.append(resize(scales=[1, 1, out / size, 1], **modes))
            if nodes and (ALL or size in {7, 33}):
                made.append(case(f"nearest_{size}_{coordinates}", nodes, {"x": counted(1, 1, size, 1)}))
    scaled = [
        resize(scales=[1, 1, *scales], coordinate_transformation_mode=coordinates, nearest_mode=rounding)
        for scales in [(2, 2), (3, 1), (4, 2), (1.5, 0.7), (0.5, 0.25), (2.3, 3.1)]
        for coordinates, rounding in [("asymmetric", "floor"), ("half_pixel", "round_prefer_floor"), ("asymmetric", "ceil")]
    ]
    made.append(case("nearest_planes", scaled, {"x": counted(2, 3, 9, 13)}))
    made.append(case("nearest_integers", [resize(scales=[2, 1.7])], {"x": np.arange(35, dtype=np.int32).reshape(5, 7)}))
    return made


def interpolated() -> list[Case]:
    made = []
    planes = [{"scales": [1, 1, 2, 2]}, {"scales": [1, 1, 1.3, 0.6]}, {"sizes": [2, 3, 31, 4]}, {"sizes": [2, 3, 1, 17]}, {"scales": [1, 1, 0.3, 1]}]
    x = floats(2, 3, 11, 9)
    for mode, coordinates in itertools.product(["linear", "cubic"], COORDINATES):
        nodes = [resize(mode=mode, coordinate_transformation_mode=coordinates, **size) for size in planes]
        if mode == "cubic":
            nodes += [resize(mode=mode, coordinate_transformation_mode=coordinates, exclude_outside=1, **size) for size in planes[:3]]
            nodes.append(resize(mode=mode, coordinate_transformation_mode=coordinates, cubic_coeff_a=-0.5, **planes[1]))
        made.append(case(f"{mode}_{coordinates}", nodes, {"x": x}))
    for mode, outside in itertools.product(["linear", "cubic"], [0, 1]):
        nodes = [resize(mode=mode, antialias=1, exclude_outside=outside, **size) for size in [*planes, {"scales": [1, 1, 0.21, 0.4]}]]
        made.append(case(f"antialias_{mode}_{outside}", nodes, {"x": x}))
    made.append(case("linear_1d", [resize(mode="linear", scales=[1, 1, 2.6])], {"x": floats(2, 3, 13)}))
    made.append(case("linear_3d", [resize(mode="linear", scales=[1, 1, 2, 0.7, 1.4])], {"x": floats(1, 2, 5, 6, 7)}))
    crop = {"coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": 7.5}
    regions = [(0, 0, 0.2, 0.3, 1, 1, 0.9, 0.7), (0, 0, -0.5, 0.1, 1, 1, 0.8, 1.6), (0, 0, 0, 0, 1, 1, 1, 1)]
    for mode in ["nearest", "linear"]:
        nodes = [resize(sizes=[2, 3, 8, 6], roi=roi, mode=mode, **crop) for roi in regions]
        made.append(case(f"crop_{mode}", nodes, {"x": x}))
    policies = [resize(sizes=[9, 17], axes=[2, 3], mode="linear", keep_aspect_ratio_policy=p) for p in ["not_larger", "not_smaller"]]
    made.append(case("aspect_ratio", policies, {"x": x}))
    return made


def places() -> list[Case]:
    x = counted(4, 5, 6)
    indices = RANDOM.integers(-6, 6, (4, 5, 9))
    few = RANDOM.integers(-5, 5, (3, 7, 2))
    tuples = np.stack([RANDOM.integers(-4, 4, (2, 3)), RANDOM.integers(-5, 5, (2, 3))], -1)
    batched = RANDOM.integers(-5, 5, (4, 3, 1))
    classes = np.array([[0, 3, -1], [7, 2, -9]], np.int64)
    on = np.array([-1, 5], np.float32)
    return [
        case("gather_elements", [("GatherElements", ["x", indices], {"axis": 2}), ("GatherElements", ["x", few], {"axis": 1}), ("GatherElements", ["x", "i"], {"axis": -1})], {"x": x, "i": indices}),
        case("gather_nd", [("GatherND", ["x", tuples], {}), ("GatherND", ["x", batched], {"batch_dims": 1}), ("GatherND", ["x", ints(2)], {})], {"x": x}),
        case("one_hot", [("OneHot", ["i", ints(8), on], {}), ("OneHot", ["i", ints(8), on], {"axis": 1}), ("OneHot", ["i", ints(4), ints(2, 3)], {"axis": 0})], {"i": classes}),
        case("one_hot_of_floats", [("OneHot", ["i", np.array([8], np.float32), on], {})], {"i": classes.astype(np.float32)}),
        case("trilu", [("Trilu", ["x"], {}), ("Trilu", ["x", np.array(2)], {"upper": 1}), ("Trilu", ["x", np.array(-2)], {"upper": 0}), ("Trilu", ["x", np.array(2**40)], {"upper": 0}), ("Trilu", ["x", "k"], {"upper": 0})], {"x": x, "k": np.array(1)}),
        case("eye_like", [("EyeLike", ["x"], {"k": k, "dtype": dtype}) for k, dtype in [(0, TensorProto.FLOAT), (2, TensorProto.INT64), (-1, TensorProto.FLOAT)]], {"x": counted(5, 7)}),
        case("depth_to_space", [("DepthToSpace", ["x"], {"blocksize": 2, "mode": mode}) for mode in ["DCR", "CRD"]] + [("SpaceToDepth", ["x"], {"blocksize": 3})], {"x": counted(2, 12, 3, 6)}),
    ]  # fmt: skip


def scatters() -> list[Case]:
    x = floats(4, 5, 6)
    once = np.argsort(RANDOM.random((4, 5, 6)), 1)[:, :3]
    again = RANDOM.integers(-5, 5, (3, 7, 2))
    slots = RANDOM.permutation(20)[:7]
    tuples, repeated = np.stack([slots // 5, slots % 5], -1), RANDOM.integers(-4, 4, (9, 1))
    elements = [("ScatterElements", ["x", once, floats(4, 3, 6)], {"axis": 1}), ("ScatterElements", ["x", "i", "u"], {"axis": -2, "reduction": "add"})]
    slices = [("ScatterND", ["x", tuples, floats(7, 6)], {}), ("ScatterND", ["x", ints(1), floats(5, 6)], {})]
    for reduction in ["add", "mul", "max", "min"]:
        elements.append(("ScatterElements", ["x", again, "u"], {"axis": 1, "reduction": reduction}))
        slices.append(("ScatterND", ["x", repeated, floats(9, 5, 6)], {"reduction": reduction}))
    many = RANDOM.permutation(5000)[:, None]
    # Sums of whole numbers: exact in any order, and so are factors that are powers of two.
    rows, tuples = RANDOM.integers(-40, 40, (700, 3)), np.stack([RANDOM.integers(-40, 40, 900), RANDOM.integers(0, 5, 900)], -1)
    whole, powers = RANDOM.integers(-9, 9, (40, 3)).astype(np.float32), np.exp2(RANDOM.integers(-1, 2, (700, 3))).astype(np.float32)
    crowd = {"x": whole, "i": rows, "u": RANDOM.integers(-9, 9, (700, 3)).astype(np.float32), "p": powers}
    special = {"x": np.array([1, np.nan, np.inf, -np.inf, 2], np.float32), "u": np.resize(np.array([1, np.nan, 3, np.inf, -4], np.float32), 70)}
    landing = np.resize(np.array([0, 0, 3, 1, 2, 4]), 70)
    far = RANDOM.integers(2**28, 2**31, 300)
    joins = [("ScatterElements", ["x", "i", "p" if r == "mul" else "u"], {"axis": 0, "reduction": r}) for r in ["add", "mul", "max", "min"]]
    planes = [("ScatterND", ["x", tuples, "u"], {"reduction": r}) for r in ["add", "max", "min"]]
    integers = [("ScatterElements", ["x", "i", "u"], {"reduction": r}) for r in ["add", "mul", "max", "min"]]
    return [
        case("scatter_elements", elements, {"x": x, "i": again, "u": floats(3, 7, 2)}, opset=18),
        case("scatter_nd", slices, {"x": x}, opset=18),
        case("scatter_many", [("ScatterND", ["x", many, "u"], {})], {"x": floats(5000, 3), "u": floats(5000, 3)}),
        case("scatter_join_many", joins, crowd, opset=18),
        case("scatter_join_slices", planes, {"x": RANDOM.integers(-9, 9, (40, 5, 7)).astype(np.float32), "u": RANDOM.integers(-9, 9, (900, 7)).astype(np.float32)}, opset=18),
        case("scatter_join_integers", integers, {"x": far[:50].astype(np.int32), "i": RANDOM.integers(-50, 50, 300), "u": far.astype(np.int32)}, opset=18),
        case("scatter_join_bytes", integers[:1], {"x": far[:50].astype(np.int8), "i": RANDOM.integers(-50, 50, 300), "u": far.astype(np.int8)}, opset=18),
        case("scatter_join_one_place", joins[:1], {**crowd, "i": np.full((700, 3), 7)}, opset=18),
        case("scatter_join_fused", [("Abs", ["x"], {}), ("ScatterElements", ["y0_0", "i", "u"], {"axis": 0, "reduction": "add"}), ("Relu", ["y1_0"], {})], {k: crowd[k] for k in "xiu"}, opset=18),
        case("scatter_join_not_finite", [("ScatterElements", ["x", landing, "u"], {"reduction": "add"})], special, opset=18),
        case("scatter_integers", [("ScatterElements", ["x", ints(1, 3, -1), ints(10, 20, 30)], {}), ("ScatterElements", ["x", ints(1, 1, 1), ints(10, 20, 30)], {"reduction": "add"})], {"x": np.arange(5)}, opset=18),
        case("scatter_bools", [("ScatterElements", ["x", ints(1, 3), np.array([True, False])], {})], {"x": np.arange(5) > 2}),
        case("scatter_into_nothing", [("ScatterElements", ["x", "i", "u"], {"axis": 1})], {"x": counted(0, 3), "i": np.zeros((0, 2), np.int64), "u": counted(0, 2)}),
        case("scatter_nothing", [("ScatterElements", ["x", "i", "u"], {"axis": 1})], {"x": counted(2, 3), "i": np.zeros((2, 0), np.int64), "u": counted(2, 0)}),
    ]  # fmt: skip


def along_axes() -> list[Case]:
    x = np.round(floats(5, 300, 3) * 3)
    short = np.round(floats(3000, 5))
    args = [(op, {"axis": axis, "keepdims": keep, "select_last_index": last}) for op in ["ArgMax", "ArgMin"] for axis in [0, 1, -1] for keep, last in [(0, 0), (1, 1)]]
    sums = [("CumSum", [np.array(axis)], {"exclusive": e, "reverse": r}) for axis in [0, 1, -1] for e in [0, 1] for r in [0, 1]]
    # Longer than a segment of a scan: whole ones, and one that is cut; sums beyond 32 bits wrap.
    lines = [RANDOM.integers(-9, 9, dims).astype(np.float32) for dims in [(3, 12289), (8192, 2), (32000,)]]
    far = RANDOM.integers(2**29, 2**30, (2, 9001)).astype(np.int32)
    ends = [{"exclusive": e, "reverse": r} for e in [0, 1] for r in [0, 1]]
    odd = np.array([[np.nan, 1, 2], [1, np.nan, 3], [np.inf, 0, np.inf], [-np.inf, -np.inf, -np.inf]], np.float32)
    return [
        case("arg_reduce", [(op, ["x"], a) for op, a in args], {"x": x}),
        case("arg_reduce_short", [(op, ["x"], a) for op, a in args if a["axis"] != 1], {"x": short}),
        case("arg_reduce_integers", [(op, ["x"], a) for op, a in args], {"x": x.astype(np.int32)}),
        case("arg_reduce_not_finite", [(op, ["x"], {"axis": 1}) for op in ["ArgMax", "ArgMin"]], {"x": odd}),
        case("cumulative", [(op, ["x", *axis], a) for op, axis, a in sums], {"x": floats(5, 300, 3)}, atol=1e-4),
        case("cumulative_long_rows", [("CumSum", ["x", np.array(1)], a) for a in ends], {"x": lines[0]}),
        case("cumulative_long_columns", [("CumSum", ["x", np.array(0)], a) for a in ends], {"x": lines[1]}),
        case("cumulative_fused", [("Relu", ["x"], {}), ("CumSum", ["y0_0", np.array(0)], {}), ("Sigmoid", ["y1_0"], {})], {"x": lines[2]}),
        case("cumulative_wraps", [("CumSum", ["x", np.array(1)], a) for a in ends], {"x": far}),
        case("cumulative_nothing", [("CumSum", ["x", np.array(axis)], {}) for axis in [0, 1]], {"x": counted(3, 0)}),
        case("cumulative_integers", [(op, ["x", *axis], a) for op, axis, a in sums], {"x": x.astype(np.int64)}),
    ]  # fmt: skip


CASES = [*pools(), *pads(), *nearest(), *interpolated(), *places(), *scatters(), *along_axes()]


@pytest.fixture(scope="module")
def outcomes():
    return run_cases(CASES)


@pytest.mark.parametrize("name", [one.name for one in CASES])
def test_place(name, outcomes):
    assert outcomes[name].status == "passed", outcomes[name].message
