"""Which elements dropout keeps: drawn by torch's generators."""

from __future__ import annotations

import zlib

import numpy as np
import torch
from torch import Tensor

from caffe_compat.rng import Rng, caffe_rng


class Masks:
    """The generators of a net's dropout masks, one a device.

    They are seeded again whenever Caffe's stream of random numbers is: from the position of that stream (nothing is
    drawn from it). With `as_caffe`, for comparisons, masks are drawn from Caffe's stream itself, on the CPU.
    """

    as_caffe = False

    def __init__(self) -> None:
        self._key = 0
        self._generators: dict[torch.device, torch.Generator] = {}
        self._stream: Rng | None = None

    def draw(self, x: Tensor, keep: float) -> Tensor:
        """A mask of x's shape: True with probability keep, rounded to 16 bits (or to 8, where that is the same), else
        False."""
        if self.as_caffe:
            mask = np.empty(x.numel(), np.uint8)
            caffe_rng().bernoulli(keep, mask)
            return torch.from_numpy(mask.reshape(x.shape)).to(x.device) != 0
        bits, kind = (8, torch.int8) if (256 * keep).is_integer() else (16, torch.int16)
        if (kept := round(keep * 2**bits)) == 2**bits:  # which no number of this kind is
            return torch.ones(x.shape, dtype=torch.bool, device=x.device)
        count, together = x.numel(), 64 // bits  # elements for which one number is drawn
        words = torch.empty(-(-count // together), dtype=torch.long, device=x.device)
        words.random_(-(2**63), None, generator=self.generator(x.device))
        return (words.view(kind)[:count] < kept - 2 ** (bits - 1)).reshape(x.shape)

    def start(self, iteration: int, rank: int) -> None:
        """Seed again, for an iteration of one of several workers: from what all workers know, so that none has to keep
        the others' places for a resume."""
        self._key = zlib.crc32(iteration.to_bytes(8, "little"), rank) & 0x7FFFFFFF
        self._generators = {}

    def generator(self, device: torch.device) -> torch.Generator:
        if self._stream is not caffe_rng():
            self._stream = caffe_rng()
            self._generators = {}
        if device not in self._generators:
            words, position = self._stream.get_state()
            seed = zlib.crc32(words.tobytes(), position) + (self._key << 32)
            self._generators[device] = torch.Generator(device).manual_seed(seed)
        return self._generators[device]

    def get_state(self) -> dict[str, np.ndarray]:
        """The state of each generator, by the type of its device; snapshots keep it."""
        return {device.type: g.get_state().numpy() for device, g in self._generators.items()}

    def set_state(self, state: dict[str, np.ndarray], device: torch.device) -> None:
        """Go on from a state on this device; that of another type of device is left aside."""
        if device.type in state:
            self.generator(device).set_state(torch.from_numpy(state[device.type].copy()))
