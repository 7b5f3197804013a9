"""Detection by nets of SSD and YOLO: they see the whole photo once, and their last layer writes what it found.

    net = caffe.Net("deploy.prototxt", caffe.TEST, weights="MobileNetSSD_deploy.caffemodel")
    detector = SingleShotDetector(net)
    for label, x1, y1, x2, y2, score in detector(image): ...

Source: ssd_detect.cpp of the SSD fork of Caffe, and of MobileNet-YOLO's.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.detect import limit
from caffe_compat.fast_rcnn.feed import set_inputs
from caffe_compat.fast_rcnn.nms import CLASS
from caffe_compat.fast_rcnn.nms import SCORE as FOUND_SCORE
from caffe_compat.layers.base import Layer
from caffe_compat.layers.data.resizing import Resizing
from caffe_compat.layers.ssd.detection_output import DetectionOutput
from caffe_compat.layers.ssd.detection_output_states import DetectionOutputStates
from caffe_compat.layers.ssd.resized_boxes import boxes_in_pixels
from caffe_compat.layers.yolo.yolo_detection_output import YoloDetectionOutput
from caffe_compat.layers.yolo.yolov3_detection_output import Yolov3DetectionOutput
from caffe_compat.net import Net
from caffe_compat.prototxt.caffe_pb2 import ResizeParameter
from caffe_compat.rng import Rng

DetectionLayer = DetectionOutput | YoloDetectionOutput | Yolov3DetectionOutput
LABEL, SCORE = 1, 2  # columns of a detection layer's top
BOX = slice(3, 7)
GREY = 127.0  # of the borders beside a photo that keeps its aspect, as darknet has them


@dataclass(frozen=True)
class Preprocessing:
    """What makes a resized photo the net's input, in this order: swap, minus mean, times scale.

    mean: float32, one number, one a channel, or an image of the input's channels x height x width, in the input's
    order; pixels go from 0 to 255. swap: which of red, green, blue is each channel of the input. letterbox: the photo
    keeps its aspect and gets grey borders, where it is otherwise stretched to the input.
    """

    mean: np.ndarray
    scale: float = 1.0
    swap: Sequence[int] = (2, 1, 0)
    letterbox: bool = False

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "mean": self.mean.tolist(),
            "scale": self.scale,
            "swap": list(self.swap),
            "letterbox": self.letterbox,
        }


SSD = Preprocessing(np.array([104, 117, 123], np.float32))
MOBILENET = Preprocessing(np.array([127.5], np.float32), 0.007843)
DARKNET = Preprocessing(np.zeros(1, np.float32), 1 / 255)


def detection_layer(net: Net) -> int | None:
    """The index of the layer that writes a net's detections: the last one of SSD's or YOLO's; None without one."""
    found = [i for i, layer in enumerate(net.layers) if isinstance(layer, DetectionLayer)]
    return found[-1] if found else None


def usual_preprocessing(net: Net) -> tuple[Preprocessing, str]:
    """How nets of this kind are mostly fed, which no deploy file says, and whose nets these are.

    Nets with depthwise convolutions as MobileNet-SSD and MobileNet-YOLO; other YOLO nets as darknet's, other SSD nets
    as the first ones, which are VGG-16's.
    """
    if any(_is_depthwise(layer) for layer in net.layers):
        return MOBILENET, "MobileNet-SSD's"
    if any(isinstance(layer, YoloDetectionOutput | Yolov3DetectionOutput) for layer in net.layers):
        return DARKNET, "darknet's"
    return SSD, "SSD's"


def _is_depthwise(layer: Layer) -> bool:
    if layer.type in ("ConvolutionDepthwise", "DepthwiseConvolution"):
        return True
    param = layer.layer_param.convolution_param
    return layer.type == "Convolution" and 1 < param.group == param.num_output


