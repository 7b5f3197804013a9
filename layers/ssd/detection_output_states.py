"""The detections of tl_ssd, each with its states."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.repetitions import MOST_CLASSES, check_repetitions
from caffe_compat.layers.registry import register_form
from caffe_compat.layers.ssd.detection_output import DetectionOutput
from caffe_compat.prototxt.caffe_pb2 import LayerParameter


def has_states(layer: LayerParameter) -> bool:
    return layer.detection_output_param.do_state_prediction


@register_form("DetectionOutputStates", of="DetectionOutput", describes=has_states)
class DetectionOutputStates(DetectionOutput):
    """Turns predictions and prior boxes into detections, as DetectionOutput does, and says what state each is in.

    A layer of type DetectionOutput with do_state_prediction is this one. bottom[0] to bottom[2]: as there. bottom[3]:
    N x PS scores, by prior and num_states (S). top[0]: 1 x 1 x D x (7 + S): image, class, score, the scores of the S
    states, x1 y1 x2 y2; without a detection a row of its number and -1 for each image.
    Raises what DetectionOutput raises.
    Source: DetectionOutputLayer of julimueller/tl_ssd, as on the GPU (its CPU code leaves the states out).
    """

    reads = ("detection_output_param",)
    origin = "tl_ssd"
    bottom_count = (4, 4)
    no_gradient = (0, 1, 2, 3)
    refused = {
        f"detection_output_param.{name}": "it does not go with do_state_prediction"
        for name in (
            "use_polygon",
            "objectness_score",
            "save_output_param",
            "normalized",
            "input_width",
            "input_height",
        )
    }
    without_effect = tuple(
        f"detection_output_param.{field}"
        for field in ("visualize", "visualize_threshold", "save_file", "do_state_prediction")
    )

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        self.states = self.layer_param.detection_output_param.num_states
        check_repetitions(self, "num_states", self.states, MOST_CLASSES)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self.priors.check_predictions(bottom, 3, self.shape[1], self.states)
        top[0].reshape(1, 1, 1, 7 + self.states)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.of_states = bottom[3].data.reshape(*self.shape[:2], self.states)
        super().forward(bottom, top)

    def _more(self, image: int, chosen: np.ndarray) -> np.ndarray:
        return self.of_states[image, chosen]
