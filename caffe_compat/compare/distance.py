"""How far an array is from what the reference knows of it, and where most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from caffe_compat.compare.reference import Value, mean_of

LEAST = 1e-3  # errors are relative to the largest value, or to this where that is smaller
# Caffe sums what it logs in float32, and loses more the longer the sum: 2 % of 75 million values, seen in its log
LOST_A_VALUE = 2.0**-24 / 128


@dataclass
class Distance:
    """How far apart two arrays are.

    max_error, mean_error: over the elements, relative to the largest absolute value of the reference, or to 1e-3
    where that is smaller; infinite where the shapes differ, or one of the two is not a number. index: the place of
    the largest error, with the two values there. of: "all values", "the first N values" or "the mean |x|"; of a
    mean, the error is relative to the mean alone, and there is no index. slack: how exact a logged mean is.
    """

    max_error: float
    mean_error: float
    of: str
    index: tuple[int, ...] | None = None
    got: float | None = None
    want: float | None = None
    want_shape: tuple[int, ...] | None = None  # where it is another one
    slack: float = 0.0

    def within(self, tolerance: float) -> bool:
        return self.max_error <= tolerance + self.slack


def distance(got: np.ndarray, value: Value) -> Distance:
    """How far `got` is from the reference's value."""
    if value.whole is not None:
        want = value.shaped(got.shape)
        if want is None:
            return Distance(np.inf, np.inf, "all values", want_shape=value.whole.shape)
        return _elements(got, want, "all values")
    if value.head is not None:
        size = min(got.size, value.head.size)
        first = _elements(got.reshape(-1)[:size], value.head.reshape(-1)[:size], f"the first {size} values")
        if first.index is not None:
            first.index = tuple(int(i) for i in np.unravel_index(first.index[0], got.shape))
        if value.asum is None:
            return first
        mean = _means(got, value)
        return first if first.max_error >= mean.max_error else mean
    return _means(got, value)


def _elements(got: np.ndarray, want: np.ndarray, of: str) -> Distance:
    if got.size == 0:
        return Distance(0.0, 0.0, of)
    shape, got, want = got.shape, got.reshape(-1), want.reshape(-1)
    error = np.abs(got.astype(np.float64) - want)
    error[(got == want) | (np.isnan(got) & np.isnan(want))] = 0  # infinities too
    error[np.isnan(error)] = np.inf
    scale = max(float(np.abs(want[np.isfinite(want)]).max(initial=0)), LEAST)
    worst = int(error.argmax())
    return Distance(
        float(error[worst]) / scale,
        float(error.mean()) / scale,
        of,
        tuple(int(i) for i in np.unravel_index(worst, shape)),
        float(got[worst]),
        float(want[worst]),
    )


def _means(got: np.ndarray, value: Value) -> Distance:
    want = mean_of(value, got.size)
    mean = float(np.abs(got).sum(dtype=np.float64)) / got.size if got.size else float("nan")
    if want is None or (np.isnan(mean) and np.isnan(want)):
        return Distance(0.0, 0.0, "the mean |x|")
    error = 0.0 if mean == want else abs(mean - want) / abs(want) if want else np.inf
    error = np.inf if np.isnan(error) else error
    slack = got.size * LOST_A_VALUE if value.mean is not None else 0.0
    return Distance(error, error, "the mean |x|", None, mean, want, slack=slack)


def in_words(index: tuple[int, ...], what: str, is_rois: bool) -> str:
    """A place as people say it: "image 1, channel 0, row 3, column 4".

    what: "data" (or a gradient) of a blob, or "param". is_rois: the first axis counts RoIs.
    """
    if not index:
        return "the only value"
    if what == "param":
        names = ["output", "input", "row", "column"]
    elif is_rois and len(index) == 2:
        names = ["RoI", "number"]
    elif is_rois:
        names = ["RoI", "channel", "bin row", "bin column"]
    else:
        names = ["image", "channel", "row", "column"]
    if len(index) > len(names):
        return "index " + ", ".join(map(str, index))
    return ", ".join(f"{name} {i}" for name, i in zip(names, index, strict=False))
