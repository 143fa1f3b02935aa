"""The most likely class of each step, and its probability, of lines that ONNX models read.

usage: read_oracle.py INPUTS.json ANSWERS.json MODEL.onnx...

INPUTS.json holds the dims of each input, and the file beside it with the suffix .bin their values as float32, one after
the other.
"""

import json
import math
import pathlib
import sys

import numpy as np
import onnxruntime


def main() -> None:
    shapes_file, answers_file, *models = sys.argv[1:]
    shapes = json.loads(pathlib.Path(shapes_file).read_text(encoding="utf8"))
    values = np.fromfile(pathlib.Path(shapes_file).with_suffix(".bin"), dtype=np.float32)
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    inputs = [part.reshape(shape) for part, shape in zip(np.split(values, ends[:-1]), shapes)]
    answers = [[steps(probabilities) for probabilities in run(model, inputs)] for model in models]
    pathlib.Path(answers_file).write_text(json.dumps(answers), encoding="utf8")


def run(model: str, inputs: list):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    for value in inputs:
        yield session.run(None, {name: value})[0][0]


def steps(probabilities: np.ndarray) -> dict:
    return {"ids": probabilities.argmax(axis=1).tolist(), "probabilities": probabilities.max(axis=1).tolist()}


if __name__ == "__main__":
    main()
