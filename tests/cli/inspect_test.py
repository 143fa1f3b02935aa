"""What inspect, verify and detect say of a converted module, and of files that are neither."""

import json
import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness import run


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """Two products, one of them too small for 4 bits, of a batch and a length that are open."""
    folder = tmp_path_factory.mktemp("converted")
    random = np.random.default_rng(3)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "large"], ["h"], name="first"),
            helper.make_node("Relu", ["h"], ["r"], name="relu"),
            helper.make_node("MatMul", ["r", "small"], ["p"], name="second"),
            helper.make_node("Add", ["p", "bias"], ["y"], name="add"),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "length", 128])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", "length", 16])],
        [
            numpy_helper.from_array(random.normal(size=(128, 256)).astype(np.float32), "large"),
            numpy_helper.from_array(random.normal(size=(256, 16)).astype(np.float32), "small"),
            numpy_helper.from_array(random.normal(size=16).astype(np.float32), "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(model, str(folder / "m.onnx"))
    run("convert", "m.onnx", "-p", "4bit", cwd=folder)
    return folder


def inspected(folder, *arguments) -> dict:
    return json.loads(run("inspect", *arguments, "--format", "json", cwd=folder).stdout)


def test_inspect_reads_a_module_and_its_manifest(converted):
    told = inspected(converted, "m.webgpu.js")
    assert told == inspected(converted, "m.webgpu.json") | {"file": "m.webgpu.js"}
    manifest = json.loads((converted / "m.webgpu.json").read_text())
    for key in ("precision", "inputs", "outputs", "totals", "check", "source"):
        assert told[key] == manifest[key]
    for row, weight in zip(told["weights"], manifest["weights"], strict=True):
        assert row["parameters"] == weight["rows"] * weight["k"]
        for key in ("name", "layer", "component", "shape", "bits", "bytes", "sqnr_db"):
            assert row[key] == weight[key]
        assert row["reason"] == weight.get("reason")
    assert sum(row["parameters"] for row in told["weights"]) == told["totals"]["parameters"]
    table = run("inspect", "m.webgpu.js", cwd=converted).stdout
    (line,) = [line for line in table.splitlines() if "'large'" in line]
    assert line.split()[:2] == ["4", str(128 * 256)]
    assert f"{told['totals']['bits_per_weight']:.2f} bits a weight" in table


def test_a_run_is_told_at_any_size(converted):
    told = inspected(converted, "m.webgpu.js")["run"]
    assert told["sizes"] == {"batch": 1, "length": 32}
    # Both products with what follows them.
    assert told["dispatches"] == 2
    # The input and what lies between, then what lies between and the output.
    assert told["memory"]["tensors"] == 4 * 32 * max(128 + 256, 256 + 16)
    assert told["memory"]["weights"] == sum(path.stat().st_size for path in converted.glob("*.bin"))
    larger = inspected(converted, "m.webgpu.js", "--dim", "length=64", "--dim", "batch=2")["run"]
    assert larger["sizes"] == {"batch": 2, "length": 64}
    assert larger["memory"]["tensors"] == 4 * told["memory"]["tensors"]
    done = run("inspect", "m.webgpu.js", "--dim", "len=1", check=False, cwd=converted)
    assert (done.returncode, done.stderr) == (
        2,
        "error: --dim 'len': the module has no open dimension of that name; it has 'batch', 'length'\n",
    )


@pytest.mark.parametrize("column", ["name", "layer", "component", "parameters", "bytes", "bits", "sqnr", "reason"])
def test_inspect_sorts_by_any_column(converted, column):
    key = {"sqnr": "sqnr_db"}.get(column, column)
    values = [row[key] for row in inspected(converted, "m.webgpu.js", "--sort", column)["weights"]]
    known = [value for value in values if value is not None]
    assert values[: len(known)] == known
    assert known == sorted(known, reverse=column in {"parameters", "bytes"})
    if column in {"bits", "sqnr", "reason"}:
        done = run("inspect", "m.onnx", "--sort", column, check=False, cwd=converted)
        assert done.returncode == 2 and f"--sort {column}: only a converted module" in done.stderr
    else:
        rows = inspected(converted, "m.onnx", "--sort", column)["weights"]
        assert {row["name"] for row in rows} == {"large", "small", "bias"}


def test_a_manifest_alone_tells_the_weights(converted, tmp_path):
    (tmp_path / "m.webgpu.json").write_bytes((converted / "m.webgpu.json").read_bytes())
    told = inspected(tmp_path, "m.webgpu.json")
    assert told["run"] is None and len(told["weights"]) == 3


@pytest.mark.parametrize("damage", ["{", '"weights": 1', '"rows": "x"', '"format": 3'])
def test_a_damaged_manifest_is_an_error(converted, tmp_path, damage):
    manifest = json.loads((converted / "m.webgpu.json").read_text())
    if "weights" in damage:
        manifest["weights"] = 1
    if "rows" in damage:
        manifest["weights"][0]["rows"] = "x"
    if "format" in damage:
        manifest["format"] = 3
    (tmp_path / "m.webgpu.js").write_bytes((converted / "m.webgpu.js").read_bytes())
    (tmp_path / "m.webgpu.json").write_text("{" if damage == "{" else json.dumps(manifest))
    done = run("inspect", "m.webgpu.js", check=False, cwd=tmp_path)
    assert done.returncode == 1 and done.stdout == ""
    assert re.match(r"error: 'm\.webgpu\.js': .*(damaged|not a manifest|newer)", done.stderr), done.stderr


def test_a_damaged_plan_is_an_error(converted, tmp_path):
    whole = (converted / "m.webgpu.js").read_text()
    (tmp_path / "m.webgpu.json").write_bytes((converted / "m.webgpu.json").read_bytes())
    for text in (whole[: whole.index("const plan = ") + 400], whole.replace('"exprs":', '"expr":', 1), whole[:200]):
        (tmp_path / "m.webgpu.js").write_text(text)
        done = run("inspect", "m.webgpu.js", check=False, cwd=tmp_path)
        assert done.returncode == 1 and done.stdout == "" and done.stderr.startswith("error: 'm.webgpu.js': ")


def test_verify_checks_the_module(converted, tmp_path):
    for path in converted.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    module = tmp_path / "m.webgpu.js"
    content = module.read_bytes()
    module.write_bytes(content[:-10])
    done = run("verify", "m.webgpu.json", check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert f"'m.webgpu.js' has {len(content) - 10} bytes, and should have {len(content)}" in done.stderr
    module.write_bytes(content.replace(b"subbyte", b"subbite", 3))
    done = run("verify", "m.webgpu.js", check=False, cwd=tmp_path)
    assert done.returncode == 1


def test_the_table_says_nothing_of_a_producer_that_is_not_named(converted, tmp_path):
    assert run("inspect", "m.onnx", cwd=converted).stdout.startswith("'m.onnx': ONNX, opset 18\n")
    model = onnx.load(str(converted / "m.onnx"))
    model.producer_name = "pytorch"
    onnx.save(model, str(tmp_path / "m.onnx"))
    assert run("inspect", "m.onnx", cwd=tmp_path).stdout.startswith("'m.onnx': ONNX, opset 18, made by 'pytorch'\n")


def test_dispatches_are_counted_in_words(converted, tmp_path):
    assert re.search(r"^a run at .*: [2-9] dispatches; ", run("inspect", "m.webgpu.js", cwd=converted).stdout, re.M)
    graph = onnx.load(str(converted / "m.onnx")).graph
    del graph.node[1:]
    graph.node[0].output[0] = "y"
    graph.output[0].type.tensor_type.shape.dim[2].dim_value = 256
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(model, str(tmp_path / "one.onnx"))
    run("convert", "one.onnx", "--no-check", "--calibration", "none", cwd=tmp_path)
    assert re.search(r"^a run at .*: 1 dispatch; ", run("inspect", "one.webgpu.js", cwd=tmp_path).stdout, re.M)


def test_files_that_are_neither_are_named(converted, tmp_path):
    (tmp_path / "notes.txt").write_text("Buy milk.\n")
    done = run("verify", "notes.txt", check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        1,
        "error: 'notes.txt': this is a text file; subbyte reads ONNX models and what it wrote itself\n",
    )
    assert "not an ONNX model but a text file" in run("inspect", "notes.txt", check=False, cwd=tmp_path).stderr
    assert run("detect", "notes.txt", cwd=tmp_path).stdout == "'notes.txt': a text file\n"
    (weights,) = converted.glob("*.bin")
    for verb in ("verify", "inspect"):
        done = run(verb, weights.name, check=False, cwd=converted)
        assert (done.returncode, done.stderr) == (
            1,
            f"error: '{weights.name}': these are weights of a module; name its manifest 'm.webgpu.json'\n",
        )
    assert run("detect", weights.name, cwd=converted).stdout == f"'{weights.name}': weights of a module\n"
    (tmp_path / weights.name).write_bytes(weights.read_bytes())
    done = run("verify", weights.name, check=False, cwd=tmp_path)
    assert done.stderr == f"error: '{weights.name}': these are weights of a module; its manifest is missing: 'm.webgpu.json'\n"


@pytest.mark.parametrize(
    "op, constant",
    [("Add", np.array(2**40)), ("Concat", np.arange(2**33, 2**33 + 100)), ("Mod", np.array(2**33))],
)
def test_what_convert_refuses_last_inspect_and_verify_say_first(tmp_path, op, constant):
    """An int64 beyond 32 bits is met only where a kernel reads it."""
    attributes = {"axis": 0} if op == "Concat" else {}
    graph = helper.make_graph(
        [helper.make_node(op, ["x", "c"], ["y"], **attributes)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.INT64, ["n"])],
        [helper.make_tensor_value_info("y", TensorProto.INT64, None)],
        [numpy_helper.from_array(constant, "c")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), tmp_path / "m.onnx")
    refused = run("convert", "m.onnx", cwd=tmp_path, check=False).stderr
    inspected = json.loads(run("inspect", "m.onnx", "--format", "json", cwd=tmp_path).stdout)
    (reason,) = inspected["unsupported"]
    assert "'c'" in reason and "does not fit the 32 bits" in reason and reason in refused
    assert reason in run("verify", "m.onnx", cwd=tmp_path, check=False).stderr
