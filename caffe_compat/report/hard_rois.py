"""What hard RoI mining kept: counts and losses by class, and the photos with the kept RoIs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from caffe_compat.fast_rcnn.voc import class_names
from caffe_compat.layers.fast_rcnn.hard_roi_mining import HardRoIMining
from caffe_compat.net import Net
from caffe_compat.report.histogram import Histogram
from caffe_compat.report.pixels import as_pixels, jpeg

PHOTOS = 4  # at most


@dataclass
class ClassOfRois:
    """The RoIs of one label: how many there are and how many were kept, and the mean losses of both (kept_loss: None
    where none was kept)."""

    label: int
    name: str
    rois: int
    kept: int
    mean_loss: float
    kept_loss: float | None


@dataclass
class HardRoi:
    """A kept RoI: its corners x1 y1 x2 y2 in pixels of the photo as the net saw it, and its loss."""

    label: int
    name: str
    box: tuple[float, float, float, float]
    loss: float


@dataclass
class Photo:
    """An image of the batch, as a JPEG in base64, and its kept RoIs, costliest first."""

    width: int
    height: int
    jpeg: str
    rois: list[HardRoi]


@dataclass
class Mined:
    """What one mining layer did in the last pass. losses: those of all RoIs; kept_losses: those of the kept ones."""

    layer: str
    rois: int
    kept: int
    classes: list[ClassOfRois]
    photos: list[Photo]
    losses: Histogram
    kept_losses: Histogram


def mined(net: Net, pixel_means: Sequence[float], classes: Sequence[str] | None = None) -> list[Mined]:
    """What each mining layer of a net did in its last forward. pixel_means: blue, green, red, added to blob `data`.

    classes: the names of the data set's classes, the background's first; None: those of `class_names`.
    """
    return [
        _mined(net, i, layer, pixel_means, classes or class_names(layer.num_classes))
        for i, layer in enumerate(net.layers)
        if isinstance(layer, HardRoIMining) and layer.losses.size
    ]


def _mined(
    net: Net, index: int, layer: HardRoIMining, pixel_means: Sequence[float], classes: Sequence[str]
) -> Mined:
    rois = net.bottoms[index][2].data.reshape(-1, 5)
    labels = net.bottoms[index][3].data.reshape(-1).astype(int)
    names = {int(label): classes[label] if label else "background" for label in np.unique(labels)}
    kept = layer.selected
    return Mined(
        layer=net.layer_names[index],
        rois=len(rois),
        kept=len(kept),
        classes=[_class(label, names[label], labels, layer.losses, kept) for label in names],
        photos=_photos(net, rois[kept], labels[kept], layer.losses[kept], names, pixel_means),
        losses=Histogram.of(layer.losses),
        kept_losses=Histogram.of(layer.losses[kept]),
    )


def _class(label: int, name: str, labels: np.ndarray, losses: np.ndarray, kept: np.ndarray) -> ClassOfRois:
    of_all, of_kept = losses[labels == label], losses[kept][labels[kept] == label]
    mean_kept = float(of_kept.mean()) if of_kept.size else None
    return ClassOfRois(label, name, of_all.size, of_kept.size, float(of_all.mean()), mean_kept)


def _photos(
    net: Net,
    rois: np.ndarray,
    labels: np.ndarray,
    losses: np.ndarray,
    names: dict[int, str],
    pixel_means: Sequence[float],
) -> list[Photo]:
    """The photos of the batch; none where the net has no blob `data` of images with three channels."""
    blob = net.blobs.get("data")
    if blob is None or len(blob.shape) != 4 or blob.shape[1] != 3:
        return []
    result = []
    for n in range(min(blob.shape[0], PHOTOS)):
        rows = np.flatnonzero(rois[:, 0] == n)
        hard = [
            HardRoi(int(labels[r]), names[int(labels[r])], _corners(rois[r]), float(losses[r])) for r in rows
        ]
        result.append(
            Photo(
                blob.shape[3],
                blob.shape[2],
                jpeg(as_pixels(blob.data[n], np.array(pixel_means, np.float32))),
                hard,
            )
        )
    return result


def _corners(roi: np.ndarray) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (round(float(corner), 1) for corner in roi[1:])
    return x1, y1, x2, y2
