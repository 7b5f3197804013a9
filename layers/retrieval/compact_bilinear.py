"""CompactBilinear."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.learnable import count_of
from caffe_compat.layers.common.repetitions import check_repetitions
from caffe_compat.layers.registry import register

SEED, MODULUS, WARM_UP = 1, 2**31 - 1, 310

MOST_CHANNELS = 100_000  # each is drawn, and added, by itself


@register("CompactBilinear")
class CompactBilinear(Layer):
    """The sketch of the outer product of two vectors at each pixel (compact_bilinear_param).

    bottoms: N x C x H x W and N x D x H x W. top: N x num_output x 1 x 1, summed over the pixels, or with sum_pool:
    false N x num_output x H x W. Each channel is added to, or subtracted from, one number of a sketch; which one, and
    the sign, are those of the C library's random numbers from seed 1. Times num_output, as there, the top is the
    circular convolution of the two sketches. Raises LayerError for shapes that do not fit, and for a num_output that
    is not even.

    Source: CompactBilinearLayer of gy20073's Caffe, its code for the CPU; the random numbers are glibc's. Gao, Beijbom,
    Zhang and Darrell, Compact Bilinear Pooling (2016).
    """

    reads = ("compact_bilinear_param",)
    bottom_count = (2, 2)
    origin = "gy20073"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.compact_bilinear_param
        self.size = count_of(self, param)
        if self.size % 2:
            raise self.error(f"num_output is {self.size}; it must be even")
        numbers = _c_rand()
        self.sketches = []
        for blob in bottom:
            check_repetitions(self, "the number of channels", blob.channels, MOST_CHANNELS)
            places = np.array([next(numbers) % self.size for _ in range(blob.channels)], np.int64)
            signs = np.array([2 * (next(numbers) % 2) - 1 for _ in range(blob.channels)], self.dtype)
            self.sketches.append((places, signs))

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, other = bottom[0].shape, bottom[1].shape
        if len(shape) != 4 or len(other) != 4 or (shape[0], *shape[2:]) != (other[0], *other[2:]):
            raise self.error(
                f"the bottoms have the shapes {shape} and {other}; expected N x C x H x W, the same but for C"
            )
        for blob, (places, _) in zip(bottom, self.sketches, strict=True):
            if blob.channels != len(places):
                raise self.error(f"a bottom of {blob.shape} had {len(places)} channels at first")
        pools = self.layer_param.compact_bilinear_param.sum_pool
        top[0].reshape(shape[0], self.size, *((1, 1) if pools else shape[2:]))

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        first, second = (self._spectrum(i, blob.data) for i, blob in enumerate(bottom))
        product = first * second
        if self.layer_param.compact_bilinear_param.sum_pool:
            product = product.sum(axis=(2, 3), keepdims=True)
        top[0].data[...] = np.fft.irfft(product, self.size, axis=1) * self.size

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        diff = np.fft.rfft(top[0].diff, axis=1)
        for i, blob in enumerate(bottom):
            if propagate_down[i]:
                other = self._spectrum(1 - i, bottom[1 - i].data)
                of_sketch = np.fft.irfft(diff * other.conj(), self.size, axis=1) * self.size
                places, signs = self.sketches[i]
                blob.diff[...] = of_sketch[:, places] * signs[:, None, None]

    def _spectrum(self, index: int, maps: np.ndarray) -> np.ndarray:
        """The Fourier transform of the sketch at each pixel."""
        places, signs = self.sketches[index]
        sketch = np.zeros((len(maps), self.size, *maps.shape[2:]), maps.dtype)
        for channel, place, sign in zip(np.moveaxis(maps, 1, 0), places, signs, strict=True):
            sketch[:, place] += sign * channel
        return np.fft.rfft(sketch, axis=1)


def _c_rand() -> Iterator[int]:
    """The numbers of glibc's rand() after srand(1)."""
    state = [SEED]
    for _ in range(30):
        state.append(state[-1] * 16807 % MODULUS)
    state += state[:3]
    made = 0
    while True:
        state.append((state[-3] + state[-31]) % 2**32)
        del state[0]
        made += 1
        if made > WARM_UP:
            yield state[-1] >> 1
