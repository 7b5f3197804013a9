"""The loss that the log shows: averaged over iterations."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable


class SmoothedLoss:
    """The running mean of the last `size` losses (average_loss).

    Attributes: `window`, these losses, the oldest first; `mean`, 0 before the first one.
    Source: Caffe's Solver::UpdateSmoothedLoss.
    """

    def __init__(self, size: int):
        self._size = size
        self.set()

    def set(self, losses: Iterable[float] = (), mean: float = 0.0) -> None:
        """Go on from the last losses, the oldest first, and their running mean; or from none."""
        self.window, self.mean = deque(losses, self._size), mean

    def add(self, loss: float) -> None:
        count = len(self.window)
        if count < self._size:
            self.mean = (self.mean * count + loss) / (count + 1)
        else:
            self.mean += (loss - self.window[0]) / count
        self.window.append(loss)
