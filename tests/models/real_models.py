"""The models of real life that whole-model tests run: one row for each, with what must hold of it."""

from dataclasses import dataclass

import numpy as np

WIDTHS = {"float32": 32, "float16": 16, "8bit": 8, "4bit": 4, "3bit": 3, "2bit": 2}
MIXED = "mixed"
PRECISIONS = [*WIDTHS, MIXED]


@dataclass(frozen=True)
class RealModel:
    name: str
    file: str  # in the folder of models
    inputs: list[dict]  # of three shapes or more
    most_dispatches: int
    # Bits a weight, scales and zero points counted, over the tensors stored at a width; and what the whole model may
    # take above the width.
    most_bits: dict[str, float]
    most_above_width: float
    mixed: dict  # a mixed-precision file, with widths of every kind


def tokens(rows: int, columns: int) -> dict:
    """Random tokens; each row but the first is padded, so that the mask matters."""
    random = np.random.default_rng(rows * 1000 + columns)
    ids = random.integers(1000, 30000, (rows, columns), dtype=np.int64)
    mask = np.ones((rows, columns), dtype=np.int64)
    for row in range(1, rows):
        padding = row * columns // 4
        mask[row, columns - padding :] = 0
        ids[row, columns - padding :] = 0
    return {"input_ids": ids, "attention_mask": mask}


MINILM = RealModel(
    name="minilm",
    file="minilm.onnx",
    inputs=[tokens(1, 16), tokens(2, 9), tokens(3, 5)],
    most_dispatches=42,
    most_bits={"8bit": 8.8, "4bit": 4.7, "3bit": 3.7, "2bit": 2.7},
    most_above_width=0.95,
    mixed={
        "model_name": "paraphrase-MiniLM-L3-v2",
        "mixed_precision": {"4bit_layers": [0], "3bit_layers": [1], "2bit_layers": [2]},
        "components": {"embedding": "8bit"},
        "tensors": {"*position_embeddings*": "fp16"},
    },
)

REAL_MODELS = [MINILM]
