"""How far the demo's vectors are from those of the original model in ONNX Runtime.

usage: demo_compare.py MODEL.onnx VECTORS.json
"""

import json
import pathlib
import sys

import numpy as np
import onnxruntime


def main() -> None:
    model, vectors_file = sys.argv[1:]
    given = json.loads(pathlib.Path(vectors_file).read_text())
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    ours, theirs = np.array(given["vectors"]), []
    for ids in given["ids"]:
        tokens = np.array([ids], dtype=np.int64)
        (vector,) = session.run(["461"], {"input_ids": tokens, "attention_mask": np.ones_like(tokens)})
        theirs.append(vector[0] / np.linalg.norm(vector[0]))
    theirs = np.array(theirs)
    error = np.linalg.norm(ours - theirs, axis=1)
    cosine = (ours * theirs).sum(axis=1)
    print(f"{len(ours)} sentence vectors against the float32 model in ONNX Runtime:")
    print(f"  relative L2 error  mean {error.mean():.4f}, worst {error.max():.4f}")
    print(f"  cosine             mean {cosine.mean():.4f}, worst {cosine.min():.4f}")


if __name__ == "__main__":
    main()
