"""NonZero, and what reads what it finds, against ONNX Runtime: sizes that the GPU counts."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from onnx_cases import Case
from run_cases import run_cases

RANDOM = np.random.default_rng(23)


def case(name: str, nodes, outputs: list[str], *runs: dict, constants: dict = {}) -> Case:
    """`nodes` as (operator, inputs, outputs, attributes); one module, run with each of `runs` in turn."""
    made = [helper.make_node(op, ins, outs, **attributes) for op, ins, outs, attributes in nodes]
    inputs = [
        helper.make_tensor_value_info(key, helper.np_dtype_to_tensor_dtype(array.dtype), [f"{key}{axis}" for axis in range(array.ndim)])
        for key, array in runs[0].items()
    ]
    tensors = [onnx.numpy_helper.from_array(array, key) for key, array in constants.items()]
    graph = helper.make_graph(made, name, inputs, [onnx.ValueInfoProto(name=output) for output in outputs], tensors)
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)])
    inferred = {value.name: value for value in [*onnx.shape_inference.infer_shapes(model).graph.value_info, *onnx.shape_inference.infer_shapes(model).graph.output]}
    for output in model.graph.output:
        output.type.tensor_type.elem_type = inferred[output.name].type.tensor_type.elem_type
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = [dict(zip(outputs, session.run(outputs, inputs))) for inputs in runs]
    return Case(name, model, frozenset(node.op_type for node in made), list(zip(runs, expected)))


def sparse(*dims, share=0.3, dtype=np.float32) -> np.ndarray:
    """Whole numbers, a share of them not 0."""
    return (RANDOM.integers(1, 5, dims) * (RANDOM.random(dims) < share)).astype(dtype)


def cases() -> list[Case]:
    alone = [("NonZero", ["x"], ["y"], {})]
    made = [case(f"rank_{len(dims)}", alone, ["y"], {"x": sparse(*dims)}) for dims in [(17,), (5, 7), (2, 3, 5), (2, 1, 3, 4)]]
    # More and fewer from run to run, none, all, and no elements.
    made.append(case("from_run_to_run", alone, ["y"], *({"x": sparse(9, 31, share=share)} for share in [0.1, 0.9, 0, 1, 0.5]), {"x": sparse(0, 31)}, {"x": sparse(40, 2)}))
    made.append(case("long", alone, ["y"], {"x": sparse(3, 9001)}, {"x": sparse(4096)[None]}, {"x": sparse(4097, share=1)[None]}))
    special = np.array([0, -0.0, np.nan, np.inf, -np.inf, 1e-30], np.float32)
    made.append(case("special_values", alone, ["y"], {"x": special}))
    for dtype in [np.bool_, np.uint8, np.int32, np.int64]:  # those of ONNX Runtime
        made.append(case(f"of_{np.dtype(dtype).name}", alone, ["y"], {"x": sparse(6, 8, dtype=dtype)}))
    gathered = [("NonZero", ["x"], ["at"], {}), ("Transpose", ["at"], ["places"], {"perm": [1, 0]}), ("GatherND", ["x", "places"], ["y"], {})]
    runs = [{"x": sparse(7, 11, share=share)} for share in [0.4, 0, 1, 0.05]]
    made.append(case("gathered", gathered, ["y", "places"], *runs))
    # What is found selects rows, is joined with others, and is reduced.
    rows = [
        ("Greater", ["s", "least"], ["mask"], {}), ("NonZero", ["mask"], ["at"], {}), ("Squeeze", ["at", "axis"], ["rows"], {}),
        ("Gather", ["x", "rows"], ["picked"], {}), ("Concat", ["picked", "x"], ["joined"], {"axis": 0}),
        ("ReduceMax", ["joined"], ["most"], {}), ("MatMul", ["picked", "w"], ["y"], {}), ("Shape", ["picked"], ["dims"], {}),
    ]  # fmt: skip
    scores = [{"s": sparse(12, share=share), "x": sparse(12, 8)} for share in [0.5, 0, 1]]
    constants = {"least": np.array(0.5, np.float32), "axis": np.array([0]), "w": RANDOM.integers(-3, 4, (8, 4)).astype(np.float32)}
    made.append(case("rows", rows, ["y", "joined", "most", "dims"], *scores, constants=constants))
    # Two counts, one of what the other found; and a count of which only the number is used.
    twice = [
        *gathered[:2], ("GatherND", ["x", "places"], ["values"], {}), ("Sub", ["values", "one"], ["less"], {}), ("NonZero", ["less"], ["again"], {}),
        ("NonZero", ["z"], ["other"], {}), ("Shape", ["other"], ["dims"], {}), ("Gather", ["dims", "second"], ["count"], {}),
        ("Range", ["none", "count", "step"], ["numbers"], {}),
    ]  # fmt: skip
    runs = [{"x": sparse(7, 11, share=share), "z": sparse(9, share=share)} for share in [0.6, 0, 1]]
    constants = {"one": np.array(1, np.float32), "second": np.array(1), "none": np.array(0), "step": np.array(1)}
    made.append(case("twice", twice, ["again", "numbers"], *runs, constants=constants))
    return made


CASES = cases()


@pytest.fixture(scope="module")
def outcomes():
    return run_cases(CASES)


@pytest.mark.parametrize("name", [one.name for one in CASES])
def test_nonzero(name, outcomes):
    assert outcomes[name].status == "passed", outcomes[name].message
