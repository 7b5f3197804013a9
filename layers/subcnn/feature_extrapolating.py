"""FeatureExtrapolating."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.repetitions import check_repetitions
from caffe_compat.layers.registry import register

REACH = 2  # pixels around a place on the finer map from which it gets a gradient

MOST_ALONG = 10_000  # of what takes the square of it


@register("FeatureExtrapolating")
class FeatureExtrapolating(Layer):
    """Maps of more scales, from those of a few: between two, the nearer one is resized (feature_extrapolating_param).

    bottom[0]: images * S x C x H x W maps, of the S = num_scale_base scales of an image behind each other, which
    scale_string lists, smallest first. top[0]: images * ((S - 1) * num_per_octave + 1) x C x H x W: each scale and, to
    the next one, num_per_octave - 1 in equal steps. Place (y, x) of a map in between is read bilinearly at (y, x) over
    its scale by the nearer base scale's (the larger one of two as near); what lies outside of that map is 0.
    Raises LayerError for a scale_string without S numbers above 0, and, with the maps, for another number of them.

    Source: FeatureExtrapolatingLayer of SubCNN's Caffe, whose gradient looks only 2 pixels around each place: some
    is missing where a map is more than twice as large as its base. Xiang et al., Subcategory-aware CNNs (2016).
    """

    reads = ("feature_extrapolating_param",)
    origin = "SubCNN"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.feature_extrapolating_param
        self.base, steps = param.num_scale_base, param.num_per_octave
        scales = self._scales(param.scale_string)
        if steps < 1 or self.base < 1 or len(scales) < self.base or not all(0 < s < np.inf for s in scales):
            raise self.error(
                f"num_scale_base is {self.base}, num_per_octave {steps} and scale_string {param.scale_string!r}; "
                'expected numbers from 1, and so many scales above 0: "0.5 1.0 2.0"'
            )
        check_repetitions(self, "num_per_octave", steps)
        # of each map of the top: the map of the bottom it is made of, and how much larger it is
        self.maps: list[tuple[int, float]] = []
        for i in range((self.base - 1) * steps + 1):
            before, step = divmod(i, steps)
            nearer = (2 * i + steps) // (2 * steps)  # i / steps, halves away from zero
            scale = scales[before]
            if step:
                scale += step * ((scales[before + 1] - scales[before]) / steps)
            self.maps.append((nearer, scale / scales[nearer] if step else 1.0))

    def _scales(self, text: str) -> list[float]:
        try:
            return [float(word) for word in text.split()]
        except ValueError:
            return []

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Shape the top; a net may be built for one map, and is then reshaped for those of all scales."""
        if len(bottom[0].shape) != 4:
            raise self.error(f"bottom[0] has the shape {bottom[0].shape}; expected maps N x C x H x W")
        for size in bottom[0].shape[2:]:
            check_repetitions(self, "a side of the maps", size, MOST_ALONG)
        images = bottom[0].num // self.base
        top[0].reshape(images * len(self.maps), *bottom[0].shape[1:])
        self.weights = [[_weights(size, factor) for size in bottom[0].shape[2:]] for _, factor in self.maps]

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if bottom[0].num % self.base:
            raise self.error(
                f"bottom[0] has {bottom[0].num} maps; expected {self.base} an image, one a scale: reshape the net's "
                f"input to {self.base} * images"
            )
        below, above = self._by_image(bottom[0].data), self._by_image(top[0].data, len(self.maps))
        for i, ((nearer, _), (rows, columns)) in enumerate(zip(self.maps, self.weights, strict=True)):
            above[:, i] = rows @ below[:, nearer] @ columns.T

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        below, above = self._by_image(bottom[0].diff), self._by_image(top[0].diff, len(self.maps))
        below.fill(0)
        for i, ((nearer, factor), weights) in enumerate(zip(self.maps, self.weights, strict=True)):
            rows, columns = (_near(matrix, factor) for matrix in weights)
            below[:, nearer] += (rows.T @ above[:, i] @ columns).astype(below.dtype)

    def _by_image(self, maps: np.ndarray, each: int = 0) -> np.ndarray:
        each = each or self.base
        return maps.reshape(len(maps) // each, each, *maps.shape[1:])


def _weights(size: int, factor: float) -> np.ndarray:
    """size x size: what each place of a line, `factor` times as long as its base, takes of each of that one's."""
    matrix = np.zeros((size, size))
    places = np.arange(size) / factor
    for i, place in enumerate(places[places < size]):
        first = int(place)
        matrix[i, first] = 1 - (place - first)
        if first + 1 < size:
            matrix[i, first + 1] = place - first
    return matrix


def _near(matrix: np.ndarray, factor: float) -> np.ndarray:
    """The weights without those which the gradient does not see."""
    places = np.arange(len(matrix))
    distance = places[:, None] - np.floor(places * factor)
    return np.where(np.abs(distance) <= REACH, matrix, 0)
