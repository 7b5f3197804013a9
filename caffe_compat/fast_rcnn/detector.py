"""What a detector is: it finds objects in photos. detect.Detector is one, single_shot.SingleShotDetector another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from caffe_compat.net import Net


class PhotoDetector(Protocol):
    """Finds objects in photos with a net; `detections.detect_all` and the commands take any."""

    @property
    def net(self) -> Net: ...

    @property
    def seconds(self) -> Mapping[str, float]:
        """The time that the last photo took, by stage."""

    @property
    def proposals(self) -> int | None:
        """The number of boxes that the last photo was classified with; None where the net has no such step."""

    @property
    def takes_proposals(self) -> bool:
        """Whether it has to be given boxes: the net does not propose them itself."""

    @property
    def num_classes(self) -> int:
        """The number of classes, with the background."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """All that the detections depend on besides net, photo and proposals, as JSON."""

    def __call__(self, image: np.ndarray, boxes: np.ndarray | None = None) -> np.ndarray:
        """The detections in a photo (height x width x 3 uint8, BGR) with proposals (R x 4 pixels; or None).

        M x 6 float32: class (0 is the background), x1 y1 x2 y2 in the photo's pixels (both corners inside), score;
        ordered by class, then by descending score. Raises DataError where an output of the net is not finite.
        """
