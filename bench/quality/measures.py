"""What a task loses, with an interval: a mean over items that are drawn again and again (the bootstrap; B. Efron, 1979),
paired, since all variants see the same items."""

import dataclasses

import numpy as np

DRAWS = 2000


@dataclasses.dataclass
class Measure:
    """The sum of `top` over the sum of `bottom`, item by item; beside float32's `reference` where that is not itself 0."""

    name: str
    unit: str  # "%" or ""
    top: np.ndarray
    bottom: np.ndarray
    reference: np.ndarray | None = None

    def value(self) -> float:
        return self.scale() * ratio(self.top, self.bottom)

    def loss(self) -> float:
        if self.reference is None:
            return self.value()
        return self.value() - self.scale() * ratio(self.reference, self.bottom)

    def interval(self) -> tuple[float, float]:
        """The middle 95 % of the loss over draws of the items, the same draws for every variant."""
        count = len(self.top)
        random = np.random.default_rng(0)
        times = random.multinomial(count, np.full(count, 1 / count), size=DRAWS).astype(np.float64)
        top = self.top if self.reference is None else self.top - self.reference
        below = times @ self.bottom
        losses = self.scale() * np.divide(times @ top, below, out=np.zeros(DRAWS), where=below > 0)
        low, high = np.quantile(losses, [0.025, 0.975])
        return float(low), float(high)

    def scale(self) -> float:
        return 100.0 if self.unit == "%" else 1.0

    def told(self) -> dict:
        return {
            "measure": self.name,
            "unit": self.unit,
            "value": self.value(),
            "loss": self.loss(),
            "interval": list(self.interval()),
        }


def ratio(top: np.ndarray, bottom: np.ndarray) -> float:
    below = float(np.sum(bottom))
    return float(np.sum(top)) / below if below else 0.0
