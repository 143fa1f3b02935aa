"""Tensors without elements, as constants and as inputs: what NumPy gives, and what has no value is refused."""

import dataclasses
import subprocess

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from onnx_cases import Case
from run_cases import SUBBYTE, run_cases
from sizes_test import case, integers


def zeros(*dims) -> np.ndarray:
    return np.zeros(dims, np.float32)


def ids(*values) -> np.ndarray:
    return np.array(values, np.int64)


def one(name: str, op: str, inputs: dict, y: np.ndarray, constants: dict = {}, order: list[str] = [], **attributes) -> Case:
    """`order` of the inputs where it is not first those that are given, then the constants."""
    return case(name, [(op, order or [*inputs, *constants], ["y"], attributes)], inputs, {"y": y.copy()}, constants)


B = np.array([1, 2, 3, 4], np.float32)
X = integers(3, 4)
CONSTANTS = [
    one("matmul_no_depth", "MatMul", {"x": zeros(3, 0)}, zeros(3, 4), {"w": zeros(0, 4)}),
    one("matmul_no_columns", "MatMul", {"x": integers(3, 5)}, zeros(3, 0), {"w": zeros(5, 0)}),
    one("matmul_no_rows_before", "MatMul", {"x": integers(5, 3)}, zeros(0, 3), {"w": zeros(0, 5)}, ["w", "x"]),
    one("gemm_no_depth", "Gemm", {"x": zeros(3, 0)}, zeros(3, 4) + 2 * B, {"w": zeros(0, 4), "b": B}, beta=2.0),
    one("conv_no_channels", "Conv", {"x": zeros(1, 0, 5, 5)}, zeros(1, 4, 3, 3) + B.reshape(1, 4, 1, 1),
        {"w": zeros(4, 0, 3, 3), "b": B}),
    one("gather_no_rows", "Gather", {"i": ids()}, zeros(0, 4), {"w": zeros(0, 4)}, ["w", "i"]),
    one("gather_rows_of_nothing", "Gather", {"i": ids(2, 0)}, zeros(2, 0), {"w": zeros(4, 0)}, ["w", "i"]),
    one("gather_elements_no_rows", "GatherElements", {"i": ids().reshape(0, 4)}, zeros(0, 4), {"w": zeros(0, 4)},
        ["w", "i"]),
    one("gather_nd_no_rows", "GatherND", {"x": zeros(0, 4)}, zeros(0, 4), {"i": ids().reshape(0, 1)}),
    one("scatter_nothing", "ScatterND", {"x": X}, X, {"i": ids().reshape(0, 1), "u": zeros(0, 4)}),
    one("add", "Add", {"x": integers(1, 4)}, zeros(0, 4), {"c": zeros(0, 4)}),
    one("where", "Where", {"m": np.array([[True]]), "x": integers(1, 4)}, zeros(0, 4), {"c": zeros(0, 4)}),
    one("concat", "Concat", {"x": X}, X, {"c": zeros(0, 4)}, axis=0),
    one("concat_first", "Concat", {"x": X}, X, {"c": zeros(3, 0)}, ["c", "x"], axis=1),
    one("layer_normalization", "LayerNormalization", {"x": zeros(3, 0)}, zeros(3, 0), {"s": zeros(0), "b": zeros(0)}),
    one("reduce", "ReduceSum", {"x": X}, zeros(3, 1) + X.sum(1, keepdims=True), {"axes": ids(1)}),
]  # fmt: skip
# All sizes are known only when the module runs.
INPUTS = [
    one("broadcast_none_to_one", "Add", {"a": zeros(0), "b": B[:1]}, zeros(0)),
    one("broadcast_one_to_none", "Add", {"a": B[:1], "b": zeros(0)}, zeros(0)),
    one("broadcast_none_to_none", "Mul", {"a": zeros(0), "b": zeros(0)}, zeros(0)),
    one("broadcast_one_to_four", "Sub", {"a": B[:1], "b": B}, B[:1] - B),
    one("broadcast_four_to_one", "Sub", {"a": B, "b": B[:1]}, B - B[:1]),
    one("broadcast_three", "Sum", {"a": B[:1], "b": zeros(0), "c": B[:1]}, zeros(0)),
    one("broadcast_conditions", "Where", {"m": np.array([True]), "a": zeros(0, 1), "b": B.reshape(1, 4)}, zeros(0, 4)),
    one("broadcast_comparison", "Less", {"a": zeros(1, 0), "b": X[:, :1]}, np.zeros((3, 0), bool)),
    one("broadcast_batches", "MatMul", {"a": zeros(0, 2, 3), "b": integers(1, 3, 4)}, zeros(0, 2, 4)),
    one("expand_to_none", "Expand", {"a": B[:1]}, zeros(3, 0), {"shape": ids(3, 0)}),
    case("broadcast_twice", [("Add", ["a", "b"], ["s"], {}), ("Mul", ["s", "a"], ["y"], {})],
         {"a": zeros(0, 4), "b": integers(1, 4)}, {"y": zeros(0, 4)}),
    case("broadcast_in_any_order",
         [("Add", ["a", "b"], ["s"], {}), ("Add", ["s", "c"], ["l"], {}), ("Add", ["b", "c"], ["t"], {}),
          ("Add", ["a", "t"], ["r"], {}), ("Sub", ["l", "r"], ["y"], {})],
         {"a": integers(1, 4), "b": integers(3, 1), "c": integers(1, 1)}, {"y": zeros(3, 4)}),
    one("gather_none_of_none", "Gather", {"a": zeros(0, 4), "i": ids()}, zeros(0, 4)),
    one("gather_none_of_three", "Gather", {"a": X, "i": ids()}, zeros(0, 4)),
]  # fmt: skip


def with_known_sizes(one_case: Case) -> Case:
    model = onnx.ModelProto()
    model.CopyFrom(one_case.model)
    for port in model.graph.input:
        for dim, size in zip(port.type.tensor_type.shape.dim, one_case.data[0][0][port.name].shape):
            dim.dim_value = size
    return dataclasses.replace(one_case, name=f"{one_case.name}_known", model=model)


KNOWN = [with_known_sizes(one_case) for one_case in CONSTANTS if one_case.name.startswith(("conv", "gemm", "layer"))]


@pytest.fixture(scope="module")
def outcomes():
    return run_cases([*CONSTANTS, *INPUTS, *KNOWN])


@pytest.mark.parametrize("name", [one.name for one in [*CONSTANTS, *INPUTS, *KNOWN]])
def test_what_is_empty(name, outcomes):
    assert outcomes[name].status == "passed", outcomes[name].message


def test_names_are_unique():
    names = [one.name for one in [*CONSTANTS, *INPUTS, *KNOWN]]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("precision", ["float32", "8bit", "4bit", "2bit"])
def test_every_precision_stores_nothing(precision, tmp_path):
    for one_case in CONSTANTS:
        onnx.save(one_case.model, tmp_path / "m.onnx")
        command = [str(SUBBYTE), "convert", "m.onnx", "--precision", precision, "--force"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, f"{one_case.name}: {done.stderr}"


def test_an_index_into_nothing_is_refused(tmp_path):
    graph = helper.make_graph(
        [helper.make_node("Gather", ["w", "i"], ["y"], name="pick")],
        "nothing",
        [helper.make_tensor_value_info("i", TensorProto.INT64, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(zeros(0, 4), "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)]), tmp_path / "m.onnx")
    done = subprocess.run([str(SUBBYTE), "convert", "m.onnx"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert (
        "node 'pick' (Gather): its indices have shape [2] and its data [0, 4]; an axis that they pick from must have elements"
        in done.stderr
    )
