"""The operator tests that ONNX ships: a model of a node or a few, inputs, and the outputs they must give."""

import functools
import hashlib
import pathlib
import warnings
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests

KINDS = ["node", "simple", "pytorch-operator", "pytorch-converted"]
# They take a size times its scale, a fraction, for the length of the result. The text of ONNX says the length, and so do
# ONNX Runtime and PyTorch.
LEFT_OUT = {"resize_downsample_scales_cubic_align_corners", "resize_downsample_scales_linear_align_corners"}
# What they expect was drawn by another generator of random numbers.
DRAWN = {"bernoulli_seed", "bernoulli_seed_expanded"}
# What they expect is written down with four digits.
FOUR_DIGITS = {"averagepool_2d_ceil_last_window_starts_on_pad", "gridsample_bicubic", "roialign_aligned_false", "roialign_aligned_true"}
# Their float64 numbers, 1e223 and 1e-310, are outside of float32, as which float64 is computed.
BEYOND = {
    f"pytorch_operator.operator_{name}"
    for name in ["add_broadcast", "add_size1_right_broadcast", "add_size1_singleton_broadcast", "addconstant"]
}
ROOT = pathlib.Path(__file__).resolve().parents[2]


@dataclass
class Case:
    """`data` holds (inputs, outputs) pairs, each by name; it is None where one of them is no tensor."""

    name: str
    model: onnx.ModelProto
    operators: frozenset[str]
    data: list[tuple[dict, dict]] | None
    atol: float = 1e-6


@functools.cache
def all_cases() -> list[Case]:
    """Every test, by name. Some tensors are drawn at random, from seeds that ONNX fixes."""
    with warnings.catch_warnings():
        # Its reference implementations divide by zero on purpose.
        warnings.simplefilter("ignore", RuntimeWarning)
        loaded = [test for kind in KINDS for test in load_model_tests(kind=kind)]
    cases = [case for test in loaded if (case := case_of(test)).name not in LEFT_OUT | DRAWN | BEYOND]
    cases += [changed for case in cases if (changed := with_constants(case))]
    return sorted(cases, key=lambda case: case.name)


def case_of(test) -> Case:
    if test.model is not None:
        model, sets = test.model, test.data_sets
    else:
        folder = pathlib.Path(test.model_dir)
        model = onnx.load(folder / "model.onnx")
        sets = [read_set(one) for one in sorted(folder.glob("test_data_set_*"))]
    kind = "" if test.kind == "node" else test.kind.replace("-", "_") + "."
    operators = frozenset(operators_of(model.graph))
    name = kind + test.name.removeprefix("test_")
    return Case(name, model, operators, named(model, sets), atol=1e-4 if name in FOUR_DIGITS else 1e-6)


def with_constants(case: Case) -> Case | None:
    """The case with all inputs but the first as initializers: the tests have axes and shapes as inputs, models seldom do.

    None where there is one input only.
    """
    if not case.data or len(case.data) != 1 or len(case.data[0][0]) < 2:
        return None
    inputs, outputs = case.data[0]
    first, *others = inputs
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    for name in others:
        model.graph.initializer.append(numpy_helper.from_array(inputs[name], name))
    kept = [value for value in model.graph.input if value.name not in others]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    return Case(f"{case.name}.constants", model, case.operators, [({first: inputs[first]}, outputs)], case.atol)


def operators_of(graph):
    """Operators of the graph and of the graphs inside its nodes."""
    for node in graph.node:
        yield node.op_type
        for attribute in node.attribute:
            for inner in [attribute.g, *attribute.graphs]:
                yield from operators_of(inner)


def read_set(folder: pathlib.Path):
    return tuple(
        [read_tensor(folder / f"{what}_{i}.pb") for i in range(len(list(folder.glob(f"{what}_*.pb"))))]
        for what in ["input", "output"]
    )


def read_tensor(path: pathlib.Path):
    """The array, or None for a sequence, which is another message."""
    try:
        tensor = onnx.TensorProto.FromString(path.read_bytes())
        return numpy_helper.to_array(tensor)
    except Exception:
        return None


def named(model, sets):
    """The sets of a test by the names of the model's inputs and outputs; None where one holds no tensors."""
    constants = {initializer.name for initializer in model.graph.initializer}
    inputs = [value.name for value in model.graph.input if value.name not in constants]
    outputs = [value.name for value in model.graph.output]
    result = []
    for given, expected in sets:
        given, expected = list(map(as_array, given)), list(map(as_array, expected))
        if any(value is None for value in [*given, *expected]):
            return None
        result.append((dict(zip(inputs, given, strict=True)), dict(zip(outputs, expected, strict=True))))
    return result


def as_array(value):
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    return np.asarray(value) if isinstance(value, np.ndarray | np.generic) else None


def known_operators() -> list[str]:
    """The operators of src/graph/ops.def, in its order, and those that become others before it is asked."""
    text = (ROOT / "src" / "graph" / "ops.def").read_text(encoding="utf8")
    rows = [line for line in text.splitlines() if line.startswith("OP(") and '"subbyte"' not in line]
    return [line[3:].split(",")[0] for line in rows] + ["If", "Loop", "Scan"]


# What subbyte takes as inputs and outputs (TensorProto.DataType).
TAKEN = {
    onnx.TensorProto.DataType.Value(name)
    for name in "FLOAT FLOAT16 BFLOAT16 DOUBLE BOOL INT8 INT16 INT32 INT64 UINT8 UINT16 UINT32 UINT64".split()
}


def excluded(case: Case) -> str:
    """Why the case is none that subbyte means to pass; "" where it is one."""
    for value in [*case.model.graph.input, *case.model.graph.output]:
        kind = value.type.WhichOneof("value")
        if kind != "tensor_type":
            return f"{value.name!r} is a {kind.removesuffix('_type')}"
        number = value.type.tensor_type.elem_type
        if number not in TAKEN:
            return f"{value.name!r} has the dtype {onnx.TensorProto.DataType.Name(number).lower()}"
    in_training = any(opset.domain == "ai.onnx.preview.training" for opset in case.model.opset_import)
    return "training" if in_training or ("train" in case.name and case.operators & {"Dropout", "BatchNormalization"}) else ""


def quick_subset(cases: list[Case], count: int) -> list[Case]:
    """`count` cases spread over the operators that subbyte knows, and a few with others; always the same ones."""
    known = set(known_operators())

    def key(case: Case) -> str:
        return hashlib.sha256(case.name.encode()).hexdigest()

    by_operator: dict[str, list[Case]] = {}
    for case in sorted(cases, key=key):
        group = min(case.operators) if case.operators <= known else "others"
        by_operator.setdefault(group, []).append(case)
    chosen: list[Case] = []
    while len(chosen) < min(count, len(cases)):
        for group in sorted(by_operator):
            if by_operator[group]:
                chosen.append(by_operator[group].pop(0))
    return sorted(chosen[:count], key=lambda case: case.name)
