"""Sizes that change from run to run: results do not depend on the memory that runs share, and what grows is not copied."""

import json
import subprocess

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from harness import MODELS, ROOT, convert, plan_of

RANDOM = np.random.default_rng(5)
HEADS, WIDTH = 2, 8


def floats(*dims) -> np.ndarray:
    return RANDOM.normal(0, 1, dims).astype(np.float32)


def model(nodes, inputs: dict, outputs: list, constants: dict = {}) -> onnx.ModelProto:
    """`nodes` as (operator, inputs, outputs, attributes); `inputs` by name: (element type, dims)."""
    graph = helper.make_graph(
        [helper.make_node(op, ins, outs, **attributes) for op, ins, outs, attributes in nodes],
        "sizes",
        [helper.make_tensor_value_info(name, *kind) for name, kind in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def attention(with_cache: bool) -> onnx.ModelProto:
    """Self attention of L new rows over `past` rows and themselves: [L, past + L] scores."""
    shape = ["batch", "L", HEADS * WIDTH]
    inputs = {"x": (TensorProto.FLOAT, shape)}
    constants = {
        "split": np.array([0, 0, HEADS, WIDTH]),
        "join": np.array([0, 0, HEADS * WIDTH]),
        **{f"w_{name}": floats(HEADS * WIDTH, HEADS * WIDTH) for name in "qkvo"},
    }
    nodes = []
    for name in "qkv":
        nodes += [
            ("MatMul", ["x", f"w_{name}"], [f"{name}_rows"], {}),
            ("Reshape", [f"{name}_rows", "split"], [f"{name}_split"], {}),
            ("Transpose", [f"{name}_split"], [f"{name}_new"], {"perm": [0, 2, 1, 3]}),
        ]
    for name in "kv":
        past = f"past_{name}"
        if with_cache:
            inputs[past] = (TensorProto.FLOAT, ["batch", HEADS, "past", WIDTH])
        parts = [past, f"{name}_new"] if with_cache else [f"{name}_new"]
        nodes.append(("Concat", parts, [f"present_{name}"], {"axis": 2}))
    nodes += [
        ("Transpose", ["present_k"], ["k_columns"], {"perm": [0, 1, 3, 2]}),
        ("MatMul", ["q_new", "k_columns"], ["scores"], {}),
        ("Softmax", ["scores"], ["weights"], {"axis": -1}),
        ("MatMul", ["weights", "present_v"], ["heads"], {}),
        ("Transpose", ["heads"], ["rows"], {"perm": [0, 2, 1, 3]}),
        ("Reshape", ["rows", "join"], ["joined"], {}),
        ("MatMul", ["joined", "w_o"], ["projected"], {}),
        ("Add", ["projected", "x"], ["y"], {}),
    ]
    presents = ["present_k", "present_v"] if with_cache else []
    return model(nodes, inputs, ["y", *presents], constants)


def convolution() -> onnx.ModelProto:
    inputs = {"image": (TensorProto.FLOAT, ["batch", 3, "H", "W"])}
    constants = {"w1": floats(8, 3, 3, 3), "w2": floats(8, 1, 3, 3), "w3": floats(4, 8, 1, 1), "b": floats(4)}
    nodes = [
        ("Conv", ["image", "w1"], ["c1"], {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
        ("Relu", ["c1"], ["r1"], {}),
        ("Conv", ["r1", "w2"], ["c2"], {"pads": [1, 1, 1, 1], "group": 8}),
        ("MaxPool", ["c2"], ["p2"], {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
        ("Conv", ["p2", "w3", "b"], ["c3"], {}),
        ("GlobalAveragePool", ["c2"], ["mean"], {}),
        ("Softmax", ["c3"], ["y"], {"axis": 1}),
    ]
    return model(nodes, inputs, ["y", "mean"], constants)


def sums() -> onnx.ModelProto:
    inputs = {"x": (TensorProto.FLOAT, ["L", "C"]), "ids": (TensorProto.INT64, ["N"])}
    constants = {"axis": np.array(0), "last": np.array([1])}
    nodes = [
        ("CumSum", ["x", "axis"], ["running"], {}),
        ("ReduceMean", ["running"], ["mean"], {"axes": [1], "keepdims": 1}),
        ("Sub", ["running", "mean"], ["centred"], {}),
        ("Softmax", ["centred"], ["weights"], {"axis": 0}),
        ("Gather", ["weights", "ids"], ["picked"], {"axis": 0}),
        ("Transpose", ["x"], ["columns"], {"perm": [1, 0]}),
        ("MatMul", ["picked", "columns"], ["product"], {}),
        ("ReduceMax", ["product"], ["y"], {"axes": [1], "keepdims": 0}),
    ]
    return model(nodes, inputs, ["y", "product", "centred"], constants)


def node(folder, job: dict) -> dict:
    path = folder / "job.json"
    path.write_text(json.dumps({"seed": 11, **job}))
    result = folder / "result.json"
    command = ["node", str(ROOT / "tests/models/changing_sizes.mjs"), str(path), str(result)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(result.read_text())


def converted(folder, source, precision="8bit"):
    if not isinstance(source, onnx.ModelProto):
        path = source
    else:
        path = folder / "m.onnx"
        onnx.save(source, path)
    return convert(path, folder / "m.webgpu.js", "--precision", precision, "--no-check")


CASES = {
    "attention": (lambda: attention(False), {"batch": [1, 3], "L": [1, 70]}, {}, 60),
    "cache": (lambda: attention(True), {"batch": [1, 2], "L": [1, 9], "past": [0, 90]}, {}, 60),
    "convolution": (convolution, {"batch": [1, 2], "H": [4, 40], "W": [4, 40]}, {}, 50),
    "sums": (sums, {"L": [8, 120], "C": [1, 50], "N": [0, 40]}, {"ids": 7}, 60),
    "minilm": (
        lambda: MODELS / "minilm.onnx",
        {"batch_size": [1, 2], "sequence_length": [1, 24]},
        {"input_ids": 900},
        12,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_no_bit_depends_on_the_sizes_of_other_runs(tmp_path, name):
    source, dims, most, runs = CASES[name]
    module = converted(tmp_path, source())
    result = node(tmp_path, {"module": str(module), "dims": dims, "most": most, "runs": runs})
    assert result["different"] == []
    assert result["made"] < runs, "every run made buffers"


def evaluate(plan: dict, symbols: dict) -> list:
    values = []
    binary = {
        "+": lambda a, b: a + b,
        "*": lambda a, b: a * b,
        "//": lambda a, b: a // b,
        "%": lambda a, b: a % b,
        "min": min,
        "max": max,
        "==": lambda a, b: int(a == b),
        "<": lambda a, b: int(a < b),
    }
    for entry in plan["exprs"]:
        if isinstance(entry, int):
            values.append(entry)
        elif entry[0] == "s":
            values.append(symbols[plan["symbols"][entry[1]]["name"]])
        elif entry[0] == "?":
            values.append(values[entry[2]] if values[entry[1]] else values[entry[3]])
        else:
            values.append(binary[entry[0]](*(values[i] for i in entry[1:])))
    return values


def traffic(plan: dict, symbols: dict) -> int:
    """Bytes of the tensors that a run's steps read and write."""
    values = evaluate(plan, symbols)
    tensors = [values[tensor["count"]] * tensor.get("width", 4) for tensor in plan["tensors"]]
    return sum(
        tensors[binding["tensor"]]
        for step in plan["steps"]
        for binding in step["bindings"]
        if "tensor" in binding
    )


def test_a_growing_cache(tmp_path):
    """A row more a run, the caches handed from run to run: new objects for a class of sizes only, each cache moved thrice."""
    source = attention(True)
    module = converted(tmp_path, source, "float32")
    plan = plan_of(module)
    sizes = {"batch": 1, "L": 1, "past": 100}
    growth = traffic(plan, {**sizes, "past": 1100}) - traffic(plan, sizes)
    caches = 2 * 4 * HEADS * WIDTH * 1000
    scores = 4 * 4 * HEADS * 1000
    assert growth <= 3 * caches + scores, f"{growth / caches} times the caches"

    runs = 300
    state = {"past_k": "present_k", "past_v": "present_v"}
    job = {"module": str(module), "state": state, "dims": sizes, "growing": "past", "runs": runs}
    result = node(tmp_path, job)
    arenas, buffers, groups = np.array(result["made"]).T
    assert result["pipelines"] <= len(plan["pipelines"])
    assert ((buffers + groups > 0) == (arenas > 0)).all(), "all that a class of sizes needs is made in its first run"
    assert (arenas > 0).sum() <= 22, f"{(arenas > 0).sum()} classes in {runs} runs"

    session = onnxruntime.InferenceSession(source.SerializeToString())
    caches = {name: np.zeros((1, HEADS, 0, WIDTH), np.float32) for name in state}
    for given in result["inputs"]:
        x = np.array(given["x"], np.float32).reshape(1, 1, HEADS * WIDTH)
        y, *presents = session.run(["y", *state.values()], {"x": x, **caches})
        caches = dict(zip(state, presents, strict=True))
    for name, expected in {"y": y, **{state[past]: array for past, array in caches.items()}}.items():
        found = np.array(result["outputs"][name]["data"]).reshape(expected.shape)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
