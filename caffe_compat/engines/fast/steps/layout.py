"""How a convolution or a pooling lays out its image; see layers/kernels/filter_images.py."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from caffe_compat.layers.convolution.conv_geometry import ConvGeometry
from caffe_compat.layers.kernels.filter_tile import OVER, WIDE
from caffe_compat.layers.kernels.vectors import LANES

BAND = 2**16  # numbers that are laid out at a time (256 kB), which stay in a core's cache
# numbers behind a layout that the last tile may read, of columns that do not count
READ_BEYOND = WIDE * LANES


@dataclass(frozen=True)
class Layout:
    """How a band of `band` output rows of an image is laid out; see kernels/filter_images.py."""

    geometry: ConvGeometry
    out_width: int
    band: int

    @cached_property
    def _taps(self) -> list[tuple[int, int]]:
        (height, width), (down, right) = self.geometry.kernel, self.geometry.dilation
        return [(i * down, j * right) for i in range(height) for j in range(width)]

    def _phase(self, tap: tuple[int, int]) -> tuple[int, int]:
        return tap[0] % self.geometry.stride[0], tap[1] % self.geometry.stride[1]

    @cached_property
    def phases(self) -> list[tuple[int, int]]:
        return sorted({self._phase(tap) for tap in self._taps})

    @cached_property
    def pitch(self) -> int:
        return self.out_width + max(column for _, column in self._taps) // self.geometry.stride[1]

    @cached_property
    def plane(self) -> int:
        return (self.band + max(row for row, _ in self._taps) // self.geometry.stride[0]) * self.pitch

    def offsets(self, channels: int, planes: int | None = None, step: int | None = None) -> np.ndarray:
        """int64, channels * kernel: how far behind an output's place each number of a filter finds its pixel.

        planes: of each phase, where it is not `channels`; step: from a plane to the next one, if that is more than it.
        """
        stride, step = self.geometry.stride, step or self.plane
        of_taps = [
            self.phases.index(self._phase(tap)) * (planes or channels) * step
            + tap[0] // stride[0] * self.pitch
            + tap[1] // stride[1]
            for tap in self._taps
        ]
        return (np.arange(channels)[:, None] * step + np.array(of_taps)).reshape(-1)

    @cached_property
    def starts(self) -> np.ndarray:
        """int64, phases x 2: the pixel that the first output meets in each phase."""
        return np.array(self.phases, np.int64) - np.array(self.geometry.pad, np.int64)


@dataclass(frozen=True)
class Cover:
    """Vectors of LANES places that cover the outputs of a band: each begins with the first output that is left.

    starts: the place where each begins; masks: a bit for each of its lanes that is an output; places: how many outputs
    come before each row of `together` vectors. All int64.
    """

    starts: np.ndarray
    masks: np.ndarray
    places: np.ndarray

    @property
    def masks_of_tiles(self) -> np.ndarray:
        """The masks as `filter_tile` takes them, where rows of vectors are written in order."""
        counts = np.array([int(mask).bit_count() for mask in self.masks])
        is_followed = np.cumsum(counts) - counts + LANES <= counts.sum()
        return self.masks | np.where(is_followed, OVER, 0)

    @classmethod
    def of(cls, rows: int, width: int, pitch: int, together: int) -> Cover:
        """Of `rows` rows of `width` outputs, which begin `pitch` places apart."""
        starts, masks = _cover(rows, width, pitch)
        missing = -len(starts) % together
        starts, masks = (np.concatenate([one, np.zeros(missing, np.int64)]) for one in (starts, masks))
        counts = np.array([int(mask).bit_count() for mask in masks]).reshape(-1, together).sum(1)
        return cls(starts, masks, np.concatenate([[0], np.cumsum(counts)[:-1]]))


@cache
def _cover(rows: int, width: int, pitch: int) -> tuple[np.ndarray, np.ndarray]:
    starts, masks, row, column = [], [], 0, 0
    while row < rows:
        mask, begin = 0, row * pitch + column
        while row < rows and (skipped := row * pitch + column - begin) < LANES:
            taken = min(width - column, LANES - skipped)
            mask |= ((1 << taken) - 1) << skipped
            column += taken
            if column == width:
                row, column = row + 1, 0
        starts.append(begin)
        masks.append(mask)
    return np.array(starts, np.int64), np.array(masks, np.int64)


def plane_masks(rows: int, width: int, pitch: int, plane: int, planes: int) -> np.ndarray:
    """Of vectors one behind the other, over planes with rows of `width` outputs: the lanes that are outputs (int64)."""
    places = np.arange(-(-planes * plane // LANES) * LANES)
    q = places % plane
    counts = (q // pitch < rows) & (q % pitch < width) & (places < planes * plane)
    return (counts.reshape(-1, LANES) @ (1 << np.arange(LANES, dtype=np.int64))).astype(np.int64)
