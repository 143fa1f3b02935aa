"""The C++ reference against ONNX's own operator tests and against ONNX Runtime on a whole model."""

import collections
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import subprocess
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from harness import MODELS, ROOT, SUBBYTE
from onnx_cases import DRAWN, FOUR_DIGITS, LEFT_OUT

TOOL = pathlib.Path(
    os.environ.get(
        "SUBBYTE_REFERENCE_TOOL", SUBBYTE.parent / "src" / "reference" / "subbyte_reference_tool"
    )
)
DONE, FAILED, REFUSED = 0, 1, 3

DTYPES = {
    onnx.TensorProto.FLOAT: "float32",
    onnx.TensorProto.FLOAT16: "float16",
    onnx.TensorProto.BFLOAT16: "bfloat16",
    onnx.TensorProto.DOUBLE: "float64",
    onnx.TensorProto.INT8: "int8",
    onnx.TensorProto.INT16: "int16",
    onnx.TensorProto.INT32: "int32",
    onnx.TensorProto.INT64: "int64",
    onnx.TensorProto.UINT8: "uint8",
    onnx.TensorProto.UINT16: "uint16",
    onnx.TensorProto.UINT32: "uint32",
    onnx.TensorProto.UINT64: "uint64",
    onnx.TensorProto.BOOL: "bool",
}
# Relative and absolute error. Half formats: one unit in the last place.
TOLERANCES = {
    "float32": (1e-5, 1e-6),
    "float64": (1e-7, 1e-9),
    "float16": (1e-3, 1e-4),
    "bfloat16": (8e-3, 1e-3),
}
# Those whose expected values are not what the text of ONNX asks for, or were drawn otherwise.
OTHERWISE = {f"test_{name}" for name in LEFT_OUT | DRAWN}
# Tests whose expected values are written with fewer digits.
FEW_DIGITS = {f"test_{name}": (0, 1e-4) for name in FOUR_DIGITS}
# Fewer would mean that what once ran does not any more.
FEWEST_PASSED = 950


def known_operators() -> set[str]:
    """The names in the operator table."""
    table = (ROOT / "src" / "graph" / "ops.def").read_text(encoding="utf8")
    rows = [line for line in table.splitlines() if line.startswith("OP(")]
    return {row[3 : row.index(",")] for row in rows}


def write_tensor(path: pathlib.Path, dtype: str, array: np.ndarray) -> None:
    header = " ".join([dtype, *map(str, array.shape)])
    path.write_bytes(header.encode() + b"\n" + np.ascontiguousarray(array).tobytes())


def read_tensor(path: pathlib.Path) -> tuple[str, np.ndarray]:
    """The dtype and the elements; bfloat16 as float32."""
    header, _, data = path.read_bytes().partition(b"\n")
    dtype, *dims = header.decode().split(" ")
    return dtype, to_array(dtype, data).reshape([int(dim) for dim in dims])


