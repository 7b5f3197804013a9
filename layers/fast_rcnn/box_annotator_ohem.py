"""BoxAnnotatorOHEM."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("BoxAnnotatorOHEM")
class BoxAnnotatorOHEM(Layer):
    """Keeps the labels and box weights of the costliest RoIs of each image (box_annotator_ohem_param).

    bottom[0]: R x 5 RoIs: index of the image, x1 y1 x2 y2. bottom[1]: what each RoI costs, R. bottom[2]: labels, R.
    bottom[3]: box loss weights R x D. All of them may have two more axes H x W, and R H W RoIs with it.
    The tops have the shapes of bottom[2] and bottom[3]: labels and weights of the roi_per_img costliest RoIs of each
    image, and ignore_label and 0 for the others. Nothing takes a gradient.
    Of RoIs that cost the same, the first ones are taken (a stable sort); the fork leaves that to std::sort, which
    promises no order among equals.
    Raises LayerError for shapes that do not agree, and for losses and images that are not finite.

    Source: BoxAnnotatorOHEMLayer of R-FCN's fork of Caffe; Dai, Li, He and Sun, R-FCN (2016), section 2.
    """

    reads = ("box_annotator_ohem_param",)
    bottom_count = (4, 4)
    top_count = (2, 2)
    no_gradient = (0, 1, 2, 3)
    has_backward = False
    origin = "R-FCN"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.param = self.layer_param.box_annotator_ohem_param
        if self.param.roi_per_img < 1:
            raise self.error("roi_per_img is 0; at least one RoI must be chosen")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        rois, weights = bottom[0], bottom[3]
        places = rois.count // (5 * rois.num) if rois.num else 1
        for index, width in enumerate((5, 1, 1, weights.channels)):
            blob = bottom[index]
            if blob.num != rois.num or blob.count != rois.num * width * places:
                raise self.error(
                    f"bottom[{index}] has the shape {blob.shape}, bottom[0] {rois.shape}; expected R x 5 RoIs, R "
                    "losses, R labels and R rows of weights"
                )
        self.places = places
        top[0].reshape(*bottom[2].shape)
        top[1].reshape(*weights.shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        images = bottom[0].data.reshape(-1, 5, self.places)[:, 0].ravel()
        losses = bottom[1].data.ravel()
        wrong = np.flatnonzero(~(np.isfinite(losses) & np.isfinite(images)))
        if wrong.size:
            raise self.error(
                f"RoI {wrong[0]} of image {images[wrong[0]]:g} has the loss {losses[wrong[0]]}; has the training "
                "diverged? look for NaN and inf in the bottoms, and lower the learning rate"
            )
        kept = np.zeros(losses.size, bool)
        costliest = np.argsort(-losses, kind="stable")
        images = np.trunc(images)
        for image in np.unique(images):
            kept[costliest[images[costliest] == image][: self.param.roi_per_img]] = True
        labels = np.where(kept, bottom[2].data.ravel(), self.param.ignore_label)
        top[0].data[...] = labels.reshape(top[0].shape)
        rows = kept.reshape(-1, 1, self.places)
        weights = bottom[3].data.reshape(len(rows), bottom[3].channels, self.places)
        top[1].data[...] = np.where(rows, weights, 0).reshape(top[1].shape)
