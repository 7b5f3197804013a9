"""Made-up data."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.fillers import fill
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import FillerParameter


@register("DummyData")
class DummyData(Layer):
    """Tops of the shapes in dummy_data_param, filled by its data_filler (constant 0 where there is none).

    Shapes (or the legacy num, channels, height and width) and fillers count for all tops when there is one.
    Constant tops are filled once, so what the user writes there stays; the others are filled anew by every
    forward. Raises LayerError for another number of shapes or fillers.
    Source: Caffe's DummyDataLayer.
    """

    reads = ("dummy_data_param",)
    bottom_count = (0, 0)
    top_count = (1, None)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.dummy_data_param
        fillers = list(param.data_filler) or [FillerParameter(type="constant")]
        self.fillers = self._one_a_top("data_filler", fillers, len(top))
        for blob, shape in zip(top, self._shapes(len(top)), strict=True):
            blob.reshape(*shape)
        for blob, filler in zip(top, self.fillers, strict=True):
            if filler.type == "constant":
                fill(blob, filler)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for blob, filler in zip(top, self.fillers, strict=True):
            if filler.type != "constant":
                fill(blob, filler)

    def _shapes(self, tops: int) -> list[tuple[int, ...]]:
        param = self.layer_param.dummy_data_param
        legacy = {name: getattr(param, name) for name in ("num", "channels", "height", "width")}
        if not any(legacy.values()):
            return [tuple(shape.dim) for shape in self._one_a_top("shape", param.shape, tops)]
        if param.shape:
            raise self.error(
                "both shape and the legacy num, channels, height, width are given; keep the shape"
            )
        return list(zip(*(self._one_a_top(name, dims, tops) for name, dims in legacy.items()), strict=True))

    def _one_a_top(self, what: str, values: Sequence, tops: int) -> list:
        if len(values) not in (1, tops):
            raise self.error(f"{what} is given {len(values)} times for {tops} tops; give one, or one a top")
        return list(values) if len(values) == tops else [values[0]] * tops
