"""Automatic colorization."""

from __future__ import annotations

import colorsys
import math

import numpy as np

from caffe_compat.prototxt.caffe_pb2 import LossParameter, SoftmaxKLDLossParameter
from layers.naive.given import Given, like, lines, taken


def sparse_hypercolumn_extractor(given: Given) -> list[np.ndarray]:
    (places, *maps), param = given.bottom, given.param.sparse_hypercolumn_extractor_param
    rows = []
    for n in range(len(places)):
        for y, x in places[n]:
            row = []
            for i, m in enumerate(maps):
                height, width = m.shape[2:]
                down = param.offset_height[i] if len(param.offset_height) else 0
                right = param.offset_width[i] if len(param.offset_width) else 0
                factor = param.activation_mult[i] if i < len(param.activation_mult) else 1
                y0 = max(min((y - down) / param.scale[i], height - 1.0001), 0)
                x0 = max(min((x - right) / param.scale[i], width - 1.0001), 0)
                row += [
                    factor
                    * sum(
                        plane[r, c] * max(0, 1 - abs(r - y0)) * max(0, 1 - abs(c - x0))
                        for r in range(height)
                        for c in range(width)
                    )
                    for plane in m[n]
                ]
            rows.append(row)
    return [np.array(rows)]


def sparse_histogram_extractor(given: Given) -> list[np.ndarray]:
    places, x = given.bottom
    tops = []
    for size in given.param.sparse_histogram_extractor_param.size:
        rows = []
        for n in range(len(places)):
            for y, column in places[n].astype(int):
                pixels = [
                    x[n, :, i, j]
                    for i in range(y - size // 2, y - size // 2 + size)
                    for j in range(column - size // 2, column - size // 2 + size)
                    if 0 <= i < x.shape[2] and 0 <= j < x.shape[3]
                ]
                bins = sum(pixels) if pixels else np.zeros(x.shape[1])
                rows.append(bins / bins.sum() if bins.sum() > 0 else np.full(len(bins), 1 / len(bins)))
        tops.append(np.array(rows))
    assert tops
    return tops


def uniform_to_histogram(given: Given) -> list[np.ndarray]:
    (x,), bins = given.bottom, given.param.uniform_to_histogram_param.bins
    shape = (len(x), bins, *x.shape[2:])
    return [taken(shape, lambda at: float(min(int(x[at[0], 0, at[2], at[3]] * bins), bins - 1) == at[1]))]


def strip_decimals(given: Given) -> list[np.ndarray]:
    (x,) = given.bottom
    return [like([float(int(v)) for v in x.ravel()], x)]


def bgr_to_munsell(given: Given) -> list[np.ndarray]:
    (x,) = given.bottom

    def value(at):
        blue, green, red = x[at[0], :, at[2], at[3]]
        hue, saturation, brightness = colorsys.rgb_to_hsv(red, green, blue)
        return (hue, saturation * brightness, brightness)[at[1]]

    return [taken(x.shape, value)]


def softmax_kld_loss(given: Given) -> list[np.ndarray]:
    param, loss = given.param.softmax_kld_loss_param, given.param.loss_param
    axis = given.param.softmax_param.axis
    scores, shares = (lines(x, axis) for x in given.bottom[:2])
    weights = given.bottom[2].ravel() if len(given.bottom) > 2 else np.ones(scores.shape[0] * scores.shape[2])
    total = 0.0
    for o in range(scores.shape[0]):
        for i in range(scores.shape[2]):
            exps = [math.exp(v) for v in scores[o, :, i]]
            for e, t in zip(exps, shares[o, :, i], strict=True):
                known = math.log(max(t, 1e-38)) if param.type == SoftmaxKLDLossParameter.KL_DIVERGENCE else 0
                total += weights[o * scores.shape[2] + i] * t * (known - math.log(e / sum(exps)))
    mode = loss.normalization
    if not loss.HasField("normalization") and loss.HasField("normalize"):
        mode = LossParameter.VALID if loss.normalize else LossParameter.BATCH_SIZE
    divisor = {
        LossParameter.FULL: len(weights),
        LossParameter.VALID: sum(abs(weights)),
        LossParameter.BATCH_SIZE: scores.shape[0],
        LossParameter.NONE: 1,
        LossParameter.PRE_FIXED: loss.pre_fixed_normalizer,
    }[mode]
    return [np.array(total / max(divisor, 1))]


NAIVE = {
    "BgrToMunsell": bgr_to_munsell,
    "SoftmaxKLDLoss": softmax_kld_loss,
    "SparseHistogramExtractor": sparse_histogram_extractor,
    "SparseHypercolumnExtractor": sparse_hypercolumn_extractor,
    "StripDecimals": strip_decimals,
    "UniformToHistogram": uniform_to_histogram,
}
