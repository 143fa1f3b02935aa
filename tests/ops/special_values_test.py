"""Every scalar operator at the values where rounding and limits decide, against ONNX Runtime: the module and the C++ reference.

Infinities, NaN, zeros of both signs, the ends of float32 and of the halves, and what rounds half to even. A subnormal float32 may be
flushed to zero anywhere (WGSL, "Floating Point Evaluation"), so none goes in and none is asked for; those of the halves are normal
in float32, which holds them, and must come out. The sign of a zero that comes out is not asked for (WGSL lets an implementation
ignore it), that of one that goes in where it decides: 1 / -0.
"""

import base64
import functools
import itertools
import math
import re

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from harness import ROOT
from onnx_cases import Case
from reference_test import DONE, run_tool
from run_cases import differs, run_cases

NAN, INF = math.nan, math.inf
LARGEST, LEAST_NORMAL = float(np.finfo(np.float32).max), float(np.finfo(np.float32).tiny)
FLOATS = [0.0, -0.0, 1, -1, 0.5, -0.5, 1.5, -1.5, 2.5, -2.5, 2, -2, 3, -3, 1 / 3, -1 / 3, 0.2, 6, -6, 10, -10, 100, -100, 88.5, -87]
FLOATS += [1e-7, -1e-7, 1e10, -1e10, 3.14159, 65504, 65519, -65519, 65520, -65520, 5e-8, 8388609, 16777216, -16777216]
FLOATS += [LARGEST, -LARGEST, LEAST_NORMAL, -LEAST_NORMAL, INF, -INF, NAN]
# What lies between two halves or two bfloat16s, and next to where they end.
HALFWAY = [1.00390625, 1.01171875, -1.00390625, -1.01171875, 1.00048828125, 1.00146484375, 3.3895e38, 3.39e38, -3.39e38, 2.9e-8, 3e-8]
HALFWAY += [300, -300, 255.5, 256.5, -128.5, 127.6, 32767.5, 2147483520, -2147483520, 1e5, -1e5, 0.99, -0.99]
HALVES = [0.0, -0.0, 1, -1, 0.5, 2.5, -2.5, 3.140625, 65504, -65504, 6.1035e-05, 5.96e-08, -5.96e-08, INF, -INF, NAN]


ZERO = {"alpha": 0.0}
UNARY = [
    ("Abs", {}), ("Acos", {}), ("Acosh", {}), ("Asin", {}), ("Asinh", {}), ("Atan", {}), ("Atanh", {}), ("Ceil", {}), ("Celu", {}),
    ("Celu", {"alpha": 0.7}), ("Celu", {"alpha": -1.5}), ("Cos", {}), ("Cosh", {}), ("Elu", {}), ("Elu", {"alpha": -2.0}), ("Elu", ZERO),
    ("Erf", {}), ("Exp", {}), ("Floor", {}), ("Gelu", {}), ("Gelu", {"approximate": "tanh"}), ("HardSigmoid", {}), ("HardSigmoid", ZERO),
    ("HardSigmoid", {"alpha": -1.0, "beta": 0.25}), ("HardSwish", {}), ("IsInf", {}), ("IsInf", {"detect_negative": 0}),
    ("IsInf", {"detect_positive": 0}), ("IsNaN", {}), ("LeakyRelu", {}), ("LeakyRelu", ZERO), ("LeakyRelu", {"alpha": -0.5}), ("Log", {}),
    ("Mish", {}), ("Neg", {}), ("Reciprocal", {}), ("Relu", {}), ("Round", {}), ("Selu", {}), ("Selu", {"alpha": 2.0, "gamma": 3.0}),
    ("Sigmoid", {}), ("Sign", {}), ("Sin", {}), ("Sinh", {}), ("Softplus", {}), ("Softsign", {}), ("Sqrt", {}), ("Tan", {}), ("Tanh", {}),
    ("ThresholdedRelu", {}), ("ThresholdedRelu", {"alpha": -0.5}), ("ThresholdedRelu", {"alpha": 0.0}),
]  # fmt: skip
COMPARISONS = ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"]
BINARY = ["Add", "Div", "Max", "Mean", "Min", "Mul", "Pow", "Sub", "Sum", *COMPARISONS]
INTEGERS = {
    np.int8: [0, 1, -1, 2, -2, 3, -3, 7, -7, 100, -100, 127, -128],
    np.uint8: [0, 1, 2, 3, 7, 100, 128, 255],
    np.int16: [0, 1, -1, 3, -7, 300, 32767, -32768],
    np.uint16: [0, 1, 3, 300, 65535],
    np.int32: [0, 1, -1, 2, -2, 3, -7, 46341, 65536, 16777217, 2147483647, -2147483648],
    np.uint32: [0, 1, 2, 3, 65536, 2147483648, 4294967295],
}
# What ONNX Runtime has no kernel for, of integers; its own exactness, saturation and wrapping are asked for by the others.
NO_ORACLE = {(op, dtype) for op in ["Max", "Min", "Clip", "Relu"] for dtype in [np.int16, np.uint16]}
INTEGER_TYPES = [TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.UINT8, TensorProto.UINT16, TensorProto.UINT32]


