"""read_weights.py on files written here byte by byte, from docs/format.md."""

import json
import struct

import numpy as np
import pytest

from read_weights import read_weights


def write_model(folder, weights, parts):
    """A manifest and its weights; parts: one {part: (row_stride, bytes)} for each weight."""
    data = b""
    for weight, ranges in zip(weights, parts):
        weight["parts"] = {}
        for part, (row_stride, content) in ranges.items():
            data += bytes(-len(data) % 256)
            weight["parts"][part] = {"file": 0, "offset": len(data), "bytes": len(content), "row_stride": row_stride}
            data += content
    (folder / "m.webgpu-0.bin").write_bytes(data)
    manifest = {"format": 2, "files": [{"name": "m.webgpu-0.bin", "bytes": len(data)}], "weights": weights}
    (folder / "m.webgpu.json").write_text(json.dumps(manifest))
    return folder / "m.webgpu.json"


def affine(bits, group, exponent=0, zero_bits=0, step=1, default=0):
    return {"kind": "affine", "layout": "row", "group": group, "scale_bits": 16, "scale_exponent": exponent,
            "zero_point": {"bits": zero_bits, "step": step, "default": default}}


def weight(shape, rows, k, bits, encoding, order):
    return {"name": "w", "shape": shape, "rows": rows, "k": k, "bits": bits, "encoding": encoding,
            "order": {"rows": order[0], "k": order[1]}}


def read_one(folder, described, parts):
    return read_weights(write_model(folder, [described], [parts]))["w"]


def test_four_bits_with_tail_and_zero_points(tmp_path):
    # k 10 in groups of 8: a tail of 2. Zero points 9, 50 of 6 bits by 0.25: 9 | 50 << 6 is 0x0c89.
    values = bytes([0x10, 0x32, 0x54, 0x76, 0xF8, 0, 0, 0])  # three bytes of padding
    parts = {"values": (8, values), "scales": (4, struct.pack("<2e", 1.5, 0.5)), "zero_points": (2, bytes([0x89, 0x0C]))}
    described = weight([10], 1, 10, 4, affine(4, 8, -1, 6, 0.25), ([], [0]))
    decoded = read_one(tmp_path, described, parts)
    expected = [0.75 * (q - 2.25) for q in range(8)] + [0.25 * (8 - 12.5), 0.25 * (15 - 12.5)]
    np.testing.assert_array_equal(decoded, np.float32(expected))
    assert decoded.dtype == np.float32


def test_three_bits(tmp_path):
    v = [1, 2, 3, 4, 5, 6, 7, 0]
    octet = [v[0] | v[1] << 3 | (v[2] & 3) << 6, v[2] >> 2 | v[3] << 1 | v[4] << 4 | (v[5] & 1) << 7,
             v[5] >> 1 | v[6] << 2 | v[7] << 5]
    parts = {"values": (12, bytes(octet * 4)), "scales": (2, struct.pack("<e", 2))}
    decoded = read_one(tmp_path, weight([1, 32], 1, 32, 3, affine(3, 32, default=3.5), ([0], [1])), parts)
    np.testing.assert_array_equal(decoded, np.float32([[2 * (q - 3.5) for q in v * 4]]))


def test_a_depthwise_kernel(tmp_path):
    # (m, 1, kh, kw) as rows of kh, kw, 1: nine codes of 3 bits are 27 bits, and a row is one word.
    codes = np.arange(18).reshape(2, 9) % 8
    words = [sum(int(q) << 3 * i for i, q in enumerate(row)) for row in codes]
    parts = {"values": (4, struct.pack("<2I", *words)), "scales": (2, struct.pack("<2e", 1, 2))}
    described = weight([2, 1, 3, 3], 2, 9, 3, affine(3, 32, default=3.5), ([0], [2, 3, 1]))
    expected = (codes - 3.5) * np.array([[1], [2]])
    np.testing.assert_array_equal(read_one(tmp_path, described, parts), np.float32(expected.reshape(2, 1, 3, 3)))


def test_two_and_eight_bits(tmp_path):
    two = {"values": (4, bytes([0b11100100] * 4)), "scales": (2, struct.pack("<e", 1))}
    decoded = read_one(tmp_path, weight([16], 1, 16, 2, affine(2, 16, default=1.5), ([], [0])), two)
    np.testing.assert_array_equal(decoded, np.float32([-1.5, -0.5, 0.5, 1.5] * 4))
    eight = {"values": (4, bytes([0, 128, 255, 0])), "scales": (2, struct.pack("<e", 1))}
    decoded = read_one(tmp_path, weight([3], 1, 3, 8, affine(8, 4, default=128), ([], [0])), eight)
    np.testing.assert_array_equal(decoded, np.float32([-128, 0, 127]))


def test_orders(tmp_path):
    tensor = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    for rows, k in [([0], [1, 2]), ([2], [0, 1]), ([2, 0], [1]), ([], [1, 0, 2])]:
        matrix = tensor.transpose(rows + k).reshape(int(np.prod([tensor.shape[a] for a in rows])), -1)
        described = weight([2, 3, 4], *matrix.shape, 32, {"kind": "float", "bits": 32}, (rows, k))
        parts = {"values": (matrix.shape[1] * 4, matrix.tobytes())}
        np.testing.assert_array_equal(read_one(tmp_path, described, parts), tensor)


def test_halves_start_rows_on_words_and_integers_are_words(tmp_path):
    halves = struct.pack("<3e2x3e2x", 1, 2, 3, 4, 5, 6)
    described = weight([2, 3], 2, 3, 16, {"kind": "float", "bits": 16}, ([0], [1]))
    decoded = read_one(tmp_path, described, {"values": (8, halves)})
    np.testing.assert_array_equal(decoded, np.float32([[1, 2, 3], [4, 5, 6]]))
    described = weight([], 1, 1, 32, {"kind": "integer", "bits": 32}, ([], []))
    assert read_one(tmp_path, described, {"values": (4, struct.pack("<i", -7))}) == -7


def test_unknown_encodings_are_errors(tmp_path):
    described = weight([1], 1, 1, 4, {"kind": "trellis", "layout": "row"}, ([], [0]))
    with pytest.raises(ValueError, match="trellis"):
        read_one(tmp_path, described, {"values": (4, bytes(4))})
    described["encoding"] = {**affine(4, 8), "layout": "tile"}
    with pytest.raises(ValueError, match="tile"):
        read_one(tmp_path, described, {"values": (4, bytes(4))})
    path = write_model(tmp_path, [], [])
    path.write_text(path.read_text().replace('"format": 2', '"format": 1'))
    with pytest.raises(ValueError, match="format 1"):
        read_weights(path)
