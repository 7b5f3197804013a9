"""GaussianYolov3: YOLO v3 whose boxes say how sure they are."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.registry import register
from caffe_compat.layers.yolo.boxes import iou
from caffe_compat.layers.yolo.yolov3 import IOU, Yolov3

SPREADS = [1, 3, 5, 7]
LEAST_SPREAD = 0.3  # that is added to a spread
TINY = 1e-9


@register("GaussianYolov3")
class GaussianYolov3(Yolov3):
    """Yolov3 in which each of a box's four numbers has its spread behind it (yolov3_param).

    bottom[0]: N x A (9 + classes) x H x W: x, its spread, y, its spread, w, its spread, h, its spread, the box's score,
    its classes. The sigmoids of the spreads count. bottom[1] and which anchor learns what as Yolov3 has them; boxes are
    always compared by IoU. top[0]: the sum of the squares of the gradients of scores and classes, over N, and
    iou_normalizer times 1 - IoU, a mean over the objects.
    The gradient of a box's numbers and spreads is that of minus the logarithm of the normal distribution about them, at
    the object, times coord_scale (2 - w h) / 2 and iou_normalizer; each is max_delta at most, and 0 where it is not
    finite. A class that another object has taught a cell already is only set to be there. With use_logic_gradient the
    sigmoids of x, y and the spreads take the input for their output: the original's.
    Raises LayerError as Yolov3 does.
    Source: GaussianYolov3Layer of the Caffe of MobileNet-YOLO; Choi et al., Gaussian YOLOv3 (2019), equation 5.
    """

    without_effect = tuple(
        f"yolov3_param.{name}" for name in ("side", "noobject_scale", "iou_loss", "label_smooth_eps")
    )
    middle, size, score = [0, 2], [4, 6], 8
    of_inputs = [0, 2, *SPREADS]
    kind = IOU

    def _learn_box(self, at: tuple, truth: np.ndarray, box: np.ndarray) -> None:
        self.losses.append(1 - float(np.nan_to_num(iou(box, truth))))
        numbers = self.p[at][:8].astype(np.float64)
        spread = numbers[1::2]
        with np.errstate(all="ignore"):
            off = (self._wanted(at, truth) - numbers[::2]) / spread
            chance = np.exp(-np.square(off) / 2) / (np.sqrt(2 * np.pi) * (spread + LEAST_SPREAD))
            weight = chance / (chance + TINY) / 2 * self._weight(truth) * self.param.iou_normalizer
            of_numbers = weight * off / spread
            of_spreads = weight * (np.square(off) / spread - 1 / (spread + LEAST_SPREAD))
        move = np.stack([of_numbers, of_spreads], axis=1).ravel()
        move = np.nan_to_num(move, nan=0, posinf=0, neginf=0)
        gradient = self.gradient[at][:8]
        move = np.clip(move, -self.param.max_delta, self.param.max_delta)
        gradient[...] = (gradient if self.param.accumulate else 0) - move

    def _learn_class(self, p: np.ndarray, gradient: np.ndarray, label: int) -> None:
        if len(gradient) and gradient[0] != 0:
            gradient[label] = p[label] - 1
            return
        wanted = (np.arange(len(p)) == label).astype(p.dtype)
        gradient[...] = self.param.class_scale * (p - wanted)
        if self.param.use_focal_loss:
            sure = p[label] + 1e-15
            gradient *= -0.5 * (1 - sure) * (2 * sure * np.log(sure) + sure - 1)
