"""Detectors: the boxes of text that PP-OCRv4 finds on pages, and what a YOLO (NudeNet's: faces and bodies) sees
on photographs, beside float32's."""

import cv2
import numpy as np
import pyclipper
from PIL import Image, ImageEnhance

import draw
import packages
from measures import Measure
from part import Part


def relative_error(found: list[np.ndarray], expected: list[np.ndarray]) -> Measure:
    """The relative L2 error of the outputs, as the root of a mean over items of squared errors."""
    top = np.array([np.linalg.norm(a.astype(np.float64) - b) / np.linalg.norm(b) for a, b in zip(found, expected)])
    return Measure("outputs' error", "%", top, np.ones(len(top)))


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """The intersection over the union of two convex polygons."""
    shared, _ = cv2.intersectConvexConvex(a.astype(np.float32), b.astype(np.float32))
    both = cv2.contourArea(a.astype(np.float32)) + cv2.contourArea(b.astype(np.float32)) - shared
    return shared / both if both > 0 else 0.0


def matched(found: list[np.ndarray], expected: list[np.ndarray], least: float) -> int:
    """How many pairs there are, one to one, the best overlaps first."""
    pairs = sorted(
        ((overlap(a, b), i, j) for i, a in enumerate(found) for j, b in enumerate(expected)), reverse=True
    )
    left, right = set(), set()
    for value, i, j in pairs:
        if value >= least and i not in left and j not in right:
            left.add(i)
            right.add(j)
    return len(left)


class TextBoxes(Part):
    title, what, count = "PP-OCRv4 detection", "pages", 50

    def prepare(self, count: int) -> None:
        self.file = packages.model("ppocr-det.onnx")
        self.inputs = [self.to_input(draw.page("judge", index)) for index in range(count)]

    @staticmethod
    def to_input(page: Image.Image) -> np.ndarray:
        """Blue, green and red planes with the means and deviations of ImageNet (PaddleOCR, NormalizeImage)."""
        pixels = np.asarray(page, np.float32)[:, :, ::-1] / 255
        pixels = (pixels - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        return pixels.transpose(2, 0, 1)[None].astype(np.float32)

    def calibration(self) -> list[dict[str, np.ndarray]]:
        return [{"x": self.to_input(draw.page("calibration", index))} for index in range(16)]

    def answer(self, session) -> list[tuple[np.ndarray, list[np.ndarray]]]:
        maps = [session.run(None, {"x": one})[0][0, 0] for one in self.inputs]
        return [(one, text_boxes(one)) for one in maps]

    def measures(self, found, expected) -> list[Measure]:
        wanted = np.array([len(boxes) for _, boxes in expected], float)

        def hits(least):
            return np.array([matched(a, b, least) for (_, a), (_, b) in zip(found, expected)], float)

        half = hits(0.5)
        return [
            relative_error([one for one, _ in found], [one for one, _ in expected]),
            Measure("missed at .9", "%", wanted - hits(0.9), wanted),
            Measure("missed at .5", "%", wanted - half, wanted),
            Measure("extra", "%", np.array([len(boxes) for _, boxes in found]) - half, wanted),
        ]


def text_boxes(probability: np.ndarray) -> list[np.ndarray]:
    """Quadrilaterals from a map of probabilities (Liao et al., "Real-time scene text detection with differentiable
    binarization", 2020), with the thresholds of PaddleOCR's DBPostProcess."""
    contours, _ = cv2.findContours((probability > 0.3).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    found = []
    for contour in contours[:1000]:
        rectangle = cv2.minAreaRect(contour)
        if min(rectangle[1]) < 3 or mean_inside(probability, cv2.boxPoints(rectangle)) < 0.6:
            continue
        corners = cv2.boxPoints(rectangle)
        distance = cv2.contourArea(corners) * 1.5 / cv2.arcLength(corners, True)
        offset = pyclipper.PyclipperOffset()
        offset.AddPath(corners.round().astype(int), pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
        grown = offset.Execute(distance)
        if len(grown) != 1:
            continue
        wider = cv2.minAreaRect(np.array(grown[0], np.float32))
        if min(wider[1]) >= 5:
            found.append(cv2.boxPoints(wider))
    return found


def mean_inside(probability: np.ndarray, corners: np.ndarray) -> float:
    low = np.clip(np.floor(corners.min(0)), 0, None).astype(int)
    high = np.ceil(corners.max(0)).astype(int) + 1
    part = probability[low[1] : high[1], low[0] : high[0]]
    mask = np.zeros(part.shape, np.uint8)
    cv2.fillPoly(mask, [(corners - low).round().astype(np.int32)], 1)
    return float(part[mask > 0].mean()) if mask.any() else 0.0


class Objects(Part):
    title, what, count = "NudeNet (YOLO)", "photographs", 120
    size = 320

    def prepare(self, count: int) -> None:
        self.file = packages.model("nudenet.onnx")
        self.inputs = self.views("judge", count)

    def views(self, use: str, count: int) -> list[np.ndarray]:
        """Parts of photographs, some mirrored, darker or lighter, of 320 x 320 in RGB, in 0..1."""
        photographs = [Image.open(path).convert("RGB") for path in packages.photographs(use)]
        random = np.random.default_rng(draw.SEEDS[use])
        found = []
        for index in range(count):
            image = photographs[index % len(photographs)]
            side = int(min(image.size) * random.uniform(0.45, 1))
            left, top = (int(random.integers(0, length - side + 1)) for length in image.size)
            view = image.crop((left, top, left + side, top + side)).resize((self.size, self.size))
            if random.random() < 0.5:
                view = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            view = ImageEnhance.Brightness(view).enhance(random.uniform(0.6, 1.3))
            view = draw.spoiled(random, view, random.uniform(0, 0.8), random.uniform(0, 8))
            found.append(np.asarray(view, np.float32).transpose(2, 0, 1)[None] / 255)
        return found

    def calibration(self) -> list[dict[str, np.ndarray]]:
        return [{"images": view} for view in self.views("calibration", 48)]

    def answer(self, session) -> list[np.ndarray]:
        return [session.run(None, {"images": view})[0][0] for view in self.inputs]

    def measures(self, found: list[np.ndarray], expected: list[np.ndarray]) -> list[Measure]:
        ours, theirs = [objects(one) for one in found], [objects(one) for one in expected]
        wanted = np.array([len(boxes) for boxes in theirs], float)
        hits = np.array([same_objects(a, b) for a, b in zip(ours, theirs)], float)
        return [
            relative_error(found, expected),
            Measure("missed hits", "%", wanted - hits, wanted),
            Measure("extra hits", "%", np.array([len(boxes) for boxes in ours]) - hits, wanted),
        ]


def objects(output: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Class and corners of what is seen, by the thresholds of the package itself: scores of .25, overlaps of .45."""
    boxes, scores = output[:4].T, output[4:].T
    best = scores.max(1)
    centred = np.column_stack([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, 2:]])
    kept = cv2.dnn.NMSBoxes(centred.tolist(), best.tolist(), 0.25, 0.45)
    found = []
    for index in kept:
        x, y, width, height = centred[index]
        corners = np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], np.float32)
        found.append((int(scores[index].argmax()), corners))
    return found


def same_objects(found, expected) -> int:
    """Hits of the same class that overlap by half, one to one."""
    return sum(
        matched([box for c, box in found if c == kind], [box for c, box in expected if c == kind], 0.5)
        for kind in {kind for kind, _ in expected}
    )


PARTS = [TextBoxes(), Objects()]
