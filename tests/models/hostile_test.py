"""Names come from files that strangers made: they must not become code, markup or terminal control sequences."""

import json
import subprocess

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness import ROOT, assert_outputs, convert, manifest_of, oracle, run, run_sessions

NAMES = [
    "__proto__",
    "constructor",
    "*/ globalThis.pwned = 1; /*",
    "</script><script>globalThis.pwned = 1</script>",
    "<!-- x",
    "\"; globalThis.pwned = 1; '`${globalThis.pwned = 1}`",
    "line\nbreak\r\u2028\u2029",
    "\x1b[31mred\x1b]0;title\x07",
    "a\\u0022b\\",
    "\u202egnp.exe",
    "' ; touch pwned ; '",
]


def hostile_model() -> onnx.ModelProto:
    """A chain: each hostile name is in turn an input, a weight, a node and an output; x_i W + b for each."""
    random = np.random.default_rng(7)
    inputs, outputs, nodes, weights = [], [], [], []
    for index, name in enumerate(NAMES):
        weight_name, out_name = name + " weight", name + " out"
        weights.append(numpy_helper.from_array(random.normal(size=(32, 8)).astype(np.float32), weight_name))
        inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [name + " dim", 32]))
        outputs.append(helper.make_tensor_value_info(out_name, TensorProto.FLOAT, [name + " dim", 8]))
        nodes.append(helper.make_node("MatMul", [name, weight_name], [out_name], name=name))
        nodes[-1].doc_string = name
    graph = helper.make_graph(nodes, NAMES[2], inputs, outputs, weights, doc_string=NAMES[3])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], producer_name=NAMES[2])
    model.ir_version = 8
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def source(folder):
    path = folder / "' ; touch pwned ; \"\x1b[31m\n.onnx"
    onnx.save(hostile_model(), str(path))
    return path


@pytest.fixture(scope="module")
def module(folder, source):
    return convert(source, folder / "hostile.webgpu.js", "--precision", "8bit")


def control_characters(text: str) -> set[str]:
    return {character for character in text if character != "\n" and not character.isprintable() and character != " "}


def test_no_name_becomes_code(module):
    for suffix in (".js", ".d.ts"):
        text = module.with_suffix(suffix).read_text(encoding="utf8")
        assert "</script" not in text, suffix
        assert "<!--" not in text, suffix
        assert not control_characters(text), suffix
    assert "\x1b" not in module.with_suffix(".json").read_text(encoding="utf8")
    subprocess.run(["node", "--check", module], check=True)


def test_types_compile(module):
    types = module.with_suffix(".d.ts")
    command = [ROOT / "node_modules" / ".bin" / "tsc", "--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom,esnext.disposable"]
    done = subprocess.run(
        [*command, types],
        cwd=module.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_manifest_keeps_the_names(module):
    manifest = manifest_of(module)
    assert [entry["name"] for entry in manifest["inputs"]] == NAMES
    assert sorted(weight["name"] for weight in manifest["weights"]) == sorted(name + " weight" for name in NAMES)


@pytest.mark.parametrize("target", ["node", "chromium"])
def test_module_runs(target, folder, source, module):
    exported = convert(source, folder / "hostile.onnx", "--target-format", "onnx", "--precision", "8bit", "--force")
    random = np.random.default_rng(8)
    inputs = {name: random.normal(size=(2 + index, 32)).astype(np.float32) for index, name in enumerate(NAMES)}
    (result,) = run_sessions(target, [{"module": module, "device": "default", "runs": [inputs]}])
    assert result["errors"] == []
    assert "error" not in result["runs"][0], result["runs"][0]
    assert_outputs(result["runs"][0]["outputs"], oracle(exported, inputs), 2e-5, target)


def test_terminal_stays_clean(folder, source):
    for arguments in (
        ["inspect", source],
        ["verify", source],
        ["detect", source],
        ["find", folder],
        ["convert", source, "--precision", "4bit", "--output", folder / "again.webgpu.js"],
        ["convert", source, "--output", folder / "missing folder" / "x.webgpu.js"],
        ["convert", str(source) + ".nothing"],
    ):
        done = run(*arguments, check=False)
        assert not control_characters(done.stdout + done.stderr), arguments
    json.loads(run("inspect", source, "--format", "json").stdout)


def test_nothing_was_executed(folder):
    assert not list(folder.rglob("pwned"))
