"""The score of a test net that detects: the mean average precision of each output of DetectionEvaluate.

Source: Solver::TestDetection and ComputeAP of the SSD fork of Caffe.
"""

from __future__ import annotations

import logging

import numpy as np

from caffe_compat.errors import SolverError
from caffe_compat.net import Net

logger = logging.getLogger("caffe_compat.solver")

VERSIONS = ("11point", "MaxIntegral", "Integral")
NO_IMAGE = -1  # the row says how many objects a class has
LEAST_STEP = 1e-6  # of recall


class DetectionScores:
    """The loss, and the detections of each output, over several passes of a net.

    version: one of VERSIONS. each_class: log the average precision of each class too.
    """

    def __init__(self, version: str, each_class: bool = False):
        self.version, self.each_class = version, each_class
        self.passes = 0
        self._loss = 0.0
        self._rows: dict[str, list[np.ndarray]] = {}

    def forward(self, net: Net) -> None:
        """Run a pass. Raises SolverError for outputs that are no tops of DetectionEvaluate."""
        self._loss += net.forward_from_to()
        self.passes += 1
        for name in net.outputs:
            shape = net.blobs[name].shape
            if len(shape) != 4 or shape[:2] != (1, 1) or shape[3] != 5:
                raise SolverError(
                    f"eval_type is 'detection', which scores tops of DetectionEvaluate; the output '{name}' has the "
                    f"shape {shape}, not 1 x 1 x rows x 5: end it in a Silence layer, or remove eval_type"
                )
            self._rows.setdefault(name, []).append(net.blobs[name].data.reshape(-1, 5).copy())

    @property
    def loss(self) -> float:
        return self._loss / self.passes

    @property
    def scores(self) -> dict[str, np.ndarray]:
        """The mean average precision of each output."""
        return {name: np.array([self._mean(np.concatenate(rows))]) for name, rows in self._rows.items()}

    def _mean(self, rows: np.ndarray) -> np.float32:
        counts, found = rows[rows[:, 0] == NO_IMAGE], rows[rows[:, 0] != NO_IMAGE]
        found = found[(found[:, 3:].astype(int) != 0).any(axis=1)]
        total, labels = np.float32(0), np.unique(counts[:, 1].astype(int))
        for label in labels:
            mine = found[found[:, 1].astype(int) == label]
            if not len(mine):
                logger.warning("Missing true_pos for label: %d", label)
                continue
            objects = int(counts[counts[:, 1].astype(int) == label, 2].sum())
            precision = average_precision(mine[:, 2], mine[:, 3] > 0, objects, self.version)
            total += precision
            if self.each_class:
                logger.info("class%d: %g", label, precision)
        return total / np.float32(max(1, len(labels)))


def average_precision(scores: np.ndarray, right: np.ndarray, objects: int, version: str) -> np.float32:
    """Of N detections, in float32. right: which are, the others are wrong. objects: how many are to be found.

    "11point": the mean of the best precisions at a recall of 0, 0.1, ... 1 or more, as VOC 2007. "MaxIntegral": the
    area under the best precision at this recall or more, as VOC 2012. "Integral": the area under the precision itself.
    """
    if not (len(scores) and objects):
        return np.float32(0)
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(right[order]).astype(np.float32)
    precision, recall = hits / np.arange(1, len(hits) + 1, dtype=np.float32), hits / np.float32(objects)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    if version == "11point":
        return np.float32(_eleven(best, recall))
    steps = np.diff(recall, prepend=np.float32(0))
    precision = best if version == "MaxIntegral" else precision
    return np.float32((precision * steps)[steps > LEAST_STEP].sum(dtype=np.float32))


def _eleven(best: np.ndarray, recall: np.ndarray) -> np.float32:
    """best: the highest precision from each detection on. recall never falls."""
    total = np.float32(0)
    for tenth in range(10, -1, -1):
        first = np.searchsorted(recall.astype(np.float64), tenth / 10)
        total += best[first] / np.float32(11) if first < len(best) else np.float32(0)
    return total
