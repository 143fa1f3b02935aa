"""The pages that `convert --report` and `quantize --report` write."""

import json
import subprocess

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness import ROOT, run

THREE_BITS = ("-p", "3bit", "--effort", "fast")
# A name that a model may have: a page that took it for HTML would run or load something.
HOSTILE = '</script><script>document.title = "mine"</script><img src=x onerror="mine()"><!--'


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """m.onnx: three products, one of which the outputs hang on most; a name of HTML."""
    path = tmp_path_factory.mktemp("report") / "m.onnx"
    random = np.random.default_rng(3)
    weights = {HOSTILE: (64, 96), "b": (96, 96), "c": (96, 10)}
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", HOSTILE], ["h"]),
            helper.make_node("Relu", ["h"], ["r"]),
            helper.make_node("MatMul", ["r", "b"], ["i"]),
            helper.make_node("Relu", ["i"], ["s"]),
            helper.make_node("MatMul", ["s", "c"], ["z"]),
            helper.make_node("Softmax", ["z"], [f"y{HOSTILE}"], axis=-1),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 64])],
        [helper.make_tensor_value_info(f"y{HOSTILE}", TensorProto.FLOAT, ["n", 10])],
        [
            numpy_helper.from_array((random.standard_t(4, size=shape) / 6).astype(np.float32), name)
            for name, shape in weights.items()
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    made.ir_version = 8
    onnx.save(made, str(path))
    return path


def data_of(page):
    text = page.read_text("utf8")
    return json.loads(text.split('<script type="application/json" id="data">')[1].split("</script>")[0])


@pytest.fixture(scope="module")
def pages(model, tmp_path_factory):
    """By verb, the page of a conversion at 3 bits and that of widths of about 5 bits."""
    folder = tmp_path_factory.mktemp("pages")
    run("convert", model, *THREE_BITS, "-o", f"{folder}/m.webgpu.js", "--report", folder / "convert.html")
    arguments = ("--target-bits", "5", "-o", folder / "m.json", "--report", folder / "quantize.html")
    run("quantize", model, *arguments)
    return folder


def test_a_page_tells_how_every_weight_is_stored(pages):
    data = data_of(pages / "convert.html")
    manifest = json.loads((pages / "m.webgpu.json").read_text())
    assert data["bytes"] == manifest["totals"]["bytes"] and data["asked"] == "--precision 3bit"
    stored = {one["name"]: one for one in manifest["weights"]}
    matrices = [one for one in data["weights"] if one["name"] in (HOSTILE, "b", "c")]
    assert len(matrices) == 3
    for one in matrices:
        named = stored[one["name"]]
        assert (one["bits"], one["bytes"], one["reason"]) == (named["bits"], named["bytes"], named.get("reason", ""))
        assert one["sqnr_db"] == pytest.approx(named["sqnr_db"], abs=0.01)
    drawn = data["histograms"]
    assert [one["name"] for one in drawn] == [one["name"] for one in sorted(matrices, key=lambda w: w["sqnr_db"])]
    assert {sum(one["source"]) for one in drawn} == {sum(one["module"]) for one in drawn} == {64 * 96, 96 * 96, 960}
    check = {one["name"]: one for one in data["check"]["outputs"]}
    for output in manifest["check"]["outputs"]:
        assert check[output["name"]]["relative_l2"] == output["relative_l2"]
    steps = data["calibration"]
    assert steps["kept"] in ("nothing", "biases", "codes", "codes_and_biases")
    kept = "rounded" if steps["kept"] == "nothing" else steps["kept"]
    assert steps[kept] <= steps["rounded"]


@pytest.mark.parametrize("verb", ["convert", "quantize"])
def test_size_against_loss_and_sensitivity(pages, verb):
    widths = data_of(pages / f"{verb}.html")["widths"]
    models = {kind: [one for one in widths["models"] if one["kind"] == kind] for kind in ("precision", "mix", "chosen")}
    uniform = {one["name"]: one for one in models["precision"]}
    assert list(uniform) == ["float32", "float16", "8bit", "4bit", "3bit", "2bit"]
    assert uniform["float32"]["error"] == 0
    errors = [uniform[name]["error"] for name in ("float16", "8bit", "4bit", "3bit", "2bit")]
    assert errors == sorted(errors) and errors[0] > 0
    sizes = [one["bytes"] for one in models["mix"]]
    assert sizes == sorted(sizes) and models["mix"][0]["error"] > models["mix"][-1]["error"]
    assert len(models["chosen"]) == 1
    assert {one["name"] for one in widths["weights"]} == {HOSTILE, "b", "c"}
    for weight in widths["weights"]:
        losses = {one["bits"]: one["loss"] for one in weight["widths"]}
        assert losses[2] > losses[4] > losses[8] >= losses[16]
        # 3 bits may take as many bytes as 4, in whole words, and are no choice then.
        measured = {one["bits"] for one in weight["widths"] if one["measured"]}
        assert {2, 4} <= measured == losses.keys() & {2, 3, 4}


def test_the_choice_of_quantize_is_the_one_that_it_wrote(pages):
    data = data_of(pages / "quantize.html")
    tensors = json.loads((pages / "m.json").read_text())["tensors"]
    bits = {"2bit": 2, "3bit": 3, "4bit": 4, "8bit": 8, "float16": 16}
    assert {one["name"]: one["bits"] for one in data["weights"] if "loss" in one} == {
        name: bits[entry["precision"]] for name, entry in tensors.items()
    }
    assert {one["name"]: one["loss"] for one in data["weights"] if "loss" in one} == {
        name: entry["loss"] for name, entry in tensors.items()
    }
    assert "calibration" not in data and data["asked"] == "--target-bits 5"


def test_a_report_changes_nothing_else_and_is_the_same_again(model, pages, tmp_path):
    run("convert", model, *THREE_BITS, "-o", "m.webgpu.js", cwd=tmp_path)
    for file in tmp_path.iterdir():
        assert file.read_bytes() == (pages / file.name).read_bytes()
    run("convert", model, *THREE_BITS, "-o", "m.webgpu.js", "--report", "again.html", cwd=tmp_path)
    told, again = data_of(pages / "convert.html"), data_of(tmp_path / "again.html")
    assert {**told, "output": ""} == {**again, "output": ""}
    page = (tmp_path / "again.html").read_bytes()
    run("convert", model, *THREE_BITS, "-o", "m.webgpu.js", "--report", "again.html", cwd=tmp_path)
    assert (tmp_path / "again.html").read_bytes() == page


def test_without_calibration_the_page_says_so(model, tmp_path):
    arguments = ("-p", "4bit", "-o", "m.onnx", "--target-format", "onnx", "--calibration", "none", "--no-check")
    run("convert", model, *arguments, "--report", "page.html", cwd=tmp_path)
    data = data_of(tmp_path / "page.html")
    assert "widths" not in data and "calibration" not in data and "check" not in data
    assert data["not_measured"] == data["not_calibrated"] == "--calibration none"
    assert [one["bits"] for one in data["weights"] if "sqnr_db" in one].count(4) >= 2
    # Only the smallest stays wider, and the page says why.
    assert all(one["reason"] for one in data["weights"] if "sqnr_db" in one and one["bits"] > 4)


def test_of_a_language_model_biases_are_no_step(tmp_path):
    """Its layers get none: a figure of them would be of nothing."""
    random = np.random.default_rng(4)
    weights = {"table": (200, 32), "inner": (32, 32), "head": (32, 200)}
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "ids"], ["h"]),
            helper.make_node("MatMul", ["h", "inner"], ["i"]),
            helper.make_node("Relu", ["i"], ["r"]),
            helper.make_node("MatMul", ["r", "head"], ["logits"]),
        ],
        "g",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "n"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "n", 200])],
        [
            numpy_helper.from_array(random.standard_normal(shape).astype(np.float32), name)
            for name, shape in weights.items()
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    made.ir_version = 8
    onnx.save(made, str(tmp_path / "m.onnx"))
    run("convert", "m.onnx", *THREE_BITS, "--no-check", "--report", "page.html", cwd=tmp_path)
    assert data_of(tmp_path / "page.html")["calibration"].keys() == {"rounded", "codes", "kept"}


def test_pages_in_a_browser(pages, model, tmp_path):
    script = ROOT / "tests" / "browser" / "open_report.mjs"
    arguments = ("--source", model, "--report", tmp_path / "evaluate.html")
    run("evaluate", pages / "m.webgpu.js", *arguments)
    files = [pages / "convert.html", pages / "quantize.html", tmp_path / "evaluate.html"]
    done = subprocess.run(["node", script, *files], capture_output=True, text=True, check=True, timeout=120)
    convert, quantize, evaluate = map(json.loads, done.stdout.splitlines())
    for page in (convert, quantize, evaluate):
        assert page["complaints"] == page["requests"] == []
        assert page["width"] == 390 and page["images"] == 0 and page["scripts"] == 2
        assert HOSTILE in page["text"]
    assert (convert["title"], quantize["title"], evaluate["title"]) == ("m.webgpu.js", "m.json", "m.webgpu.js")
    assert convert["headings"] == [
        "Outputs",
        "Bytes",
        "Bytes by layer",
        "What calibration bought",
        "Size against loss",
        "Sensitivity",
        "The weights that lose most",
        "Weights",
    ]
    assert {"Size against loss", "Sensitivity"} <= set(quantize["headings"])


@pytest.mark.parametrize(
    "arguments, status, message",
    [
        ("--report page.txt", 2, "--report 'page.txt': a page's name ends in .html or .htm"),
        ("--report mine.html", 1, "a file that is no report of subbyte is there; name another, or pass --force to "),
        ("--report no/page.html", 1, "--report 'no/page.html': there is no folder 'no'; make it, or name another"),
        ("--report m.html --log-file m.html", 2, "--log-file 'm.html': this is the report; name another file"),
    ],
)
@pytest.mark.parametrize("verb", ["convert", "quantize"])
def test_where_a_page_cannot_be(model, tmp_path, verb, arguments, status, message):
    (tmp_path / "m.onnx").write_bytes(model.read_bytes())
    (tmp_path / "mine.html").write_text("mine")
    before = sorted(tmp_path.iterdir())
    done = run(verb, "m.onnx", *arguments.split(), check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (status, "") and message in done.stderr
    assert sorted(tmp_path.iterdir()) == before and (tmp_path / "mine.html").read_text() == "mine"


def test_a_page_is_of_one_model(model, tmp_path):
    (tmp_path / "n.onnx").write_bytes(model.read_bytes())
    done = run("convert", model, "n.onnx", "-o", "web/", "--report", "page.html", check=False, cwd=tmp_path)
    message = "error: --report 'page.html': a page is of one model, and 2 are named; convert them one by one\n"
    assert (done.returncode, done.stderr) == (2, message) and not (tmp_path / "web").exists()