def info(name: str, array: np.ndarray):
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), [f"{name}{axis}" for axis in range(array.ndim)])


def run_oracle(model: onnx.ModelProto, inputs: dict) -> dict:
    """Unoptimized: the optimizer drops casts that round."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs)))


def case(name: str, nodes, inputs: dict) -> Case:
    """`nodes` as (operator, inputs, attributes), an input being a name, an array or ""; each gives one output, named after it.

    The attribute "then" lists the types that the output is cast to, one after the other.
    """
    made, constants, outputs = [], [], []
    for index, (op, operands, attributes) in enumerate(nodes):
        attributes = dict(attributes)
        names = []
        for operand in operands:
            if isinstance(operand, np.ndarray):
                constants.append(onnx.numpy_helper.from_array(operand, f"c{len(constants)}"))
                operand = constants[-1].name
            names.append(operand)
        then = attributes.pop("then", [])
        steps = [f"{op}_{index}" + "_" * (len(then) - i) for i in range(len(then) + 1)]
        made.append(helper.make_node(op, names, steps[:1], **attributes))
        made += [helper.make_node("Cast", [a], [b], to=to) for a, b, to in zip(steps, steps[1:], then)]
        outputs.append(helper.make_tensor_value_info(steps[-1], TensorProto.UNDEFINED, None))
    graph = helper.make_graph(made, name, [info(key, array) for key, array in inputs.items()], outputs, constants)
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 20)])
    for output in model.graph.output:
        output.ClearField("type")
    known = {value.name: value.type for value in onnx.shape_inference.infer_shapes(model).graph.output}
    for output in model.graph.output:
        output.type.tensor_type.elem_type = known[output.name].tensor_type.elem_type
    return Case(name, model, frozenset(node.op_type for node in made), [(inputs, run_oracle(model, inputs))])


def grid(values: np.ndarray) -> dict:
    """Every pair of them, as two inputs that broadcast."""
    return {"x": values[:, None].copy(), "y": values[None].copy()}


def by_constants(x: np.ndarray, scalar) -> list[Case]:
    """Numbers with which a compiler that knows them would reckon as if there were no NaN and no infinity."""
    made = []
    for index, number in enumerate([0.0, -0.0, INF, -INF, NAN]):
        pairs = [["x", scalar(number)], [scalar(number), "x"]]
        ops = ["Add", "Div", "Max", "Min", "Mul", "Pow", "Sub", "Less", "GreaterOrEqual"]
        made.append(case(f"by_{index}_{x.dtype}", [(op, pair, {}) for op in ops for pair in pairs], {"x": x}))
        made.append(case(f"sloped_by_{index}_{x.dtype}", [("PRelu", ["x", scalar([number])], {}), ("Mod", ["x", scalar(number)], {"fmod": 1})], {"x": x}))
    return made


def of_floats(dtype, values) -> list[Case]:
    x = np.array(values, dtype)
    name = np.dtype(dtype).name
    # Of halves ONNX Runtime has no Celu, and its Sign of NaN is 0.
    known = [(op, a) for op, a in UNARY if dtype == np.float32 or op not in {"Celu", "Sign"}]
    scalar = functools.partial(np.array, dtype=dtype)
    bounds = [(-1, 1), (1, -1), (-INF, 2), (0, INF), (NAN, 1), (-1, NAN), (-0.0, 0.0), (None, 1), (-1, None)]
    clips = [("Clip", ["x", *("" if bound is None else scalar(bound) for bound in pair)], {}) for pair in bounds]
    picked = np.resize([True, False, False], len(x))
    return [
        case(f"unary_{name}", [(op, ["x"], a) for op, a in known], {"x": x}),
        *by_constants(x, scalar),
        case(f"sign_{name}", [("Sign", ["x"], {})], {"x": x[~np.isnan(x)]}),
        case(f"binary_{name}", [(op, ["x", "y"], {}) for op in BINARY] + [("Mod", ["x", "y"], {"fmod": 1})], grid(x)),
        case(f"prelu_{name}", [("PRelu", ["x", "y"], {})], {"x": np.repeat(x[:, None], len(x), 1), "y": x[None].copy()}),
        case(f"clip_{name}", clips + [("Clip", ["x", "", ""], {})], {"x": x}),
        case(f"where_{name}", [("Where", ["b", "x", scalar(NAN)], {}), ("Where", ["b", scalar(-INF), "x"], {})], {"b": picked, "x": x}),
    ]


def of_integers(dtype, values) -> list[Case]:
    x = np.array(values, dtype)
    name, is_signed = np.dtype(dtype).name, np.dtype(dtype).kind == "i"
    unary = ["Abs", "Sign", *(["Neg", "Relu"] if is_signed else [])]
    clips = [("Clip", ["x", np.array(low, dtype), np.array(high, dtype)], {}) for low, high in [(1, 5), (5, 1)]]
    # A division by 0 or of the least number by -1 ends ONNX Runtime.
    divisors = x[(x != 0) & (x != np.array(-1).astype(dtype))]
    pairs = [(op, ["x", "y"], {}) for op in ["Add", "Sub", "Mul", "Max", "Min", *COMPARISONS]]
    with_oracle = lambda nodes: [node for node in nodes if (node[0], dtype) not in NO_ORACLE]
    cases = [
        case(f"unary_{name}", with_oracle([*((op, ["x"], {}) for op in unary), *clips]), {"x": x}),
        case(f"binary_{name}", with_oracle(pairs), grid(x)),
        case(f"bits_{name}", [("BitwiseNot", ["x"], {}), *((op, ["x", "y"], {}) for op in ["BitwiseAnd", "BitwiseOr", "BitwiseXor"])], grid(x)),
        case(f"divide_{name}", [("Div", ["x", "y"], {}), ("Mod", ["x", "y"], {}), ("Mod", ["x", "y"], {"fmod": 1})], {**grid(x), "y": divisors[None]}),
    ]
    if dtype in (np.uint8, np.uint32):  # what ONNX Runtime shifts
        shifts = np.array([[0, 1, 8 * x.itemsize - 1]], dtype)
        cases.append(case(f"shift_{name}", [("BitShift", ["x", "y"], {"direction": way}) for way in ["LEFT", "RIGHT"]], {**grid(x), "y": shifts}))
    if dtype == np.int32:  # the one narrow integer whose powers ONNX has
        base, exponent = np.array([[0], [1], [-1], [2], [-2], [3], [-7], [46340], [16777217]], dtype), np.array([[0, 1, 2, 3]], dtype)
        cases.append(case("pow_int32", [("Pow", ["x", "y"], {})], {"x": base[:-2], "y": exponent}))
        cases.append(case("pow_large_int32", [("Pow", ["x", "y"], {})], {"x": base[-2:], "y": exponent[:, :2]}))
        cases.append(case("pow_negative_int32", [("Pow", ["x", np.array([[-1, -2, -3]], dtype)], {})], {"x": base[1:]}))
    return cases


def casts() -> list[Case]:
    f, half, bfloat = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16
    made = []
    for dtype, values in [(np.float32, [*FLOATS, *HALFWAY]), (np.float16, HALVES), *INTEGERS.items()]:
        x, name = np.array(values, dtype), np.dtype(dtype).name
        chains = [(half,), (half, f), (bfloat, f), (bfloat, half), (half, bfloat, f), (f,), (TensorProto.BOOL,)]
        made.append(case(f"cast_{name}", [("Cast", ["x"], {"to": first, "then": rest}) for first, *rest in chains], {"x": x}))
        # Beyond 32 bits ONNX leaves casts of floats open.
        fits = x[np.abs(x.astype(np.float64)) < 2**31]
        made.append(case(f"cast_{name}_to_integers", [("Cast", ["x"], {"to": to}) for to in INTEGER_TYPES], {"x": fits}))
    return made


def logic() -> list[Case]:
    x, y = np.array([False, True, False, True]), np.array([False, False, True, True])
    return [case("logic", [*((op, ["x", "y"], {}) for op in ["And", "Or", "Xor", "Equal"]), ("Not", ["x"], {}), ("Cast", ["x"], {"to": TensorProto.FLOAT})], {"x": x, "y": y})]


REDUCTIONS = ["ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare"]


def rows() -> list[Case]:
    """Rows that hold what is not finite, in short and in long ones: first, last, in between, and throughout."""
    made = []
    for length in [5, 300]:
        x = np.resize(np.array([0.5, -1, 1.5, 2, -0.25], np.float32), (16, length))
        for row, (values, at) in enumerate(itertools.product([[NAN], [INF], [-INF], [INF, -INF], [NAN, INF]], [0, -3, length // 2])):
            x[row, at : at + len(values) or None] = values
        x = np.concatenate([x, np.full((1, length), -INF, np.float32), np.full((1, length), NAN, np.float32), np.full((1, length), INF, np.float32)])
        for axis, values in [(1, x), (0, np.ascontiguousarray(x.T))]:
            reductions = [(op, ["x", np.array([axis])], {}) for op in REDUCTIONS]
            softmax = [(op, ["x"], {"axis": axis}) for op in ["Softmax", "LogSoftmax"]]
            sums = [("CumSum", ["x", np.array(axis)], {"exclusive": e, "reverse": r}) for e in [0, 1] for r in [0, 1]]
            one = case(f"rows_{length}_{axis}", [*reductions, *softmax, *sums], {"x": values})
            # ONNX Runtime finds NaN only where a row begins with it; ONNX says what NumPy does.
            for op, of in [("ReduceMax", np.max), ("ReduceMin", np.min)]:
                one.data[0][1][f"{op}_{REDUCTIONS.index(op)}"] = of(values, axis, keepdims=True)
            made.append(one)
    x, axes = np.zeros((3, 0, 2), np.float32), np.array([1])
    made.append(case("reduce_nothing", [(op, ["x", axes], {}) for op in REDUCTIONS], {"x": x}))
    whole = np.zeros((3, 0), np.int32)
    made.append(case("reduce_no_integers", [(op, ["x", axes], {}) for op in ["ReduceL1", "ReduceSum", "ReduceProd", "ReduceSumSquare"]], {"x": whole}))
    return made


CASES = [*of_floats(np.float32, FLOATS), *of_floats(np.float16, HALVES), *logic(), *casts(), *rows()]
CASES += [one for dtype, values in INTEGERS.items() for one in of_integers(dtype, values)]


def scalar_operators() -> set[str]:
    """Those of src/graph/ops.def whose lowering is an expression."""
    text = (ROOT / "src" / "graph" / "ops.def").read_text(encoding="utf8")
    return set(re.findall(r"^OP\((\w+),.*\bscalar\)$", text, re.M))


# Of opset 26, which this table's models are too old for; nothing in it rounds, and ONNX's own tests ask for its bits.
BITS_ALONE = {"BitCast"}


def test_every_scalar_operator_is_in_the_table():
    assert scalar_operators() - BITS_ALONE <= {operator for one in CASES for operator in one.operators}


@pytest.fixture(scope="module")
def outcomes():
    return run_cases(CASES)


@pytest.mark.parametrize("name", [one.name for one in CASES])
def test_module(name, outcomes):
    assert outcomes[name].status == "passed", outcomes[name].message


@pytest.mark.parametrize("one", CASES, ids=lambda one: one.name)
def test_reference(one, tmp_path):
    [(inputs, expected)] = one.data
    onnx.save(one.model, tmp_path / "model.onnx")
    status, message, outputs = run_tool(tmp_path / "model.onnx", tmp_path / "run", [(str(array.dtype), array) for array in inputs.values()])
    assert status == DONE, message
    for (dtype, found), (name, wanted) in zip(outputs, expected.items(), strict=True):
        tensor = {"dtype": dtype, "dims": list(found.shape), "base64": base64.b64encode(found.tobytes())}
        assert not (difference := differs(tensor, wanted, one.atol)), f"{name}: {difference}"
