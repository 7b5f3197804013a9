"""What comes out when a net is held against a reference."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from caffe_compat.compare.diagnosis import Cause
from caffe_compat.compare.distance import Distance
from caffe_compat.compare.prototxt_diff import SOLVERS, FieldDifference
from caffe_compat.text import dims, finite

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

    @property
    def what(self) -> str:
        """The array in words: "data of conv1", "param of param 0"."""
        of = f"param {self.blob}" if self.stage in (PARAM, PARAM_GRADIENT) else self.blob
        return f"{self.stage} of {of}"

    @property
    def difference(self) -> str:
        """Where it differs most, and the values of both sides there; or both shapes. Empty where no value is known."""
        error = self.error
        if error.want_shape is not None:
            return f"its shape is {dims(self.shape)} here, {dims(error.want_shape)} there"
        if error.got is None:
            return ""
        values = f"{error.got:.6g} here, {error.want:.6g} there"
        if error.index is None:
            return f"{error.of} is {values}"
        index = ", ".join(map(str, error.index))
        at = f"most at ({index}): {self.place}" if index else self.place
        return f"{at}: {values}"


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

    @property
    def verdict(self) -> str:
        """What came out, in one line."""
        agree = f"all {len(self.rows)} compared agree to {self.tolerance:g}"
        if self.divergences:
            rest = "; what comes after was not looked at (--all does)" if self.ended else ""
            return f"different: {len(self.divergences)} of {len(self.rows)} compared{rest}"
        if self.drift is not None:
            row = self.rows[self.drift]
            return (
                f"different: each layer alone agrees, but the net's own values drift, from {row.stage} {row.blob} of "
                f"{row.layer} on ({row.running:.1e})"
            )
        return f"the same: {agree}" if self.same else f"different: {agree}, but a solver would do otherwise"

    def unexplained(self, divergence: Divergence) -> str:
        """What is known of a divergence for which no cause was found."""
        layer = self.rows[divergence.row].layer
        if any(
            self.rows[other.row].layer == layer for other in self.divergences if other.row < divergence.row
        ):
            return "may follow from what differs in this layer above"
        tried = f": {divergence.tried} guesses were checked, none holds" if divergence.tried else ""
        return f"cause not found{tried}"

    def as_dict(self) -> dict[str, Any]:
        """Only dicts, lists, strings and numbers (None for those that are not finite): what --json prints."""
        return {"same": self.same, **finite(asdict(self))}
