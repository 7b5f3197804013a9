"""One step of an LSTM."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.kernels import lstm as kernels
from caffe_compat.layers.kernels.scratch import scratch
from caffe_compat.layers.registry import register


@register("LSTMUnit")
class LSTMUnit(Layer):
    """c = cont sigmoid(f) c_prev + sigmoid(i) tanh(g); h = sigmoid(o) tanh(c).

    bottoms: c_prev 1 x N x D; the gates' inputs (i, f, o, g) 1 x N x 4 D; cont 1 x N: 0 where a sequence begins,
    else 1; it takes no gradient. tops: c and h, 1 x N x D. Raises LayerError for other shapes.

    Source: Caffe's LSTMUnitLayer. Where cont is neither 0 nor 1, the gradient of f is that of its GPU kernel, the
    derivative (its CPU code squares cont there); Hochreiter and Schmidhuber (1997), "Long short-term memory".
    """

    reads = ()
    backward_reads_top = True
    bottom_count = (3, 3)
    top_count = (2, 2)
    no_gradient = (2,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._gates = Blob((), self.dtype)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        expected = (
            [shape, (*shape[:2], 4 * shape[-1]), shape[:2]] if len(shape) == 3 and shape[0] == 1 else []
        )
        found = [blob.shape for blob in bottom]
        if found != expected:
            raise self.error(
                f"the bottoms have the shapes {found}, expected 1 x N x D, 1 x N x 4 D and 1 x N"
            )
        for blob in top:
            blob.reshape(*shape)
        self._gates.reshape(*bottom[1].shape[1:])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        c_prev, x, cont = (blob.data[0] for blob in bottom)
        kernels.forward(c_prev, x, cont, self._gates.data, top[0].data[0], top[1].data[0])

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not any(propagate_down):
            return
        c_prev_diff, x_diff = (
            blob.diff[0] if wanted else scratch(blob.shape[1:], blob.dtype)
            for blob, wanted in zip(bottom[:2], propagate_down, strict=False)
        )
        c, c_diff, h_diff = top[0].data[0], top[0].diff[0], top[1].diff[0]
        kernels.backward(
            bottom[0].data[0], self._gates.data, bottom[2].data[0], c, c_diff, h_diff, c_prev_diff, x_diff
        )
