"""Several Python threads run nets of their own at once: each has the numbers that it has alone."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import caffe_compat as caffe

NET = Path(caffe.__file__).parent / "prototxt/zoo/lenet.prototxt"
THREADS = 8


def train_steps(engine: str, seed: int) -> list[np.ndarray]:
    """Outputs and gradients of three forward and backward passes; the second has another number of images."""
    net = caffe.Net(NET, caffe.TRAIN, engine=engine)
    rng = np.random.RandomState(seed)
    for blobs in net.params.values():
        for blob in blobs:
            blob.data[...] = 0.1 * rng.standard_normal(blob.shape)
    found = []
    for images in (3, 1 + seed, 3):
        net.blobs["data"].reshape(images, 1, 28, 28)
        net.blobs["data"].data[...] = rng.standard_normal((images, 1, 28, 28))
        net.reshape()
        (output,) = net.forward().values()
        net.blobs[net.outputs[0]].diff[...] = output - 0.1
        net.backward()
        found += [output.copy(), *(blob.diff.copy() for blobs in net.params.values() for blob in blobs)]
    return found


@pytest.mark.parametrize("engine", ["fast", "strict"])
def test_the_same_numbers_as_alone(engine):
    alone = [train_steps(engine, seed) for seed in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as pool:
        together = list(pool.map(lambda seed: train_steps(engine, seed), range(THREADS)))
    for got, want in zip(together, alone, strict=True):
        for a, b in zip(got, want, strict=True):
            np.testing.assert_array_equal(a, b)
    assert not np.array_equal(alone[0][0], alone[2][0])
