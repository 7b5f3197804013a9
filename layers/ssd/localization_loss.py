"""How far MultiBoxLoss's deltas are from those to the objects."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.ssd.ground_truth import GroundTruthBoxes
from caffe_compat.layers.ssd.prior_boxes import PriorBoxes
from caffe_compat.prototxt.caffe_pb2 import MultiBoxLossParameter as Param

# of a box x1 y1 x2 y2: which of them has to be inside for bp_inside, for each delta. For a polygon's second corner that
# is y2, and for its fourth x2, though they start at y1 and x1.
INSIDE = np.array([0, 1, 2, 3, 0, 1, 2, 3, 2, 3, 2, 3])


class LocalizationLoss:
    """where: the M indices (image, prior, class of the delta) of the priors that stand for an object, after `compare`.

    labels: the M classes of these objects. distance: M x 4, the deltas less those to the objects; M x 12 with polygons.
    Source: ComputeLocLoss and EncodeLocPrediction of the SSD fork of Caffe; EncodeLocPredictionBboxPolygon of
    TextBoxes++'.
    """

    def __init__(self, priors: PriorBoxes, objects: GroundTruthBoxes, param: Param):
        self.priors, self.objects, self.param = priors, objects, param

    def compare(self, deltas: np.ndarray, matches: np.ndarray) -> None:
        """deltas: N x P x L x 4 (or 12). matches: N x P x L, the object that each stands for, below 0 for none."""
        self.where = np.nonzero(matches >= 0)
        prior, got, objects = self.where[1], deltas[self.where], matches[self.where]
        self.labels = self.objects.labels[objects]
        boxes = self.priors.at(self.where[0], prior)
        targets = self.priors.encode(boxes, prior, self.objects.boxes[objects])
        if self.param.use_polygon:
            corners = self.priors.encode_polygons(boxes, prior, self.objects.polygons[objects])
            targets = np.hstack([targets, corners])
        if not self.param.use_prior_for_matching:
            boxes = self.priors.decode(got[:, :4], prior, boxes)
        if self.param.encode_variance_in_target:
            got = got / self.priors.variances[prior]
        self.distance = got - targets
        if self.param.bp_inside:
            outside = (boxes < 0) | (boxes > 1)
            self.distance[outside[:, INSIDE[: got.shape[1]]]] = 0

    def keep(self, chosen: np.ndarray) -> None:
        """Forget those whose prior is not chosen, N x P."""
        stay = chosen[self.where[:2]]
        self.where = tuple(rows[stay] for rows in self.where)
        self.distance = self.distance[stay]

    def losses(self) -> np.ndarray:
        """The loss of each delta, M x 4 (or 12)."""
        size = np.abs(self.distance)
        parabola = size * size / 2
        if self.param.loc_loss_type == Param.L2:
            return parabola
        return np.where(size < 1, parabola, size - size.dtype.type(0.5))

    def gradient(self, weight: float, diff: np.ndarray) -> None:
        """diff = weight times the slope of the losses, N x P x L x 4 (or 12); 0 where nothing is compared."""
        slope = self.distance
        if self.param.loc_loss_type == Param.SMOOTH_L1:
            slope = np.clip(slope, -1, 1)
        diff.fill(0)
        diff[self.where] = slope * diff.dtype.type(weight)
