"""Some random nets: the fast engine makes the strict one's numbers, whatever is done with them.

scripts/fuzz_nets.py goes through thousands.
"""

import math

import numba
import pytest

from caffe_compat.engines.fast import image_by_image
from caffe_compat.engines.fast.steps import small_maps
from engines.random_nets import Trial


@pytest.fixture(autouse=True)
def _threads():
    yield
    numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)


@pytest.mark.parametrize("seed", range(10))
def test_both_engines_agree(seed):
    trial = Trial(seed)
    trial.run()


@pytest.mark.parametrize("seed", range(20, 25))
def test_small_maps(seed, monkeypatch):
    """All that have as many filters as threads have panels."""
    for name, bound in (("LEAST_WORK", 0), ("LEAST_ROWS", 1), ("GAIN", math.inf)):
        monkeypatch.setattr(small_maps, name, bound)
    trial = Trial(seed)
    trial.run()


@pytest.mark.parametrize("seed", range(10, 20))
def test_image_by_image(seed, monkeypatch):
    """However small images are."""
    monkeypatch.setattr(image_by_image, "LEAST", 0)
    monkeypatch.setattr(image_by_image, "MOST_PARAMS", 10**9)
    trial = Trial(seed)
    trial.run()


def test_other_numbers_are_seen():
    trial = Trial(3)
    _name, blobs = next(iter(trial.nets[2].params.items()))
    blobs[0].data[0] += 0.1
    with pytest.raises(AssertionError, match="numbers differ"):
        trial.run()
