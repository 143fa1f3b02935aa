"""`import subbyte`: the functions of the Python package, with the program of this checkout."""

import json
import pathlib
import subprocess
import sys
import warnings

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness import ROOT, SUBBYTE, run

sys.path.insert(0, str(ROOT / "python"))
import subbyte  # noqa: E402


@pytest.fixture(autouse=True)
def program(monkeypatch):
    monkeypatch.setenv("SUBBYTE", str(SUBBYTE))


@pytest.fixture
def model(tmp_path):
    """Two products, and a softmax of 10 classes."""
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
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    made.ir_version = 8
    onnx.save(made, str(tmp_path / "m.onnx"))
    return tmp_path / "m.onnx"


def samples(count):
    return np.random.default_rng(1).normal(size=(count, 64)).astype(np.float32)


def test_convert_writes_a_module_and_tells_what_it_takes(model):
    done = subbyte.convert(model, precision="4bit", calibration=False)
    assert done.output == model.with_name("m.webgpu.js")
    assert sorted(done.files) == sorted(path for path in model.parent.iterdir() if path != model)
    assert done.manifest["precision"] == "4bit"
    assert done.bytes == done.manifest["totals"]["bytes"]
    assert 4 < done.bits_per_weight < 6
    assert list(done.errors) == ["y"] and 0 < done.errors["y"] < 1


def test_arrays_calibrate(model, tmp_path):
    done = subbyte.convert(model, tmp_path / "own.webgpu.js", precision="3bit", calibration={"x": samples(32)})
    assert "made_of" not in done.manifest["check"] or "made" not in str(done.manifest["check"]["made_of"])
    plain = subbyte.convert(
        model, tmp_path / "plain.webgpu.js", precision="3bit", calibration=False, check=False
    )
    weights = [(one.output.parent / one.manifest["files"][0]["name"]).read_bytes() for one in (done, plain)]
    assert weights[0] != weights[1]


def test_onnx_rules_names_and_fixed_sizes(model, tmp_path):
    done = subbyte.convert(
        model,
        tmp_path / "q.onnx",
        target_format="onnx",
        mixed_precision={"tensors": {"v": "fp16"}},
        dims={"n": 2},
        renames={"x": "features"},
        calibration=False,
    )
    assert (done.manifest, done.files) == (None, [tmp_path / "q.onnx"])
    (port,) = onnx.load(str(done.output)).graph.input
    assert port.name == "features" and port.type.tensor_type.shape.dim[0].dim_value == 2


NAMED = [(name, "onnx", None, None) for name in ("m.onnx", "a.b.onnx", "model", "m.pb", ".onnx", "-m.onnx")]
NAMED += [("m.onnx", "onnx", word, None) for word in ("int8", "int4", "int3", "int2", "fp16", "fp32", "mixed")]
NAMED += [("m.onnx", "onnx", None, {"precision": "3bit"}), ("m.onnx", "onnx", "fp16", {"precision": "3bit"})]
NAMED += [("a.b.onnx", "webgpu", None, None), ("m.pb", "webgpu", "4bit", None)]


@pytest.mark.parametrize(("name", "target_format", "precision", "rules"), NAMED, ids=str)
def test_files_have_the_names_that_the_program_gives_them(
    model, tmp_path, monkeypatch, name, target_format, precision, rules
):
    for folder in ("program", "package"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(model.read_bytes())
    (tmp_path / "rules.json").write_text(json.dumps(rules))
    options = ["--precision", precision] if precision else []
    options += ["--mixed-precision-config", "../rules.json"] if rules else []
    run("convert", f"./{name}", "--no-check", "--target-format", target_format, *options, cwd=tmp_path / "program")
    monkeypatch.chdir(tmp_path / "package")
    options = {"target_format": target_format, "precision": precision, "calibration": False, "check": False}
    done = subbyte.convert(name, mixed_precision="../rules.json" if rules else None, **options)
    written = [{path.name: path.read_bytes() for path in (tmp_path / one).iterdir()} for one in ("program", "package")]
    assert written[0] == written[1] and {path.name for path in done.files} == set(written[0]) - {name}
    done = subbyte.convert(name, "new/folder/", mixed_precision=rules, **options)
    assert done.output.parent == pathlib.Path("new/folder")
    assert {path.name for path in done.output.parent.iterdir()} == set(written[0]) - {name}


def test_an_output_that_is_a_folder_takes_the_default_name(model, tmp_path):
    made = subbyte.convert(model, f"{tmp_path}/web/", calibration=False, check=False)
    assert made.output == tmp_path / "web" / "m.webgpu.js" and all(path.is_file() for path in made.files)
    there = subbyte.convert(model, tmp_path / "web", calibration=False, check=False)
    assert (there.output, there.files) == (made.output, made.files)
    for source, output in [(model, ""), ("", None), (model.parent, None)]:
        with pytest.raises(subbyte.SubbyteError):
            subbyte.convert(source, output)


def test_the_precision_of_a_mixed_precision_file_is_obeyed(model, tmp_path):
    chosen = subbyte.quantize(model, tmp_path / "widths.json", target_bits=4.5, effort="fast")
    options = {"mixed_precision": chosen.path, "calibration": False, "check": False}
    done = subbyte.convert(model, tmp_path / "package.webgpu.js", **options)
    line = ["convert", model, "--output", tmp_path / "program.webgpu.js", "--no-check"]
    run(*line, "--mixed-precision-config", chosen.path)
    manifest = json.loads((tmp_path / "program.webgpu.json").read_text())
    assert done.manifest["precision"] == manifest["precision"] == "mixed"
    assert done.manifest["weights"] == manifest["weights"]
    given = subbyte.convert(model, tmp_path / "given.webgpu.js", precision="2bit", **options)
    assert given.manifest["precision"] == "2bit", "what is said goes before what the file says"


def test_a_checkpoint_keeps_the_work(model, tmp_path):
    options = {"precision": "3bit", "effort": "fast", "check": False, "checkpoint": tmp_path / "kept"}
    first = subbyte.convert(model, tmp_path / "a.webgpu.js", **options)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "kept").iterdir()}
    second = subbyte.convert(model, tmp_path / "b.webgpu.js", **options)
    assert kept == {path: path.stat().st_mtime_ns for path in (tmp_path / "kept").iterdir()} and kept
    assert first.manifest["weights"] == second.manifest["weights"]
    subbyte.quantize(model, tmp_path / "w.json", target_bits=4.5, effort="fast", checkpoint=tmp_path / "kept")


