"""Weights and constants that a file stores sparsely, against ONNX Runtime."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnx_cases import Case
from run_cases import run_cases

RANDOM = np.random.default_rng(3)


def sparse(name: str, dense: np.ndarray, by_axis: bool) -> onnx.SparseTensorProto:
    places = np.argwhere(dense) if by_axis else np.flatnonzero(dense)
    values = numpy_helper.from_array(dense[dense != 0], name)
    return helper.make_sparse_tensor(values, numpy_helper.from_array(places.astype(np.int64), name + "_places"), dense.shape)


def thinned(*dims: int, dtype=np.float32) -> np.ndarray:
    return (np.rint(8 * RANDOM.standard_normal(dims)) * (RANDOM.random(dims) < 0.3)).astype(dtype)


@pytest.fixture(scope="module")
def case() -> Case:
    """A product, its bias, a table and a constant: both forms of places, ranks 0 to 3, floats and integers."""
    held = [("w", thinned(2, 4, 6), True), ("b", thinned(6), False), ("t", thinned(5, 6), False), ("s", np.array(3, np.float32), False)]
    constant = sparse("", thinned(3, dtype=np.int64) % 5, True)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["p"]),
        helper.make_node("Add", ["p", "b"], ["q"]),
        helper.make_node("Constant", [], ["i"], sparse_value=constant),
        helper.make_node("Gather", ["t", "i"], ["g"]),
        helper.make_node("Mul", ["g", "s"], ["m"]),
        helper.make_node("Add", ["q", "m"], ["y"]),
    ]
    x = RANDOM.standard_normal((2, 3, 4)).astype(np.float32)
    infos = [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)], [helper.make_tensor_value_info("y", TensorProto.FLOAT, (2, 3, 6))]
    graph = helper.make_graph(nodes, "g", *infos, sparse_initializer=[sparse(*one) for one in held])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    # ONNX Runtime takes sparse constants of floats only, and no scalar.
    plain = onnx.ModelProto()
    plain.CopyFrom(model)
    del plain.graph.sparse_initializer[:]
    dense = {one.values.name: densified(one) for one in model.graph.sparse_initializer}
    plain.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in dense.items())
    plain.graph.node[2].CopyFrom(helper.make_node("Constant", [], ["i"], value=numpy_helper.from_array(densified(constant))))
    expected = onnxruntime.InferenceSession(plain.SerializeToString()).run(None, {"x": x})[0]
    return Case("sparse", model, frozenset(node.op_type for node in nodes), [({"x": x}, {"y": expected})])


def densified(one: onnx.SparseTensorProto) -> np.ndarray:
    values, places = numpy_helper.to_array(one.values), numpy_helper.to_array(one.indices)
    dense = np.zeros(tuple(one.dims), values.dtype)
    if places.ndim == 2:
        dense[tuple(places.T)] = values
    else:
        dense.reshape(-1)[places] = values
    return dense


def test_sparse_weights_are_those_of_dense_ones(case):
    outcome = run_cases([case])["sparse"]
    assert (outcome.status, outcome.message) == ("passed", "")
