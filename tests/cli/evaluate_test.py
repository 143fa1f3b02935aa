"""`subbyte evaluate`, through the command line."""

import json
import shutil

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness import ROOT, run
from read_weights import read_weights


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """m.onnx, a softmax of two products, and m.webgpu.js, it at 3 bits."""
    path = tmp_path_factory.mktemp("evaluate")
    random = np.random.default_rng(0)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["h"], "first"),
            helper.make_node("Relu", ["h"], ["r"]),
            helper.make_node("MatMul", ["r", "v"], ["z"], "second"),
            helper.make_node("Softmax", ["z"], ["y"], axis=-1),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 10])],
        [
            numpy_helper.from_array(random.normal(size=(64, 48)).astype(np.float32) / 8, "w"),
            numpy_helper.from_array(random.normal(size=(48, 10)).astype(np.float32) / 4, "v"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 8
    onnx.save(model, str(path / "m.onnx"))
    run("convert", "m.onnx", "--precision", "3bit", "--calibration", "none", cwd=path)
    return path


def evaluated(folder, *arguments):
    done = run("evaluate", "m.webgpu.js", "--source", "m.onnx", "--format", "json", *arguments, cwd=folder)
    return json.loads(done.stdout)


def test_says_what_is_lost_and_where(folder):
    told = evaluated(folder, "--metric", "accuracy", "--metric", "cosine:y")
    assert (told["precision"], told["runtime"]) == ("3bit", "executor")
    (output,) = told["outputs"]
    assert output["name"] == "y" and output["holds"] == "probabilities"
    low, high = output["relative_l2_interval"]
    assert 0 < low <= output["relative_l2"] <= high < 0.5
    assert output["kl"] > 0
    assert [(layer["node"], layer["weight"], layer["bits"]) for layer in told["layers"]] == [
        ("first", "w", 3),
        ("second", "v", 3),
    ]
    assert told["first_wrong"] == next(i for i, l in enumerate(told["layers"]) if l["relative_l2"] > 0.1)
    accuracy, cosine = told["metrics"]
    assert accuracy["against"] == "source" and accuracy["module"] == pytest.approx(1 - output["flips"])
    assert 0.5 < cosine["module"] < 1 and cosine["source"] == pytest.approx(1)
    assert told == evaluated(folder, "--metric", "accuracy", "--metric", "cosine:y")


def test_the_module_itself_in_node_loses_the_same(folder, monkeypatch):
    monkeypatch.setenv("NODE_PATH", str(ROOT / "node_modules"))
    ours, real = evaluated(folder), evaluated(folder, "--runtime", "node")
    assert real["runtime"] == "node" and real["layers"] == []
    assert real["outputs"][0]["relative_l2"] == pytest.approx(ours["outputs"][0]["relative_l2"], rel=1e-3)
    assert real["outputs"][0]["kl"] == pytest.approx(ours["outputs"][0]["kl"], rel=1e-3)


def test_the_table_names_the_layer_that_first_goes_wrong(folder):
    text = run("evaluate", "m.webgpu.js", "--source", "m.onnx", cwd=folder).stdout
    assert "here it first goes wrong" in text and "'first'" in text


def test_what_node_lacks_is_told(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    done = run("evaluate", "m.webgpu.js", "--source", "m.onnx", "--runtime", "node", check=False, cwd=folder)
    assert done.returncode == 1
    assert "--runtime node: node cannot be started" in done.stderr and "install Node 20 or newer" in done.stderr


ERRORS = [
    (["gone.webgpu.js", "--source", "m.onnx"], 1, "gone.webgpu.js"),
    (["m.onnx", "--source", "m.onnx"], 1, "this is an ONNX model, and evaluate takes a module that convert wrote"),
    (["m.webgpu.js", "--source", "other.onnx"], 1, "name the model that it was converted from"),
    (["m.webgpu.js"], 2, "evaluate needs a module, FILE or --model FILE, and --source FILE"),
    (["m.webgpu.js", "--source", "m.onnx", "--metric", "acuracy"], 2, "did you mean accuracy?"),
    (["m.webgpu.js", "--source", "m.onnx", "--metric", "miou"], 1, "it is made for outputs [batch, classes, ...]"),
    (["m.webgpu.js", "--source", "m.onnx", "--metric", "cosine:q"], 2, "the model has no output 'q'; it has y"),
    (["m.webgpu.js", "--source", "m.onnx", "--runtime", "python"], 2, "'python' is not one of cpp, node"),
]


@pytest.mark.parametrize("arguments, status, message", ERRORS)
def test_errors(folder, arguments, status, message):
    changed = onnx.load(str(folder / "m.onnx"))
    changed.producer_name = "another"
    onnx.save(changed, str(folder / "other.onnx"))
    done = run("evaluate", *arguments, check=False, cwd=folder)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.count("error: ") == 1 and message in done.stderr


def test_damaged_weights(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "m")
    (weights,) = (tmp_path / "m").glob("*.bin")
    content = bytearray(weights.read_bytes())
    content[7] ^= 1
    weights.write_bytes(content)
    done = run("evaluate", "m.webgpu.js", "--source", "m.onnx", check=False, cwd=tmp_path / "m")
    assert done.returncode == 1 and "its SHA-256 differs" in done.stderr
    weights.unlink()
    done = run("evaluate", "m.webgpu.js", "--source", "m.onnx", check=False, cwd=tmp_path / "m")
    assert done.returncode == 1 and weights.name in done.stderr


def test_the_report_is_one_page_that_holds_its_data(folder, tmp_path):
    page = tmp_path / "report.html"
    told = evaluated(folder, "--report", page)
    text = page.read_text("utf8")
    data = json.loads(text.split('<script type="application/json" id="data">')[1].split("</script>")[0])
    assert {key: data[key] for key in told} == told
    assert [weight["name"] for weight in data["weights"]] == ["w", "v"]
    assert all(sum(one["source"]) == sum(one["module"]) for one in data["histograms"]) and data["histograms"]
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    evaluated(folder, "--report", page)
    mine = tmp_path / "mine.html"
    mine.write_text("mine")
    arguments = ("m.webgpu.js", "--source", "m.onnx", "--report", mine)
    done = run("evaluate", *arguments, check=False, cwd=folder)
    assert done.returncode == 1 and "a file that is no report of subbyte is there; name another" in done.stderr
    assert mine.read_text() == "mine"


def reference(folder, name, x):
    """Softmax of two products with the weights of the module, read from docs/format.md alone, or the source's."""
    if name == "source":
        weights = {one.name: numpy_helper.to_array(one) for one in onnx.load(str(folder / "m.onnx")).graph.initializer}
    else:
        weights = read_weights(folder / "m.webgpu.json")
    z = np.maximum(x @ weights["w"], 0) @ weights["v"]
    exponentials = np.exp(z - z.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)


def test_data_and_labels_are_those_given(folder, tmp_path):
    random = np.random.default_rng(1)
    x = random.normal(size=(40, 64)).astype(np.float32)
    labels = random.integers(0, 10, 40)
    np.savez(tmp_path / "data.npz", x=x, labels=labels)
    told = evaluated(folder, "--data", tmp_path / "data.npz", "--metric", "accuracy", "--metric", "cosine")
    ours, theirs = reference(folder, "source", x), reference(folder, "module", x)
    (output,), (accuracy, cosine) = told["outputs"], told["metrics"]
    assert told["samples"]["count"] == 40
    assert output["relative_l2"] == pytest.approx(np.linalg.norm(theirs - ours) / np.linalg.norm(ours), rel=1e-4)
    assert output["kl"] == pytest.approx((ours * np.log(ours / theirs)).sum(-1).mean(), rel=1e-3)
    assert output["flips"] == pytest.approx((ours.argmax(-1) != theirs.argmax(-1)).mean())
    assert accuracy["against"] == "labels"
    assert accuracy["source"] == pytest.approx((ours.argmax(-1) == labels).mean())
    assert accuracy["module"] == pytest.approx((theirs.argmax(-1) == labels).mean())
    low, high = accuracy["difference_interval"]
    assert low <= accuracy["difference"] <= high
    norms = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    assert cosine["module"] == pytest.approx(((ours * theirs).sum(1) / norms).mean(), rel=1e-5)


DATA = [
    ({"q": np.zeros((4, 64), np.float32)}, "it has an array 'q', and the model has no input of that name"),
    ({"x": np.zeros((4, 63), np.float32)}, "63"),
    ({"x": np.zeros((4, 64), np.float64)}, "float64"),
    ({"x": np.full((4, 64), np.nan, np.float32)}, "NaN"),
    ({"x": np.zeros((4, 64), np.float32), "labels": np.zeros(7, int)}, "array 'labels' has no row for each of 4 samples"),
]


@pytest.mark.parametrize("arrays, message", DATA)
def test_wrong_data(folder, tmp_path, arrays, message):
    np.savez(tmp_path / "data.npz", **arrays)
    arguments = ("m.webgpu.js", "--source", "m.onnx", "--data", tmp_path / "data.npz", "--metric", "accuracy")
    done = run("evaluate", *arguments, check=False, cwd=folder)
    assert (done.returncode, done.stdout) == (1, "") and message in done.stderr
    assert done.stderr.count("error: ") == 1


def test_data_that_is_not_there(folder):
    done = run("evaluate", "m.webgpu.js", "--source", "m.onnx", "--data", "gone", check=False, cwd=folder)
    assert done.returncode == 1 and "--data 'gone': there is no such file or folder" in done.stderr


@pytest.mark.parametrize(
    "name, target, status, message",
    [
        ("page.txt", None, 2, "a page's name ends in .html or .htm"),
        ("page.html", "m.onnx", 2, "this is the source itself; name another file"),
        ("page.html", "m.webgpu.js", 2, "this is the module itself; name another file"),
        ("page.html", "m.webgpu.json", 2, "this is the module's manifest; name another file"),
    ],
)
def test_a_report_onto_a_file_that_is_read(folder, tmp_path, name, target, status, message):
    shutil.copytree(folder, tmp_path / "m")
    if target:
        (tmp_path / "m" / name).symlink_to(target)
    arguments = ("m.webgpu.js", "--source", "m.onnx", "--report", name)
    done = run("evaluate", *arguments, check=False, cwd=tmp_path / "m")
    assert (done.returncode, done.stdout, done.stderr) == (status, "", f"error: --report '{name}': {message}\n")