def test_inspect(model):
    told = subbyte.inspect(model)
    assert told.inputs == [subbyte.Port("x", "float32", ["n", 64])]
    assert told.operators == {"MatMul": 2, "Relu": 1, "Softmax": 1}
    assert [(weight.name, weight.shape, weight.parameters) for weight in told.weights] == [
        ("w", [64, 48], 3072),
        ("v", [48, 10], 480),
    ]
    assert told.raw["opset"] == 18


def test_evaluate(model):
    module = subbyte.convert(model, precision="3bit", calibration=False).output
    x = samples(40)
    told = subbyte.evaluate(module, model, data={"x": x}, labels=np.zeros(40, np.int64), metrics=["accuracy"])
    assert (told.precision, told.samples) == ("3bit", 40)
    assert [output.name for output in told.outputs] == ["y"] and 0 < told.outputs[0].relative_l2 < 0.5
    assert [(layer.node, layer.bits) for layer in told.layers] == [("first", 3), ("second", 3)]
    (accuracy,) = told.metrics
    assert (accuracy.metric, accuracy.against) == ("accuracy", "labels") and 0 <= accuracy.module <= 1
    with pytest.raises(subbyte.SubbyteError, match="labels go with data that are arrays"):
        subbyte.evaluate(module, model, labels=[1])


def test_an_error_is_one_exception_with_the_message(model, tmp_path):
    with pytest.raises(subbyte.SubbyteError) as caught:
        subbyte.convert(tmp_path / "none.onnx")
    assert "none.onnx" in str(caught.value) and not str(caught.value).startswith("error:")
    assert caught.value.exit_status == 1
    with pytest.raises(subbyte.SubbyteError) as caught:
        subbyte.convert(model, precision="5bit", progress=True)
    assert "5bit" in str(caught.value) and caught.value.exit_status == 2
    with pytest.raises(subbyte.SubbyteError, match="is a number or a bool"):
        subbyte.convert(model, inputs={"x": "one"})


def test_messages_name_what_the_caller_gave(model, tmp_path):
    """And no file that he knows nothing of."""
    wrong = {"x": np.zeros((8, 63), np.float32)}
    for call, start in [
        (lambda: subbyte.convert(model, calibration=wrong), "calibration: input 'x'"),
        (lambda: subbyte.convert(model, calibration={"x": samples(1)}), "calibration: it holds 1 sample"),
        (lambda: subbyte.quantize(model, tmp_path / "w.json", calibration={"q": samples(8)}), "calibration: it has an array"),
        (lambda: subbyte.convert(model, mixed_precision={"tensors": {"q": "4bit"}}), "mixed_precision: 'tensors'"),
    ]:
        with pytest.raises(subbyte.SubbyteError) as caught:
            call()
        assert str(caught.value).startswith(start), caught.value
    module = subbyte.convert(model, calibration=False, check=False).output
    with pytest.raises(subbyte.SubbyteError, match="^data: input 'x'"):
        subbyte.evaluate(module, model, data=wrong)
    for call in (subbyte.convert, subbyte.inspect):
        with pytest.raises(TypeError, match="named by a str or a path, not by bytes"):
            call(model.read_bytes())


