"""batch_sampler of annotated_data_param: windows of an image that hold its objects as asked."""

from __future__ import annotations

import numpy as np

from caffe_compat.errors import ErrorFactory
from caffe_compat.layers.common.repetitions import check_repetitions
from caffe_compat.layers.data.annotations import areas, intersections
from caffe_compat.prototxt.caffe_pb2 import BatchSampler, SampleConstraint, Sampler
from caffe_compat.rng import Rng

WHOLE = np.float32(1)


def check_sampler(owner: ErrorFactory, param: BatchSampler) -> None:
    """Raise owner's error where the ranges of a sampler are none, or its trials too many."""
    check_repetitions(owner, "max_trials of batch_sampler", param.max_trials)
    sampler = param.sampler
    if not 0 < sampler.min_scale <= sampler.max_scale <= 1:
        raise owner.error(
            f"a sampler has scales from {sampler.min_scale:g} to {sampler.max_scale:g}; expected above 0, up to 1"
        )
    if not 0 < sampler.min_aspect_ratio <= sampler.max_aspect_ratio < np.inf:
        raise owner.error(
            f"a sampler has aspect ratios from {sampler.min_aspect_ratio:g} to {sampler.max_aspect_ratio:g}; "
            "expected above 0, from the smaller to the larger"
        )


def sample(samplers: list[BatchSampler], boxes: np.ndarray, rng: Rng) -> list[np.ndarray]:
    """The windows (x1 y1 x2 y2 in parts of an image) that all samplers find. boxes: of its objects, K x 4.

    Of each sampler, windows of max_trials trials that meet its constraint, at most max_sample if that is given.
    Source: GenerateBatchSamples of the SSD fork of Caffe.
    """
    windows = []
    for sampler in samplers:
        if not sampler.use_original_image:
            continue
        found = 0
        for _ in range(sampler.max_trials):
            if sampler.HasField("max_sample") and found >= sampler.max_sample:
                break
            window = _window(sampler.sampler, rng)
            if _meets(window, boxes, sampler.sample_constraint):
                windows.append(window)
                found += 1
    return windows


def _window(sampler: Sampler, rng: Rng) -> np.ndarray:
    """Source: SampleBBox of the SSD fork of Caffe."""
    scale = rng.number(sampler.min_scale, sampler.max_scale)
    ratio = rng.number(sampler.min_aspect_ratio, sampler.max_aspect_ratio)
    least = np.float32(float(scale) ** 2)
    ratio = min(max(ratio, least), np.float32(1 / float(scale) ** 2))
    width, height = min(scale * np.sqrt(ratio), WHOLE), min(scale / np.sqrt(ratio), WHOLE)
    x, y = rng.number(0, WHOLE - width), rng.number(0, WHOLE - height)
    return np.array([x, y, x + width, y + height], np.float32)


def _meets(window: np.ndarray, boxes: np.ndarray, constraint: SampleConstraint) -> bool:
    """Whether some object is as the constraint wants it.

    As in Caffe, only the first that is given counts of overlap (IoU), share of the window, and share of the object:
    an object that meets it is enough, whatever the others say.
    Source: SatisfySampleConstraint of the SSD fork of Caffe.
    """
    given = [
        name for name in _SHARES if constraint.HasField(f"min_{name}") or constraint.HasField(f"max_{name}")
    ]
    if not given:
        return True
    name, common = given[0], intersections(window, boxes)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(common > 0, _SHARES[name](common, areas(window[None]), areas(boxes)), 0)
    ok = np.ones(len(boxes), bool)
    if constraint.HasField(f"min_{name}"):
        ok &= share >= np.float32(getattr(constraint, f"min_{name}"))
    if constraint.HasField(f"max_{name}"):
        ok &= share <= np.float32(getattr(constraint, f"max_{name}"))
    return bool(ok.any())


_SHARES = {
    "jaccard_overlap": lambda common, window, boxes: common / (window + boxes - common),
    "sample_coverage": lambda common, window, boxes: common / window,
    "object_coverage": lambda common, window, boxes: common / boxes,
}
