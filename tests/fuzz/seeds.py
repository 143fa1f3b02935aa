"""Seeds for a fuzz target: small models that the onnx package carries for its own tests.

usage: seeds.py TARGET FOLDER
"""

import pathlib
import shutil
import sys

import onnx.backend.test

LARGEST = 4096


def main() -> None:
    target, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    if target != "model_fuzz":
        return
    data = pathlib.Path(onnx.backend.test.__file__).parent / "data" / "node"
    models = [path for path in sorted(data.glob("*/model.onnx")) if path.stat().st_size <= LARGEST]
    if not models:
        sys.exit(f"{data} holds no models")
    for model in models:
        shutil.copyfile(model, folder / f"{model.parent.name}.onnx")


if __name__ == "__main__":
    main()
