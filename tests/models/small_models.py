"""Models of a few nodes that tests make, and their conversion."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from harness import convert

FLOAT = TensorProto.FLOAT
INT64 = TensorProto.INT64
random = np.random.default_rng(29)


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), **attributes)


def model(nodes, inputs, outputs, constants):
    ports = [helper.make_tensor_value_info(name, *what) for name, what in inputs.items()]
    results = [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs]
    weights = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "once", ports, results, weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    made.ir_version = 8
    return made


def normal(*shape):
    return random.standard_normal(shape).astype(np.float32)


def saved(folder, made, name):
    path = folder / f"{name.replace(' ', '-')}.onnx"
    onnx.save(made, path)
    return path


def convert_all(folder, cases, precision):
    modules = []
    for name, (made, *_) in cases.items():
        source = saved(folder, made, name)
        modules.append(convert(source, source.with_suffix(f".{precision}.webgpu.js"), "--precision", precision))
    return modules
