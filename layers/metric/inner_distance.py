"""InnerDistance."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer, canonical_axis
from caffe_compat.layers.common.learnable import ShapeAndFiller, set_up_params
from caffe_compat.layers.common.loss import class_labels
from caffe_compat.layers.metric.normalized_inner_product import to_unit_rows
from caffe_compat.layers.registry import register


@register("InnerDistance")
class InnerDistance(Layer):
    """The distances of each row of the bottom to each of num_output centres.

    bottom[0]: M rows of K numbers (the axes from `axis` on are one); bottom[1], if given: the centres, N x K, instead
    of params[0]; bottom[2], with update_center_only: M labels, whose centres alone get a gradient. top[0]: M x N sums
    of squares (distance_type L2) or of absolute values (L1). params[0]: N x K (with transpose K x N, taken in memory
    as N x K all the same); `normalize` gives its rows the length 1, in place, in every forward. params[1], where the
    layer has a second `param` and bias_term is not false, as in the fork's first versions: N numbers that are added.
    The gradient of L1 is not the true one: it is the top's where the bottom is above the centre, and -1 where it is
    below.
    Raises LayerError for params or shapes that do not fit.
    Source: InnerDistanceLayer of happynear's Caffe.
    """

    reads = ("inner_distance_param",)
    origin = "happynear"
    bottom_count = (1, 3)
    no_gradient = (2,)
    changes_params = True
    param_axes = (("output", "input"), ("output",))

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.inner_distance_param
        if param.distance_type not in ("L1", "L2"):
            raise self.error(f"distance_type is '{param.distance_type}'; expected L1 or L2")
        if param.update_center_only != (len(bottom) == 3):
            raise self.error(
                "update_center_only needs three bottoms, the centres and the labels too, and they it"
            )
        self.squared = param.distance_type == "L2"
        self.inputs = math.prod(bottom[0].shape[canonical_axis(self, param.axis, bottom[0]) :])
        if len(bottom) == 1:
            if param.num_output < 1:
                raise self.error(f"num_output is {param.num_output}; it must be at least 1")
            shape = param.num_output, self.inputs
            params: list[ShapeAndFiller] = [(shape[::-1] if param.transpose else shape, param.weight_filler)]
            if param.bias_term and len(self.layer_param.param) > 1:
                params.append(((param.num_output,), param.bias_filler))
            set_up_params(self, *params)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        axis = canonical_axis(self, self.layer_param.inner_distance_param.axis, bottom[0])
        shape, given = bottom[0].shape, self.blobs[0] if len(bottom) == 1 else bottom[1]
        rows, centres = math.prod(shape[:axis]), given.count // max(self.inputs, 1)
        if (len(bottom) > 1 and given.num != centres) or math.prod(shape[axis:]) != self.inputs:
            raise self.error(
                f"the bottoms have the shapes {[blob.shape for blob in bottom]}; expected rows of {self.inputs} "
                f"numbers, from axis {axis} on in the first"
            )
        if len(bottom) == 3 and bottom[2].count != rows:
            raise self.error(f"there are {bottom[2].count} labels for {rows} rows; give one a row")
        self.shape = rows, centres
        top[0].reshape(*shape[:axis], centres)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(bottom) == 1 and self.layer_param.inner_distance_param.normalize:
            to_unit_rows(self._centres(bottom).data.reshape(-1, self.inputs))
        y = top[0].data.reshape(self.shape)
        for n, difference in self._differences(bottom):
            y[:, n] = (difference * difference if self.squared else np.abs(difference)).sum(axis=1)
        if len(self.blobs) > 1:
            y += self.blobs[1].data

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        seed = top[0].diff.reshape(self.shape)
        if len(self.blobs) > 1 and self.propagates_to(1):
            self.blobs[1].diff[...] += seed.sum(axis=0)
        own = None
        if len(bottom) == 3:
            own = class_labels(self, bottom[2], self.shape[1])
        learns = self.propagates_to(0) if len(bottom) == 1 else propagate_down[1]
        if learns:
            centres = self._centres(bottom)
            if len(bottom) > 1:
                centres.diff[...] = 0
            of_centres = centres.diff.reshape(-1, self.inputs)
        if propagate_down[0]:
            of_rows = bottom[0].diff.reshape(-1, self.inputs)
            of_rows[...] = 0
        for n, difference in self._differences(bottom):
            if learns:
                slope = self._slope(seed[:, n], -difference)
                of_centres[n] += (slope if own is None else slope[own == n]).sum(axis=0)
            if propagate_down[0]:
                of_rows += self._slope(seed[:, n], difference)

    def _slope(self, seed: np.ndarray, difference: np.ndarray) -> np.ndarray:
        if self.squared:
            return 2 * difference * seed[:, None]
        return np.where(difference > 0, seed[:, None], -(difference < 0).astype(seed.dtype))

    def _centres(self, bottom: Sequence[Blob]) -> Blob:
        return bottom[1] if len(bottom) > 1 else self.blobs[0]

    def _differences(self, bottom: Sequence[Blob]):
        """Each centre's number, and all rows minus the centre; one by one, since all at once take M x N x K numbers."""
        x = bottom[0].data.reshape(-1, self.inputs)
        return ((n, x - c) for n, c in enumerate(self._centres(bottom).data.reshape(-1, self.inputs)))
