"""What the benchmark asks of a part: a model, a task and how well its answers fit."""

import pathlib

import numpy as np

from measures import Measure


class Part:
    title: str  # of the model
    what: str  # the items that are judged
    count = 600  # how many of them where nothing else is asked for
    file: pathlib.Path  # the model, once prepared

    def prepare(self, count: int) -> None:
        """Fetches the model and makes the items. Raises packages.Missing where that cannot be."""
        raise NotImplementedError

    def calibration(self) -> list[dict[str, np.ndarray]]:
        """Inputs to calibrate on, one batch each, of other data than those that are judged."""
        raise NotImplementedError

    def answer(self, session):
        """What a variant makes of the items."""
        raise NotImplementedError

    def measures(self, found, expected) -> list[Measure]:
        """How the answers of a variant fit, beside those of float32."""
        raise NotImplementedError
