"""A decoder language model: how far its predictions of the next token move from float32's, on plain text that is never
calibrated on.

No package carries one as ONNX: SUBBYTE_LANGUAGE_MODEL names a folder with model.onnx, exported with its past (such as
`optimum-cli export onnx --model HuggingFaceTB/SmolLM2-135M-Instruct --task text-generation-with-past`), and tokenizer.json.
"""

import os
import pathlib
import sys
import tempfile

import numpy as np
from tokenizers import Tokenizer

import packages
import texts
from measures import Measure
from part import Part

# Sixteen thousand tokens are calibrated on.
WINDOW, CALIBRATION_WINDOWS = 512, 32


def log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


class Language(Part):
    title, what, count = "language model", "windows of 512 tokens", 16

    def prepare(self, count: int) -> None:
        folder = pathlib.Path(os.environ.get("SUBBYTE_LANGUAGE_MODEL", packages.CACHE / "language"))
        self.file = folder / "model.onnx"
        if not self.file.exists():
            raise packages.Missing(f"SUBBYTE_LANGUAGE_MODEL names no folder with an exported model.onnx ({folder})")
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.windows = self.encoded("language", count)

    def encoded(self, use: str, count: int) -> np.ndarray:
        ids = self.tokenizer.encode(texts.text_of(use), add_special_tokens=False).ids
        count = min(count, len(ids) // WINDOW)
        return np.array(ids[: count * WINDOW], np.int64).reshape(count, WINDOW)

    def calibration(self) -> list[dict[str, np.ndarray]]:
        """Windows from all over the text."""
        windows = self.encoded("calibration", sys.maxsize)
        chosen = np.linspace(0, len(windows) - 1, CALIBRATION_WINDOWS).astype(int)
        return [feeds(self.inputs, row[None]) for row in windows[chosen]]

    def answer(self, session) -> np.ndarray:
        """Log-probabilities of the next token, [windows, 511, vocabulary], on disk: they are gigabytes."""
        self.inputs = session.get_inputs()
        file = tempfile.TemporaryFile()
        found = None
        for index, row in enumerate(self.windows):
            (logits,) = session.run(["logits"], feeds(self.inputs, row[None]))
            if found is None:
                found = np.memmap(file, np.float32, "w+", shape=(len(self.windows), WINDOW - 1, logits.shape[-1]))
            found[index] = log_softmax(logits[0, :-1])
        return found

    def measures(self, found: np.ndarray, expected: np.ndarray) -> list[Measure]:
        divergence, changed, likelihood, reference = (np.zeros(len(found)) for _ in range(4))
        for index, (ours, theirs, ids) in enumerate(zip(found, expected, self.windows)):
            divergence[index] = (np.exp(theirs) * (theirs - ours)).sum(-1).mean()
            changed[index] = (ours.argmax(-1) != theirs.argmax(-1)).mean()
            likelihood[index] = -np.take_along_axis(ours, ids[1:, None], -1).mean()
            reference[index] = -np.take_along_axis(theirs, ids[1:, None], -1).mean()
        ones = np.ones(len(found))
        return [
            Measure("divergence (KL, nats)", "", divergence, ones),
            Measure("first choice changed", "%", changed, ones),
            Measure("log-perplexity", "", likelihood, ones, reference),
        ]


def feeds(inputs, ids: np.ndarray) -> dict[str, np.ndarray]:
    """Tokens from the beginning, with nothing in the caches."""
    known = {
        "input_ids": ids,
        "attention_mask": np.ones_like(ids),
        "position_ids": np.arange(ids.shape[1])[None].repeat(len(ids), 0),
    }
    return {
        one.name: known[one.name]
        if one.name in known
        else np.zeros((len(ids), one.shape[1], 0, one.shape[3]), np.float32)
        for one in inputs
    }


PARTS = [Language()]
