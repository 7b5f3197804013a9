"""DetectNetTransformation."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import TRAIN, Layer
from caffe_compat.layers.common.binaryproto import read_binaryproto
from caffe_compat.layers.common.rng_state import rng_state, set_rng_state
from caffe_compat.layers.detectnet.augmentation import Augmentation, draw
from caffe_compat.layers.detectnet.coverage import Coverage
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import TransformationParameter
from caffe_compat.rng import Rng, caffe_rng

ROW = 16  # numbers of an annotated object: box, and what KITTI says of it
CLASS = 5
MOST = 2**15 - 1  # pixels a side, for OpenCV


@register("DetectNetTransformation")
class DetectNetTransformation(Layer):
    """DetectNet's images and labels, from images of any size and their objects.

    bottom[0]: N x 3 x H x W, BGR from 0 to 255. bottom[1]: N x 1 x rows x 16; the first row of an image begins with how
    many objects it has and 16, the others are objects: x, y, width, height (pixels), a number that is not looked at,
    the class. top[0]: N x 3 x image_size_y x image_size_x (detectnet_groundtruth_param), the images less the
    mean_value or mean_file of transform_param. top[1]: N x (8 + classes) x rows x columns, see `Coverage`; a cell is
    stride pixels wide and high. In phase TEST images are resized; in TRAIN they are changed as
    detectnet_augmentation_param says.
    Raises LayerError for shapes and labels that do not fit, and for a mean that does not.

    Source: NVCaffe's DetectNetTransformationLayer, with its random numbers; Tao, Barker and Sarathy, DetectNet (2016).
    """

    reads = ("transform_param", "detectnet_groundtruth_param", "detectnet_augmentation_param")
    bottom_count = (2, 2)
    top_count = (2, 2)
    no_gradient = (0, 1)
    has_backward = False
    origin = "NVCaffe"
    without_effect = (
        *(
            f"transform_param.{field.name}"
            for field in TransformationParameter.DESCRIPTOR.fields
            if field.name not in ("mean_file", "mean_value")
        ),
        "detectnet_groundtruth_param.coverage_type",  # there is one
    )

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, means = (
            self.layer_param.detectnet_groundtruth_param,
            self.layer_param.transform_param.mean_value,
        )
        if not (param.stride and param.image_size_x and param.image_size_y):
            raise self.error(
                "stride, image_size_x and image_size_y of detectnet_groundtruth_param must be above 0"
            )
        if len(means) not in (0, 1, 3):
            raise self.error(
                f"there are {len(means)} mean_values; give one, or one for each of three channels"
            )
        self.size = param.image_size_x, param.image_size_y
        self.coverage = Coverage(param)
        self.rng = Rng(caffe_rng().draw())
        self._check_augmentation()
        self.mean = np.array(means or [0], np.float32)
        if self.layer_param.transform_param.HasField("mean_file"):
            self.mean = self._mean_image(self.layer_param.transform_param.mean_file)

    def _check_augmentation(self) -> None:
        param = self.layer_param.detectnet_augmentation_param
        wrong = [field.name for field, value in param.ListFields() if not np.isfinite(value)]
        if wrong or not 0 < param.scale_min <= param.scale_max:
            raise self.error(
                f"detectnet_augmentation_param has a scale from {param.scale_min:g} to {param.scale_max:g}, and "
                f"{wrong} that is not finite; expected finite numbers, and scales above 0, the smaller one first"
            )

    def _mean_image(self, path: str) -> np.ndarray:
        image = read_binaryproto(self, path)
        if image.shape[-3:-2] != (3,) or image.size != np.prod(image.shape[-3:]):
            raise self.error(f"'{path}' has the shape {image.shape}; expected an image of three channels")
        return np.ascontiguousarray(image.reshape(image.shape[-3:]).transpose(1, 2, 0), np.float32)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        images, labels = bottom[0].shape, bottom[1].shape
        if len(images) != 4 or images[1] != 3 or not all(images[2:]):
            raise self.error(f"bottom[0] has the shape {images}; expected images N x 3 x height x width")
        if len(labels) != 4 or labels[:2] != (images[0], 1) or labels[3] != ROW or not labels[2]:
            raise self.error(
                f"bottom[1] has the shape {labels}; expected ({images[0]}, 1, 2, {ROW}) or more rows: the number of "
                "objects, then each of them"
            )
        top[0].reshape(images[0], 3, *self.size[::-1])
        top[1].reshape(images[0], *self.coverage.shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        size = bottom[0].shape[3], bottom[0].shape[2]
        for n, planes in enumerate(bottom[0].data):
            objects = self._objects(bottom[1].data[n, 0], n)
            chosen = self._augmentation(size)
            image = np.ascontiguousarray(planes.transpose(1, 2, 0), np.float32)
            image = chosen.image(image, self.size, self._less_mean)
            top[0].data[n] = image.transpose(2, 0, 1)
            boxes = chosen.boxes(objects[:, :4].astype(np.float32), size)
            self.coverage.generate(boxes, objects[:, CLASS], top[1].data[n])

    def get_state(self) -> dict[str, np.ndarray]:
        """Where its random numbers stand."""
        return rng_state("augment", self.rng)

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        set_rng_state("augment", self.rng, state)

    def _augmentation(self, size: tuple[int, int]) -> Augmentation:
        if self.phase != TRAIN:
            return Augmentation(self.size)
        param = self.layer_param.detectnet_augmentation_param
        chosen = draw(param, size, self.size, self._unit)
        if not all(0 < side <= MOST for side in chosen.scale):
            raise self.error(
                f"an image of {size[0]} x {size[1]} is scaled to {chosen.scale[0]} x {chosen.scale[1]}; correct "
                f"scale_min and scale_max, which may lead to {MOST} pixels at most"
            )
        return chosen

    def _unit(self) -> np.float32:
        return np.float32(self.rng.draw()) / np.float32(2**32 - 1)

    def _less_mean(self, image: np.ndarray) -> np.ndarray:
        if self.mean.ndim != 3:
            return image - self.mean / np.float32(255)
        return image - cv2.resize(self.mean, image.shape[1::-1], interpolation=cv2.INTER_CUBIC) / np.float32(
            255
        )

    def _objects(self, rows: np.ndarray, n: int) -> np.ndarray:
        count, width = rows[0, :2]
        if count == 0:
            return rows[:0]
        if not (0 <= count < len(rows) and width == ROW):
            raise self.error(
                f"the label of image {n} begins with {count:g}, {width:g}; expected the number of objects, up to "
                f"{len(rows) - 1}, and {ROW}"
            )
        objects = rows[1 : int(count) + 1]
        if not np.isfinite(objects[:, : CLASS + 1]).all():
            raise self.error(f"the label of image {n} has a box or a class that is not finite")
        return objects
