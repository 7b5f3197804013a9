"""Targets that are bits of a label, as CASENet and SEAL have them."""

from __future__ import annotations

import numpy as np

IGNORED = np.uint32(1 << 31)


def bits_of(labels: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Of N x L x pixels labels, each 32 bits in the place of a float: N x classes x pixels targets, 0 or 1; and N x
    pixels, whether each counts. Class k is bit k % 32 of label k // 32; bit 31 of the last label leaves a pixel out."""
    words = np.ascontiguousarray(labels, np.float32).view(np.uint32)
    shifts = (np.arange(classes) % 32).astype(np.uint32)[:, None]
    targets = (words[:, np.arange(classes) // 32] >> shifts) & np.uint32(1)
    return targets.astype(labels.dtype), (words[:, -1] & IGNORED) == 0


def labels_needed(classes: int) -> int:
    """How many labels a pixel has at least: one bit is for pixels that are left out."""
    return classes // 32 + 1