def test_widths_for_a_size(model):
    done = subbyte.convert(model, target_bits=5, target_format="onnx", check=False)
    assert done.output == model.with_name("m.mixed.onnx") and done.output.is_file()
    done = subbyte.convert(model, target_size="2kB", check=False)
    assert done.bytes <= 2000
    with pytest.raises(subbyte.SubbyteError, match="leave one of the two out"):
        subbyte.convert(model, target_size="2kB", max_loss="error=1%")


def test_what_the_program_warns_of_is_a_warning(tmp_path):
    random = np.random.default_rng(3)
    weights = [numpy_helper.from_array(random.normal(size=(32, 32)).astype(np.float32), f"w{i}") for i in range(12)]
    nodes = [helper.make_node("MatMul", [f"h{i}", f"w{i}"], [f"h{i + 1}"]) for i in range(12)]
    graph = helper.make_graph(
        nodes,
        "deep",
        [helper.make_tensor_value_info("h0", TensorProto.FLOAT, [1, 32])],
        [helper.make_tensor_value_info("h12", TensorProto.FLOAT, [1, 32])],
        weights,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    made.ir_version = 8
    onnx.save(made, str(tmp_path / "deep.onnx"))
    with pytest.warns(subbyte.SubbyteWarning, match="ruins this model"):
        subbyte.convert(tmp_path / "deep.onnx", precision="2bit", calibration=False)


def test_progress_is_told_phase_by_phase(model, tmp_path):
    told = []
    subbyte.convert(model, tmp_path / "m.webgpu.js", precision="4bit", progress=told.append)
    phases = [progress.phase for progress in told]
    assert "quantizing" in phases and all(phases)
    fractions = [progress.fraction for progress in told if progress.fraction is not None]
    assert fractions and all(0 <= fraction <= 1 for fraction in fractions)


def test_a_bar_is_drawn_on_a_line_of_its_own(model, tmp_path, capsys):
    subbyte.convert(model, tmp_path / "m.webgpu.js", precision="4bit", progress=True)
    shown = capsys.readouterr().err
    assert "\rquantizing" in shown and shown.endswith("\r") and "\n" not in shown
    subbyte.convert(model, tmp_path / "m.webgpu.js", precision="4bit")
    assert capsys.readouterr().err == "", "none where there is no terminal"


def test_what_a_listener_throws_ends_the_program(model, tmp_path):
    class Enough(Exception):
        pass

    def stop(_):
        raise Enough

    with pytest.raises(Enough):
        subbyte.convert(model, tmp_path / "m.webgpu.js", precision="4bit", progress=stop)
    assert [path.name for path in tmp_path.iterdir() if path != model] == []


def test_both_packages_run_the_program(model):
    for package in ("refactored_model_conversion_generator", "subbyte"):
        line = [sys.executable, "-m", package, "convert", "--source", "m.onnx", "--source-format", "onnx"]
        line += ["--target-format", "webgpu", "--precision", "4bit", "--output", f"{package}.webgpu.js"]
        done = subprocess.run(
            line, cwd=model.parent, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT / "python"), "SUBBYTE": str(SUBBYTE)}
        )
        assert done.returncode == 0, done.stderr
        assert json.loads((model.parent / f"{package}.webgpu.json").read_text())["precision"] == "4bit"


def test_the_package_is_typed():
    assert (pathlib.Path(subbyte.__file__).parent / "py.typed").is_file()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert subbyte.version() in (ROOT / "CMakeLists.txt").read_text()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model: subbyte.convert(model, precision=4), "precision is a str, not int"),
        (lambda model: subbyte.convert(model, shard_size=200), "shard_size is a str, not int"),
        (lambda model: subbyte.convert(model, effort=b"fast"), "effort is a str, not bytes"),
        (lambda model: subbyte.convert(model, calibration=samples(8)), "calibration is .* by the names of inputs, not ndarray"),
        (lambda model: subbyte.convert(model, calibration=None), "calibration is True, False, .* not NoneType"),
        (lambda model: subbyte.evaluate("m.webgpu.js", model, data=samples(8)), "data are .* not ndarray"),
        (lambda model: subbyte.quantize(model, "w.json", precision=4), "precision is a str, not int"),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_told_by_the_name_of_its_argument(model, call, message):
    with pytest.raises(TypeError, match=f"^{message}$"):
        call(model)


def test_one_metric_is_a_word(model):
    done = subbyte.convert(model, precision="4bit", calibration=False, check=False)
    told = subbyte.evaluate(done.output, model, metrics="accuracy")
    assert [metric.metric for metric in told.metrics] == ["accuracy"]


def test_widths_are_chosen_under_the_names_that_the_module_has(model, tmp_path):
    data = {"pixels": samples(8)}
    chosen = subbyte.quantize(
        model, tmp_path / "w.json", target_bits=4.5, effort="fast", calibration=data, renames={"x": "pixels"}
    )
    assert chosen.rules["tensors"]


def test_errors_are_named_as_they_are_imported():
    assert (subbyte.SubbyteError.__module__, subbyte.SubbyteWarning.__module__) == ("subbyte", "subbyte")
