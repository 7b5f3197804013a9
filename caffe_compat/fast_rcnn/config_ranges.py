"""Which values the numbers of a configuration may have."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class _Range:
    keys: tuple[str, ...]  # without their section
    least: float
    most: float
    words: str
    least_is_in: bool = True


_RANGES = (
    _Range(
        (
            "FG_THRESH", "BG_THRESH_HI", "BG_THRESH_LO", "BBOX_THRESH", "OHEM_NMS_THRESH", "NMS",
            "RPN_POSITIVE_OVERLAP", "RPN_NEGATIVE_OVERLAP", "RPN_NMS_THRESH",
        ), 0, 1, "an overlap, from 0 to 1",
    ),
    _Range(("FG_FRACTION", "RPN_FG_FRACTION"), 0, 1, "a share, from 0 to 1"),
    _Range(("SCALES", "MAX_SIZE"), 1, math.inf, "pixels, 1 or more"),
    _Range(("IMS_PER_BATCH", "SNAPSHOT_ITERS"), 1, math.inf, "1 or more"),
    _Range(("RPN_BATCHSIZE",), -1, math.inf, "a number of anchors, or -1: all"),
    _Range(("BBOX_NORMALIZE_STDS", "EPS"), 0, math.inf, "more than 0", least_is_in=False),
    _Range(("RNG_SEED",), 0, 2**32 - 1, "a seed, from 0 to 4294967295"),
)  # fmt: skip
LARGEST = 2**63
_OF_KEY = {key: one for one in _RANGES for key in one.keys}


def expected(key: str, value: Any) -> str | None:
    """What a value, or one item of it, ought to be, in words; None where it is that. key: TRAIN.FG_THRESH, EPS, ..."""
    items = [item for item in _items(value) if isinstance(item, float | int) and not isinstance(item, bool)]
    if not all(abs(item) < LARGEST for item in items):  # NaN is not
        return "finite numbers"
    allowed = _OF_KEY.get(key.rpartition(".")[2])
    if allowed is None:
        return None
    fits = all(
        (allowed.least <= item if allowed.least_is_in else allowed.least < item) and item <= allowed.most
        for item in items
    )
    return None if fits else allowed.words


def _items(value: Any) -> Iterable[Any]:
    return value if isinstance(value, tuple) else (value,)