def to_array(dtype: str, data: bytes) -> np.ndarray:
    if dtype == "bfloat16":
        return (np.frombuffer(data, np.uint16).astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(data, dtype)


def run_tool(
    model: pathlib.Path, folder: pathlib.Path, inputs, tool: pathlib.Path = TOOL
) -> tuple[int, str, list]:
    """Exit status, message and outputs of one run on (dtype, array) pairs."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, (dtype, array) in enumerate(inputs):
        write_tensor(folder / f"input_{i}.tensor", dtype, array)
    done = subprocess.run(
        [str(tool), str(model), str(folder), str(folder)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    count = len(list(folder.glob("output_*.tensor")))
    outputs = [read_tensor(folder / f"output_{i}.tensor") for i in range(count)]
    return done.returncode, done.stderr.strip(), outputs


@pytest.fixture(scope="module", autouse=True)
def tool() -> None:
    assert TOOL.is_file(), f"{TOOL} is missing; build the target subbyte_reference_tool"


# --- ONNX's operator tests ------------------------------------------------------------


@dataclasses.dataclass
class Outcome:
    name: str
    result: str  # passed, refused or failed
    message: str = ""


def operator_tests() -> list:
    """ONNX's node tests whose operators are all in the table, from the installed package."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tests divide by zero on purpose
        np.random.seed(0)
        cases = collect_testcases(None)
    known = known_operators()
    return [
        case
        for case in cases
        if {node.op_type for node in case.model.graph.node} <= known and case.name not in OTHERWISE
    ]


def to_proto(value, name: str):
    if isinstance(value, onnx.TensorProto):
        return value
    # Scalars come as NumPy scalars; sequences and optionals have no tensor.
    is_tensor = value is not None and not isinstance(value, list)
    return numpy_helper.from_array(np.asarray(value), name) if is_tensor else None


def to_pair(value):
    """(dtype, array of the stored bits), or None for what is not a tensor of a dtype we know."""
    proto = to_proto(value, "")
    if proto is None or proto.data_type not in DTYPES:
        return None
    dtype = DTYPES[proto.data_type]
    array = numpy_helper.to_array(proto)
    return dtype, array.view(np.uint16) if dtype == "bfloat16" else array


def difference(expected, actual, tolerance=None) -> str:
    """What is wrong with an output, or ''."""
    dtype, array = expected
    if dtype == "bfloat16":
        array = to_array(dtype, array.tobytes()).reshape(array.shape)
    if actual[0] != dtype or actual[1].shape != array.shape:
        return f"{actual[0]} {actual[1].shape} instead of {dtype} {array.shape}"
    if dtype not in TOLERANCES:
        return "" if np.array_equal(actual[1], array) else f"{actual[1]} instead of {array}"
    rtol, atol = tolerance or TOLERANCES[dtype]
    close = np.isclose(
        actual[1].astype(np.float64), array.astype(np.float64), rtol, atol, equal_nan=True
    )
    return "" if close.all() else f"{actual[1][~close]} instead of {array[~close]}"


def names_a_reason(case, message: str) -> bool:
    """A refusal must name the operator, the dtype, the mode or the version that it is for."""
    operators = {node.op_type for node in case.model.graph.node}
    words = [f"({operator})" for operator in operators]
    words += ["dtype", "data type", "opset", "models of tensors"]
    return any(word in message for word in words)


def short_reason(message: str) -> str:
    """The last sentence without the names of values and what is allowed, for counting."""
    reason = re.split("[;,]", message.splitlines()[-1].split(": ")[-1])[0]
    return re.sub(r"^(input|output|tensor) '\w+'", r"a value", reason)


def variant(case, number: int, how: str) -> tuple[onnx.ModelProto, list]:
    """The model for one data set, and the inputs that are left.

    Axes that ONNX's tests pass as an input become an initializer, as any exporter writes them. With
    `folded` all inputs do, so that the passes compute the whole model. With `symbolic` no dimension
    of an input is known but the length of lists of integers, which are shapes and the like.
    """
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    left = []
    for info, value in zip(list(model.graph.input), case.data_sets[number][0]):
        proto = to_proto(value, info.name)
        if proto is not None and (how == "folded" or info.name in ("axes", "axis")):
            initializer = model.graph.initializer.add()
            initializer.CopyFrom(proto)
            initializer.name = info.name
            model.graph.input.remove(info)
            continue
        left.append(value)
        dims = info.type.tensor_type.shape.dim
        is_list = info.type.tensor_type.elem_type == onnx.TensorProto.INT64 and len(dims) == 1
        if how == "symbolic" and not is_list:
            for axis, dim in enumerate(dims):
                dim.dim_param = f"{info.name}_{axis}"
    return model, left


def run_case(
    case, folder: pathlib.Path, how: str, tool: pathlib.Path = TOOL, differ=difference
) -> Outcome:
    for number, (_, outputs) in enumerate(case.data_sets):
        model, inputs = variant(case, number, how)
        pairs = [to_pair(value) for value in inputs]
        expected = [to_pair(value) for value in outputs]
        # A dtype that has no name here can only be refused.
        nameless = None in pairs or None in expected
        place = folder / str(number)
        place.mkdir(parents=True)
        path = place / "model.onnx"
        path.write_bytes(model.SerializeToString())
        status, message, actual = run_tool(path, place, [pair for pair in pairs if pair], tool)
        if status == REFUSED:
            if names_a_reason(case, message):
                return Outcome(case.name, "refused", message)
            return Outcome(case.name, "failed", f"refused without a reason: {message}")
        if status != DONE or nameless:
            return Outcome(case.name, "failed", f"status {status}: {message}")
        if len(actual) != len(expected):
            return Outcome(case.name, "failed", f"{len(actual)} outputs, not {len(expected)}")
        for wanted, given in zip(expected, actual):
            if wrong := differ(wanted, given, FEW_DIGITS.get(case.name)):
                return Outcome(case.name, "failed", wrong)
    return Outcome(case.name, "passed")


@pytest.fixture(scope="module")
def cases() -> list:
    return operator_tests()


@pytest.mark.parametrize("how", ["static", "symbolic", "folded"])
def test_operators_pass_or_are_refused(cases, how, tmp_path, capsys):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        outcomes = list(
            pool.map(lambda case: run_case(case, tmp_path / case.name, how), cases)
        )
    counts = collections.Counter(outcome.result for outcome in outcomes)
    reasons = collections.Counter(
        short_reason(outcome.message) for outcome in outcomes if outcome.result == "refused"
    )
    with capsys.disabled():
        print(f"\n{how}: {len(outcomes)} operator tests of ONNX {onnx.__version__}:", end=" ")
        print(", ".join(f"{counts[result]} {result}" for result in ("passed", "refused", "failed")))
        for reason, count in reasons.most_common():
            print(f"  refused {count}: {reason}")
    failed = [f"{o.name}: {o.message}" for o in outcomes if o.result == "failed"]
    assert not failed, "\n".join(failed)
    assert counts["passed"] >= FEWEST_PASSED


# --- a whole model --------------------------------------------------------------------


@pytest.mark.parametrize(("batch", "sequence"), [(1, 16), (3, 9)])
def test_minilm_agrees_with_onnx_runtime(batch, sequence, tmp_path):
    path = MODELS / "minilm.onnx"
    assert path.is_file(), f"{path} is missing; ./dev setup fetches it, or set SUBBYTE_MODELS"
    random = np.random.default_rng(batch)
    tokens = random.integers(0, 30522, (batch, sequence), dtype=np.int64)
    mask = np.ones_like(tokens)
    mask[-1, sequence // 2 :] = 0  # a padded row
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    feeds = {"input_ids": tokens, "attention_mask": mask}
    names = [value.name for value in session.get_inputs()]
    expected = session.run(None, feeds)

    status, message, actual = run_tool(path, tmp_path, [("int64", feeds[name]) for name in names])
    assert (status, message) == (DONE, "")
    assert len(actual) == len(expected)
    for (dtype, array), wanted in zip(actual, expected):
        assert dtype == str(wanted.dtype)
        np.testing.assert_allclose(array, wanted, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize(
    ("name", "dims"),
    [("cls", (2, 3, 48, 192)), ("det", (1, 3, 96, 160)), ("rec", (1, 3, 48, 120))],
)
def test_ppocr_agrees_with_onnx_runtime(name, dims, tmp_path):
    path = MODELS / f"ppocr-{name}.onnx"
    assert path.is_file(), f"{path} is missing; ./dev setup fetches it, or set SUBBYTE_MODELS"
    x = np.random.default_rng(0).standard_normal(dims).astype(np.float32)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    expected = session.run(None, {"x": x})

    status, message, actual = run_tool(path, tmp_path, [("float32", x)])
    assert (status, message) == (DONE, "")
    for (dtype, array), wanted in zip(actual, expected, strict=True):
        assert dtype == "float32"
        np.testing.assert_allclose(array, wanted, rtol=1e-3, atol=2e-5)
