"""What hard RoI mining kept along a training: by class, by size, and the costliest background as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from caffe_compat.fast_rcnn.voc import class_names
from caffe_compat.layers.fast_rcnn.hard_roi_mining import HardRoIMining
from caffe_compat.net import Net
from caffe_compat.report.pixels import as_pixels, jpeg
from caffe_compat.solvers import Iteration

PERIODS = 6  # of a training
SIZES = ("up to 32 x 32", "up to 96 x 96", "larger")  # pixels of the photo as the net sees it; COCO's limits
_AREAS = (32**2, 96**2)
WORST = 8  # pictures of a period, at most one an iteration
_MARGIN = 0.25  # of a RoI's sides, around it in its picture


@dataclass
class Group:
    """The RoIs of a class or of a size, summed up over a period."""

    name: str
    rois: int = 0
    kept: int = 0
    loss: float = 0.0
    kept_loss: float = 0.0

    @property
    def mean_loss(self) -> float | None:
        """None where there was no RoI."""
        return self.loss / self.rois if self.rois else None


@dataclass
class FalsePositive:
    """A background RoI that the net takes for an object. pixels: height x width x 3 uint8, BGR, with the RoI's
    surroundings; box: its corners x1 y1 x2 y2 in them."""

    taken_for: str
    loss: float
    pixels: np.ndarray
    box: tuple[float, float, float, float]

    @property
    def jpeg(self) -> str:
        return jpeg(self.pixels)


@dataclass
class Period:
    """Iterations `first` to `last`, and what was mined in them; `worst`: costliest first."""

    first: int
    last: int
    classes: list[Group]
    sizes: list[Group]
    worst: list[FalsePositive] = field(default_factory=list)


class MiningLog:
    """A callback of `Solver.on_iteration` for a net whose first mining layer is looked at after each iteration (of
    iter_size passes, at the last one).

    iterations: of the whole training, which is cut into PERIODS of them. pixel_means: blue, green, red, added to blob
    `data`. classes: the names of the data set's, the background's first; None: those of `class_names`.

    Attribute `periods`: those that have begun. A net that does not mine has none.
    """

    def __init__(
        self, net: Net, iterations: int, pixel_means: Sequence[float], classes: Sequence[str] | None = None
    ):
        self.net, self.periods = net, list[Period]()
        self._length, self._means = max(1, -(-iterations // PERIODS)), np.array(pixel_means, np.float32)
        found = [i for i, layer in enumerate(net.layers) if isinstance(layer, HardRoIMining)]
        self._index = found[0] if found else None
        self._classes = classes

    def __call__(self, done: Iteration) -> None:
        if self._index is None:
            return
        layer = self.net.layers[self._index]
        assert isinstance(layer, HardRoIMining)
        names = self._classes or class_names(layer.num_classes)
        period = self._period(done.iter, names)
        chances, _, rois, labels = (blob.data for blob in self.net.bottoms[self._index][:4])
        rois, labels = rois.reshape(-1, 5), labels.ravel().astype(int)
        kept = np.zeros(len(labels), bool)
        kept[layer.selected] = True
        area = (rois[:, 3] - rois[:, 1] + 1) * (rois[:, 4] - rois[:, 2] + 1)
        for groups, which in ((period.classes, labels), (period.sizes, np.digitize(area, _AREAS))):
            _add(groups, which, layer.losses, kept)
        self._keep_worst(period, layer, chances.reshape(len(labels), -1), rois, labels, names)

    def _period(self, iteration: int, names: Sequence[str]) -> Period:
        """The period of an iteration: the last one, or a new one."""
        if not self.periods or iteration // self._length != self.periods[-1].first // self._length:
            classes = ["background", *names[1:]]
            self.periods.append(
                Period(
                    iteration, iteration, [Group(name) for name in classes], [Group(name) for name in SIZES]
                )
            )
        self.periods[-1].last = iteration
        return self.periods[-1]

    def _keep_worst(
        self,
        period: Period,
        layer: HardRoIMining,
        chances: np.ndarray,
        rois: np.ndarray,
        labels: np.ndarray,
        names: Sequence[str],
    ) -> None:
        background = layer.selected[labels[layer.selected] == 0]  # costliest first
        if not len(background):
            return
        row, worst = background[0], period.worst
        loss = float(layer.losses[row])
        if len(worst) == WORST and loss <= worst[-1].loss:
            return
        data = self.net.blobs["data"].data if "data" in self.net.blobs else None
        if data is None or data.ndim != 4 or data.shape[1] != 3:
            return
        pixels, box = _picture(data[int(rois[row, 0])], rois[row, 1:], self._means)
        worst.append(FalsePositive(names[1 + int(np.argmax(chances[row, 1:]))], loss, pixels, box))
        worst.sort(key=lambda one: -one.loss)
        del worst[WORST:]


def _add(groups: Sequence[Group], which: np.ndarray, losses: np.ndarray, kept: np.ndarray) -> None:
    count = len(groups)
    sums = (
        np.bincount(which, minlength=count),
        np.bincount(which[kept], minlength=count),
        np.bincount(which, losses, count),
        np.bincount(which[kept], losses[kept], count),
    )
    for group, rois, chosen, loss, kept_loss in zip(groups, *sums, strict=True):
        group.rois += int(rois)
        group.kept += int(chosen)
        group.loss += float(loss)
        group.kept_loss += float(kept_loss)


def _picture(
    image: np.ndarray, roi: np.ndarray, means: np.ndarray
) -> tuple[np.ndarray, tuple[float, float, float, float]]:
    """A RoI of a 3 x height x width image with what is around it, as pixels, and its corners in them."""
    height, width = image.shape[1:]
    x1, y1, x2, y2 = (float(corner) for corner in roi)
    across, down = _MARGIN * (x2 - x1 + 1) + 2, _MARGIN * (y2 - y1 + 1) + 2
    left, top = int(max(0, x1 - across)), int(max(0, y1 - down))
    right, bottom = int(min(width, x2 + across + 1)), int(min(height, y2 + down + 1))
    return as_pixels(image[:, top:bottom, left:right], means), (x1 - left, y1 - top, x2 - left, y2 - top)
