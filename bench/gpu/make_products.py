"""Models of one product with few results over a long depth, for bench/gpu/parts_bench.mjs.

    python bench/gpu/make_products.py FOLDER KxN ...
"""

import pathlib
import sys

import numpy as np
import onnx


def product(depth: int, columns: int) -> onnx.ModelProto:
    weight = np.random.default_rng(1).uniform(-1, 1, (depth, columns)).astype(np.float32)
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])],
        "product",
        [value("x", onnx.TensorProto.FLOAT, ["rows", depth])],
        [value("y", onnx.TensorProto.FLOAT, ["rows", columns])],
        [onnx.numpy_helper.from_array(weight, "w")],
    )
    opset = [onnx.helper.make_opsetid("", 20)]
    return onnx.helper.make_model(graph, opset_imports=opset, ir_version=9)


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    for text in sys.argv[2:]:
        depth, columns = map(int, text.split("x"))
        onnx.save(product(depth, columns), folder / f"{text}.onnx")


if __name__ == "__main__":
    main()