class SingleShotDetector:
    """Finds objects in photos with a net whose input is a photo, and whose `detection_layer` writes what it found.

    preprocessing: default: as nets of the kind have it (`usual_preprocessing`). thresh: detections have a higher score;
    scores below the layer's own confidence_threshold are none. max_per_image: at most so many detections a photo, and
    those whose score equals the last one's; 0: all that the layer keeps.

    The label that the layer calls background is class 0; the others count from 1, in their order. Boxes are those of
    the layer, in parts of the photo, times its size, and clipped to it.

    Attributes: `seconds`, the time that the last photo took by stage: resize, net.
    Raises DataError for a net of another kind, and for a mean that does not fit.
    """

    def __init__(
        self,
        net: Net,
        preprocessing: Preprocessing | None = None,
        thresh: float = 0.0,
        max_per_image: int = 0,
    ):
        self.net, self.thresh, self.max_per_image = net, thresh, max_per_image
        self.preprocessing = preprocessing or usual_preprocessing(net)[0]
        self.seconds = {"resize": 0.0, "net": 0.0}
        self.proposals: int | None = None
        self.takes_proposals = False
        self._check()

    @property
    def num_classes(self) -> int:
        """The number of classes, with the background."""
        return 1 + len(self.layer.classes)

    @property
    def settings(self) -> Mapping[str, Any]:
        """All that the detections depend on besides net and photo, as JSON."""
        return {
            "preprocessing": self.preprocessing.as_dict(),
            "threshold": self.thresh,
            "max-per-image": self.max_per_image,
        }

    def __call__(self, image: np.ndarray, boxes: np.ndarray | None = None) -> np.ndarray:
        """The detections in a photo, height x width x 3 uint8, BGR. boxes: None, for the net finds its own.

        M x 6 float32, as `detector.PhotoDetector` has them. Raises DataError where an output is not finite.
        """
        start = time.perf_counter()
        data = self.input(image)
        resized = time.perf_counter()
        set_inputs(self.net, {self.net.inputs[0]: data})
        self.net.forward()
        rows = self._rows()
        height, width = image.shape[:2]
        found = np.column_stack(
            (
                1 + np.searchsorted(self.layer.classes, rows[:, LABEL]),
                boxes_in_pixels(rows[:, BOX], height, width, self.resizing.param),
                rows[:, SCORE],
            )
        ).astype(np.float32)
        found[:, 3:5] = np.maximum(found[:, 3:5] - 1, found[:, 1:3])  # the last pixel inside
        self.seconds = {"resize": resized - start, "net": time.perf_counter() - resized}
        found = found[np.lexsort((-found[:, FOUND_SCORE], found[:, CLASS]))]  # stable, as the layer has them
        return limit(found, self.max_per_image)

    def input(self, image: np.ndarray) -> np.ndarray:
        """A photo (height x width x 3 uint8, BGR) as the net's input, 1 x channels x height x width float32."""
        if self.channels == 1:
            image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[:, :, None]
        pixels = self.resizing.image(image, Rng(0)).transpose(2, 0, 1)
        if self.channels == 3:
            pixels = pixels[::-1][list(self.preprocessing.swap)]
        data = (pixels.astype(np.float32) - self._mean) * np.float32(self.preprocessing.scale)
        return data[None]

    def _rows(self) -> np.ndarray:
        """The rows of the layer's top that are detections above the threshold."""
        top = self.net.tops[self._index][0].data
        rows = top.reshape(-1, top.shape[-1])
        if isinstance(self.layer, DetectionOutputStates):
            rows = np.delete(rows, range(3, 3 + self.layer.states), axis=1)
        rows = rows[:, :7]
        rows = rows[np.isin(rows[:, LABEL], self.layer.classes) & (rows[:, SCORE] > np.float32(self.thresh))]
        if not np.isfinite(rows).all():
            raise DataError("what the net answers is not finite; are these the right weights?")
        return rows

    def _check(self) -> None:
        net, index = self.net, detection_layer(self.net)
        if index is None:
            raise DataError(
                "the net has no DetectionOutput, YoloDetectionOutput or Yolov3DetectionOutput layer, which knows its "
                "priors or anchors; use the deploy.prototxt"
            )
        self._index = index
        self.layer = cast(DetectionLayer, net.layers[index])
        shapes = [net.blobs[name].shape for name in net.inputs]
        if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][1] not in (1, 3) or not all(shapes[0][2:]):
            told = ", ".join(
                f"{name} {'x'.join(map(str, shape))}" for name, shape in zip(net.inputs, shapes, strict=True)
            )
            raise DataError(
                f"layer '{self.layer.name}' ({self.layer.type}) finds objects in photos, and the net's inputs are "
                f"{told or 'none'}; expected one, N x 3 x H x W: use the deploy.prototxt"
            )
        _, self.channels, height, width = shapes[0]
        mode = (
            ResizeParameter.FIT_LARGE_SIZE_AND_PAD if self.preprocessing.letterbox else ResizeParameter.WARP
        )
        self.resizing = Resizing(
            self.layer, ResizeParameter(resize_mode=mode, height=height, width=width, pad_value=[GREY])
        )
        mean = self.preprocessing.mean
        self._mean = mean[:, None, None] if mean.ndim == 1 else mean
        if self._mean.shape not in {(1, 1, 1), (self.channels, 1, 1), (self.channels, height, width)}:
            raise DataError(
                f"the mean has the shape {mean.shape}; expected one number, {self.channels}, or an image of the net's "
                f"input, {self.channels} x {height} x {width}"
            )
