"""What the losses share: a scalar top, whole labels, and what the sum is divided by."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer, around_axis
from caffe_compat.prototxt import caffe_pb2

FULL = caffe_pb2.LossParameter.FULL
VALID = caffe_pb2.LossParameter.VALID
BATCH_SIZE = caffe_pb2.LossParameter.BATCH_SIZE
NONE = caffe_pb2.LossParameter.NONE
PRE_FIXED = caffe_pb2.LossParameter.PRE_FIXED

# SegNet's weights of classes: only SoftmaxWithLoss has them
NO_CLASS_WEIGHTS = dict.fromkeys(
    ("loss_param.weight_by_label_freqs", "loss_param.class_weighting"),
    "only SoftmaxWithLoss weighs its labels: remove it",
)

# of WeightedSoftmaxWithLoss: its Caffes have them in the message of all Softmax layers, which do not read them
NO_LABEL_WEIGHTS = dict.fromkeys(
    (
        "softmax_param.pos_mult",
        "softmax_param.pos_cid",
        "softmax_param.label_id",
        "softmax_param.label_scale",
    ),
    "only WeightedSoftmaxWithLoss reads it: write that type, or remove it",
)

LEAST_PROBABILITY = np.float32(1e-20)  # the logarithm of a smaller one is that of this


class LossLayer(Layer):
    """bottom[0]: predictions, bottom[1]: labels or targets, one entry of axis 0 an example; top[0]: the loss.

    The net puts the loss weight into top[0].diff; a gradient is `loss_weight(top)` times the loss's own.
    Source: Caffe's LossLayer.
    """

    bottom_count = (2, 2)
    no_gradient: tuple[int, ...] = (1,)
    is_loss = True

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Make top[0] a scalar. Raises LayerError when the bottoms' batches differ or are empty."""
        if bottom[0].num != bottom[1].num:
            raise self.error(
                f"bottom[0] {bottom[0].shape} has {bottom[0].num} examples, bottom[1] {bottom[1].shape} has "
                f"{bottom[1].num}; predictions and labels need the same number"
            )
        if bottom[0].count == 0:
            raise self.error(f"bottom[0] has the shape {bottom[0].shape}: there is nothing to take a loss of")
        top[0].reshape()


def loss_weight(top: Sequence[Blob]) -> float:
    """The weight of this loss in the net's objective."""
    return float(top[0].diff.flat[0])


def normalization_mode(param: caffe_pb2.LossParameter, default: int = VALID) -> int:
    """Return the NormalizationMode of a loss_param; the legacy `normalize` is second to `normalization`."""
    if param.HasField("normalization"):
        return param.normalization
    if param.HasField("normalize"):
        return VALID if param.normalize else BATCH_SIZE
    return default


def normalizer(
    mode: int, outer_num: int, inner_num: int, valid_count: float, pre_fixed: float = 1.0
) -> float:
    """Return what a loss is divided by, 1 at least: a batch in which every label is ignored gives 0, not NaN.

    outer_num: examples in the batch. inner_num: labels an example. valid_count: labels that are not ignored.
    pre_fixed: loss_param.pre_fixed_normalizer, for R-FCN's PRE_FIXED.
    Source: Caffe's SoftmaxWithLossLayer::get_normalizer.
    """
    divisors: dict[int, float] = {
        FULL: outer_num * inner_num,
        VALID: valid_count,
        BATCH_SIZE: outer_num,
        NONE: 1,
        PRE_FIXED: pre_fixed,
    }
    return float(max(1, divisors[mode]))


def ignored_label(param: caffe_pb2.LossParameter | caffe_pb2.AccuracyParameter) -> int | None:
    """Return the label that counts for nothing, None where there is none."""
    return param.ignore_label if param.HasField("ignore_label") else None


def class_labels(layer: Layer, labels: Blob, classes: int, ignore: int | None = None) -> np.ndarray:
    """Return the labels as a flat int64 array, -1 where the label is `ignore`; fractions are cut off as in C.

    Raises LayerError naming the first label that is neither a class (0 to classes - 1) nor ignored.
    """
    values = labels.data.ravel()
    with np.errstate(invalid="ignore"):  # NaN turns into some integer, and is found below
        whole = values.astype(np.int64)
    ignored = whole == ignore if ignore is not None else np.zeros(whole.shape, bool)
    wrong = ~((values > -1) & (values < classes) | ignored)
    if wrong.any():
        first = int(np.argmax(wrong))
        place = [int(i) for i in np.unravel_index(first, labels.shape)]
        raise layer.error(
            f"label {values[first]:g} at {place} of the labels (shape {labels.shape}) is no class; "
            f"the predictions have classes 0 to {classes - 1}: correct the labels, num_output or ignore_label"
        )
    whole[ignored] = -1
    return whole


def check_equal_counts(layer: Layer, bottom: Sequence[Blob]) -> None:
    """Raises LayerError unless the first two bottoms have as many elements."""
    if bottom[0].count != bottom[1].count:
        raise layer.error(f"bottom[0] has the shape {bottom[0].shape}, bottom[1] {bottom[1].shape}")


def check_label_count(layer: Layer, bottom: Sequence[Blob], axis: int) -> tuple[int, int, int]:
    """Return (examples, classes, labels an example) of predictions bottom[0] with the classes on `axis`.

    Raises LayerError unless bottom[1] has one label for each.
    """
    shape = bottom[0].shape
    outer, classes, inner = around_axis(shape, axis)
    if bottom[1].count != outer * inner:
        raise layer.error(
            f"bottom[1] has {bottom[1].count} labels (shape {bottom[1].shape}); bottom[0] {shape} with the "
            f"classes on axis {axis} needs {outer * inner} (shape {shape[:axis] + shape[axis + 1 :]})"
        )
    return outer, classes, inner


def check_one_label_each(layer: Layer, bottom: Sequence[Blob]) -> tuple[int, int]:
    """Return (examples, classes) of predictions bottom[0] whose axes behind the first are all classes.

    Raises LayerError unless bottom[1] has one label for each example.
    """
    examples = bottom[0].num
    if bottom[1].count != examples:
        raise layer.error(
            f"bottom[1] has {bottom[1].count} labels (shape {bottom[1].shape}); bottom[0] {bottom[0].shape} "
            f"needs {examples}, one an example"
        )
    return examples, math.prod(bottom[0].shape[1:])
