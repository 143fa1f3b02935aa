"""The verbs of the program as functions."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import tempfile
from typing import TYPE_CHECKING, Any, Iterator, Mapping, Optional, Sequence, Union

from ._program import ProgressOption, SubbyteError, run
from ._results import (
    Conversion,
    Evaluation,
    LayerError,
    MetricResult,
    MixedPrecision,
    ModelInfo,
    OutputError,
    Port,
    Weight,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Path = Union[str, "os.PathLike[str]"]
#: A file or folder (docs/calibration.md), or an array for each input, by its name, whose first axis is the samples.
Samples = Union[Path, Mapping[str, "ArrayLike"]]
#: Of an input that is fixed: a value for all of its elements, or one for each.
Value = Union[bool, int, float, Sequence[Union[bool, int, float]]]


def convert(
    source: Path,
    output: Optional[Path] = None,
    *,
    precision: Optional[str] = None,
    target_size: Optional[str] = None,
    target_bits: Optional[float] = None,
    max_loss: Optional[str] = None,
    target_format: str = "webgpu",
    mixed_precision: Union[Path, Mapping[str, Any], None] = None,
    calibration: Union[Samples, bool] = True,
    effort: Optional[str] = None,
    checkpoint: Optional[Path] = None,
    check: bool = True,
    dims: Optional[Mapping[str, int]] = None,
    inputs: Optional[Mapping[str, Value]] = None,
    renames: Optional[Mapping[str, str]] = None,
    activations: str = "model",
    model_type: Optional[str] = None,
    single_file: bool = False,
    shard_size: Optional[str] = None,
    force: bool = False,
    report: Optional[Path] = None,
    progress: ProgressOption = None,
) -> Conversion:
    """Converts an ONNX model to a WebGPU module, or to plain ONNX as it was quantized.

    `output` is by default a name beside the source; of a folder (one that is there, or with / at its end, which is made
    if missing) a name in it. `mixed_precision` is a file of rules, or the rules themselves. `precision` is by default that
    of the rules, or "8bit"; `target_size` ("20MB"), `target_bits` (3.2) and `max_loss` ("error=1%") choose the width of each
    weight instead. `calibration` is True for inputs that the program makes, False for none (weights are rounded
    as they are), or samples of yours. `checkpoint` is a folder that keeps what was measured and chosen, so that the same call
    goes on from there after an interruption. `report` is a page (.html) to write. Raises SubbyteError; warns with SubbyteWarning
    where the precision ruins the model.
    """
    goal = _goal(target_size, target_bits, max_loss)
    name = _default_name(source, target_format, "mixed" if goal else precision, mixed_precision)
    arguments = ["convert", _path(source), *goal]
    arguments += _words(
        target_format=target_format,
        activations=activations,
        effort=effort,
        precision=precision,
        model_type=model_type,
        shard_size=shard_size,
    )
    if output is None:
        target = pathlib.Path(os.path.dirname(source), name)
    elif (folder := _folder(output)) is not None:
        target = pathlib.Path(folder, name)
        arguments += ["--output", _path(folder)]
    else:
        target = pathlib.Path(output)
        arguments += ["--output", _path(output)]
    arguments += _fixed(dims, inputs) + _named("--rename", renames)
    if checkpoint is not None:
        arguments += ["--checkpoint", _path(checkpoint)]
    if report is not None:
        arguments += ["--report", _path(report)]
    chosen = {"--no-check": not check, "--single-file": single_file, "--force": force}
    arguments += [option for option, wanted in chosen.items() if wanted]
    with contextlib.ExitStack() as temporary:
        names = {}
        if isinstance(mixed_precision, Mapping):
            mixed_precision = temporary.enter_context(_rules_file(mixed_precision))
            names[mixed_precision] = "mixed_precision"
        if mixed_precision is not None:
            arguments += ["--mixed-precision-config", _path(mixed_precision)]
        arguments += temporary.enter_context(_calibration(calibration, names))
        done = run(arguments, progress, names)
    manifest = None
    files = [target]
    if target_format == "webgpu":
        stem = target.with_suffix("")
        types = ".d.mts" if target.suffix == ".mjs" else ".d.ts"
        manifest = json.loads(stem.with_name(stem.name + ".json").read_text(encoding="utf8"))
        weights = [] if single_file else [target.parent / file["name"] for file in manifest["files"]]
        files += [*weights, stem.with_name(stem.name + types), stem.with_name(stem.name + ".json")]
    elif target.with_name(target.name + ".data").is_file():
        files.append(target.with_name(target.name + ".data"))
    return Conversion(target, files, manifest, done.notes)


def quantize(
    model: Path,
    output: Path,
    *,
    precision: str = "mixed",
    target_size: Optional[str] = None,
    target_bits: Optional[float] = None,
    max_loss: Optional[str] = None,
    calibration: Union[Samples, bool] = True,
    effort: Optional[str] = None,
    checkpoint: Optional[Path] = None,
    dims: Optional[Mapping[str, int]] = None,
    inputs: Optional[Mapping[str, Value]] = None,
    renames: Optional[Mapping[str, str]] = None,
    activations: str = "model",
    force: bool = False,
    report: Optional[Path] = None,
    progress: ProgressOption = None,
) -> MixedPrecision:
    """Studies a model, and writes which weights are stored in how many bits: a file that `convert` takes."""
    arguments = ["quantize", "--model", _path(model), "--output", _path(output)]
    arguments += _words(precision=precision, effort=effort, activations=activations)
    arguments += _fixed(dims, inputs) + _named("--rename", renames)
    arguments += _goal(target_size, target_bits, max_loss)
    if force:
        arguments.append("--force")
    if checkpoint is not None:
        arguments += ["--checkpoint", _path(checkpoint)]
    if report is not None:
        arguments += ["--report", _path(report)]
    names: dict[str, str] = {}
    with _calibration(calibration, names) as options:
        done = run([*arguments, *options], progress, names)
    path = pathlib.Path(output)
    return MixedPrecision(path, json.loads(path.read_text(encoding="utf8")), done.notes)


def inspect(
    model: Path, *, dims: Optional[Mapping[str, int]] = None, inputs: Optional[Mapping[str, Value]] = None
) -> ModelInfo:
    """Tells what is in a model."""
    told = _json(["inspect", "--model", _path(model), *_fixed(dims, inputs)])
    return ModelInfo(
        inputs=[_made(Port, port) for port in told.get("inputs", [])],
        outputs=[_made(Port, port) for port in told.get("outputs", [])],
        operators=told.get("operators", {}),
        layers={one["layer"]: one["parameters"] for one in told.get("layers", []) if "parameters" in one},
        components={one["component"]: one["parameters"] for one in told.get("components", [])},
        weights=[_made(Weight, weight) for weight in told.get("weights", []) if "parameters" in weight],
        raw=told,
    )


def evaluate(
    module: Path,
    source: Path,
    *,
    data: Optional[Samples] = None,
    labels: Optional[ArrayLike] = None,
    metrics: Union[str, Sequence[str]] = (),
    runtime: str = "cpp",
    dims: Optional[Mapping[str, int]] = None,
    inputs: Optional[Mapping[str, Value]] = None,
    renames: Optional[Mapping[str, str]] = None,
    activations: str = "model",
    report: Optional[Path] = None,
    progress: ProgressOption = None,
) -> Evaluation:
    """Compares a module with the model that it was converted from, on samples of yours or on made ones.

    `labels` go with `data` that are arrays. `metrics` are those of the program, alone or as METRIC:OUTPUT.
    """
    arguments = ["evaluate", "--model", _path(module), "--source", _path(source), *_words(runtime=runtime)]
    arguments += [*_words(activations=activations), *_fixed(dims, inputs), *_named("--rename", renames)]
    for metric in [metrics] if isinstance(metrics, str) else metrics:
        arguments += _words(metric=metric)
    if report is not None:
        arguments += ["--report", _path(report)]
    if labels is not None and not isinstance(data, Mapping):
        raise SubbyteError("labels go with data that are arrays; a file or folder has its own", 2)
    with contextlib.ExitStack() as temporary:
        names = {}
        if isinstance(data, Mapping):
            data = temporary.enter_context(_arrays_file({**data, **({} if labels is None else {"labels": labels})}))
            names[data] = "data"
        if data is not None and not isinstance(data, (str, os.PathLike)):
            kinds = "a file or folder, or a dict of arrays by the names of inputs"
            raise TypeError(f"data are {kinds}, not {type(data).__name__}")
        if data is not None:
            arguments += ["--data", _path(data)]
        told = _json(arguments, progress, names)
    return Evaluation(
        precision=told["precision"],
        samples=told["samples"]["count"],
        outputs=[_made(OutputError, output) for output in told["outputs"]],
        layers=[_made(LayerError, layer) for layer in told["layers"]],
        metrics=[_made(MetricResult, metric) for metric in told.get("metrics", [])],
        raw=told,
    )


def _json(
    arguments: Sequence[str], progress: ProgressOption = False, names: Optional[Mapping[str, str]] = None
) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(run([*arguments, "--format", "json"], progress, names).stdout)
    return told


def _path(path: Path) -> str:
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"a file is named by a str or a path, not by {type(path).__name__}")
    # A name that begins with "-" is no option.
    text = os.fspath(path)
    return f"./{text}" if text.startswith("-") else text


def _folder(output: Path) -> Optional[str]:
    """Of a folder its name as the program takes it, with / at its end; None of a file."""
    text = os.fspath(output)
    if text.endswith(("/", os.sep)):
        return text[:-1] + "/"
    return text + "/" if text and os.path.isdir(text) else None


#: Other words that --precision takes. Rules have none for theirs.
_OTHER_WORDS = {"int4": "4bit", "int3": "3bit", "int2": "2bit", "fp16": "float16", "fp32": "float32"}


def _default_name(
    source: Path, target_format: str, precision: Optional[str], rules: Union[Path, Mapping[str, Any], None]
) -> str:
    """The name that the program gives a file where it is given none (src/cli/convert.cc)."""
    name = os.path.basename(_path(source))
    stem = name.rpartition(".")[0] or name
    if target_format == "webgpu":
        return f"{stem}.webgpu.js"
    if precision is None:
        precision = _precision_of(rules)
    return f"{stem}.{_OTHER_WORDS.get(precision, precision)}.onnx"


def _precision_of(rules: Union[Path, Mapping[str, Any], None]) -> str:
    """What rules say of all that they do not name; what is wrong with them is told by the program."""
    if rules is not None and not isinstance(rules, Mapping):
        try:
            rules = json.loads(pathlib.Path(rules).read_text(encoding="utf8"))
        except (OSError, ValueError):
            rules = None
    said = rules.get("precision") if isinstance(rules, Mapping) else None
    return said if isinstance(said, str) else "8bit"


def _made(kind: Any, told: dict[str, Any]) -> Any:
    """A dataclass of what the program said: the fields that it has, and all of it as `raw` where there is one."""
    names = {field.name for field in dataclasses.fields(kind)}
    values = {name: told.get(name) for name in names - {"raw"}}
    return kind(**values, raw=told) if "raw" in names else kind(**values)


def _named(option: str, values: Optional[Mapping[str, Any]]) -> list[str]:
    return [word for name, value in (values or {}).items() for word in (option, f"{name}={value}")]


def _fixed(dims: Optional[Mapping[str, int]], inputs: Optional[Mapping[str, Value]]) -> list[str]:
    def text(value: Any) -> str:
        if isinstance(value, (str, bytes)):
            raise SubbyteError(f"a value of an input is a number or a bool, not {value!r}", 2)
        if hasattr(value, "__len__"):
            return ",".join(text(one) for one in value)
        return str(bool(value)).lower() if type(value).__name__ in ("bool", "bool_") else repr(value + 0)

    listed = {name: text(value.tolist() if hasattr(value, "tolist") else value) for name, value in (inputs or {}).items()}
    return _named("--dim", dims) + _named("--input", listed)


def _goal(target_size: Optional[str], target_bits: Optional[float], max_loss: Optional[str]) -> list[str]:
    given = {"--target-size": target_size, "--target-bits": target_bits, "--max-loss": max_loss}
    return [word for option, value in given.items() if value is not None for word in (option, str(value))]


@contextlib.contextmanager
def _calibration(given: Union[Samples, bool], names: dict[str, str]) -> Iterator[list[str]]:
    if given is True:
        yield []
    elif given is False:
        yield ["--calibration", "none"]
    elif isinstance(given, Mapping):
        with _arrays_file(given) as path:
            names[path] = "calibration"
            yield ["--calibration", _path(path)]
    elif not isinstance(given, (str, os.PathLike)):
        kinds = "True, False, a file or folder, or a dict of arrays by the names of inputs"
        raise TypeError(f"calibration is {kinds}, not {type(given).__name__}")
    else:
        # "none" is a word of the program's; a file of that name is one.
        yield ["--calibration", "./none" if os.fspath(given) == "none" else _path(given)]


def _words(**options: Optional[str]) -> list[str]:
    """Options whose values are words; None leaves one out."""
    arguments = []
    for name, value in options.items():
        if value is None:
            continue
        if not isinstance(value, str):
            raise TypeError(f"{name} is a str, not {type(value).__name__}")
        arguments += ["--" + name.replace("_", "-"), value]
    return arguments


@contextlib.contextmanager
def _arrays_file(arrays: Mapping[str, ArrayLike]) -> Iterator[str]:
    import numpy

    with tempfile.TemporaryDirectory(prefix="subbyte-") as folder:
        path = os.path.join(folder, "samples.npz")
        with open(path, "wb") as file:
            numpy.savez(file, **{name: numpy.asarray(array) for name, array in arrays.items()})
        yield path


@contextlib.contextmanager
def _rules_file(rules: Mapping[str, Any]) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="subbyte-") as folder:
        path = os.path.join(folder, "mixed_precision.json")
        pathlib.Path(path).write_text(json.dumps(rules), encoding="utf8")
        yield path
