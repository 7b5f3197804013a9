"""The places of a spatial transformer's top, in units of its half."""

from __future__ import annotations

import numpy as np


def grid(height: int, width: int, dtype: type[np.floating]) -> np.ndarray:
    """One row a pixel: its row and its column, from -1 to below 1, and 1."""
    rows, columns = np.divmod(np.arange(height * width), width)
    return np.stack([rows / height * 2 - 1, columns / width * 2 - 1, np.ones(rows.size)], axis=1).astype(
        dtype
    )
