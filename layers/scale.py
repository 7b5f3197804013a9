"""Scale."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.common import channels
from caffe_compat.layers.common.broadcast import broadcast_view, param_shape
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.common.learnable import ShapeAndFiller, set_up_params
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import FillerParameter

ONES = FillerParameter(type="constant", value=1)


@register("Scale")
class Scale(InPlaceLayer):
    """bottom[0] times a scale that stands for some of its axes, from scale_param.axis on; plus a bias.

    The scale is bottom[1], of any shape that fits there (a scalar too), or else a param of the bottom's
    num_axes axes (-1: all from axis on), 1 unless it has a filler. With bias_term the last param is a bias of
    the scale's shape. Raises LayerError where the shapes do not fit.
    Source: Caffe's ScaleLayer.
    """

    reads = ("scale_param",)
    bottom_count = (1, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.scale_param
        params: list[ShapeAndFiller] = []
        if len(bottom) > 1:
            shape = bottom[1].shape
        else:
            shape = param_shape(self, param.axis, param.num_axes, bottom[0])
            params.append((shape, param.filler if param.HasField("filler") else ONES))
        if param.bias_term:
            params.append((shape, param.bias_filler))
        set_up_params(self, *params)
        self.bias = self.blobs[-1] if param.bias_term else None

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        for values in (self._scale(bottom), self.bias):
            if values is not None:
                self.view = broadcast_view(self, self.layer_param.scale_param.axis, bottom[0], values)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = bottom[0].data.reshape(self.view), top[0].data.reshape(self.view)
        bias = None if self.bias is None else self.bias.data.reshape(-1)
        kept = self.room_to_keep(bottom, top)
        channels.affine(x, self._scale(bottom).data.reshape(-1), y, bias=bias, kept=kept)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        diff, scale, learned = top[0].diff.reshape(self.view), self._scale(bottom), len(bottom) == 1
        wants_scale = self.propagates_to(0) if learned else propagate_down[1]
        wants_bias = self.bias is not None and self.propagates_to(len(self.blobs) - 1)
        factors = scale.data.reshape(-1)
        x_diff = bottom[0].diff.reshape(self.view) if propagate_down[0] else None
        if wants_scale or wants_bias:
            x = self.kept_input(bottom, top).reshape(self.view)
            total, product = channels.scale_backward(x, factors, diff, x_diff)
            if wants_bias:
                self.blobs[-1].diff[...] += total.reshape(scale.shape)
            if wants_scale:
                product = product.reshape(scale.shape)
                scale.diff[...] = scale.diff + product if learned else product
        elif x_diff is not None:
            channels.affine(diff, factors, x_diff)

    def _scale(self, bottom: Sequence[Blob]) -> Blob:
        return bottom[1] if len(bottom) > 1 else self.blobs[0]
