"""Layers and components come from the graph: the same with every name erased."""

import json

import onnx
import pytest

from harness import MODELS, run


def erase_names(model: onnx.ModelProto) -> None:
    """Numbers instead of all names of nodes, weights and values inside; those of inputs and outputs stay."""
    kept = {value.name for value in [*model.graph.input, *model.graph.output]}
    numbers = {"": ""}

    def number(name: str) -> str:
        return name if name in kept else numbers.setdefault(name, f"n{len(numbers)}")

    for node in model.graph.node:
        node.name = ""
        node.input[:] = [number(name) for name in node.input]
        node.output[:] = [number(name) for name in node.output]
    for weight in model.graph.initializer:
        weight.name = number(weight.name)
    del model.graph.value_info[:]


def structure(path) -> list:
    """Of each weight, in the order of the graph: shape, layer and component."""
    told = json.loads(run("inspect", path, "--format", "json").stdout)
    assert told["unsupported"] == []
    return [(weight["shape"], weight["layer"], weight["component"]) for weight in told["weights"]]


@pytest.mark.parametrize("name", ["minilm", "ppocr-rec", "ppocr-cls"])
def test_names_play_no_part(name, tmp_path):
    path = MODELS / f"{name}.onnx"
    model = onnx.load(str(path))
    erase_names(model)
    onnx.save(model, str(tmp_path / "nameless.onnx"))
    named, nameless = structure(path), structure(tmp_path / "nameless.onnx")
    assert sorted(named, key=str) == sorted(nameless, key=str)


def counts(name: str) -> dict:
    """How many matrices there are in each (layer, component)."""
    found: dict = {}
    for shape, layer, component in structure(MODELS / f"{name}.onnx"):
        if len(shape) > 1 and component != "other":
            found[layer, component] = found.get((layer, component), 0) + 1
    return found


def test_minilm():
    expected = {(None, "embedding"): 3}
    for layer in range(3):
        expected |= {(layer, "attention"): 4, (layer, "feed_forward"): 2}
    assert counts("minilm") == expected


def test_recognition():
    """Fourteen separable blocks, two of attention, and the head; the stem and what joins them have no layer."""
    found = counts("ppocr-rec")
    assert {layer for layer, component in found if component == "convolution"} == {None, *range(14)}
    for layer in (14, 15):
        assert found[layer, "attention"] == 2 and found[layer, "feed_forward"] == 2
    assert found[16, "head"] == 1
