"""CASES: what the contract sweep and the gradient check run over every layer, a file a family.

Each param that changes what a layer computes has a case; test_fields.py asks for it.
"""

from layers.cases import (
    combining,
    data,
    detection,
    filters,
    losses,
    mscnn,
    neurons,
    normalization,
    pooling,
    recurrent,
    reducing,
    reshaping,
    resizing,
    rois,
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
    *losses.CASES,
    *mscnn.CASES,
    *detection.CASES,
    *recurrent.CASES,
    *data.CASES,
]

__all__ = ["CASES"]
