"""What the functions of the package return. `raw` holds all that the program said, as in its JSON."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any, Optional, Union


@dataclasses.dataclass(frozen=True)
class Port:
    """An input or output of a model; a dim with a name takes any size that the model allows."""

    name: str
    dtype: str
    #: None where the model does not say.
    dims: Optional[list[Union[int, str]]]


@dataclasses.dataclass(frozen=True)
class Conversion:
    """What `convert` wrote."""

    #: The module, or the ONNX file.
    output: pathlib.Path
    #: All files, the output among them.
    files: list[pathlib.Path]
    #: The manifest (docs/format.md) of a module; None of an ONNX file.
    manifest: Optional[dict[str, Any]]
    #: What the program said besides.
    notes: list[str]

    @property
    def bytes(self) -> Optional[int]:
        """Of the weights, scales and zero points counted; None of an ONNX file."""
        return None if self.manifest is None else self.manifest["totals"]["bytes"]

    @property
    def bits_per_weight(self) -> Optional[float]:
        return None if self.manifest is None else self.manifest["totals"]["bits_per_weight"]

    @property
    def errors(self) -> dict[str, float]:
        """By output, the relative L2 error that `check` found; empty where there was none."""
        check = (self.manifest or {}).get("check") or {}
        return {
            output["name"]: output["relative_l2"]
            for output in check.get("outputs", [])
            if output.get("relative_l2") is not None
        }


@dataclasses.dataclass(frozen=True)
class Weight:
    name: str
    dtype: str
    shape: list[int]
    layer: Optional[int]
    component: str
    parameters: int
    bytes: int


@dataclasses.dataclass(frozen=True)
class ModelInfo:
    """What is in a model."""

    inputs: list[Port]
    outputs: list[Port]
    #: By operator, how many nodes there are.
    operators: dict[str, int]
    #: By layer, and by component, how many parameters there are.
    layers: dict[Optional[int], int]
    components: dict[str, int]
    weights: list[Weight]
    raw: dict[str, Any] = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class OutputError:
    """What an output of a module loses, beside its source's."""

    name: str
    relative_l2: float
    raw: dict[str, Any] = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class LayerError:
    """The error of what a node with a quantized weight computes."""

    node: str
    weight: str
    bits: int
    relative_l2: float
    raw: dict[str, Any] = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class MetricResult:
    metric: str
    output: str
    #: "labels" or "source".
    against: str
    module: float
    source: float
    raw: dict[str, Any] = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """A module beside its source."""

    precision: str
    samples: int
    outputs: list[OutputError]
    layers: list[LayerError]
    metrics: list[MetricResult]
    raw: dict[str, Any] = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class MixedPrecision:
    """The widths that `quantize` chose: `convert(..., mixed_precision=this.path)` obeys them."""

    path: pathlib.Path
    rules: dict[str, Any]
    notes: list[str]
