"""The bottoms of recurrent layers: x, cont, perhaps a static input, perhaps the states before the first step."""

from __future__ import annotations

import math
from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.repetitions import check_steps


def has_static_input(layer: Layer, bottom: Sequence[Blob], top: Sequence[Blob], exposed: int) -> bool:
    """Whether there is one, where `exposed` states are bottoms and tops too. Raises LayerError for other counts."""
    static = len(bottom) - 2 - exposed
    if static not in (0, 1) or len(top) != 1 + exposed:
        raise layer.error(
            f"has {len(bottom)} bottoms and {len(top)} tops, expected x, cont, perhaps a static input, and "
            f"{exposed} states; and 1 top and {exposed} states (they are exposed with expose_hidden: true)"
        )
    return bool(static)


def check_bottoms(
    layer: Layer,
    bottom: Sequence[Blob],
    inputs: int,
    static_inputs: int | None,
    states: Sequence[str],
    size: int,
) -> None:
    """Raise LayerError unless the shapes fit: of x to `inputs`, of the others to x.

    static_inputs: elements of the static input, None where there is none. states: their names, of `size` elements
    each; they are checked where they are bottoms.
    """
    x = bottom[0].shape
    check_steps(layer, x[0] if x else 0)
    if len(x) < 3 or x[0] < 1 or math.prod(x[2:]) != inputs:
        raise layer.error(f"x has the shape {x}, expected T x N x {inputs} inputs, with T at least 1")
    if bottom[1].shape != x[:2]:
        raise layer.error(f"cont has the shape {bottom[1].shape}, expected {x[:2]} as x has it")
    rest = list(bottom[2:])
    if static_inputs is not None:
        static = rest.pop(0).shape
        if len(static) < 2 or static[0] != x[1] or math.prod(static[1:]) != static_inputs:
            raise layer.error(
                f"the static input has the shape {static}, expected {x[1]} x {static_inputs} inputs"
            )
    for name, blob in zip(states, rest, strict=False):
        if blob.shape != (1, x[1], size):
            raise layer.error(f"the state {name} has the shape {blob.shape}, expected {(1, x[1], size)}")
