"""Images and filters of stride 2 as four of stride 1 each: one phase for every second row and column."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.shared import share_of, shared


@shared()
def to_phases(images, pad, phases, part, parts):
    """phases (N x 4 x C x H' x W'): [n, 2 i + j, c, y, x] = images[n, c, 2 y + i - pad, 2 x + j - pad], 0 outside."""
    channels, height, width = images.shape[1:]
    for plane in range(*share_of(images.shape[0] * channels, part, parts)):
        n, c = plane // channels, plane % channels
        for i in range(2):
            for j in range(2):
                low = (pad - j + 1) // 2  # the first x that is not outside
                high = max(low, min(phases.shape[4], (width - 1 + pad - j) // 2 + 1))
                for y in range(phases.shape[3]):
                    row = 2 * y + i - pad
                    if 0 <= row < height:
                        phases[n, 2 * i + j, c, y, :low] = np.float32(0)
                        phases[n, 2 * i + j, c, y, high:] = np.float32(0)
                        for x in range(low, high):
                            phases[n, 2 * i + j, c, y, x] = images[n, c, row, 2 * x + j - pad]
                    else:
                        phases[n, 2 * i + j, c, y] = np.float32(0)


@shared()
def from_phases(phases, pad, images, part, parts):
    """What `to_phases` does, backwards: each pixel gets what its one place in the phases has, 0 if it has none."""
    channels, height, width = images.shape[1:]
    for plane in range(*share_of(images.shape[0] * channels, part, parts)):
        n, c = plane // channels, plane % channels
        for row in range(height):
            y, i = divmod(row + pad, 2)
            for column in range(width):
                x, j = divmod(column + pad, 2)
                inside = y < phases.shape[3] and x < phases.shape[4]
                images[n, c, row, column] = phases[n, 2 * i + j, c, y, x] if inside else np.float32(0)


@shared()
def split_filters(filters, small, part, parts):
    """small (M x 4 x C x 3 x 3): [m, 2 i + j, c, y, x] = filters[m, c, 2 y + i, 2 x + j], 0 where there is none."""
    outputs, channels, size, _ = filters.shape
    for m in range(*share_of(outputs, part, parts)):
        for phase in range(4):
            for c in range(channels):
                for y in range(3):
                    for x in range(3):
                        row, column = 2 * y + phase // 2, 2 * x + phase % 2
                        there = row < size and column < size
                        small[m, phase, c, y, x] = filters[m, c, row, column] if there else np.float32(0)


@shared()
def add_split_filters(small, filters, part, parts):
    """filters += what `split_filters` puts into small, backwards."""
    outputs, channels, size, _ = filters.shape
    for m in range(*share_of(outputs, part, parts)):
        for c in range(channels):
            for row in range(size):
                for column in range(size):
                    phase = 2 * (row % 2) + column % 2
                    filters[m, c, row, column] += small[m, phase, c, row // 2, column // 2]
