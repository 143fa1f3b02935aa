"""Compiles ONNX models to WebGPU modules with weights of 16, 8, 4, 3 or 2 bits.

    import subbyte

    done = subbyte.convert("model.onnx", precision="4bit")
    print(done.output, done.bits_per_weight)

Everything is done by the native program that is installed beside this package; docs/command-line.md tells what its
options mean.
"""

from ._api import convert, evaluate, inspect, quantize
from ._program import Progress, SubbyteError, SubbyteWarning, version
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

__all__ = [
    "Conversion",
    "Evaluation",
    "LayerError",
    "MetricResult",
    "MixedPrecision",
    "ModelInfo",
    "OutputError",
    "Port",
    "Progress",
    "SubbyteError",
    "SubbyteWarning",
    "Weight",
    "convert",
    "evaluate",
    "inspect",
    "quantize",
    "version",
]
