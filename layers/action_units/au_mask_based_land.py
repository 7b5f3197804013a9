"""AUMaskBasedLand: where the muscles of a face are, of its landmarks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register

# of each action unit: the landmarks of its two sides, and how many distances of the inner eye corners below them it is
UNITS = (
    (4, 5, -1 / 2),
    (1, 8, -1 / 3),
    (2, 7, 1 / 3),
    (24, 29, 1),
    (21, 26, 0),
    (43, 45, 0),
    (31, 37, 0),
    (31, 37, 0),
    (31, 37, 0),
    (39, 41, 1 / 2),
    (34, 40, 0),
    (34, 40, 0),
)
EYES = 22, 25  # the inner corners
MOST = 2**15  # pixels of a side
NUMBERS = 2 * (1 + max(max(unit[:2]) for unit in UNITS))


@register("AUMaskBasedLand")
class AUMaskBasedLand(Layer):
    """Masks of 12 action units and, last, of all, around places that 49 landmarks tell (au_mask_based_land_param).

    bottom: N x 98 pixels of an image of img_size, x and y of each landmark (axes behind count too). tops: 13 of N x 1 x
    S x S, S being img_size * spatial_scale, rounded. A unit has two places, one a side of the face. In a square around
    each, of spatial_ratio of the image's side, both ends rounded and moved into the mask, its mask is 1 - fill_coeff *
    100 / (img_size * spatial_scale) * (the distance along the rows and the columns), at least fill_value; elsewhere
    fill_value. Where the two squares overlap the second one counts; the last top has the greatest of all. A fill_type
    but manhattan leaves fill_value everywhere. It has no backward pass.
    Raises LayerError for a size of 0, fewer landmarks, and for some that are not finite.
    Source: AUMaskBasedLandLayer of JAANet (ZhiwenShao), whose backward leaves the gradient as it was; Shao et al.
    (2018).
    """

    reads = ("au_mask_based_land_param",)
    origin = "ZhiwenShao"
    top_count = (13, 13)
    has_backward = False

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.au_mask_based_land_param
        self.scale = np.float32(param.spatial_scale)
        with np.errstate(over="ignore"):
            side = param.img_size * self.scale
        if not abs(side) < MOST or math.isnan(param.spatial_ratio):
            raise self.error(
                f"img_size is {param.img_size}, spatial_scale {param.spatial_scale:g} and spatial_ratio "
                f"{param.spatial_ratio:g}; a mask is less than {MOST} pixels wide, and the ratio a number"
            )
        self.size = int(np.floor(side + np.float32(0.5)))
        self.half = np.float32((param.img_size - 1) / 2 * param.spatial_ratio)
        if self.size < 1:
            raise self.error(
                f"img_size is {param.img_size}, spatial_scale {param.spatial_scale:g}: a mask would have no pixel"
            )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(bottom[0].shape) < 2 or bottom[0].count < NUMBERS * bottom[0].num:
            raise self.error(
                f"the bottom has the shape {bottom[0].shape}; expected N x 98: x and y of 49 landmarks"
            )
        for blob in top:
            blob.reshape(bottom[0].num, 1, self.size, self.size)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.au_mask_based_land_param
        for blob in top:
            blob.data[...] = param.fill_value
        numbers = bottom[0].count // max(bottom[0].num, 1)
        faces = bottom[0].data.reshape(bottom[0].num, numbers)[:, :NUMBERS]
        if not np.isfinite(faces).all():
            raise self.error("a landmark is not finite; expected pixels of the image")
        if param.fill_type != "manhattan":
            return
        for n, face in enumerate(faces.reshape(len(faces), NUMBERS // 2, 2)):
            distance = abs(face[EYES[0], 0] - face[EYES[1], 0])
            for (*sides, below), blob in zip(UNITS, top, strict=False):
                for landmark in sides:
                    x, y = face[landmark, 0], face[landmark, 1] + distance * np.float32(below)
                    self._mark(x, y, blob.data[n, 0], top[-1].data[n, 0])

    def _mark(self, x: np.float32, y: np.float32, mask: np.ndarray, all_masks: np.ndarray) -> None:
        param = self.layer_param.au_mask_based_land_param
        (left, right), (upper, lower) = self._ends(x), self._ends(y)
        rows, columns = np.arange(upper, lower + 1)[:, None], np.arange(left, right + 1)
        far = np.abs(rows - y * self.scale) + np.abs(columns - x * self.scale)
        slope = param.fill_coeff * (100 / (param.img_size * self.scale))
        square = np.s_[upper : lower + 1, left : right + 1]
        mask[square] = np.maximum(1 - far * slope, param.fill_value)
        np.maximum(all_masks[square], mask[square], out=all_masks[square])

    def _ends(self, centre: np.float32) -> tuple[int, int]:
        """The first and last row, or column, of the square around a place."""
        low, high = ((centre + sign * self.half) * self.scale for sign in (-1, 1))
        return _in_mask(low, self.size), _in_mask(high, self.size)


def _in_mask(place: float, size: int) -> int:
    """Rounded as C does, half away from 0, and moved into the mask."""
    rounded = np.copysign(np.floor(np.abs(place) + 0.5), place)
    return int(np.clip(rounded, 0, size - 1))
