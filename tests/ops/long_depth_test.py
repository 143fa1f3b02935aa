"""Products of few results over a long depth, which GPUs sum in parts, against ONNX Runtime: around the sizes where that begins and ends.

Whole numbers, so that sums are exact in any order.
"""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from onnx_cases import Case
from run_cases import run_cases

RANDOM = np.random.default_rng(31)


def whole(*dims) -> np.ndarray:
    return RANDOM.integers(-3, 4, dims).astype(np.float32)


def case(name: str, nodes, *runs: dict, constants: dict, known={"x": [1]}) -> Case:
    """`nodes` as (operator, inputs, output, attributes), the last one giving `y`. The dims of inputs are symbols but for `known` axes."""
    made = [helper.make_node(op, ins, [out], **attributes) for op, ins, out, attributes in nodes]
    inputs = [
        helper.make_tensor_value_info(key, TensorProto.FLOAT, [size if axis in known[key] else f"{key}{axis}" for axis, size in enumerate(array.shape)])
        for key, array in runs[0].items()
    ]
    tensors = [onnx.numpy_helper.from_array(array, key) for key, array in constants.items()]
    graph = helper.make_graph(made, name, inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], tensors)
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 20)])
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    data = [(inputs, {"y": session.run(["y"], inputs)[0]}) for inputs in runs]
    return Case(name, model, frozenset(node.op_type for node in made), data)


def cases() -> list[Case]:
    # Of 480 channels 3 x 2 places are a depth of 2880: eight parts, the last one short.
    image = [{"x": whole(images, 480, 2, width)} for images, width in [(1, 20), (1, 40), (2, 7), (1, 3), (1, 200)]]
    conv = [("Conv", ["x", "w", "c"], "t", {"pads": [1, 0, 0, 0]}), ("Relu", ["t"], "y", {})]
    made = [case("conv", conv, *image, constants={"w": whole(60, 480, 2, 3), "c": whole(60)})]
    grouped = [("Conv", ["x", "w"], "y", {"group": 2})]
    made.append(case("conv_of_groups", grouped, {"x": whole(1, 720, 3, 3)}, {"x": whole(1, 720, 5, 9)}, constants={"w": whole(16, 360, 2, 2)}))
    upwards = [("ConvTranspose", ["x", "w"], "y", {"strides": [2, 2], "pads": [1, 1, 1, 1]})]
    made.append(case("conv_transpose", upwards, {"x": whole(1, 160, 3, 4)}, constants={"w": whole(160, 12, 3, 3)}))
    rows = [{"x": whole(count, 1536)} for count in [33, 48, 64, 32, 1, 500]]
    made.append(case("rows", [("Gemm", ["x", "w", "c"], "t", {"alpha": 0.5, "beta": 2.0}), ("Abs", ["t"], "y", {})], *rows, constants={"w": whole(1536, 20), "c": whole(20)}))
    made.append(case("uneven", [("MatMul", ["x", "w"], "y", {})], {"x": whole(40, 1031)}, {"x": whole(33, 1031)}, constants={"w": whole(1031, 33)}))
    batched = {"x": whole(2, 40, 1100), "z": whole(2, 1100, 18)}
    made.append(case("activations", [("MatMul", ["x", "z"], "y", {})], batched, constants={}, known={"x": [2], "z": [1, 2]}))
    return made


CASES = cases()


@pytest.fixture(scope="module", params=["gpu", "fallback"])
def outcomes(request):
    return run_cases(CASES, request.param)


@pytest.mark.parametrize("name", [one.name for one in CASES])
def test_long_depth(name, outcomes):
    assert outcomes[name].status == "passed", outcomes[name].message
