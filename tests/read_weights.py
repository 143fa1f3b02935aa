"""Reads the weights of a converted model, from docs/format.md alone: needs numpy and nothing of subbyte.

    python read_weights.py model.webgpu.json
"""

import json
import pathlib
import sys

import numpy as np


def read_weights(manifest_path):
    """All weights of a manifest: name -> array in the source's shape (float32; int32 for integers)."""
    path = pathlib.Path(manifest_path)
    manifest = json.loads(path.read_text())
    if manifest["format"] != 2:
        raise ValueError(f"{path}: format {manifest['format']} is unknown; this reader knows 2")
    files = [np.memmap(path.parent / f["name"], np.uint8, "r") if f["bytes"] else np.zeros(0, np.uint8)
             for f in manifest["files"]]
    return {weight["name"]: to_tensor(weight, read_matrix(weight, files)) for weight in manifest["weights"]}


def read_part(part, rows, files):
    """The bytes of a part: rows x row_stride."""
    data = files[part["file"]][part["offset"]:part["offset"] + part["bytes"]]
    return np.ascontiguousarray(data).reshape(rows, part["row_stride"])


def unpack_bits(data, count, bits):
    """The first `count` unsigned numbers of `bits` bits in each row of bytes, lowest bits first."""
    stream = np.unpackbits(data, axis=1, count=count * bits, bitorder="little")
    return stream.reshape(len(data), count, bits) @ (1 << np.arange(bits)).astype(np.uint8)


def read_matrix(weight, files):
    rows, k, encoding, parts = (weight[key] for key in ("rows", "k", "encoding", "parts"))
    values = read_part(parts["values"], rows, files)
    if encoding["kind"] in ("float", "integer"):
        letter = {"float": "f", "integer": "i"}[encoding["kind"]]
        numbers = values.view(f"<{letter}{encoding['bits'] // 8}")[:, :k]
        return numbers if letter == "i" else numbers.astype(np.float32)
    if encoding["kind"] not in ("affine", "codebook") or encoding["layout"] != "row" or encoding["scale_bits"] not in (16, 32):
        raise ValueError(f"{weight['name']}: encoding {encoding} is unknown to this reader")

    groups = -(-k // encoding["group"])
    codes = unpack_bits(values, k, weight["bits"])
    scales = read_part(parts["scales"], rows, files).view(f"<f{encoding['scale_bits'] // 8}")
    scales = scales[:, :groups].astype(np.float32)
    group = np.arange(k) // encoding["group"]
    if encoding["kind"] == "codebook":
        return scales[:, group] * np.array(encoding["values"], np.float32)[codes]
    zero = encoding["zero_point"]
    if zero["bits"]:
        stored = unpack_bits(read_part(parts["zero_points"], rows, files), groups, zero["bits"])
        zeros = stored.astype(np.float32) * np.float32(zero["step"])
    else:
        zeros = np.full((rows, groups), zero["default"], np.float32)
    factor = np.float32(2.0 ** encoding["scale_exponent"])
    return (scales * factor)[:, group] * (codes.astype(np.float32) - zeros[:, group])


def to_tensor(weight, matrix):
    axes = weight["order"]["rows"] + weight["order"]["k"]
    permuted = matrix.reshape([weight["shape"][axis] for axis in axes])
    return permuted.transpose(np.argsort(axes)) if axes else permuted


if __name__ == "__main__":
    for name, tensor in read_weights(sys.argv[1]).items():
        print(f"{name}  {tensor.dtype} {list(tensor.shape)}")
