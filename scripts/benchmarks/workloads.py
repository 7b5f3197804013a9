"""The blobs of a training iteration on the benchmark's photo, for any number of RoIs and any image size.

Needs numpy and OpenCV only: the programs of other frameworks use it too.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np

STORED = 2000  # proposals of a photo
SIDE = 600  # of the photo, the shorter one


def bench(folder: str) -> tuple[ModuleType, str]:
    """The module workload.py of a folder, and the folder, whose other modules can be imported from now on."""
    sys.path.insert(0, str(Path(folder).resolve()))
    import workload

    return workload, folder


def blobs(folder: str, rois: int, side: int, photo: str = "004545") -> dict[str, np.ndarray]:
    """Input blobs as workload.load gives them: beyond 2000 RoIs copies of its RoIs, moved by up to 32 pixels."""
    workload, _ = bench(folder)
    result: dict[str, np.ndarray] = workload.load(photo, min(rois, STORED))
    if rois > STORED:
        chosen = np.arange(rois) % STORED
        result.update({name: result[name][chosen] for name in result if name != "data"})
        height, width = result["data"].shape[2:]
        moves = np.random.RandomState(1).uniform(-32, 32, (rois - STORED, 4))
        boxes = result["rois"][STORED:, 1:] + moves
        low, high = np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])
        most = np.array([width - 1, height - 1])
        result["rois"][STORED:, 1:] = np.hstack([np.clip(low, 0, most), np.clip(high, 0, most)])
    if side != SIDE:
        scale = side / SIDE
        image = cv2.resize(result["data"][0].transpose(1, 2, 0), None, fx=scale, fy=scale)
        result["data"] = np.ascontiguousarray(image.transpose(2, 0, 1))[np.newaxis]
        result["rois"][:, 1:] *= scale
    return result
