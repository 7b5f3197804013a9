"""CASES: what the contract sweep and the gradient check run over every layer, a file a family.

Each param that changes what a layer computes has a case; test_fields.py asks for it.
"""

from layers.cases import (
    activations,
    combining,
    data,
    deeplab,
    detection,
    filters,
    flow,
    long_tail,
    losses,
    metric,
    mnc,
    neurons,
    normalization,
    pooling,
    pose,
    recurrent,
    reducing,
    reshaping,
    resizing,
    retrieval,
    rois,
    sequences,
    spatial_transformer,
    subcnn,
    volumes,
    yolo,
)

CASES = [
    *neurons.CASES,
    *combining.CASES,
    *reshaping.CASES,
    *reducing.CASES,
    *filters.CASES,
    *pooling.CASES,
    *normalization.CASES,
    *resizing.CASES,
    *rois.CASES,
    *subcnn.CASES,
    *losses.CASES,
    *metric.CASES,
    *long_tail.CASES,
    *detection.CASES,
    *recurrent.CASES,
    *yolo.CASES,
    *sequences.CASES,
    *volumes.CASES,
    *deeplab.CASES,
    *mnc.CASES,
    *spatial_transformer.CASES,
    *flow.CASES,
    *pose.CASES,
    *retrieval.CASES,
    *activations.CASES,
    *data.CASES,
]

__all__ = ["CASES"]
