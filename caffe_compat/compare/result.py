"""What comes out when a net is held against a reference."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from caffe_compat.compare.diagnosis import Cause
from caffe_compat.compare.distance import Distance
from caffe_compat.compare.prototxt_diff import SOLVERS, FieldDifference

INPUT, PARAM, DATA, GRADIENT, PARAM_GRADIENT = "input", "param", "data", "gradient", "param gradient"


@dataclass
class Row:
    """One array held against the reference.

    stage: input, param, data, gradient (at a bottom, or the weight of a loss) or param gradient. blob: its name, or the
    index of a param. error: with the reference's bottoms. running: the largest error with the net's own values, None
    where that was not computed. place: the place of the largest error, in words. flows: False for a gradient that this
    net does not compute.
    """

    stage: str
    layer: str
    type: str
    blob: str
    shape: tuple[int, ...]
    error: Distance
    running: float | None
    place: str
    same: bool
    flows: bool = True


@dataclass
class Divergence:
    """A row that differs, and why: the causes that hold, and how many hypotheses were checked."""

    row: int
    causes: list[Cause]
    tried: int


@dataclass
class Diff:
    """A net held against a reference.

    settings: where the two prototxts differ. drift: the first row whose running value differs, where every layer alone
    agrees. ended: the rows end with the first divergence, more may follow.
    """

    net: str
    against: str
    kind: str
    phase: str
    seed: int
    tolerance: float
    rows: list[Row] = field(default_factory=list)
    divergences: list[Divergence] = field(default_factory=list)
    settings: list[FieldDifference] = field(default_factory=list)
    drift: int | None = None
    ended: bool = False

    @property
    def same(self) -> bool:
        solver = any(setting.field.startswith(SOLVERS) for setting in self.settings)
        return not self.divergences and self.drift is None and not solver

    def as_dict(self) -> dict[str, Any]:
        """Only dicts, lists, strings and numbers (None for those that are not finite): what --json prints."""
        return {"same": self.same, **finite(asdict(self))}


def finite(value: Any) -> Any:
    """The same dicts and lists, with None for numbers that are not finite, which JSON has not."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
