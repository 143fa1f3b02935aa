"""Long and large graphs: converted in time that grows with their size and with little stack; chains are loaded, and right."""

import pathlib
import resource
import subprocess

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from onnx_cases import Case
from run_cases import SUBBYTE, run_cases

LONG = 100_000
STACK = 512 * 1024
X = np.array([[0.5, -1, 2], [0.25, 3, -0.125]], np.float32)
# What the nodes of a chain are, in turn, with the constants that they read.
CHAINS = {
    "transpose": [("Transpose", {})],
    "unsqueeze": [("Unsqueeze", {"axes": np.array([0])}), ("Squeeze", {"axes": np.array([0])})],
    "reshape": [("Reshape", {"three": np.array([3, 2])}), ("Reshape", {"two": np.array([2, 3])})],
    "sin_and_cos": [("Sin", {}), ("Cos", {})],
    "relu": [("Relu", {})],
    "add": [("Add", {"c": np.array([1, 2, 4], np.float32)})],
    "a_view_and_a_formula": [("Transpose", {}), ("Neg", {})],
}


def model_of(name: str, nodes: list, constants: dict = {}, outputs: list[str] = ["y"]) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, X.shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None) for output in outputs],
        [onnx.numpy_helper.from_array(array, key) for key, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])


def chain(name: str, length: int) -> onnx.ModelProto:
    kinds = CHAINS[name]
    nodes = []
    for i in range(length):
        op, constants = kinds[i % len(kinds)]
        inputs = ["x" if i == 0 else f"v{i}", *constants]
        nodes.append(helper.make_node(op, inputs, ["y" if i == length - 1 else f"v{i + 1}"]))
    return model_of(name, nodes, {key: array for _, constants in kinds for key, array in constants.items()})


def residual(length: int) -> onnx.ModelProto:
    nodes, at = [], "x"
    for i in range(length // 2):
        nodes += [helper.make_node("Relu", [at], [f"r{i}"]), helper.make_node("Add", [at, f"r{i}"], [f"s{i}"])]
        at = f"s{i}"
    return model_of("residual", nodes, outputs=[at])


def read_at_two_places(length: int) -> onnx.ModelProto:
    nodes, at = [], "x"
    for i in range(length // 2):
        nodes += [helper.make_node("Concat", [at, at], [f"j{i}"], axis=0), helper.make_node("Slice", [f"j{i}", "one", "three", "none"], [f"s{i}"])]
        at = f"s{i}"
    return model_of("read_at_two_places", nodes, {"none": np.array([0]), "one": np.array([1]), "three": np.array([3])}, [at])


def many_parts(length: int) -> onnx.ModelProto:
    parts = [f"p{i}" for i in range(length // 2)]
    joined = [helper.make_node("Sin", [part], [f"s{part}"]) for part in parts]
    nodes = [
        helper.make_node("Expand", ["x", "shape"], ["e"]),
        helper.make_node("Split", ["e"], parts, axis=0, num_outputs=len(parts)),
        *joined,
        helper.make_node("Concat", [node.output[0] for node in joined], ["y"], axis=0),
    ]
    return model_of("many_parts", nodes, {"shape": np.array([len(parts), 2, 3])})


def many_into_one(length: int) -> onnx.ModelProto:
    parts = [f"r{i}" for i in range(length)]
    nodes = [helper.make_node("Relu", ["x"], [part]) for part in parts]
    return model_of("many_into_one", [*nodes, helper.make_node("Sum", parts, ["y"])])


def many_outputs(length: int) -> onnx.ModelProto:
    names = ["x", *(f"y{i}" for i in range(length))]
    nodes = [helper.make_node("Sin", [a], [b]) for a, b in zip(names, names[1:])]
    return model_of("many_outputs", nodes, outputs=names[1:])


def converted(model: onnx.ModelProto, folder: pathlib.Path) -> float:
    """Seconds of a processor that convert takes, with a small stack."""
    onnx.save(model, folder / "m.onnx")
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run(
        [str(SUBBYTE), "convert", "m.onnx", "--force"],
        cwd=folder,
        check=True,
        capture_output=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_STACK, (STACK, STACK)),
    )
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_takes_time_as_it_is_long(name, tmp_path):
    quarter = converted(chain(name, LONG // 4), tmp_path)
    # What grows with the square takes 16 times as long.
    assert converted(chain(name, LONG), tmp_path) < 8 * quarter


def expected(name: str) -> np.ndarray:
    y = X
    for i in range(LONG):
        op, constants = CHAINS[name][i % len(CHAINS[name])]
        if op == "Add":
            y = y + constants["c"]
        elif op in {"Sin", "Cos", "Neg"}:
            y = {"Sin": np.sin, "Cos": np.cos, "Neg": np.negative}[op](y)
        elif op == "Transpose":
            y = y.T
    return np.maximum(y, 0) if name == "relu" else y


@pytest.mark.parametrize("made", [residual, read_at_two_places, many_parts, many_into_one, many_outputs], ids=lambda made: made.__name__)
def test_a_graph_takes_time_as_it_is_large(made, tmp_path):
    quarter = converted(made(5_000), tmp_path)
    assert converted(made(20_000), tmp_path) < 8 * quarter


@pytest.fixture(scope="module")
def outcomes():
    return run_cases([Case(name, chain(name, LONG), frozenset(), [({"x": X}, {"y": expected(name)})]) for name in CHAINS])


@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_loads_and_is_right(name, outcomes):
    assert outcomes[name].status == "passed", outcomes[name].message
