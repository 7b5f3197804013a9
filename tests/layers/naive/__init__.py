"""Every layer once more, in plain loops over Python numbers and float64: forward only, written apart from the kernels.

NAIVE: for each layer type a function that takes a Given and returns the tops. Where a layer's own test has a naive
reference with the gradient too, it is taken from there.
"""

from layers.naive import (
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
from layers.naive.given import Given, given_to

NAIVE = {
    **neurons.NAIVE,
    **combining.NAIVE,
    **reshaping.NAIVE,
    **reducing.NAIVE,
    **filters.NAIVE,
    **pooling.NAIVE,
    **normalization.NAIVE,
    **resizing.NAIVE,
    **rois.NAIVE,
    **subcnn.NAIVE,
    **losses.NAIVE,
    **metric.NAIVE,
    **long_tail.NAIVE,
    **detection.NAIVE,
    **recurrent.NAIVE,
    **yolo.NAIVE,
    **sequences.NAIVE,
    **volumes.NAIVE,
    **deeplab.NAIVE,
    **mnc.NAIVE,
    **spatial_transformer.NAIVE,
    **flow.NAIVE,
    **pose.NAIVE,
    **retrieval.NAIVE,
    **activations.NAIVE,
    **data.NAIVE,
}

__all__ = ["NAIVE", "Given", "given_to"]
