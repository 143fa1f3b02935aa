"""Real English text from Debian packages, a source apart for each use: nothing is judged on what was
calibrated on."""

import functools
import gzip
import re

import packages

# The Jargon File; fortunes that are prose; a Bible translation in plain English.
FORTUNES = ["computers", "science", "education", "humorists", "wisdom", "work", "people"]
# Quotes, dashes and spaces as a typewriter has them.
TYPEWRITTEN = str.maketrans({"\xa0": " ", "‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-"})


def text_of(use: str) -> str:
    """The whole source of a use, a name of SOURCES, in one line."""
    return re.sub(r"\s+", " ", " ".join(SOURCES[use]())).strip()


@functools.cache
def words_of(use: str) -> list[str]:
    """All words of the sentences of a use."""
    return [word for sentence in sentences_of(use) for word in sentence.split()]


@functools.cache
def sentences_of(use: str) -> list[str]:
    """Sentences of 5 to 40 words in ASCII, in the order of the text."""
    paragraphs = SOURCES[use]()
    found = []
    for paragraph in paragraphs:
        joined = re.sub(r"\s+", " ", paragraph).strip()
        for sentence in re.split(r"(?<=[.!?])\s+(?=[A-Z\"'(])", joined):
            if sentence.isascii() and 5 <= len(sentence.split()) <= 40 and re.search(r"[a-z]{3}", sentence):
                found.append(sentence)
    return found


def jargon() -> list[str]:
    path = packages.debian("jargon-text") / "usr/share/doc/jargon-text/jargon.txt.gz"
    text = gzip.decompress(path.read_bytes()).decode("utf8", "replace").translate(TYPEWRITTEN)
    # Entries begin after the list of their titles.
    return re.split(r"\n\s*\n", text[text.index("Chapter 1") :])


def fortunes() -> list[str]:
    folder = packages.debian("fortunes") / "usr/share/games/fortunes"
    return [paragraph for name in FORTUNES for paragraph in (folder / name).read_text("utf8", "replace").split("\n%\n")]


def bible(*books: str) -> list[str]:
    from pysword.modules import SwordModules

    modules = SwordModules(str(packages.debian("sword-text-web") / "usr/share/sword"))
    name = next(name for name in modules.parse_modules() if "WEB" in name)
    return [modules.get_bible_from_module(name).get(books=[book], clean=True, join="\n") for book in books]


SOURCES = {
    "judge": jargon,
    "calibration": fortunes,
    "tune": lambda: bible("ruth", "jonah", "mark"),
    "language": lambda: bible("judith"),
}
