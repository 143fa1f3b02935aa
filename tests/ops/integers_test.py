"""64-bit integers at the edges of 2^31, 2^32, 2^53 and 2^63 against ONNX Runtime: right, or an error that says so.

Inputs hold what 32 bits hold (more is an error of `run` by itself) and constants anything; results leave 32 bits in every
operator that computes with integers, broadcast and reduced. What fits must be right.
"""

import itertools
import re

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnx_cases import Case
from run_cases import run_cases

INT64, UINT64 = np.int64, np.uint64
TYPES = {
    np.int64: TensorProto.INT64,
    np.uint64: TensorProto.UINT64,
    np.int32: TensorProto.INT32,
    np.uint32: TensorProto.UINT32,
    np.float32: TensorProto.FLOAT,
    np.float64: TensorProto.DOUBLE,
    np.bool_: TensorProto.BOOL,
}
# Of one word, with the roots of 2^31, 2^32, 2^53 and 2^63 nearby.
SIGNED = [0, 1, -1, 2, -2, 3, 46340, 46341, -46341, 65535, 65536, -65536, 2**30, -(2**30), 2**31 - 1, -(2**31), 94906267]
UNSIGNED = [0, 1, 2, 3, 65535, 65536, 65537, 2**31, 2**32 - 1, 94906267]
WRONG = re.compile(r"does not fit the 32 bits|out-of-range")


def pairs(values, dtype):
    a, b = zip(*itertools.product(values, values))
    return np.array(a, dtype), np.array(b, dtype)


def fits(array: np.ndarray) -> np.ndarray:
    """Which results one word holds."""
    if array.dtype == INT64:
        return (array >= -(2**31)) & (array < 2**31)
    if array.dtype == UINT64:
        return array < 2**32
    return np.ones(array.shape, bool)


def model_of(nodes, inputs: dict, output, constants: dict = {}) -> onnx.ModelProto:
    """`nodes` as (operator, inputs, attributes); the last one's output is y."""
    made = []
    for i, (op, ins, attributes) in enumerate(nodes):
        made.append(helper.make_node(op, ins, ["y" if i + 1 == len(nodes) else f"t{i}"], **attributes))
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        made,
        "integers",
        [info(k, TYPES[v.dtype.type], [f"{k}{d}" for d in range(v.ndim)]) for k, v in inputs.items()],
        [info("y", TYPES[output], None)],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def run_onnx(model, inputs: dict) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


def case(name: str, model, inputs: dict, expected: np.ndarray) -> Case:
    return Case(name, model, frozenset(node.op_type for node in model.graph.node), [(inputs, {"y": expected})])


def exact_binary(op: str, a: int, b: int) -> int | None:
    """Of any size; None where there is no result."""
    if op in {"Div", "Mod", "FMod"} and b == 0:
        return None
    quotient = (abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)) if op in {"Div", "FMod"} else 0
    return {
        "Add": lambda: a + b,
        "Sub": lambda: a - b,
        "Mul": lambda: a * b,
        "Div": lambda: quotient,
        "Mod": lambda: a % b,
        "FMod": lambda: a - b * quotient,
        "Min": lambda: min(a, b),
        "Max": lambda: max(a, b),
    }[op]()


