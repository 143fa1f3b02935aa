"""64-bit constants that the GPU's 32 bits do not hold, against ONNX Runtime: right, or refused by convert; never clamped.

Where all 32-bit numbers lie on one side of a limit or a comparand, the result is right; as an output, a constant is exact.
"""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from onnx_cases import Case
from run_cases import run_cases

EDGES = [2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**32, 2**53 + 1, 2**63 - 1, -(2**63)]
UNSIGNED_EDGES = [2**32 - 1, 2**32, 2**53 + 1, 2**63, 2**64 - 1]
TYPES = {np.int64: TensorProto.INT64, np.uint64: TensorProto.UINT64, np.bool_: TensorProto.BOOL}
X = {
    np.int64: np.array([-(2**31), -7, 0, 1, 2**31 - 1], np.int64),
    np.uint64: np.array([0, 1, 7, 2**31, 2**32 - 1], np.uint64),
}
COMPARISONS = ["Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"]


def case_of(name: str, nodes, constants: dict, inputs: dict, result) -> Case:
    graph = helper.make_graph(
        [helper.make_node(op, ins, ["y"], **attributes) for op, ins, attributes in nodes],
        name,
        [helper.make_tensor_value_info(k, TYPES[v.dtype.type], v.shape) for k, v in inputs.items()],
        [helper.make_tensor_value_info("y", TYPES[result], None)],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    return Case(name, model, frozenset(op for op, _, _ in nodes), [(inputs, {"y": expected(model, inputs)})])


def expected(model, inputs: dict) -> np.ndarray:
    """ONNX's own reference where ONNX Runtime has no such operator of uint64."""
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented:
        session = ReferenceEvaluator(model)
    return session.run(None, inputs)[0]


def with_constant(dtype, edge: int) -> list[Case]:
    x, c = X[dtype], np.array(edge, dtype)
    label = f"{dtype.__name__}_{edge}"
    inputs = {"x": x}
    cases = [case_of(f"{op}_{label}", [(op, ["x", "c"], {})], {"c": c}, inputs, np.bool_) for op in COMPARISONS]
    cases += [case_of(f"{op}_from_{label}", [(op, ["c", "x"], {})], {"c": c}, inputs, np.bool_) for op in COMPARISONS]
    cases += [case_of(f"{op}_{label}", [(op, ["x", "c"], {})], {"c": c}, inputs, dtype) for op in ["Min", "Max"]]
    cases.append(case_of(f"ClipLow_{label}", [("Clip", ["x", "c"], {})], {"c": c}, inputs, dtype))
    cases.append(case_of(f"ClipHigh_{label}", [("Clip", ["x", "", "c"], {})], {"c": c}, inputs, dtype))
    where = {"x": x, "m": x > 0}
    cases.append(case_of(f"Where_{label}", [("Where", ["m", "x", "c"], {})], {"c": c}, where, dtype))
    pads = {"c": c, "p": np.array([1, 1], np.int64)}
    cases.append(case_of(f"Pad_{label}", [("Pad", ["x", "p", "c"], {})], pads, inputs, dtype))
    vector = {"c": np.array([edge, 0, 0, 0, 0], dtype)}
    cases.append(case_of(f"MaxVector_{label}", [("Max", ["x", "c"], {})], vector, inputs, dtype))
    concat = {"c": np.full(3, edge, dtype)}
    cases.append(case_of(f"Concat_{label}", [("Concat", ["x", "c"], {"axis": 0})], concat, inputs, dtype))
    fill = numpy_helper.from_array(np.array([edge], dtype), "value")
    shape = [("ConstantOfShape", ["s"], {"value": fill})]
    cases.append(case_of(f"ConstantOfShape_{label}", shape, {}, {"s": np.array([3], np.int64)}, dtype))
    return cases


def constant_output(elements: int) -> Case:
    """The output is the constant itself."""
    c = np.resize(np.array(EDGES, np.int64), elements)
    return case_of(f"Identity_{elements}", [("Identity", ["c"], {})], {"c": c}, {}, np.int64)


CASES = [case for edge in EDGES for case in with_constant(np.int64, edge)]
CASES += [case for edge in UNSIGNED_EDGES for case in with_constant(np.uint64, edge)]
EXACT = [constant_output(8), constant_output(2000)]


@pytest.fixture(scope="module")
def outcomes():
    return run_cases(CASES + EXACT)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_right_or_refused(case, outcomes):
    outcome = outcomes[case.name]
    assert outcome.status in {"passed", "refused"}, outcome.message
    if outcome.status == "refused":
        assert "does not fit the 32 bits" in outcome.message


@pytest.mark.parametrize("case", EXACT, ids=lambda case: case.name)
def test_constant_outputs_are_exact(case, outcomes):
    assert outcomes[case.name].status == "passed", outcomes[case.name].message


def test_what_lies_on_one_side_is_right(outcomes):
    """Exporters write the limits of 64 bits where they mean none."""
    names = [f"{op}_int64_{edge}" for op in [*COMPARISONS, "Min", "ClipHigh"] for edge in [2**63 - 1, 2**31]]
    names += [f"{op}_int64_{edge}" for op in [*COMPARISONS, "Max", "ClipLow"] for edge in [-(2**63), -(2**31) - 1]]
    names += [f"{op}_uint64_{edge}" for op in [*COMPARISONS, "Min", "ClipHigh"] for edge in [2**32, 2**64 - 1]]
    assert {name: outcomes[name].status for name in names} == dict.fromkeys(names, "passed")
