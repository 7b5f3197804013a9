"""DenseCRF."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.repetitions import check_repetitions
from caffe_compat.layers.registry import register
from caffe_compat.layers.segmentation.mean_field import Filter, gaussian, infer, places_of

FLT_MIN = np.finfo(np.float32).tiny


@register("DenseCRF")
class DenseCRF(Layer):
    """Mean field inference in a dense conditional random field (dense_crf_param).

    bottom[0]: scores, N x C x H x W. bottom[1]: N heights and widths, of which each image's corner counts; where both
    are at least H and W, all of it. bottom[2]: the images, N x 3 x H x W; without it there are only the filters over
    the place. top: N x C x H x W, probabilities, or with output_probability: false their logarithms, of FLT_MIN where
    they are 0; 0 outside of the corner.

    max_iter steps from the softmax q of the scores: q becomes the softmax of the scores plus the sum of w f(q) over
    the filters f, each a Gaussian divided at each pixel by what it makes of ones: over the place, in units of
    pos_xy_std, with the weight pos_w, and over the place and the colour, in units of bi_xy_std and bi_rgb_std, with
    the weight bi_w. What is e^-20 times as probable as another class counts 0. Forward only. Raises LayerError for
    shapes or params that do not fit.

    Source: DenseCRFLayer of DeepLab's fork of Caffe; where only one of a height and a width is larger than the map it
    reads outside of it, here the map's counts. Krähenbühl and Koltun, Efficient Inference in Fully Connected CRFs with
    Gaussian Edge Potentials (2011).
    """

    reads = ("dense_crf_param",)
    bottom_count = (2, 3)
    has_backward = False
    origin = "DeepLab"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.dense_crf_param
        check_repetitions(self, "max_iter", param.max_iter)
        for group in (("pos_w", "pos_xy_std"), ("bi_w", "bi_xy_std", "bi_rgb_std")):
            if len({len(getattr(param, name)) for name in group}) > 1:
                raise self.error(f"{', '.join(group)} have different counts; give one of each for a filter")
            for name in group[1:]:
                if not all(value > 0 for value in getattr(param, name)):
                    raise self.error(f"{name} is {list(getattr(param, name))}; it must be above 0")
        if len(bottom) == 3 and not param.bi_w:
            raise self.error(
                "there is an image, but no bi_w, bi_xy_std and bi_rgb_std; give them, or remove it"
            )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, image = bottom[0].shape, bottom[-1].shape
        fits = len(shape) == 4 and 0 not in shape and bottom[1].count == 2 * shape[0]
        if not fits or (len(bottom) == 3 and image != (shape[0], 3, *shape[2:])):
            raise self.error(
                f"the bottoms have the shapes {', '.join(str(blob.shape) for blob in bottom)}; expected N x C x H x W, "
                "a height and a width for each image, and N x 3 x H x W"
            )
        top[0].reshape(*shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.dense_crf_param
        top[0].data[...] = 0
        for n, (height, width) in enumerate(self._sizes(bottom)):
            corner = (n, slice(None), slice(height), slice(width))
            scores = bottom[0].data[corner]
            images = bottom[2].data[corner] if len(bottom) == 3 else None
            prob = infer(
                scores.reshape(len(scores), -1), list(self._filters(height, width, images)), param.max_iter
            )
            values = prob if param.output_probability else np.log(np.maximum(prob, FLT_MIN))
            top[0].data[corner] = values.reshape(scores.shape)

    def _sizes(self, bottom: Sequence[Blob]) -> np.ndarray:
        sizes = bottom[1].data.reshape(-1, 2)
        if not (sizes >= 1).all():
            raise self.error(f"bottom[1] has the sizes {sizes.tolist()}; they must be at least 1")
        return np.minimum(sizes, bottom[0].shape[2:]).astype(np.int64)

    def _filters(self, height: int, width: int, image: np.ndarray | None) -> Iterator[Filter]:
        param = self.layer_param.dense_crf_param
        places = places_of(height, width)
        for weight, std in zip(param.pos_w, param.pos_xy_std, strict=True):
            yield gaussian(self, weight, places / np.float32(std))
        if image is None:
            return
        colours = image.reshape(3, -1).T
        for weight, std, rgb_std in zip(param.bi_w, param.bi_xy_std, param.bi_rgb_std, strict=True):
            near = [places / np.float32(std), colours / np.float32(rgb_std)]
            yield gaussian(self, weight, np.concatenate(near, axis=1))
