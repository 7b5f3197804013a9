"""What layers share that draw or take rows of coefficients, of images that are transformed."""

from __future__ import annotations

from caffe_compat.layers.base import Layer
from caffe_compat.layers.flow.coefficients import COUNT
from caffe_compat.prototxt.caffe_pb2 import AugmentationParameter


def all_but(*honoured: str) -> tuple[str, ...]:
    """The fields of augmentation_param but these."""
    names = (field.name for field in AugmentationParameter.DESCRIPTOR.fields)
    return tuple(f"augmentation_param.{name}" for name in names if name not in honoured)


def check_rows(layer: Layer, shape: tuple[int, ...], images: int, what: str) -> None:
    """Raise LayerError unless a bottom has COUNT coefficients for each image."""
    if len(shape) < 2 or shape[:2] != (images, COUNT) or any(dim != 1 for dim in shape[2:]):
        raise layer.error(
            f"{what} has the shape {shape}; expected {images} x {COUNT} x 1 x 1, the coefficients that "
            "DataAugmentation or GenerateAugmentationParameters makes"
        )
