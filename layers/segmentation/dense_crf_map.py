"""DenseCRFMap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register_form
from caffe_compat.layers.segmentation.mean_field import Filter, gaussian, infer, places_of
from caffe_compat.prototxt.caffe_pb2 import LayerParameter

STEPS = 10


def has_widths(layer_param: LayerParameter) -> bool:
    return layer_param.HasField("densecrf_param")


@register_form("DenseCRFMap", of="DenseCRF", describes=has_widths)
class DenseCRFMap(Layer):
    """The likeliest class of each pixel, after ten steps of mean field inference in a dense CRF (densecrf_param).

    A layer of type DenseCRF with densecrf_param is this one. bottom[0]: scores, N x C x H x W; bottom[1]: the images,
    N x 3 x H x W, of colours B G R from 0 to 255, fractions cut off; top: N x 1 x H x W. The steps are DeepLab's,
    with one filter over the place, of width x_gauss and height y_gauss and weight wt_gauss, and one over place and
    colour (x_bilateral, y_bilateral, r_bilateral, g_bilateral, b_bilateral, wt_bilateral). Forward only. Raises
    LayerError for shapes or params that do not fit.

    Source: DenseCRFLayer of CCNN's Caffe (pathak22); Pathak et al., Constrained Convolutional Neural Networks for
    Weakly Supervised Segmentation (2015).
    """

    reads = ("densecrf_param",)
    bottom_count = (2, 2)
    has_backward = False
    origin = "CCNN"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for field in self.layer_param.densecrf_param.DESCRIPTOR.fields:
            value = getattr(self.layer_param.densecrf_param, field.name)
            if not field.name.startswith("wt") and not value > 0:
                raise self.error(f"{field.name} is {value:g}; it must be above 0")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, image = bottom[0].shape, bottom[1].shape
        if len(shape) != 4 or 0 in shape or image != (shape[0], 3, *shape[2:]):
            raise self.error(
                f"the bottoms have the shapes {shape} and {image}; expected N x C x H x W, and N x 3 x H x W"
            )
        top[0].reshape(shape[0], 1, *shape[2:])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        height, width = bottom[0].shape[2:]
        for scores, image, best in zip(bottom[0].data, bottom[1].data, top[0].data, strict=True):
            prob = infer(scores.reshape(len(scores), -1), list(self._filters(height, width, image)), STEPS)
            best[0] = prob.argmax(axis=0).reshape(height, width)

    def _filters(self, height: int, width: int, image: np.ndarray) -> Iterator[Filter]:
        param = self.layer_param.densecrf_param
        places = places_of(height, width)
        yield gaussian(self, param.wt_gauss, places / np.array([param.x_gauss, param.y_gauss], np.float32))
        # as bytes, R G B
        colours = np.nan_to_num(image[::-1]).clip(-(2.0**31), 2.0**31).astype(np.int64) & 255
        near = np.concatenate([places, colours.reshape(3, -1).T.astype(np.float32)], axis=1)
        std = [getattr(param, f"{name}_bilateral") for name in "xyrgb"]
        yield gaussian(self, param.wt_bilateral, near / np.array(std, np.float32))
