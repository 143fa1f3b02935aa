"""Names that the user chooses: of inputs and outputs, and of the module."""

import json
import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness import oracle, run, run_sessions


@pytest.fixture
def model(tmp_path):
    """y:0 = x:0 w, a name of the kind that converters from TensorFlow leave."""
    weight = np.random.default_rng(4).normal(size=(32, 8)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x:0", "w"], ["inner"]),
            helper.make_node("Relu", ["inner"], ["y:0"]),
        ],
        "m",
        [helper.make_tensor_value_info("x:0", TensorProto.FLOAT, ["n", 32])],
        [helper.make_tensor_value_info("y:0", TensorProto.FLOAT, ["n", 8])],
        [numpy_helper.from_array(weight, "w")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    made.ir_version = 8
    onnx.save(made, str(tmp_path / "m.onnx"))
    return tmp_path / "m.onnx"


RENAMED = ("--rename", "x:0=pixels", "--rename", "y:0=scores")


def test_inputs_and_outputs_are_renamed(model, tmp_path):
    run("convert", "m.onnx", *RENAMED, "--precision", "float32", "--output", "m.webgpu.js", cwd=tmp_path)
    manifest = json.loads((tmp_path / "m.webgpu.json").read_text())
    assert [port["name"] for port in manifest["inputs"] + manifest["outputs"]] == ["pixels", "scores"]
    assert [output["name"] for output in manifest["check"]["outputs"]] == ["scores"]
    assert "TensorInfo<'pixels'" in (tmp_path / "m.webgpu.d.ts").read_text().replace('"', "'")
    x = np.random.default_rng(5).normal(size=(3, 32)).astype(np.float32)
    session = {"module": tmp_path / "m.webgpu.js", "device": "default", "runs": [{"pixels": x}]}
    (result,) = run_sessions("node", [session])
    expected = oracle(model, {"x:0": x})["y:0"]
    np.testing.assert_allclose(result["runs"][0]["outputs"]["scores"], expected, rtol=1e-4, atol=1e-5)


def test_the_names_are_those_of_samples_and_of_evaluate(model, tmp_path):
    np.savez(tmp_path / "data.npz", pixels=np.random.default_rng(6).normal(size=(8, 32)).astype(np.float32))
    run("convert", "m.onnx", *RENAMED, "--calibration", "data.npz", "--precision", "4bit", cwd=tmp_path)
    told = run("evaluate", "m.webgpu.js", "--source", "m.onnx", "--data", "data.npz", *RENAMED,
               "--format", "json", cwd=tmp_path).stdout  # fmt: skip
    assert [output["name"] for output in json.loads(told)["outputs"]] == ["scores"]


def test_plain_onnx_is_renamed_too(model, tmp_path):
    run("convert", "m.onnx", *RENAMED, "--target-format", "onnx", "--output", "n.onnx", cwd=tmp_path)
    graph = onnx.load(str(tmp_path / "n.onnx")).graph
    assert ([port.name for port in graph.input], [port.name for port in graph.output]) == (["pixels"], ["scores"])


@pytest.mark.parametrize(
    "renames, status, message",
    [
        (["x:1=pixels"], 1, "--rename 'x:1': 'm.onnx' has no such input or output (did you mean 'x:0'?); "
                          "its inputs are 'x:0', its outputs 'y:0'"),
        (["x:0=y:0"], 1, "--rename: 'm.onnx' has a value 'y:0' already; choose another name"),
        (["x:0=inner"], 1, "--rename: 'm.onnx' has a value 'inner' already; choose another name"),
        (["x:0=a", "y:0=a"], 1, "--rename y:0=a: another input or output is given that name too"),
        (["x:0=a", "x:0=b"], 2, "--rename 'x:0': it is renamed twice"),
        (["x:0"], 2, "--rename 'x:0': write a name, = and a value"),
    ],
)  # fmt: skip
def test_wrong_names_are_refused(model, tmp_path, renames, status, message):
    options = [word for rename in renames for word in ("--rename", rename)]
    done = run("convert", "m.onnx", *options, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.endswith(f"error: {message}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


def test_the_types_of_an_mjs_are_where_typescript_looks_for_them(model, tmp_path):
    run("convert", "m.onnx", "--output", "m.mjs", cwd=tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir() if not path.name.endswith(".bin"))
    assert names == ["m.d.mts", "m.json", "m.mjs", "m.onnx"]
    assert run("verify", "m.mjs", cwd=tmp_path).returncode == 0
    assert run("verify", "m.json", cwd=tmp_path).returncode == 0
    (tmp_path / "m.d.mts").write_text("mine")
    done = run("convert", "m.onnx", "--output", "m.mjs", check=False, cwd=tmp_path)
    assert done.returncode == 1 and "'m.d.mts': a file that subbyte did not write is there" in done.stderr
    (tmp_path / "m.d.mts").unlink()
    done = run("verify", "m.mjs", check=False, cwd=tmp_path)
    assert done.returncode == 1 and "'m.d.mts' is missing; convert the model again" in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("my model (1), [2] \u00fc", "my model (1), [2] \u00fc"),  # as it is, for bundlers find it by what is written
        ("it's 50% #2 a?b!<c>", "it%27s 50%25 %232 a%3Fb%21%3Cc%3E"),
    ],
)
def test_a_module_finds_its_weights_by_any_name(model, tmp_path, name, written):
    model.rename(tmp_path / f"{name}.onnx")
    run("convert", f"{name}.onnx", "--precision", "float32", "--no-check", cwd=tmp_path)
    module = tmp_path / f"{name}.webgpu.js"
    addresses = re.findall(r"new URL\('\./(.*)\.webgpu-[0-9a-f]+\.bin'", module.read_text(encoding="utf8"))
    assert addresses == [written]
    x = np.random.default_rng(5).normal(size=(3, 32)).astype(np.float32)
    (result,) = run_sessions("node", [{"module": module, "device": "default", "runs": [{"x:0": x}]}])
    np.testing.assert_allclose(
        result["runs"][0]["outputs"]["y:0"],
        oracle(tmp_path / f"{name}.onnx", {"x:0": x})["y:0"],
        rtol=1e-4,
        atol=1e-5,
    )
