"""LayerNorm, RMSNorm, GELU and softmax as exporters spell them out: each runs as one dispatch and computes the same."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness import assert_outputs, convert, manifest_of, oracle, plan_of, run_sessions

TOLERANCE = 2e-5
CHANNELS = 48
ROWS = 3


class Spelling:
    """A model of one input [batch, 3, 48], written down as a sequence of calls."""

    def __init__(self, opset: int):
        self.opset = opset
        self.nodes, self.constants = [], []
        self.random = np.random.default_rng(5)

    def __getattr__(self, op: str):
        def add(*inputs, **attributes):
            given = [value if isinstance(value, str) else self.constant(value) for value in inputs]
            self.nodes.append(helper.make_node(op, given, [f"v{len(self.nodes)}"], **attributes))
            return self.nodes[-1].output[0]

        return add

    def constant(self, value) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value, np.float32), f"c{len(self.constants)}"))
        return self.constants[-1].name

    def weight(self, *shape) -> np.ndarray:
        return self.random.normal(size=shape or (CHANNELS,)).astype(np.float32)

    def reduce(self, op: str, x: str, axes=(-1,)) -> str:
        """Axes became an input with opset 18, and of ReduceSum with 13."""
        if self.opset >= (13 if op == "ReduceSum" else 18):
            name = f"c{len(self.constants)}"
            self.constants.append(numpy_helper.from_array(np.array(axes, np.int64), name))
            return getattr(self, op)(x, name, keepdims=1)
        return getattr(self, op)(x, axes=list(axes), keepdims=1)

    def model(self, result: str) -> onnx.ModelProto:
        dims = ["batch", ROWS, CHANNELS]
        self.nodes.append(helper.make_node("Identity", [result], ["y"]))
        graph = helper.make_graph(
            self.nodes,
            "spelled",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, dims)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, dims)],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        model.ir_version = 8
        onnx.checker.check_model(model)
        return model


def layer_norm_pytorch(g):
    centered = g.Sub("x", g.reduce("ReduceMean", "x"))
    variance = g.reduce("ReduceMean", g.Pow(centered, 2))
    normal = g.Div(centered, g.Sqrt(g.Add(variance, 1e-5)))
    return g.Add(g.Mul(normal, g.weight()), g.weight())


def layer_norm_reciprocal(g):
    centered = g.Sub("x", g.reduce("ReduceMean", "x"))
    variance = g.reduce("ReduceMean", g.Mul(centered, centered))
    inverse = g.Reciprocal(g.Sqrt(g.Add(1e-5, variance)))
    return g.Add(g.weight(), g.Mul(g.weight(), g.Mul(inverse, centered)))


def layer_norm_power(g):
    centered = g.Sub("x", g.reduce("ReduceMean", "x"))
    variance = g.reduce("ReduceMean", g.Pow(centered, 2))
    return g.Mul(g.Mul(centered, g.Pow(g.Add(variance, 1e-5), -0.5)), g.weight())


def layer_norm_without_scale(g):
    centered = g.Sub("x", g.reduce("ReduceMean", "x"))
    variance = g.reduce("ReduceMean", g.Pow(centered, 2))
    return g.Div(centered, g.Sqrt(g.Add(variance, 1e-5)))


def layer_norm_two_axes(g):
    centered = g.Sub("x", g.reduce("ReduceMean", "x", (-2, -1)))
    variance = g.reduce("ReduceMean", g.Pow(centered, 2), (-2, -1))
    normal = g.Div(centered, g.Sqrt(g.Add(variance, 1e-5)))
    return g.Add(g.Mul(normal, g.weight(ROWS, CHANNELS)), g.weight(ROWS, CHANNELS))


def layer_norm_scale_of_rows(g):
    """The scale is no part of the LayerNorm, and yet of its dispatch."""
    centered = g.Sub("x", g.reduce("ReduceMean", "x"))
    variance = g.reduce("ReduceMean", g.Pow(centered, 2))
    return g.Mul(g.Div(centered, g.Sqrt(g.Add(variance, 1e-5))), g.weight(ROWS, 1))


def layer_norm_no_op_casts(g):
    wide = g.Cast("x", to=TensorProto.FLOAT)
    centered = g.Sub(wide, g.reduce("ReduceMean", "x"))
    squared = g.Pow(g.Cast(centered, to=TensorProto.FLOAT), 2)
    normal = g.Div(centered, g.Sqrt(g.Add(g.reduce("ReduceMean", squared), 1e-5)))
    return g.Add(g.Mul(g.Cast(normal, to=TensorProto.FLOAT), g.weight()), g.weight())


def layer_norm_tensorflow(g):
    mean = g.reduce("ReduceMean", "x")
    difference = g.Sub("x", mean)
    variance = g.reduce("ReduceMean", g.Mul(difference, difference))
    factor = g.Mul(g.Reciprocal(g.Sqrt(g.Add(variance, 1e-3))), g.weight())
    return g.Add(g.Mul("x", factor), g.Sub(g.weight(), g.Mul(mean, factor)))


def rms_norm_t5(g):
    variance = g.reduce("ReduceMean", g.Pow("x", 2))
    return g.Mul(g.weight(), g.Mul("x", g.Div(1, g.Sqrt(g.Add(variance, 1e-6)))))


def rms_norm_llama(g):
    variance = g.reduce("ReduceMean", g.Pow("x", 2))
    return g.Mul(g.weight(), g.Mul("x", g.Reciprocal(g.Sqrt(g.Add(variance, 1e-6)))))


def rms_norm_divided(g):
    variance = g.reduce("ReduceMean", g.Mul("x", "x"))
    return g.Mul(g.Div("x", g.Sqrt(g.Add(variance, 1e-6))), g.weight())


def rms_norm_without_scale(g):
    variance = g.reduce("ReduceMean", g.Mul("x", "x"))
    return g.Mul("x", g.Pow(g.Add(variance, 1e-6), -0.5))


def gelu_erf(g):
    return g.Mul(g.Mul("x", g.Add(g.Erf(g.Div("x", np.sqrt(2))), 1)), 0.5)


def gelu_erf_halved_first(g):
    return g.Mul(g.Mul("x", 0.5), g.Add(1, g.Erf(g.Mul("x", np.sqrt(0.5)))))


def gelu_tanh(g):
    inner = g.Mul(g.Add("x", g.Mul(g.Pow("x", 3), 0.044715)), np.sqrt(2 / np.pi))
    return g.Mul(g.Mul("x", 0.5), g.Add(g.Tanh(inner), 1))


def gelu_tanh_products(g):
    cube = g.Mul(0.044715, g.Mul(g.Mul("x", "x"), "x"))
    return g.Mul(g.Mul(0.5, "x"), g.Add(1, g.Tanh(g.Mul(0.7978845608, g.Add("x", cube)))))


def gelu_sigmoid(g):
    """No Gelu, but one dispatch all the same."""
    return g.Mul("x", g.Sigmoid(g.Mul("x", 1.702)))


def softmax(g):
    power = g.Exp(g.Sub("x", g.reduce("ReduceMax", "x")))
    return g.Div(power, g.reduce("ReduceSum", power))


def softmax_of_rows(g):
    power = g.Exp(g.Sub("x", g.reduce("ReduceMax", "x", (1,))))
    return g.Mul(power, g.Reciprocal(g.reduce("ReduceSum", power, (1,))))


def log_of_softmax(g):
    return g.Log(g.Softmax("x", axis=2))


def log_softmax(g):
    shifted = g.Sub("x", g.reduce("ReduceMax", "x"))
    return g.Sub(shifted, g.Log(g.reduce("ReduceSum", g.Exp(shifted))))


SPELLINGS = [
    (layer_norm_pytorch, 16),
    (layer_norm_pytorch, 18),
    (layer_norm_pytorch, 9),  # as Paddle writes it
    (layer_norm_reciprocal, 13),
    (layer_norm_power, 13),
    (layer_norm_without_scale, 13),
    (layer_norm_two_axes, 16),
    (layer_norm_scale_of_rows, 16),
    (layer_norm_no_op_casts, 16),
    (layer_norm_tensorflow, 13),
    (rms_norm_t5, 13),
    (rms_norm_llama, 17),
    (rms_norm_divided, 18),
    (rms_norm_without_scale, 18),
    (gelu_erf, 13),
    (gelu_erf_halved_first, 13),
    (gelu_tanh, 13),
    (gelu_tanh_products, 13),
    (gelu_sigmoid, 13),
    (softmax, 11),
    (softmax, 18),
    (softmax_of_rows, 13),
    (log_of_softmax, 13),
    (log_softmax, 13),
]
BATCHES = [1, 5]


def inputs_of(batch: int) -> dict:
    """Far from the origin in part, so that a variance as the difference of two squares would show."""
    random = np.random.default_rng(batch)
    x = random.normal(size=(batch, ROWS, CHANNELS)) + np.array([0, 1, -4]).reshape(1, ROWS, 1)
    return {"x": x.astype(np.float32)}


def name_of(spelling) -> str:
    build, opset = spelling
    return f"{build.__name__}_{opset}"


NAMES = [name_of(spelling) for spelling in SPELLINGS]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """name -> (source, module, what its runs in Node gave); all in one process."""
    folder = tmp_path_factory.mktemp("spelled")
    made = {}
    for spelling in SPELLINGS:
        build, opset = spelling
        source = folder / f"{name_of(spelling)}.onnx"
        g = Spelling(opset)
        onnx.save(g.model(build(g)), str(source))
        made[name_of(spelling)] = source, convert(source, source.with_suffix(".webgpu.js"), "--precision", "float32", "--no-check")
    inputs = [inputs_of(batch) for batch in BATCHES]
    sessions = [{"module": module, "device": "default", "runs": inputs} for _, module in made.values()]
    results = run_sessions("node", sessions)
    return {name: (*files, result) for (name, files), result in zip(made.items(), results)}


@pytest.mark.parametrize("name", NAMES)
def test_one_dispatch(name, ran):
    _, module, result = ran[name]
    assert len(plan_of(module)["steps"]) == 1
    assert [run["counts"]["dispatches"] for run in result["runs"]] == [1] * len(BATCHES)


@pytest.mark.parametrize("name", NAMES)
def test_same_outputs(name, ran):
    source, _, result = ran[name]
    assert result["errors"] == []
    for batch, run in zip(BATCHES, result["runs"]):
        assert "error" not in run, run
        assert_outputs(run["outputs"], oracle(source, inputs_of(batch)), TOLERANCE, f"{name}, batch {batch}")


def test_weights_stay_what_they_are(tmp_path):
    """Weights get their bits before fusion, which takes values away between them."""
    g = Spelling(16)
    centered = g.Sub("x", g.reduce("ReduceMean", "x"))
    variance = g.reduce("ReduceMean", g.Pow(centered, 2))
    normal = g.Mul(g.Div(centered, g.Sqrt(g.Add(variance, 1e-5))), g.weight())
    hidden = g.MatMul(normal, g.weight(CHANNELS, 4 * CHANNELS))
    gelu = g.Mul(g.Mul(hidden, g.Add(g.Erf(g.Div(hidden, np.sqrt(2))), 1)), 0.5)
    source = tmp_path / "m.onnx"
    onnx.save(g.model(g.MatMul(gelu, g.weight(4 * CHANNELS, CHANNELS))), str(source))
    module = convert(source, tmp_path / "m.webgpu.js", "--precision", "4bit", "--no-check")
    exported = convert(source, tmp_path / "m4.onnx", "--precision", "4bit", "--target-format", "onnx")
    shapes = {tuple(weight["shape"]): weight["bits"] for weight in manifest_of(module)["weights"]}
    assert shapes[CHANNELS, 4 * CHANNELS] == shapes[4 * CHANNELS, CHANNELS] == 4
    assert set(shapes) == {(CHANNELS, 4 * CHANNELS), (4 * CHANNELS, CHANNELS), (CHANNELS,)}
    assert len(plan_of(module)["steps"]) == 3
    (result,) = run_sessions("node", [{"module": module, "device": "default", "runs": [inputs_of(2)]}])
    assert_outputs(result["runs"][0]["outputs"], oracle(exported, inputs_of(2)), TOLERANCE, "4 bits")
