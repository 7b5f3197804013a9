"""Streams of random numbers that a layer has of its own, in its state."""

from __future__ import annotations

import numpy as np

from caffe_compat.rng import Rng


def rng_state(name: str, rng: Rng) -> dict[str, np.ndarray]:
    """The state of a stream of random numbers as a layer's get_state gives it."""
    words, position = rng.get_state()
    return {f"{name}_words": words, f"{name}_position": np.array(position)}


def set_rng_state(name: str, rng: Rng, state: dict[str, np.ndarray]) -> None:
    """Go on from where `rng_state` stood."""
    rng.set_state((state[f"{name}_words"], int(state[f"{name}_position"])))
