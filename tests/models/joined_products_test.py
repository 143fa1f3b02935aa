"""Products of one value are one product: fewer dispatches, the same numbers, and each weight where the manifest says."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from harness import assert_outputs, convert, manifest_of, oracle, plan_of, run_sessions
from read_weights import read_weights
from small_models import FLOAT, model, node, normal, saved

# At 4 bits zero points take 9 bytes a row: those of 128 rows do not end where a part may begin.
DEPTH, HEAD = 384, 128
CONSTANTS = {f"w{name}": normal(DEPTH, width) / 20 for name, width in {"q": HEAD, "k": HEAD, "v": 2 * HEAD}.items()}
CONSTANTS |= {f"b{name[1]}": normal(weight.shape[1]) for name, weight in CONSTANTS.items()}
# As in any transformer some tensor is larger than queries, keys and values together.
WIDE = 4 * DEPTH
CONSTANTS["wf"] = normal(DEPTH, WIDE) / 20


def attention(kind: str) -> onnx.ModelProto:
    """softmax(q k') v, q, k and v products of x, whose last axis is first reshaped in the kernels that read them."""
    products, constants = [], dict(CONSTANTS)
    for name in "qkv":
        if kind == "gemm":
            products.append(node("Gemm", f"x w{name} b{name}", name, transB=1))
            constants[f"w{name}"] = np.ascontiguousarray(constants[f"w{name}"].T)
        else:
            products += [node("MatMul", f"x w{name}", f"{name}p"), node("Add", f"{name}p b{name}", name)]
    nodes = [
        *products,
        node("Transpose", "k", "kt", perm=[1, 0] if kind == "gemm" else [0, 2, 1]),
        node("MatMul", "q kt", "s"),
        node("Softmax", "s", "a", axis=-1),
        node("MatMul", "a v", "y"),
        node("MatMul", "x wf", "f"),
    ]
    dims = ["rows", DEPTH] if kind == "gemm" else ["batch", "rows", DEPTH]
    return model(nodes, {"x": (FLOAT, dims)}, ["y", "f"], constants)


@pytest.mark.parametrize("kind", ["matmul", "gemm"])
@pytest.mark.parametrize("precision", ["float32", "8bit", "4bit", "3bit", "2bit"])
def test_queries_keys_and_values(tmp_path, kind, precision):
    source = saved(tmp_path, attention(kind), "attention")
    module = convert(source, tmp_path / "m.webgpu.js", "--precision", precision)
    written = convert(source, tmp_path / "m.onnx", "--target-format", "onnx", "--precision", precision)
    # One product instead of three; scores, softmax and what comes out; the wide one.
    assert len(plan_of(module)["steps"]) == 5
    rows = [(1, 1), (2, 3), (1, 70), (3, 1)]
    inputs = [{"x": normal(*((r,) if kind == "gemm" else (batch, r)), DEPTH)} for batch, r in rows]
    for device in ("default", "all"):
        (result,) = run_sessions("node", [{"module": module, "device": device, "runs": inputs}])
        for given, run in zip(inputs, result["runs"]):
            assert_outputs(run["outputs"], oracle(written, given), 1e-5, f"{kind} {precision} {given['x'].shape}")

    weights = manifest_of(module)["weights"]
    assert sorted(weight["name"] for weight in weights) == sorted(CONSTANTS)
    assert all(part["offset"] % 256 == 0 for weight in weights for part in weight["parts"].values())
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(written).graph.initializer}
    for name, weight in read_weights(module.with_suffix(".json")).items():
        np.testing.assert_array_equal(weight, stored[name], err_msg=name)


def test_a_file_of_weights_holds_what_it_is_to_hold(tmp_path):
    source = saved(tmp_path, attention("matmul"), "attention")
    one = convert(source, tmp_path / "one.webgpu.js", "--precision", "8bit")
    most = 120_000
    module = convert(source, tmp_path / "m.webgpu.js", "--precision", "8bit", "--shard-size", str(most))
    manifest = manifest_of(module)
    # But for the wide one, which alone is larger.
    larger = [index for index, file in enumerate(manifest["files"]) if file["bytes"] > most]
    beyond = [weight["name"] for weight in manifest["weights"] if weight["parts"]["values"]["file"] in larger]
    assert beyond == ["wf"] and len(manifest["files"]) > 2
    assert len(plan_of(module)["steps"]) > len(plan_of(one)["steps"])
    inputs = {"x": normal(1, 5, DEPTH)}
    (first, second) = run_sessions("node", [{"module": m, "device": "default", "runs": [inputs]} for m in (one, module)])
    assert_outputs(second["runs"][0]["outputs"], first["runs"][0]["outputs"], 1e-5, "shards")
