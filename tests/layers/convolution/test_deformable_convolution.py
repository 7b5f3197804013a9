"""DeformableConvolution: without offsets it is Convolution; errors. Its numbers: tests/layers/naive."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

PARAMS = "num_output: 4 kernel_size: 3 pad: 1 stride: 2 group: 2"
TEXT = 'type: "DeformableConvolution" deformable_convolution_param {{ {} }}'


def test_without_offsets_it_is_a_convolution():
    rng = np.random.RandomState(0)
    x = rng.standard_normal((2, 4, 5, 7))
    bent = Runner(TEXT.format(PARAMS + " deformable_group: 2"), [x, np.zeros((2, 36, 3, 4))])
    plain = Runner(f'type: "Convolution" convolution_param {{ {PARAMS} }}', [x])
    for one, other in zip(bent.layer.blobs, plain.layer.blobs, strict=True):
        one.data[...] = other.data[...] = rng.standard_normal(one.shape)
    (top,) = bent.forward()
    np.testing.assert_allclose(top, plain.forward()[0], atol=1e-5)
    seed = rng.standard_normal(top.shape)
    np.testing.assert_allclose(bent.backward([seed])[0], plain.backward([seed])[0], atol=1e-5)
    for one, other in zip(bent.layer.blobs, plain.layer.blobs, strict=True):
        np.testing.assert_allclose(one.diff, other.diff, atol=1e-4)


@pytest.mark.parametrize(
    "params, shape, offsets, message",
    [
        (
            "deformable_group: 3",
            (2, 4, 5, 7),
            (2, 54, 3, 4),
            "4 channels of the bottom must be a multiple of def",
        ),
        ("", (2, 4, 5, 7), (2, 72, 5, 7), r"bottom\[1\] has the shape \(2, 72, 5, 7\); .* \(2, 72, 3, 4\)"),
        ("", (2, 4, 5), (2, 72, 3, 4), r"bottom\[0\] has the shape \(2, 4, 5\); expected N x C x H x W"),
        ("dilation: 9", (2, 4, 5, 7), (2, 72, 3, 4), "does not fit into a bottom of shape"),
    ],
)
def test_what_does_not_fit(params, shape, offsets, message):
    with pytest.raises(LayerError, match=message):
        Runner(TEXT.format(f"{PARAMS} {params}"), [np.zeros(shape), np.zeros(offsets)])