def binary_cases(op: str, dtype) -> tuple[Case, list[Case]]:
    """All pairs whose result one word holds in one run, and of the others each in a run of its own."""
    a, b = pairs(SIGNED if dtype == INT64 else UNSIGNED, dtype)
    low, high = (-(2**31), 2**31) if dtype == INT64 else (0, 2**32)
    exact = [exact_binary(op, int(x), int(y)) for x, y in zip(a, b)]
    good = np.array([value is not None and low <= value < high for value in exact])
    attributes = {"fmod": 1} if op == "FMod" else {}
    model = model_of([(op.removeprefix("F") if op == "FMod" else op, ["a", "b"], attributes)], {"a": a, "b": b}, dtype)
    inputs = {"a": a[good], "b": b[good]}
    expected = np.array([value for value, g in zip(exact, good) if g], dtype)
    np.testing.assert_array_equal(run_onnx(model, inputs), expected)
    whole = case(f"{op}_{dtype.__name__}", model, inputs, expected)
    bad = np.flatnonzero(~good)
    single = [
        case(f"{op}_{dtype.__name__}_{a[i]}_{b[i]}", model, {"a": a[i : i + 1], "b": b[i : i + 1]}, np.zeros(1, dtype))
        for i in bad[:: max(1, len(bad) // 12)]
    ]
    return whole, single


BINARY = [
    binary_cases(op, dtype) for dtype in [INT64, UINT64] for op in ["Add", "Sub", "Mul", "Div", "Mod", "FMod", "Min", "Max"]
    if not (dtype == UINT64 and op == "FMod")
]


def right(name: str, nodes, inputs: dict, output, constants: dict = {}) -> Case:
    model = model_of(nodes, inputs, output, constants)
    expected = run_onnx(model, inputs)
    assert fits(expected).all(), name
    return case(name, model, inputs, expected)


def wrong(name: str, nodes, inputs: dict, output, constants: dict = {}) -> Case:
    """ONNX Runtime's result is not one of 32 bits."""
    return case(name, model_of(nodes, inputs, output, constants), inputs, np.zeros(1, output))


def axes(*numbers: int) -> dict:
    return {"axes": np.array(numbers, INT64)}


E = np.array([[2**31 - 1, -(2**31), 5], [1, 7, -9], [-(2**31), 2**31 - 1, 0]], INT64)
HALVES = np.array([0.5, -0.5, 2147483520.0, -2147483648.0, 1.0, -1.5, 3.99], np.float32)
LONG = np.resize(np.array([2**31 - 1, -(2**31) + 1], INT64), (2, 9000))
RIGHT = [
    right("compare_broadcast", [("Less", ["a", "b"], {})], {"a": E, "b": E[0]}, np.bool_),
    right("add_broadcast", [("Add", ["a", "b"], {})], {"a": E // 2, "b": E[:1] // 2}, INT64),
    right("sum_that_returns", [("ReduceSum", ["x", "axes"], {})], {"x": E[:, :2]}, INT64, axes(1)),
    right("sum_columns", [("ReduceSum", ["x", "axes"], {})], {"x": np.array([[2**31 - 1] * 70, [-(2**31)] * 70], INT64)}, INT64, axes(0)),
    right("sum_rows", [("ReduceSum", ["x", "axes"], {})], {"x": np.resize(np.array([2**31 - 1, -(2**31) + 1], INT64), (3, 300))}, INT64, axes(1)),
    right("l1", [("ReduceL1", ["x", "axes"], {})], {"x": np.array([[2**30, -(2**30) + 1], [-(2**31) + 1, 0]], INT64)}, INT64, axes(1)),
    right("squares", [("ReduceSumSquare", ["x", "axes"], {})], {"x": np.array([[46340, 1], [-32768, 32767]], INT64)}, INT64, axes(1)),
    right("product", [("ReduceProd", ["x", "axes"], {})], {"x": np.array([[65536, 32767, 1], [2**31 - 1, 2**31 - 1, 0], [-65536, 32768, 1]], INT64)}, INT64, axes(1)),
    right("running_sum", [("CumSum", ["x", "axis"], {})], {"x": np.array([[2**31 - 1, -5, 5, -(2**31)]], INT64)}, INT64, {"axis": np.array(1, INT64)}),
    right("long_running_sum", [("CumSum", ["x", "axis"], {})], {"x": LONG}, INT64, {"axis": np.array(1, INT64)}),
    right("long_running_sum_back", [("CumSum", ["x", "axis"], {"reverse": 1, "exclusive": 1})], {"x": LONG}, INT64, {"axis": np.array(1, INT64)}),
    right("long_running_sum_columns", [("CumSum", ["x", "axis"], {})], {"x": LONG.T.copy()}, INT64, {"axis": np.array(0, INT64)}),
    right("scatter_many", [("ScatterElements", ["d", "i", "u"], {"reduction": "add"})], {"d": np.array([1, 2], INT64), "i": np.resize(np.array([0, 1], INT64), 300), "u": np.resize(np.array([2**31 - 1, 5, -(2**31) + 1, -5], INT64), 300)}, INT64),
    right("counted", [("NonZero", ["x"], {}), ("Add", ["t0", "c"], {})], {"x": np.array([0, 1, 1], np.float32)}, INT64, {"c": np.array(5, INT64)}),
    right("cast_from_float", [("Cast", ["x"], {"to": TensorProto.INT64})], {"x": HALVES}, INT64),
    right("cast_from_uint32", [("Cast", ["x"], {"to": TensorProto.INT64})], {"x": np.array([0, 2**31 - 1], np.uint32)}, INT64),
    right("cast_to_int32", [("Cast", ["x"], {"to": TensorProto.INT32})], {"x": E}, np.int32),
    right("power", [("Pow", ["x", "n"], {})], {"x": np.array([46340, -46340, -2, 2, 1, -1, 0, 7], INT64), "n": np.array([2, 2, 31, 30, -5, -3, 0, 11], INT64)}, INT64),
    right("power_by_float", [("Pow", ["x", "n"], {})], {"x": np.array([46339, -46340, 1290], INT64), "n": np.array([2, 2, 3], np.float32)}, INT64),
    right("neg_abs", [("Neg", ["x"], {}), ("Abs", ["t0"], {})], {"x": np.array([2**31 - 1, -(2**31) + 1, 0], INT64)}, INT64),
    right("where_leaves_out", [("Mul", ["x", "x"], {}), ("Where", ["m", "t0", "x"], {})], {"x": np.array([2**31 - 1, 7, -(2**31)], INT64), "m": np.array([False, True, False])}, INT64),
    right("where_leaves_out_a_log", [("Log", ["x"], {}), ("Cast", ["t0"], {"to": TensorProto.INT64}), ("Where", ["m", "t1", "y0"], {})], {"x": np.array([0, 1e6], np.float32), "m": np.array([False, True]), "y0": np.array([3, 4], INT64)}, INT64),
    right("padded", [("Mul", ["x", "x"], {}), ("Pad", ["t0", "p"], {})], {"x": np.array([3, 46340], INT64)}, INT64, {"p": np.array([2, 3], INT64)}),
    right("joined", [("Mul", ["x", "x"], {}), ("Concat", ["t0", "z"], {"axis": 0})], {"x": np.array([3, 46340], INT64), "z": np.array([2**31 - 1] * 3, INT64)}, INT64),
    right("gathered", [("Add", ["x", "x"], {}), ("Gather", ["d", "t0"], {})], {"x": np.array([0, 1], INT64), "d": E[0]}, INT64),
    right("mask_positions", [("CumSum", ["attention_mask", "axis"], {}), ("Sub", ["t0", "axis"], {})], {"attention_mask": np.array([[0, 0, 1, 1], [1, 1, 1, 0]], INT64)}, INT64, {"axis": np.array(1, INT64)}),
    right("best_of_few", [("ArgMax", ["x"], {"keepdims": 0}), ("Mul", ["t0", "c"], {})], {"x": np.array([[1, 5, 2], [9, 5, 2], [0, 0, 0]], np.float32).T.copy()}, INT64, {"c": np.array(2**30, INT64)}),
    right("mask_times", [("CumSum", ["attention_mask", "axis"], {}), ("Mul", ["t0", "c"], {})], {"attention_mask": np.array([[0, 0, 1, 0]], INT64)}, INT64, {"axis": np.array(1, INT64), "c": np.array(2**30, INT64)}),
    right("double", [("Cast", ["x"], {"to": TensorProto.INT64})], {"x": np.array([16777215.0, -16777215.0, 0.5])}, INT64),
    right("range_to_the_end", [("Range", ["a", "b", "c"], {})], {"a": np.array(2**31 - 3, INT64), "b": np.array(2**31, INT64), "c": np.array(2, INT64)}, INT64),
    right("none_of_none", [("ReduceMax", ["x", "axes"], {})], {"x": np.zeros((0, 0), INT64)}, INT64, axes(1)),
    case("greatest_of_no_uint64", model_of([("ReduceMax", ["x", "axes"], {})], {"x": np.zeros((2, 0), UINT64)}, UINT64, axes(1)), {"x": np.zeros((2, 0), UINT64)}, np.zeros((2, 1), UINT64)),
    right("scatter_add", [("ScatterElements", ["d", "i", "u"], {"reduction": "add"})], {"d": E[0], "i": np.array([1, 0, 1, 0], INT64), "u": np.array([2**31 - 1, 5, 1, -5], INT64)}, INT64),
]
WRONG_CASES = [
    wrong("greatest_of_none", [("ReduceMax", ["x", "axes"], {})], {"x": np.zeros((2, 0), INT64)}, INT64, axes(1)),
    wrong("range_beyond_the_end", [("Range", ["a", "b", "c"], {})], {"a": np.array(2**31 - 3, INT64), "b": np.array(2**31 + 2, INT64), "c": np.array(2, INT64)}, INT64),
    wrong("range_below_the_end", [("Range", ["a", "b", "c"], {})], {"a": np.array(2 - 2**31, INT64), "b": np.array(-(2**31) - 4, INT64), "c": np.array(-3, INT64)}, INT64),
    wrong("least_of_none", [("ReduceMin", ["x", "axes"], {})], {"x": np.zeros((0, 2), INT64)}, INT64, axes(0)),
    wrong("least_of_no_uint64", [("ReduceMin", ["x", "axes"], {})], {"x": np.zeros((2, 0), UINT64)}, UINT64, axes(1)),
    wrong("greatest_of_none_found", [("NonZero", ["x"], {}), ("ReduceMax", ["t0", "axes"], {})], {"x": np.zeros(3, np.float32)}, INT64, axes(1)),
    wrong("best_of_many", [("ArgMax", ["x"], {"keepdims": 0}), ("Mul", ["t0", "c"], {})], {"x": np.array([[0], [0], [1]], np.float32)}, INT64, {"c": np.array(2**30, INT64)}),
    wrong("double_beyond_floats", [("Cast", ["x"], {"to": TensorProto.INT64})], {"x": np.array([16777217.0])}, INT64),
    wrong("add_broadcast", [("Add", ["a", "b"], {})], {"a": E, "b": E[0]}, INT64),
    wrong("sum", [("ReduceSum", ["x", "axes"], {})], {"x": np.full((1, 4), 2**30, INT64)}, INT64, axes(1)),
    wrong("sum_to_0", [("ReduceSum", ["x", "axes"], {})], {"x": np.full((4, 1), 2**30, INT64)}, INT64, axes(0)),
    wrong("sum_of_2_53", [("ReduceSum", ["x", "axes"], {})], {"x": np.full((1, 2**22), 2**31 - 1, INT64)}, INT64, axes(1)),
    wrong("sum_negative", [("ReduceSum", ["x", "axes"], {})], {"x": np.full((1, 3), -(2**31), INT64)}, INT64, axes(1)),
    wrong("l1", [("ReduceL1", ["x", "axes"], {})], {"x": np.array([[-(2**31)]], INT64)}, INT64, axes(1)),
    wrong("squares", [("ReduceSumSquare", ["x", "axes"], {})], {"x": np.array([[46341]], INT64)}, INT64, axes(1)),
    wrong("squares_of_2_32", [("ReduceSumSquare", ["x", "axes"], {})], {"x": np.full((1, 4), 2**15, INT64)}, INT64, axes(1)),
    wrong("product", [("ReduceProd", ["x", "axes"], {})], {"x": np.array([[65536, 65536]], INT64)}, INT64, axes(1)),
    wrong("product_of_2_63", [("ReduceProd", ["x", "axes"], {})], {"x": np.full((1, 63), 2, INT64)}, INT64, axes(1)),
    wrong("running_sum", [("CumSum", ["x", "axis"], {})], {"x": np.array([2**31 - 1, 1, -1], INT64)}, INT64, {"axis": np.array(0, INT64)}),
    wrong("long_running_sum", [("CumSum", ["x", "axis"], {})], {"x": np.full((1, 9000), 300000, INT64)}, INT64, {"axis": np.array(1, INT64)}),
    wrong("after_a_count", [("NonZero", ["x"], {}), ("Gather", ["v", "t0"], {}), ("Mul", ["t1", "t1"], {})], {"x": np.array([0, 1, 1], np.float32), "v": np.array([65536, 65536, 1], INT64)}, INT64),
    wrong("cast_2_31", [("Cast", ["x"], {"to": TensorProto.INT64})], {"x": np.array([2147483648.0], np.float32)}, INT64),
    wrong("cast_nan", [("Cast", ["x"], {"to": TensorProto.INT64})], {"x": np.array([np.nan], np.float32)}, INT64),
    wrong("cast_infinity", [("Cast", ["x"], {"to": TensorProto.INT64})], {"x": np.array([-np.inf], np.float32)}, INT64),
    wrong("cast_negative", [("Cast", ["x"], {"to": TensorProto.UINT64})], {"x": np.array([-1], INT64)}, UINT64),
    wrong("cast_uint32", [("Cast", ["x"], {"to": TensorProto.INT64})], {"x": np.array([2**31], np.uint32)}, INT64),
    wrong("cast_uint64", [("Cast", ["x"], {"to": TensorProto.INT64})], {"x": np.array([2**31], UINT64)}, INT64),
    wrong("power", [("Pow", ["x", "n"], {})], {"x": np.array([2], INT64), "n": np.array([31], INT64)}, INT64),
    wrong("power_2_63", [("Pow", ["x", "n"], {})], {"x": np.array([-2], INT64), "n": np.array([63], INT64)}, INT64),
    wrong("power_by_float", [("Pow", ["x", "n"], {})], {"x": np.array([50000], INT64), "n": np.array([2], np.float32)}, INT64),
    wrong("neg", [("Neg", ["x"], {})], {"x": np.array([-(2**31)], INT64)}, INT64),
    wrong("abs", [("Abs", ["x"], {})], {"x": np.array([-(2**31)], INT64)}, INT64),
    wrong("compare_after", [("Mul", ["x", "x"], {}), ("Less", ["t0", "x"], {})], {"x": np.array([65536], INT64)}, np.bool_),
    wrong("compare_with_a_constant", [("Mul", ["x", "x"], {}), ("Less", ["t0", "c"], {})], {"x": np.array([2**31 - 1], INT64)}, np.bool_, {"c": np.array(2**53, INT64)}),
    wrong("float_after", [("Mul", ["x", "x"], {}), ("Cast", ["t0"], {"to": TensorProto.FLOAT})], {"x": np.array([65536], INT64)}, np.float32),
    wrong("where_takes", [("Mul", ["x", "x"], {}), ("Where", ["m", "t0", "x"], {})], {"x": np.array([2**31 - 1, 7], INT64), "m": np.array([True, True])}, INT64),
    wrong("gathered", [("Mul", ["x", "x"], {}), ("Gather", ["d", "t0"], {})], {"x": np.array([65536], INT64), "d": E[0]}, INT64),
    wrong("summed_after", [("Mul", ["x", "x"], {}), ("ReduceMax", ["t0", "axes"], {})], {"x": np.array([[65536, 1]], INT64)}, INT64, axes(1)),
    wrong("scatter_add", [("ScatterElements", ["d", "i", "u"], {"reduction": "add"})], {"d": E[0], "i": np.array([0], INT64), "u": np.array([1], INT64)}, INT64),
    wrong("mask_that_is_none", [("CumSum", ["attention_mask", "axis"], {}), ("Sub", ["t0", "axis"], {})], {"attention_mask": np.array([[0, 2]], INT64)}, INT64, {"axis": np.array(1, INT64)}),
    wrong("scatter_mul", [("ScatterElements", ["d", "i", "u"], {"reduction": "mul"})], {"d": E[0], "i": np.array([0], INT64), "u": np.array([2], INT64)}, INT64),
    wrong("size_times_size", [("Shape", ["x"], {}), ("ReduceProd", ["t0"], {"keepdims": 1}), ("Mul", ["t1", "c"], {}), ("Add", ["t2", "z"], {})], {"x": np.zeros((70, 70), np.float32), "z": np.array([1], INT64)}, INT64, {"c": np.array([2**20], INT64)}),
    *(one for _, single in BINARY for one in single),
]
for index, one in enumerate(WRONG_CASES):
    one.name = f"{index}_{one.name}"
ALL_RIGHT = [whole for whole, _ in BINARY] + RIGHT


@pytest.fixture(scope="module", params=["fallback", "gpu"])
def outcomes(request):
    return run_cases(ALL_RIGHT + WRONG_CASES, request.param)


@pytest.mark.parametrize("name", [one.name for one in ALL_RIGHT])
def test_what_fits_is_right(name, outcomes):
    assert outcomes[name].status == "passed", outcomes[name].message


@pytest.mark.parametrize("name", [one.name for one in WRONG_CASES])
def test_what_does_not_fit_is_an_error(name, outcomes):
    outcome = outcomes[name]
    assert outcome.status != "passed"
    assert WRONG.search(outcome.message), outcome.message
