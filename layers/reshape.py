"""The same elements in another shape."""

from __future__ import annotations

import math
from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.common.view_layer import ViewLayer
from caffe_compat.layers.registry import register


@register("Reshape")
class Reshape(ViewLayer):
    """reshape_param.shape takes the place of `num_axes` axes (-1: all) from `axis` on; the top shares the data.

    A dim of 0 is that of the bottom's axis at the same place; one dim may be -1: what makes the counts equal.
    A negative axis counts from behind the last one, so that -1 appends. Raises LayerError for a shape that does
    not fit.

    Source: Caffe's ReshapeLayer.
    """

    reads = ("reshape_param",)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        dims = self._dims()
        if min(dims, default=0) < -1:
            raise self.error(f"the shape {dims} has a dim of {min(dims)}; the least is -1")
        if dims.count(-1) > 1:
            raise self.error(f"the shape {dims} has several dims of -1; one at most can be inferred")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, dims = bottom[0].shape, self._dims()
        start, end = self._replaced(shape)
        for i, dim in enumerate(dims):
            if dim == 0:
                if start + i >= len(shape):
                    raise self.error(
                        f"dim {i} of {dims} is 0, but a bottom of {shape} has no axis {start + i}"
                    )
                dims[i] = shape[start + i]
        new = [*shape[:start], *dims, *shape[end:]]
        if -1 in dims:
            self._infer(new, start + dims.index(-1), bottom[0])
        if math.prod(new) != bottom[0].count:
            raise self.error(
                f"a bottom of shape {shape} has {bottom[0].count} elements; they do not fit into {tuple(new)}"
            )
        top[0].reshape(*new)

    def _infer(self, new: list[int], place: int, bottom: Blob) -> None:
        """Give the dim at `place`, which is -1, its number. Raises LayerError where that is no whole one."""
        each = -math.prod(new)
        size, rest = divmod(bottom.count, each) if each else (0, 0)
        if rest:
            least = tuple(1 if i == place else dim for i, dim in enumerate(new))
            raise self.error(
                f"a bottom of shape {bottom.shape} has {bottom.count} elements; {tuple(new)} takes a multiple of "
                f"{each} elements, as {least} has"
            )
        new[place] = size

    def _dims(self) -> list[int]:
        return list(self.layer_param.reshape_param.shape.dim)

    def _replaced(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """The axes that the new ones replace, as the ends of a range."""
        param = self.layer_param.reshape_param
        start = param.axis if param.axis >= 0 else len(shape) + 1 + param.axis
        end = len(shape) if param.num_axes == -1 else start + param.num_axes
        if not 0 <= start <= end <= len(shape):
            raise self.error(
                f"axis {param.axis} and num_axes {param.num_axes} are out of range for a bottom of shape {shape}"
            )
        return start, end
