"""LSTM, GRU and RNN against ONNX Runtime: directions, biases, lengths, first states, peepholes, clips, activations, sizes from
run to run, in the forms of the kernels that hold their state in a workgroup and in a tensor.
"""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from onnx_cases import Case
from run_cases import run_cases

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
RANDOM = np.random.default_rng(12)


def noise(*dims, scale=1.0) -> np.ndarray:
    return (RANDOM.uniform(-scale, scale, dims)).astype(np.float32)


def case(name: str, op: str, runs: list[tuple[int, int]], hidden: int, size: int = 5, *, biases=True, states=(), lengths=False, peepholes=False,
         outputs=("y", "y_h", "y_c"), fixed=True, direction="forward", **attributes) -> Case:  # fmt: skip
    """`runs` are (times, batch); `states` the inputs for first states; `fixed`: weights are initializers."""
    directions = 2 if direction == "bidirectional" else 1
    rows = GATES[op] * hidden
    weights = {"w": noise(directions, rows, size, scale=0.7), "r": noise(directions, rows, hidden, scale=1.2 / hidden**0.5)}
    if biases:
        weights["b"] = noise(directions, 2 * rows, scale=0.5)
    if peepholes:
        weights["p"] = noise(directions, 3 * hidden)
    feeds = []
    for times, batch in runs:
        feed = {"x": noise(times, batch, size)}
        if lengths:
            feed["lengths"] = RANDOM.integers(1, times + 1, batch).astype(np.int32)
        feed |= {state: noise(directions, batch, hidden) for state in states}
        if not fixed:
            feed |= weights
        feeds.append(feed)
    wanted = ["x", "w", "r", "b", "lengths", "h", "c", "p"][: 8 if op == "LSTM" else 6]
    there = {**weights, **feeds[0]}
    made = [output if output in outputs else "" for output in ["y", "y_h", "y_c"][: 3 if op == "LSTM" else 2]]
    node = helper.make_node(op, [key if key in there else "" for key in wanted], made, hidden_size=hidden, direction=direction, **attributes)
    names = {"x": ["times", "batch", size], "lengths": ["batch"], "h": [directions, "batch", hidden], "c": [directions, "batch", hidden]}
    inputs = [
        helper.make_tensor_value_info(key, helper.np_dtype_to_tensor_dtype(array.dtype), names.get(key, list(array.shape)))
        for key, array in feeds[0].items()
    ]
    tensors = [onnx.numpy_helper.from_array(array, key) for key, array in weights.items()] if fixed else []
    kept = [output for output in made if output]
    graph = helper.make_graph([node], name, inputs, [helper.make_tensor_value_info(key, TensorProto.FLOAT, None) for key in kept], tensors)
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)])
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = [dict(zip(kept, session.run(kept, feed))) for feed in feeds]
    return Case(name, model, frozenset({op}), list(zip(feeds, expected)), atol=1e-5)


def cases() -> list[Case]:
    made = []
    for op in GATES:
        made.append(case(f"{op}_forward", op, [(7, 3), (1, 1), (4, 9)], 17))
        made.append(case(f"{op}_reverse", op, [(6, 2)], 40, direction="reverse", states=("h",)))
        made.append(case(f"{op}_both", op, [(5, 3), (2, 1)], 33, direction="bidirectional", lengths=True, states=("h", "c")[: 2 if op == "LSTM" else 1]))
        made.append(case(f"{op}_last_only", op, [(5, 2)], 8, biases=False, outputs=("y_h",)))
        made.append(case(f"{op}_clip", op, [(5, 2)], 8, clip=0.3))
        made.append(case(f"{op}_computed_weights", op, [(3, 2)], 12, fixed=False, direction="bidirectional"))
        # More than a workgroup holds.
        made.append(case(f"{op}_large", op, [(2, 2)], 1030, size=3, states=("h", "c")[: 2 if op == "LSTM" else 1], direction="reverse"))
    made.append(case("GRU_linear_before_reset", "GRU", [(7, 3), (2, 2)], 35, linear_before_reset=1, lengths=True, direction="bidirectional"))
    made.append(case("GRU_linear_unbiased", "GRU", [(4, 2)], 9, linear_before_reset=1, biases=False))
    everything = {"peepholes": True, "lengths": True, "states": ("h", "c"), "direction": "bidirectional"}
    made.append(case("LSTM_everything", "LSTM", [(6, 3), (3, 2)], 21, **everything))
    made.append(case("LSTM_input_forget", "LSTM", [(6, 3)], 10, peepholes=True, input_forget=1))
    functions = ["Affine", "Elu", "HardSigmoid", "LeakyRelu", "Relu", "ScaledTanh", "Softplus", "Softsign", "ThresholdedRelu"]
    for function in functions:
        made.append(case(f"RNN_{function}", "RNN", [(3, 2)], 6, activations=[function], activation_alpha=[0.7], activation_beta=[0.3]))
    made.append(case("RNN_two_functions", "RNN", [(4, 2)], 6, direction="bidirectional", activations=["Relu", "Tanh"]))
    made.append(case("LSTM_functions", "LSTM", [(4, 2)], 6, activations=["HardSigmoid", "Softsign", "Elu"], activation_alpha=[0.25, 0.9], activation_beta=[0.45]))
    return made


CASES = cases()


@pytest.fixture(scope="module")
def outcomes():
    return run_cases(CASES)


@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_as_onnx_runtime(name, outcomes):
    assert outcomes[name].status == "passed", outcomes[name].message
