"""MultiROIPooling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register

FARTHEST = 2.0**30


@register("MultiROIPooling")
class MultiROIPooling(Layer):
    """Cuts pooled_h x pooled_w pixels around each landmark of each image (multi_roi_pooling_param).

    bottom[0]: N x C x H x W maps; bottom[1]: N x L x 2 landmarks, x and y in pixels of the images, which take no
    gradient; L tops N x C x pooled_h x pooled_w. A cut starts at x spatial_scale - pooled_w / 2 (a whole number),
    rounded half away from zero, and so for y; what lies outside the map is 0. Backward gives all rows of a cut the
    gradient of its first row that lies on the map, as there.
    Raises LayerError for shapes that do not fit, for another top_num than there are tops and for landmarks that are
    not finite. Source: MultiROIPoolingLayer of mysee1989/PG-CNN, a GPU's (a cut longer than the map, which reads
    outside there, ends with it here); Li et al., Patch-Gated CNN (2018).
    """

    reads = ("multi_roi_pooling_param",)
    origin = "PG-CNN"
    bottom_count = (2, 2)
    top_count = (1, None)
    no_gradient = (1,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.multi_roi_pooling_param
        self.cut = param.pooled_h, param.pooled_w
        if min(self.cut) < 1 or param.top_num != len(top):
            raise self.error(
                f"pooled_h and pooled_w are {self.cut}, top_num {param.top_num}; expected sizes above 0 and the number "
                f"of tops, {len(top)}"
            )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        maps, landmarks = (blob.shape for blob in bottom)
        if len(maps) != 4 or landmarks != (maps[0], len(top), 2):
            raise self.error(
                f"the bottoms have the shapes {maps} and {landmarks}; expected N x C x H x W and N x {len(top)} x 2"
            )
        for blob in top:
            blob.reshape(*maps[:2], *self.cut)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.parts = self._parts(bottom)
        for blob, parts in zip(top, self.parts, strict=True):
            blob.data.fill(0)
            for n, (rows, columns), (of_rows, of_columns) in parts:
                blob.data[n, :, of_rows, of_columns] = bottom[0].data[n, :, rows, columns]

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        bottom[0].diff.fill(0)
        for blob, parts in zip(top, self.parts, strict=True):
            for n, (rows, columns), (of_rows, of_columns) in parts:
                first = blob.diff[n, :, of_rows.start, of_columns]
                bottom[0].diff[n, :, rows, columns] += first[:, None]

    def _parts(self, bottom: Sequence[Blob]) -> list[list]:
        """For each top and image: the rows and columns of the map, and those of the cut that they fill."""
        scale = np.float32(self.layer_param.multi_roi_pooling_param.spatial_scale)
        half = np.array([size // 2 for size in self.cut[::-1]], np.float32)
        places = bottom[1].data * scale - half
        if not (np.abs(places) < FARTHEST).all():
            raise self.error("a landmark is not finite, or too far away; expected x and y in pixels")
        whole = np.trunc(places)
        starts = whole + np.where(np.abs(places - whole) >= 0.5, np.sign(places), 0)
        parts: list[list] = [[] for _ in range(starts.shape[1])]
        for n, top in np.ndindex(*starts.shape[:2]):
            pairs = [
                _overlap(int(start), size, limit)
                for start, size, limit in zip(
                    starts[n, top, ::-1], self.cut, bottom[0].shape[2:], strict=True
                )
            ]
            if all(inside.start < inside.stop for inside, _ in pairs):
                (rows, of_rows), (columns, of_columns) = pairs
                parts[top].append((n, (rows, columns), (of_rows, of_columns)))
        return parts


def _overlap(start: int, size: int, limit: int) -> tuple[slice, slice]:
    """Of an axis of the map and of the cut: where both are."""
    first, end = max(start, 0), min(start + size, limit)
    return slice(first, end), slice(first - start, end - start)
