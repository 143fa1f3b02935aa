"""Recognition of hard lines: what PP-OCRv4 and PP-OCRv6 read, by characters, and how many lines read otherwise than at
float32."""

import pathlib

import numpy as np
import onnx
from PIL import Image

import draw
import packages
from measures import Measure
from part import Part

HEIGHT, LEAST_WIDTH, WIDTH_STEP, BATCH = 48, 320, 32, 8


def to_input(image: Image.Image) -> np.ndarray:
    """[3, 48, width]: blue, green, red planes in -1..1, zeros to the right of the line (PaddleOCR, resize_norm_img)."""
    width = max(1, round(image.width * HEIGHT / image.height))
    pixels = np.asarray(image.resize((width, HEIGHT), Image.Resampling.BILINEAR), np.float32)
    columns = max(LEAST_WIDTH, -(-width // WIDTH_STEP) * WIDTH_STEP)
    planes = np.zeros((3, HEIGHT, columns), np.float32)
    planes[:, :, :width] = pixels[:, :, ::-1].transpose(2, 0, 1) / 127.5 - 1
    return planes


def batches(lines: list[np.ndarray]) -> list[tuple[list[int], np.ndarray]]:
    """Lines of one width together, with their indices."""
    by_width: dict[int, list[int]] = {}
    for index, line in enumerate(lines):
        by_width.setdefault(line.shape[2], []).append(index)
    found = []
    for _, indices in sorted(by_width.items()):
        for at in range(0, len(indices), BATCH):
            some = indices[at : at + BATCH]
            found.append((some, np.stack([lines[i] for i in some])))
    return found


def collapse(classes: np.ndarray, alphabet: list[str]) -> str:
    """Greedy CTC (Graves et al., 2006): repeated classes count once, class 0 parts them."""
    kept = [c for c, before in zip(classes, [0, *classes[:-1]]) if c != 0 and c != before]
    return "".join(alphabet[c] for c in kept).strip()


def edits(a: str, b: str) -> int:
    """Levenshtein's distance."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


class Recognition(Part):
    what = "hard lines"

    def __init__(self, title: str, model: str, keys: str | None, hardness: draw.Hardness):
        self.title, self.model_name, self.keys, self.hardness = title, model, keys, hardness

    def prepare(self, count: int) -> None:
        self.file = packages.model(self.model_name)
        # Class 0 is CTC's blank, the last one the space.
        self.alphabet = ["", *self.dictionary(), " "]
        drawn = [draw.hard_line("judge", index, self.hardness) for index in range(count)]
        self.texts = [text for text, _ in drawn]
        self.batches = batches([to_input(image) for _, image in drawn])

    def dictionary(self) -> list[str]:
        if self.keys:
            return packages.model(self.keys).read_text("utf8").replace("\r", "").rstrip("\n").split("\n")
        metadata = {entry.key: entry.value for entry in onnx.load(str(self.file)).metadata_props}
        return metadata["character"].rstrip("\n").split("\n")

    def calibration(self) -> list[dict[str, np.ndarray]]:
        lines = [to_input(draw.hard_line("calibration", index, self.hardness)[1]) for index in range(128)]
        return [{"x": some} for _, some in batches(lines)]

    def answer(self, session) -> list[str]:
        texts = [""] * len(self.texts)
        for indices, some in self.batches:
            (found,) = session.run(None, {"x": some})
            for index, classes in zip(indices, found.argmax(-1)):
                texts[index] = collapse(classes, self.alphabet)
        return texts

    def measures(self, found: list[str], expected: list[str]) -> list[Measure]:
        characters = np.array([len(text) for text in self.texts], float)

        def wrong(read):
            return np.array([edits(text, drawn) for text, drawn in zip(read, self.texts)], float)

        changed = np.array([a != b for a, b in zip(found, expected)], float)
        return [
            Measure("character error", "%", wrong(found), characters, wrong(expected)),
            Measure("lines changed", "%", changed, np.ones(len(changed))),
        ]


# So hard that float32 reads 4 to 8 % of the characters wrong; tuned on the lines of "tune".
HARD = draw.Hardness(size=(8, 15), blur=(0.2, 0.7), noise=(0, 10), angle=5)
HARDER = draw.Hardness(size=(7, 10), blur=(0.2, 0.6), noise=(0, 12), angle=4)
PARTS = [
    Recognition("PP-OCRv4 recognition", "ppocr-rec.onnx", "ppocr-keys.txt", HARD),
    Recognition("PP-OCRv6 recognition", "ppocr-v6-rec.onnx", None, HARDER),
]


def sheet(use: str, hardness: draw.Hardness, path: pathlib.Path, count: int = 40) -> None:
    """A picture of the first lines, to look at."""
    images = [draw.hard_line(use, index, hardness)[1] for index in range(count)]
    whole = Image.new("RGB", (max(image.width for image in images), sum(image.height for image in images)))
    top = 0
    for image in images:
        whole.paste(image, (0, top))
        top += image.height
    whole.save(path)
