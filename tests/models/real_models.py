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


def writing(rows: int, height: int, width: int, mean: tuple, deviation: tuple) -> dict:
    """Dark strokes on white, as letters are: on noise these models answer 0, or nothing that two runtimes agree on."""
    random = np.random.default_rng(rows * 10000 + height * 100 + width)
    page = np.ones((rows, 1, height, width))
    for row in range(rows):
        for top in range(6, height - 13, 20):
            left = 4
            while left < width - 8:
                page[row, 0, top : top + 12, left : left + random.integers(2, 4)] = 0.1
                if random.random() < 0.5:
                    page[row, 0, top + 5 : top + 7, left : left + 6] = 0.1
                left += random.integers(6, 10)
    normal = (page - np.reshape(mean, (3, 1, 1))) / np.reshape(deviation, (3, 1, 1))
    return {"x": normal.astype(np.float32)}


def line(rows: int, width: int) -> dict:
    return writing(rows, 48, width, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def page(rows: int, height: int, width: int) -> dict:
    return writing(rows, height, width, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


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

RECOGNITION = RealModel(
    name="recognition",
    file="ppocr-rec.onnx",
    inputs=[line(1, 48), line(2, 32), line(1, 320)],
    most_dispatches=110,
    most_bits={"8bit": 8.9, "4bit": 4.85, "3bit": 3.85, "2bit": 2.85},
    most_above_width=0.95,
    mixed={
        "model_name": "PP-OCRv4 recognition",
        "mixed_precision": {"4bit_layers": [0, 1, 2, 3, 4, 5, 6, 7], "3bit_layers": [8, 9, 10], "2bit_layers": [12]},
        "components": {"attention": "8bit", "head": "fp16"},
        "tensors": {"conv2d_10.w_0": "8bit"},
    },
)

CLASSIFIER = RealModel(
    name="classifier",
    file="ppocr-cls.onnx",
    inputs=[line(1, 192), line(2, 192), line(3, 192)],
    most_dispatches=100,
    most_bits={"8bit": 9.4, "4bit": 5.4, "3bit": 4.4, "2bit": 3.3},
    most_above_width=1.6,
    mixed={
        "mixed_precision": {"8bit_layers": [0, 1, 2], "4bit_layers": [3, 4, 5, 6], "3bit_layers": [7, 8, 9]},
        "components": {"head": "fp16"},
        "tensors": {"conv2d_0.w_0": "8bit"},
    },
)

DETECTION = RealModel(
    name="detection",
    file="ppocr-det.onnx",
    inputs=[page(1, 64, 96), page(1, 96, 64), page(2, 32, 64)],
    most_dispatches=110,
    most_bits={"8bit": 8.9, "4bit": 4.85, "3bit": 3.85, "2bit": 2.85},
    most_above_width=0.95,
    mixed={
        "mixed_precision": {"8bit_layers": [0, 1], "4bit_layers": [2, 3, 4, 5, 6, 7, 8, 9], "3bit_layers": [10, 11]},
        "tensors": {"conv2d_0.w_0": "fp16"},
    },
)

REAL_MODELS = [MINILM, RECOGNITION, CLASSIFIER, DETECTION]
