"""A model at each precision, as ONNX files that one runtime can run side by side: what `convert --target-format onnx`
writes, and what ONNX Runtime's own quantizers make of the same model."""

import dataclasses
import json
import logging
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Iterator

import numpy as np
import onnx
import onnx.version_converter
import onnxruntime
from onnxruntime import quantization
from onnxruntime.quantization import matmul_nbits_quantizer, shape_inference

Feeds = dict[str, np.ndarray]


@dataclasses.dataclass
class Variant:
    name: str
    file: pathlib.Path
    bytes: int
    bits: float | None = None  # a weight, scales and zero points counted; None where it is not ours


@dataclasses.dataclass
class Options:
    program: str
    precisions: list[str]  # of --precision, or another option that chooses widths: "target-bits=3.5"
    extra: list[str]  # further options of convert
    data: bool  # also calibrated on data
    peers: bool  # ONNX Runtime's quantizers too
    sizes: bool  # the module is made as well, to tell its bytes
    threads: int

    def session(self, file: pathlib.Path) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def variants(
    model: pathlib.Path, calibration: Callable[[], list[Feeds]], folder: pathlib.Path, options: Options
) -> Iterator[Variant]:
    """The model itself and then each variant, made when it is asked for. `calibration` draws inputs to calibrate on, on
    which nothing is judged."""
    yield Variant("float32", model, model.stat().st_size, 32.0)
    ways = {"": []}
    if knows(options.program, "--calibration"):
        ways[", rounded to nearest"] = ["--calibration", "none"]
        if options.data:
            ways[", with data"] = ["--calibration", written(calibration(), folder / "calibration")]
    elif options.data:
        sys.exit(f"{options.program} has no option --calibration yet: leave out --data")
    for precision in options.precisions:
        for way, choice in ways.items():
            yield ours(model, precision, way, choice, folder, options)
    if options.peers:
        yield from onnx_runtimes(model, calibration, folder)


def knows(program: str, option: str) -> bool:
    return option in subprocess.run([program, "convert", "--help"], capture_output=True, text=True, check=True).stdout


def ours(
    model: pathlib.Path, precision: str, way: str, choice: list[str], folder: pathlib.Path, options: Options
) -> Variant:
    width = [f"--{precision}"] if "=" in precision else ["--precision", precision]
    common = [options.program, "convert", model, *width, *choice, *options.extra, "--no-check"]
    file = folder / "ours.onnx"
    convert([*common, "--target-format", "onnx", "--output", file])
    variant = Variant(precision + way, file, 0)
    if options.sizes:
        convert([*common, "--output", folder / "ours.webgpu.js"])
        totals = json.loads((folder / "ours.webgpu.json").read_text())["totals"]
        variant.bytes, variant.bits = totals["bytes"], totals["bits_per_weight"]
    return variant


def convert(command: list) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr.strip()}")


def written(feeds: list[Feeds], folder: pathlib.Path) -> str:
    """A folder of .npz files, as --calibration takes them."""
    folder.mkdir(exist_ok=True)
    for index, arrays in enumerate(feeds):
        np.savez(folder / f"{index:04}.npz", **arrays)
    return str(folder)


class Reader(quantization.CalibrationDataReader):
    def __init__(self, feeds: list[Feeds]):
        self.feeds = iter(feeds)

    def get_next(self) -> Feeds | None:
        return next(self.feeds, None)


def onnx_runtimes(
    model: pathlib.Path, calibration: Callable[[], list[Feeds]], folder: pathlib.Path
) -> Iterator[Variant]:
    """Dynamic 8 bits, static 8 bits (QDQ, calibrated on the data), and 4 bits of the matrix products where there are
    any. The activations are quantized too in the first two. Bytes are those of the file."""
    logging.disable(logging.WARNING)
    prepared = prepare(model, folder)

    def made(name: str, quantize: Callable[[str], None]) -> Variant | None:
        file = folder / "peer.onnx"
        file.unlink(missing_ok=True)
        try:
            quantize(str(file))
            onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        except Exception as error:  # noqa: BLE001 a quantizer that fails on this model is a result
            print(f"ONNX Runtime, {name}: not for this model: {str(error).splitlines()[0]}", file=sys.stderr)
            return None
        return Variant(f"ONNX Runtime, {name}", file, os.path.getsize(file))

    unsigned = quantization.QuantType.QUInt8
    ways = {
        "dynamic int8": lambda file: quantization.quantize_dynamic(
            str(prepared), file, weight_type=unsigned, per_channel=True
        ),
        "static int8": lambda file: quantization.quantize_static(
            str(prepared),
            file,
            Reader(calibration()),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            activation_type=unsigned,
            weight_type=quantization.QuantType.QInt8,
        ),
    }
    if has_products(prepared):
        ways["MatMulNBits 4 bits"] = lambda file: four_bits(prepared, file)
    for name, quantize in ways.items():
        variant = made(name, quantize)
        if variant:
            yield variant


def prepare(model: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """The model as its quantizers want it: of an opset that quantizes by channels, batch norms folded."""
    newer, prepared = folder / "newer.onnx", folder / "prepared.onnx"
    loaded = onnx.load(str(model))
    opset = next(entry.version for entry in loaded.opset_import if entry.domain in ("", "ai.onnx"))
    onnx.save(loaded if opset >= 13 else onnx.version_converter.convert_version(loaded, 13), str(newer))
    try:
        shape_inference.quant_pre_process(str(newer), str(prepared), skip_symbolic_shape=True)
    except Exception:  # noqa: BLE001 some models it cannot infer: they are quantized as they are
        return newer
    return prepared


def has_products(model: pathlib.Path) -> bool:
    graph = onnx.load(str(model)).graph
    constants = {tensor.name for tensor in graph.initializer}
    return any(node.op_type == "MatMul" and node.input[1] in constants for node in graph.node)


def four_bits(model: pathlib.Path, file: str) -> None:
    config = matmul_nbits_quantizer.DefaultWeightOnlyQuantConfig(block_size=32, is_symmetric=False, bits=4)
    quantizer = matmul_nbits_quantizer.MatMulNBitsQuantizer(onnx.load(str(model)), algo_config=config)
    quantizer.process()
    quantizer.model.save_model_to_file(file)
