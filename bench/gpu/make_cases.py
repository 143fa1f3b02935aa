"""Inputs and ONNX Runtime's outputs for bench/gpu/model_bench.mjs.

    python bench/gpu/make_cases.py CASES.json [PREFIX=]MODEL.onnx ... --dims batch_size=1,sequence_length=32 ...

One set of cases for each model; its outputs are compared with modules whose file name starts with PREFIX. Integer inputs
are token ids below --vocabulary, or all ones where their name ends in `mask`; pictures are drawn strokes, other float
inputs are uniform in [-1, 1).
"""

import argparse
import json
import pathlib
import sys

import numpy as np
import onnxruntime

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests" / "models"))

from real_models import page  # noqa: E402


def inputs_of(session, dims: dict, vocabulary: int) -> dict:
    random = np.random.default_rng(1)
    inputs = {}
    for entry in session.get_inputs():
        shape = [dims.get(d, 1) if isinstance(d, str) else d for d in entry.shape]
        if entry.type == "tensor(float)" and len(shape) == 4 and shape[1] == 3:
            inputs[entry.name] = page(shape[0], *shape[2:])["x"]
        elif entry.type == "tensor(float)":
            inputs[entry.name] = random.uniform(-1, 1, shape).astype(np.float32)
        elif entry.name.endswith("mask"):
            inputs[entry.name] = np.ones(shape, np.int64)
        else:
            inputs[entry.name] = random.integers(0, vocabulary, shape)
    return inputs


def plain(array: np.ndarray) -> dict:
    return {"dtype": array.dtype.name, "dims": list(array.shape), "data": array.ravel().tolist()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--dims", nargs="+", required=True)
    parser.add_argument("--vocabulary", type=int, default=30000)
    options = parser.parse_args()
    sets = []
    for model in options.models:
        prefix, _, path = model.rpartition("=")
        session = onnxruntime.InferenceSession(path)
        cases = []
        for text in options.dims:
            dims = {name: int(size) for name, size in (pair.split("=") for pair in text.split(","))}
            inputs = inputs_of(session, dims, options.vocabulary)
            outputs = session.run(None, inputs)
            names = [entry.name for entry in session.get_outputs()]
            cases.append({
                "name": text,
                "inputs": {name: plain(array) for name, array in inputs.items()},
                "outputs": {name: plain(array) for name, array in zip(names, outputs)},
            })  # fmt: skip
        sets.append({"reference": prefix, "cases": cases})
    with open(options.output, "w", encoding="utf8") as file:
        json.dump(sets, file)


if __name__ == "__main__":
    main()
