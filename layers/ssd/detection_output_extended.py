"""The detections of OpenVINO's training toolbox, each with its place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.registry import register
from caffe_compat.layers.ssd.detection_output import DetectionOutput

_BOX_FIRST = [0, 1, 2, 6, 7, 8, 9, 3, 4, 5]  # the columns, whose places stand before the box

_NOT_HERE = (
    "use_polygon",
    "objectness_score",
    "normalized",
    "input_width",
    "input_height",
    "save_output_param",
    "do_state_prediction",
)


@register("DetectionOutputExtended")
class DetectionOutputExtended(DetectionOutput):
    """Turns predictions and prior boxes of one map into detections, as DetectionOutput does, and says where they are.

    bottom[0]: N x H x W x 4A deltas, of the A priors of each place. bottom[1] and bottom[2]: as there. num_classes is
    2, and detections are of class 1 only, whatever background_label_id says. top[0]: 1 x 1 x D x 10: image, class,
    score, x1 y1 x2 y2, which prior of its place, and the place's column and row; without a detection a row of its
    number and -1 for each image. Raises what DetectionOutput raises, and LayerError for another num_classes, and where
    bottom[0] has other axes.
    Source: DetectionOutputExtendedLayer of OpenVINO's training toolbox (opencv/training_toolbox_caffe).
    """

    reads = ("detection_output_param",)
    origin = "OpenVINO"
    bottom_count = (3, 3)
    no_gradient = (0, 1, 2)
    refused = {
        "detection_output_param.share_location": "the original reads outside of its memory there; write true",
        **{
            f"detection_output_param.{name}": "DetectionOutput has it; this type does not"
            for name in _NOT_HERE
        },
    }
    without_effect = tuple(
        f"detection_output_param.{field}"
        for field in ("visualize", "visualize_threshold", "save_file", "background_label_id", "num_states")
    )

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        if self.layer_param.detection_output_param.num_classes != 2:
            raise self.error(
                f"num_classes is {self.layer_param.detection_output_param.num_classes}; it must be 2: background and "
                "one more"
            )
        self.classes = [1]

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        shape = bottom[0].shape
        if len(shape) != 4 or shape[3] % 4:
            raise self.error(f"bottom[0] has the shape {shape}; expected N x H x W x 4 deltas a prior")
        self.width, self.anchors = shape[2], shape[3] // 4
        top[0].reshape(1, 1, 1, 10)

    def _detect(self, image: int, deltas: np.ndarray, scores: np.ndarray) -> np.ndarray:
        return super()._detect(image, deltas, scores)[:, _BOX_FIRST]

    def _more(self, image: int, chosen: np.ndarray) -> np.ndarray:
        place, prior = np.divmod(chosen, self.anchors)
        return np.column_stack([prior, place % self.width, place // self.width])
