"""What converting a model of many gigabytes takes: one of external data in several files, one tensor larger than 4 GiB and one
file larger than 2 GiB, of random weights, at every precision with the defaults of that size.

    large_model.py PROGRAM FOLDER [--gigabytes 8] [--precisions float32,4bit]        (`./dev bench large`)

FOLDER needs room for the model and once more for what is made of it. The memory is the most that is anonymous at a time (RssAnon
of /proc/PID/status, asked for every few milliseconds): pages of files, which the system may drop, do not count. Ends with 1 where
a conversion takes more than MOST_MEGABYTES, or fails.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import time

import numpy as np
import onnx
from onnx import TensorProto, helper

PRECISIONS = ["float32", "float16", "8bit", "4bit", "3bit", "2bit", "mixed"]
MOST_MEGABYTES = 300
WIDTH, INNER = 1024, 4096
ROW, LAYER = 4 * WIDTH, 2 * 4 * WIDTH * INNER  # bytes of a row of a table, and of the two matrices of a layer


def write_numbers(file, count: int, scale: float, block: np.ndarray, random) -> None:
    """`count` floats: the block from another place on each time, so that no two matrices are alike."""
    while count > 0:
        part = np.roll(block, int(random.integers(block.size)))[:count] * np.float32(scale)
        file.write(part.tobytes())
        count -= part.size


def external(name: str, dims: list[int], location: str, offset: int) -> onnx.TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=dims, data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, "offset": offset, "length": 4 * int(np.prod(dims))}.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def write_model(folder: pathlib.Path, gigabytes: float) -> pathlib.Path:
    """A table that ids are looked up in, layers of two products, and a head that scores."""
    size = int(gigabytes * 1e9)
    tables = {"table": int(size * 0.58) // ROW, "head": int(size * 0.3) // ROW}
    layers = max(1, (size - sum(tables.values()) * ROW) // LAYER)
    random = np.random.default_rng(8)
    block = random.standard_normal(1 << 23).astype(np.float32)
    weights, nodes = [], [helper.make_node("Gather", ["table", "ids"], ["x0"])]
    for name, rows in tables.items():
        with open(folder / f"{name}.bin", "wb") as file:
            write_numbers(file, rows * WIDTH, 0.02, block, random)
        weights.append(external(name, [rows, WIDTH], f"{name}.bin", 0))
    with open(folder / "layers.bin", "wb") as file:
        for i in range(layers):
            for name, dims in ((f"up{i}", [WIDTH, INNER]), (f"down{i}", [INNER, WIDTH])):
                weights.append(external(name, dims, "layers.bin", file.tell()))
                write_numbers(file, dims[0] * dims[1], dims[0] ** -0.5, block, random)
            nodes += [
                helper.make_node("MatMul", [f"x{i}", f"up{i}"], [f"u{i}"]),
                helper.make_node("Relu", [f"u{i}"], [f"r{i}"]),
                helper.make_node("MatMul", [f"r{i}", f"down{i}"], [f"d{i}"]),
                helper.make_node("Add", [f"x{i}", f"d{i}"], [f"x{i + 1}"]),
            ]
    nodes.append(helper.make_node("Gemm", [f"x{layers}", "head"], ["scores"], transB=1))
    ports = [helper.make_tensor_value_info("ids", TensorProto.INT64, ["tokens"])]
    results = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["tokens", tables["head"]])]
    graph = helper.make_graph(nodes, "large", ports, results, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = folder / "large.onnx"
    path.write_bytes(model.SerializeToString())
    print(f"{sum(file.stat().st_size for file in folder.iterdir()) / 1e9:.2f} GB in 4 files, {len(weights)} weights; "
          f"the largest tensor {tables['table'] * ROW / 2**30:.2f} GiB", flush=True)  # fmt: skip
    return path


def anonymous_kilobytes(pid: int) -> int:
    try:
        found = re.search(r"RssAnon:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf8"))
    except OSError:
        return 0
    return int(found[1]) if found else 0


def convert(program: str, source: pathlib.Path, precision: str) -> tuple[int, float, str]:
    """The exit status, the most megabytes that were anonymous, and what it said last."""
    out = source.parent / "out"
    out.mkdir(exist_ok=True)
    command = [program, "convert", source, "--precision", precision, "--output", out / "large.webgpu.js", "--force"]
    most = 0
    with open(source.parent / "said.txt", "w+", encoding="utf8") as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        while process.poll() is None:
            most = max(most, anonymous_kilobytes(process.pid))
            time.sleep(0.005)
        said.seek(0)
        text = said.read().strip()
    made = sum(file.stat().st_size for file in out.iterdir())
    for file in out.iterdir():
        file.unlink()
    return process.returncode, most / 1000, f"{made / 1e9:.2f} GB; {text}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--gigabytes", type=float, default=8)
    parser.add_argument("--precisions", default=",".join(PRECISIONS))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    source = write_model(options.folder, options.gigabytes)
    failed = False
    for precision in options.precisions.split(","):
        status, megabytes, said = convert(options.program, source, precision)
        failed |= status != 0 or megabytes > MOST_MEGABYTES
        print(f"{precision}: {megabytes:.0f} MB anonymous, status {status}; {said}", flush=True)
    for name in ("table.bin", "head.bin", "layers.bin", "large.onnx", "said.txt"):
        (options.folder / name).unlink()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
