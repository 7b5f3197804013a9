"""What a net is held against: a recording, read from an .npz."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from caffe_compat.compare.blob_versions import Version
from caffe_compat.errors import DataError
from caffe_compat.files import read_npz

KINDS = ("data", "diff", "param", "pdiff", "in", "seed")
PARTS = ("head", "asum")  # head: the first values; asum: the sum of absolute values


@dataclass
class Value:
    """What is known of an array: all of it, or its first values, or its sum or mean of absolute values."""

    whole: np.ndarray | None = None
    head: np.ndarray | None = None
    asum: float | None = None
    mean: float | None = None

    def is_zero(self) -> bool:
        """Whether every element is exactly 0."""
        if self.whole is not None:
            return not self.whole.any()
        return (self.asum if self.asum is not None else self.mean) == 0

    def may_have(self, shape: tuple[int, ...]) -> bool:
        """Whether it has this shape, as far as known."""
        return self.whole is None or self.shaped(shape) is not None

    def shaped(self, shape: tuple[int, ...]) -> np.ndarray | None:
        """All of it in this shape; None where it is not known, or has other dims (ones in front do not count)."""
        if self.whole is None or _stripped(self.whole.shape) != _stripped(shape):
            return None
        return self.whole.reshape(shape)


def _stripped(shape: tuple[int, ...]) -> list[int]:
    dims = list(shape)
    while dims and dims[0] == 1:
        dims.pop(0)
    return dims


@dataclass
class Reference:
    """A run of a net as somebody else made it.

    values: by the keys of tests/golden/README.md, such as data:BLOB and pdiff:LAYER:I. Of a blob that layers change
    in place, data:BLOB is what the last one leaves and diff:BLOB the gradient at what the first one left; the others
    are data@LAYER:BLOB and diff@LAYER:BLOB, LAYER being the one that wrote.
    """

    name: str
    kind: str = "recording"  # or "log", "net"
    prototxt: str = ""
    phase: str = ""  # TRAIN, TEST or not known
    seed: int | None = None
    values: dict[str, Value] = field(default_factory=dict)

    def data(self, version: Version) -> Value | None:
        """The data that this version of a blob has in the reference, as far as known."""
        return self._blob("data", version, version.last)

    def diff(self, version: Version) -> Value | None:
        """The gradient at this version of a blob. A log says nothing of a gradient that is not computed."""
        found = self._blob("diff", version, version.first)
        if found is None and self.kind == "log" and self.has_backward:
            return Value(mean=0.0)
        return found

    def _blob(self, what: str, version: Version, plain: bool) -> Value | None:
        found = self.values.get(f"{what}@{version.layer}:{version.blob}")
        return found or (self.values.get(f"{what}:{version.blob}") if plain else None)

    def param(self, what: str, uses: Iterable[tuple[str, int]]) -> Value | None:
        """`what` ("param" or "pdiff") of a param by its uses (layer, index)."""
        for layer, index in uses:
            if (found := self.values.get(f"{what}:{layer}:{index}")) is not None:
                return found
        return Value(mean=0.0) if what == "pdiff" and self.kind == "log" and self.has_backward else None

    def arrays(self, kind: str) -> dict[str, np.ndarray]:
        """The whole arrays of one kind ("in", "seed", ...) by name."""
        start = kind + ":"
        return {
            key[len(start) :]: value.whole
            for key, value in self.values.items()
            if key.startswith(start) and value.whole is not None
        }

    @property
    def has_whole_data(self) -> bool:
        return any(key.startswith("data") and value.whole is not None for key, value in self.values.items())

    @property
    def has_backward(self) -> bool:
        return any(key.startswith(("diff", "pdiff")) for key in self.values)


def read_recording(path: str) -> Reference:
    """Read a recording (.npz, the keys of tests/golden/README.md). Raises DataError."""
    result = Reference(path)
    for key, array in read_npz(path, "recording: no .npz of number arrays").items():
        try:
            _take(result, key, array)
        except (TypeError, ValueError, OverflowError) as error:
            raise DataError(f"this is no recording: {key}: {error}", file=path) from error
    if not any(key.startswith("data") for key in result.values):
        raise DataError(
            "this is no recording: it has no array named data:BLOB; make one with scripts/record_in_caffe.py",
            file=path,
        )
    return result


def _take(result: Reference, key: str, array: np.ndarray) -> None:
    kind, _, name = key.partition(":")
    if key in ("prototxt", "phase"):
        text = array.item()
        setattr(result, key, text.decode() if isinstance(text, bytes) else str(text))
    elif key == "seed":
        result.seed = int(array)
    elif kind in PARTS:
        value = result.values.setdefault(name, Value())
        setattr(value, kind, float(array) if kind == "asum" else array)
    elif kind == "loss":
        result.values.setdefault(f"data:{name}", Value()).whole = array
    elif kind.partition("@")[0] in KINDS:
        if kind in ("param", "pdiff"):
            int(name.rpartition(":")[2])  # which param of the layer
        result.values.setdefault(key, Value()).whole = array.astype(np.float32)


def mean_of(value: Value, count: int) -> float | None:
    """The mean absolute value that is known of an array of `count` elements."""
    if value.mean is not None:
        return value.mean
    return None if value.asum is None else value.asum / count if count else math.nan
