"""Lines and pages of text, drawn as a camera or a poor scan would give them. The same numbers each time for a seed;
typefaces and texts of those to judge by, to tune by and to calibrate on are apart."""

import dataclasses
import functools

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

import packages
import texts

FACES = {
    "judge": {
        "fonts-dejavu-core": ["dejavu/DejaVuSans.ttf", "dejavu/DejaVuSerif.ttf", "dejavu/DejaVuSansMono.ttf"],
        "fonts-liberation": [
            "liberation/LiberationSans-Regular.ttf",
            "liberation/LiberationSerif-Regular.ttf",
            "liberation/LiberationSerif-Italic.ttf",
            "liberation/LiberationSans-Bold.ttf",
        ],
    },
    "tune": {
        "fonts-lato": ["lato/Lato-Regular.ttf", "lato/Lato-Italic.ttf", "lato/Lato-Bold.ttf"],
        "fonts-roboto-unhinted": ["roboto/unhinted/RobotoTTF/Roboto-Regular.ttf"],
    },
    "calibration": {
        "fonts-freefont-ttf": ["freefont/FreeSans.ttf", "freefont/FreeSerif.ttf", "freefont/FreeMono.ttf"],
        "fonts-open-sans": ["open-sans/OpenSans-Regular.ttf", "open-sans/OpenSans-BoldItalic.ttf"],
    },
}
SEEDS = {"judge": 1, "tune": 2, "calibration": 3}


@functools.cache
def face(use: str, index: int, size: int) -> ImageFont.FreeTypeFont:
    files = [(package, name) for package, names in FACES[use].items() for name in names]
    package, name = files[index % len(files)]
    return ImageFont.truetype(packages.debian(package) / "usr/share/fonts/truetype" / name, size)


def phrase(random: np.random.Generator, words: list[str], longest: int) -> str:
    """Words that follow each other, or (one in five) a number, a date, a price or a code."""
    if random.random() < 0.2:
        number = int(random.integers(10, 100_000))
        day, month, year = random.integers([1, 1, 1970], [29, 13, 2030])
        letters = "".join(random.choice(list("ABCDEFGHKLMNPRSTUVWXYZ"), 3))
        return [f"No. {number}", f"{year}-{month:02}-{day:02}", f"$ {number / 100:.2f}", f"{letters}-{number:06}"][
            random.integers(4)
        ]
    at = int(random.integers(len(words) - 12))
    text = words[at]
    for word in words[at + 1 : at + 12]:
        if len(text) + 1 + len(word) > longest:
            break
        text += " " + word
    return text[:longest]


def spoiled(random: np.random.Generator, image: Image.Image, blur: float, noise: float) -> Image.Image:
    """Blurred, with the noise of a sensor."""
    image = image.filter(ImageFilter.GaussianBlur(blur))
    pixels = np.asarray(image, np.float32)
    pixels = pixels + random.normal(0, noise, pixels.shape).astype(np.float32)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def colours(random: np.random.Generator) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Paper and ink, of some contrast at least; one in eight is light on dark."""
    paper, ink = random.integers(185, 256, 3), random.integers(0, 90, 3)
    if random.random() < 0.125:
        paper, ink = ink, paper
    return tuple(map(int, paper)), tuple(map(int, ink))


@dataclasses.dataclass
class Hardness:
    """Ranges of the size of the letters in pixels, the standard deviations of blur (pixels) and noise (of 255), and the
    most degrees that a line is turned."""

    size: tuple[int, int]
    blur: tuple[float, float]
    noise: tuple[float, float]
    angle: float


def hard_line(use: str, index: int, hardness: Hardness) -> tuple[str, Image.Image]:
    """The text and the picture of the line of that index: small, turned, blurred and noisy."""
    random = np.random.default_rng([SEEDS[use], index])
    text = phrase(random, texts.words_of(use), int(random.integers(8, 34)))
    font = face(use, int(random.integers(64)), int(random.integers(*hardness.size)))
    paper, ink = colours(random)
    left, top, right, bottom = font.getbbox(text)
    margin = 4
    image = Image.new("RGB", (right - left + 2 * margin, bottom - top + 2 * margin), paper)
    ImageDraw.Draw(image).text((margin - left, margin - top), text, ink, font)
    slope = np.tan(np.radians(random.uniform(-hardness.angle, hardness.angle)))
    lift = abs(slope) * image.width / 2
    turned = image.transform(
        (image.width, int(image.height + lift)),
        Image.Transform.AFFINE,
        (1, 0, 0, slope, 1, -lift / 2 - slope * image.width / 2),
        Image.Resampling.BICUBIC,
        fillcolor=paper,
    )
    return text, spoiled(random, turned, random.uniform(*hardness.blur), random.uniform(*hardness.noise))


def page(use: str, index: int, size: int = 640) -> Image.Image:
    """A page with blocks of lines of several sizes, some turned a little, on uneven paper."""
    random = np.random.default_rng([SEEDS[use], 1_000_000 + index])
    paper, ink = colours(random)
    image = Image.new("RGB", (size, size), paper)
    top = int(random.integers(8, 40))
    while top < size - 40:
        font = face(use, int(random.integers(64)), int(random.choice([12, 14, 16, 20, 28, 40])))
        height = int(font.size * 1.5)
        left = int(random.integers(8, size // 3))
        for _ in range(int(random.integers(1, 5))):
            if top + height > size:
                break
            text = phrase(random, texts.words_of(use), int((size - left - 12) / (font.size * 0.6)))
            ImageDraw.Draw(image).text((left, top), text, ink, font)
            top += height
        top += int(random.integers(10, 40))
    image = image.rotate(random.uniform(-3, 3), Image.Resampling.BICUBIC, fillcolor=paper)
    return spoiled(random, image, random.uniform(0, 0.8), random.uniform(0, 12))
