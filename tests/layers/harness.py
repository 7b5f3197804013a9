"""Runs one layer by itself, without a net: for layers' own tests, the contract sweep, the gradient check."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from google.protobuf import text_format

from caffe_compat.blob import Blob
from caffe_compat.layers.base import TRAIN, Layer
from caffe_compat.layers.registry import create_layer
from caffe_compat.prototxt import caffe_pb2

Fill = Callable[[np.random.RandomState, tuple[int, ...]], np.ndarray]


# ---- what bottoms are filled with: each is called with (rng, shape)
def normal(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_normal(shape)


def far(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Normal numbers times 20: so large that what a layer adds for safety does not count."""
    return 20 * rng.standard_normal(shape)


def positive(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """From 0.5 to 2: for logarithms, powers and divisors."""
    return rng.uniform(0.5, 2, shape)


def unit(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """From 0.1 to 0.9: probabilities away from both ends."""
    return rng.uniform(0.1, 0.9, shape)


def apart(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Pairwise 0.02 apart, and 0.01 from 0: no maximum and no sign changes under a small step."""
    n = int(np.prod(shape))
    return ((rng.permutation(n) - n // 2 + 0.5) * 0.02).reshape(shape)


def labels(classes: int) -> Fill:
    """Whole numbers from 0 to classes - 1; the first label is the last class."""

    def fill(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
        values = rng.randint(0, classes, shape)
        values.flat[0] = classes - 1
        return values

    return fill


def indices(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """In each plane of the last two axes, whole numbers from 0 to less than twice its size, all different."""
    count = int(np.prod(shape[-2:]))
    planes = [rng.permutation(2 * count)[:count] for _ in range(int(np.prod(shape[:-2])))]
    return np.stack(planes).reshape(shape)


def starts(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """The cont of recurrent layers, 0 or 1: every sequence starts in the first row, some in later ones."""
    values = rng.randint(0, 2, shape)
    values[0], values[-1, 0] = 0, 1
    return values


def rois(images: int, height: int, width: int) -> Fill:
    """Rows of (image, x1, y1, x2, y2) in pixels inside height x width; the first row is of the last image."""

    def fill(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
        n = shape[0]
        x = np.sort(rng.uniform(0, width - 1, (n, 2)), axis=1)
        y = np.sort(rng.uniform(0, height - 1, (n, 2)), axis=1)
        image = rng.randint(0, images, n)
        image[0] = images - 1
        return np.column_stack([image, x[:, 0], y[:, 0], x[:, 1], y[:, 1]]).reshape(shape)

    return fill


def priors(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """1 x 2 x 4P: boxes x1 y1 x2 y2 in normalized coordinates, some of them beyond it, and their variances."""
    boxes = rng.uniform(-0.1, 0.7, (shape[2] // 4, 2))
    boxes = np.hstack([boxes, boxes + rng.uniform(0.1, 0.5, boxes.shape)])
    return np.stack([boxes, rng.uniform(0.1, 0.3, boxes.shape)]).reshape(shape)


def objects(images: int, classes: int) -> Fill:
    """1 x 1 x G x 8: image (-1 in one row), class from 1, instance, box in normalized coordinates, difficult."""

    def fill(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
        n = shape[2]
        image = rng.randint(0, images, n)
        image[0], image[1] = images - 1, -1
        corner = rng.uniform(0, 0.6, (n, 2))
        far = corner + rng.uniform(0.2, 0.4, (n, 2))
        label, difficult = rng.randint(1, classes, n), rng.randint(0, 2, n)
        return np.column_stack([image, label, np.zeros(n), corner, far, difficult]).reshape(shape)

    return fill


def detections(images: int, classes: int) -> Fill:
    """1 x 1 x D x 7: image, class from 1 (-1 in one row), score, box; large boxes, which overlap many."""

    def fill(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
        n = shape[2]
        corner = rng.uniform(0, 0.4, (n, 2))
        far = corner + rng.uniform(0.3, 0.6, (n, 2))
        label = rng.randint(1, classes, n)
        label[1] = -1
        return np.column_stack([rng.randint(0, images, n), label, rng.uniform(0, 1, n), corner, far]).reshape(
            shape
        )

    return fill


@dataclass(eq=False)
class Case:
    """One layer with its inputs: what the contract sweep and the gradient check run.

    layer: text of a LayerParameter, without bottoms and tops. shapes: of the bottoms; dims pairwise distinct.
    fills: one a bottom, called with (rng, shape); normal numbers where it is left out.
    other_shapes: another valid set of bottom shapes, larger in some dims and smaller in others.
    tops: how many. phase: TRAIN or TEST. gradient: False where it cannot be measured; `note` says why.
    diff_tops: the tops whose diff backward uses, where it is not all of them (of a loss: the first only).
    fixed_params: the params that are no learnable ones (statistics): kept as the layer made them, and without
    gradient; all others are filled with normal numbers.
    """

    layer: str
    shapes: Sequence[tuple[int, ...]]
    other_shapes: Sequence[tuple[int, ...]] = ()
    fills: Sequence[Fill] = ()
    tops: int = 1
    phase: int = TRAIN
    gradient: bool = True
    note: str = ""
    id: str = field(default="")
    diff_tops: Sequence[int] | None = None
    fixed_params: Sequence[int] = ()

    def __post_init__(self):
        param = parse(self.layer)
        self.id = self.id or " ".join(self.layer.split()).replace('"', "")[:70] + f" {list(self.shapes)}"
        self.type = param.type

    def size(self) -> int:
        """How many numbers the bottoms hold."""
        return sum(int(np.prod(shape)) for shape in self.shapes)

    def bottoms(self, rng: np.random.RandomState, shapes: Sequence[tuple[int, ...]] = ()) -> list[np.ndarray]:
        """Values for the bottoms, of other shapes where they are given."""
        shapes = shapes or self.shapes
        fills = list(self.fills) + [normal] * (len(shapes) - len(self.fills))
        return [fill(rng, shape) for fill, shape in zip(fills, shapes, strict=True)]


def parse(text: str) -> caffe_pb2.LayerParameter:
    """A LayerParameter from its text."""
    param = caffe_pb2.LayerParameter()
    param.CopyFrom(_parsed(text))
    return param


@functools.cache
def _parsed(text: str) -> caffe_pb2.LayerParameter:
    return text_format.Parse(text, caffe_pb2.LayerParameter())


def random_numbers(seed: int) -> np.random.RandomState:
    """As a RandomState of this seed, until the next call: to make one takes longer than to run a small layer."""
    _numbers.seed(seed)
    return _numbers


_numbers = np.random.RandomState()


class Runner:
    """A layer, its bottoms (filled) and its tops, set up and reshaped. `in_place` makes top[0] be bottom[0].

    cls: the class to run instead of the one that computes the layer's type.
    """

    def __init__(
        self,
        layer: str,
        bottoms: Sequence[np.ndarray],
        tops: int = 1,
        phase: int = TRAIN,
        dtype=np.float32,
        in_place: bool = False,
        cls: type[Layer] | None = None,
    ):
        param = parse(layer)
        param.name = param.name or "layer"
        self.bottom = [Blob(b.shape, dtype) for b in bottoms]
        self.top = [Blob((), dtype) for _ in range(tops)]
        if in_place:
            self.top[0] = self.bottom[0]
        self.layer: Layer = cls(param, phase, dtype) if cls else create_layer(param, phase, dtype)
        for blob, value in zip(self.bottom, bottoms, strict=True):
            blob.data[...] = value
        self.layer.setup(self.bottom, self.top)
        self.layer.reshape(self.bottom, self.top)

    @classmethod
    def of(
        cls, case: Case, bottoms: Sequence[np.ndarray], layer_cls: type[Layer] | None = None, **kwargs
    ) -> Runner:
        """The case's layer on these bottoms, its params filled with normal numbers, always the same ones."""
        runner = cls(case.layer, bottoms, case.tops, case.phase, cls=layer_cls, **kwargs)
        rng = random_numbers(77)
        for i, blob in enumerate(runner.layer.blobs):
            if i not in case.fixed_params:
                blob.data[...] = rng.standard_normal(blob.shape)
        runner.state = runner.layer.get_state()
        runner.params = [blob.data.copy() for blob in runner.layer.blobs]
        return runner

    def start_again(self) -> None:
        """Give the layer the state that it had at first, and the learned params where its forward changes them."""
        self.restore_state()
        if self.layer.changes_params or self.layer.backward_changes_params:
            for blob, values in zip(self.layer.blobs, self.params, strict=True):
                blob.data[...] = values

    def restore_state(self) -> None:
        """Give the layer the state that it had at first."""
        now = self.layer.get_state()
        if self.state and all(now[name].shape == kept.shape for name, kept in self.state.items()):
            self.layer.set_state(self.state)

    def feed(self, bottoms: Sequence[np.ndarray]) -> None:
        """Give the bottoms other values, of other shapes too, and reshape."""
        for blob, value in zip(self.bottom, bottoms, strict=True):
            blob.reshape(*value.shape)
            blob.data[...] = value
        self.layer.reshape(self.bottom, self.top)

    def forward(self, poison: float = np.nan) -> list[np.ndarray]:
        """Run forward on poisoned tops; returns copies of the tops' data.

        A top that shares its memory with a bottom (in place, or as Split's do) is not poisoned.
        """
        for top in self.top:
            if not any(np.may_share_memory(top.data, bottom.data) for bottom in self.bottom):
                top.data[...] = poison
        self.layer.forward(self.bottom, self.top)
        return [top.data.copy() for top in self.top]

    def backward(
        self,
        seeds: Sequence[np.ndarray | None],
        propagate_down: Sequence[bool] | None = None,
        poison: float = np.nan,
    ) -> list[np.ndarray | None]:
        """Run backward from these top diffs; returns copies of the bottoms' diffs, None where not propagated.

        Bottom diffs are poisoned before (unless in place); param diffs are left as they are.
        """
        flags = self.propagates if propagate_down is None else list(propagate_down)
        for blob in self.bottom:
            if all(blob is not t for t in self.top):
                blob.diff[...] = poison
        for top, seed in zip(self.top, seeds, strict=True):
            if seed is not None:
                top.diff[...] = seed
        self.layer.backward(self.top, flags, self.bottom)
        return [b.diff.copy() if f else None for b, f in zip(self.bottom, flags, strict=True)]

    @property
    def propagates(self) -> list[bool]:
        """propagate_down with every bottom that can take a gradient."""
        return [i not in self.layer.no_gradient for i in range(len(self.bottom))]

    def seeds(self, case: Case, rng: np.random.RandomState) -> list[np.ndarray]:
        """Random top diffs; of a loss 0.7 as its loss weight, and 0 for the tops that give no gradient."""
        if case.diff_tops is None:
            used = range(1) if self.layer.is_loss else range(len(self.top))
        else:
            used = case.diff_tops
        weight = (lambda shape: np.full(shape, 0.7)) if self.layer.is_loss else rng.standard_normal
        return [
            np.asarray(weight(t.shape) if i in used else np.zeros(t.shape)) for i, t in enumerate(self.top)
        ]
