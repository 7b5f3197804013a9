"""HardMining."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.mscnn.selected_rows import SelectedRows
from caffe_compat.layers.registry import register


@register("HardMining")
class HardMining(SelectedRows):
    """Passes on the costliest RoIs, and what belongs to them (hard_mining_param).

    bottom[0]: what each RoI costs, R. bottom[1]: R x 5 RoIs (image, x1, y1, x2, y2); each other bottom: R rows. Tops:
    these bottoms with fewer rows, in their order: of each of num_image images the num_roi_per_image costliest, and
    where an image has fewer, the costliest ones that the others have left. Of equal costs the last comes first, as in
    the original. Nothing takes a gradient. Raises LayerError for a RoI of no image.

    Source: HardMiningLayer of zhaoweicai/cascade-rcnn.
    """

    reads = ("hard_mining_param",)
    origin = "Cascade R-CNN"
    bottom_count = (2, None)
    top_count = (1, None)
    first = 1

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        param = self.layer_param.hard_mining_param
        self.per_image, self.images = param.num_roi_per_image, param.num_image
        if min(self.per_image, self.images) < 1:
            raise self.error("num_roi_per_image and num_image must be above 0")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if bottom[0].count != bottom[0].num:
            raise self.error(f"bottom[0] has the shape {bottom[0].shape}; expected one number for each RoI")

    def choose(self, bottom: Sequence[Blob]) -> np.ndarray:
        image = bottom[1].data.reshape(-1, 5)[:, 0]
        wrong = np.flatnonzero(~((image > -1) & (image < self.images)))
        if wrong.size:
            raise self.error(f"RoI {wrong[0]} is of image {image[wrong[0]]:g}; num_image is {self.images}")
        costliest = np.argsort(bottom[0].data.ravel(), kind="stable")[::-1]
        first = [costliest[image[costliest].astype(int) == i] for i in np.unique(image.astype(int))]
        kept = np.concatenate([rows[: self.per_image] for rows in first])
        left = costliest[~np.isin(costliest, kept)]
        missing = min(self.images * self.per_image, len(image)) - len(kept)
        return np.sort(np.concatenate([kept, left[:missing]]))
