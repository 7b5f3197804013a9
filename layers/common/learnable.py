"""How a layer gets its params: made and filled, or kept when they are there already."""

from __future__ import annotations

from google.protobuf.message import Message

from caffe_compat.errors import CaffeCompatError
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.fillers import fill
from caffe_compat.prototxt.caffe_pb2 import FillerParameter

ShapeAndFiller = tuple[tuple[int, ...], FillerParameter]


def set_up_params(layer: Layer, *params: ShapeAndFiller) -> None:
    """Append to `layer.blobs` one blob for each (shape, filler), filled in this order.

    Params that are there already (loaded, or shared by another layer) stay as they are. Raises LayerError
    when these are not of the expected number and shapes, or when a filler cannot fill its shape.
    """
    expected = [shape for shape, _ in params]
    if layer.blobs:
        found = [blob.shape for blob in layer.blobs]
        if found != expected:
            raise layer.error(f"has params of the shapes {found}, expected {expected}")
        return
    for shape, filler in params:
        try:
            fill(layer.blobs.add_blob(*shape), filler)
        except CaffeCompatError as error:
            raise layer.error(error.message) from error


def count_of(layer: Layer, param: Message, name: str = "num_output") -> int:
    """A count in the layer's message, without which there are no params. Raises LayerError where it is missing or 0."""
    if not param.HasField(name):
        raise layer.error(f"{name} is missing; give it in the layer's {param.DESCRIPTOR.name}")
    value = getattr(param, name)
    if value < 1:
        raise layer.error(f"{name} is {value}; it must be at least 1")
    return value
