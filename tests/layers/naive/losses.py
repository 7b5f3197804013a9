"""Losses and Accuracy."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from caffe_compat.prototxt.caffe_pb2 import BlobProto, HingeLossParameter, LossParameter
from layers.naive.given import Given, lines
from layers.naive.neurons import sigmoid
from layers.naive.normalization import softmax_lines


def divided(total: float, param: LossParameter, examples: int, each: int, counted: int, default="VALID"):
    """The sum of a loss over what loss_param says; each: labels an example, counted: labels not ignored."""
    mode = LossParameter.NormalizationMode.Name(param.normalization)
    if not param.HasField("normalization"):
        mode = default
        if param.HasField("normalize"):
            mode = "VALID" if param.normalize else "BATCH_SIZE"
    divisors = {
        "FULL": examples * each,
        "VALID": counted,
        "BATCH_SIZE": examples,
        "NONE": 1,
        "PRE_FIXED": param.pre_fixed_normalizer,
    }
    return np.array(total / max(divisors[mode], 1))


def ignored(param) -> int | None:
    return param.ignore_label if param.HasField("ignore_label") else None


def smooth(d: float) -> float:
    return d * d / 2 if abs(d) < 1 else abs(d) - 0.5


def accuracy(given: Given) -> list[np.ndarray]:
    (x, labels), param = given.bottom, given.param.accuracy_param
    rows = lines(x, param.axis)
    right, seen = np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
    for (i, k), label in zip(
        np.ndindex(rows.shape[0], rows.shape[2]), labels.ravel().astype(int), strict=True
    ):
        if label != ignored(param):
            scores = (-rows[i, :, k] if param.min_is_better else rows[i, :, k]).tolist()
            others = scores[:label] + scores[label + 1 :]
            right[label] += sum(score >= scores[label] for score in others) < param.top_k
            seen[label] += 1
    shares = [r / max(s, 1) for r, s in zip(right, seen, strict=True)]
    return [np.array(right.sum() / seen.sum()), np.array(shares)][: given.tops]


def contrastive(given: Given) -> list[np.ndarray]:
    (a, b, *labels), param = given.bottom, given.param.contrastive_loss_param
    similar = labels[0] if len(labels) == 1 else labels[0] == labels[1]
    total = 0.0
    for i in range(len(a)):
        square = sum((v - w) ** 2 for v, w in zip(a[i].flat, b[i].flat, strict=True))
        if similar.flat[i]:
            total += square
        elif param.legacy_version or len(labels) == 2:
            total += max(param.margin - square, 0)
        else:
            total += max(param.margin - math.sqrt(square), 0) ** 2
    return [np.array(total / len(a) / 2)]


def euclidean(given: Given) -> list[np.ndarray]:
    a, b = given.bottom
    return [np.array(sum((v - w) ** 2 for v, w in zip(a.flat, b.flat, strict=True)) / len(a) / 2)]


def scaled_euclidean(given: Given) -> list[np.ndarray]:
    a, b, scales = given.bottom
    total = sum((s * (v - w)) ** 2 for v, w, s in zip(a.flat, b.flat, scales.flat, strict=True))
    return [np.array(total / a.size / 2)]


def hinge(given: Given) -> list[np.ndarray]:
    x, labels = given.bottom
    power = 2 if given.param.hinge_loss_param.norm == HingeLossParameter.L2 else 1
    total = 0.0
    for i, label in enumerate(labels.ravel().astype(int)):
        for c, score in enumerate(x[i].ravel()):
            total += max(0, 1 - (score if c == label else -score)) ** power
    return [np.array(total / len(x))]


def infogain(given: Given) -> list[np.ndarray]:
    (x, labels, *matrix), param = given.bottom, given.param.infogain_loss_param
    scores = given.tops > 1 or param.HasField("axis") or given.param.HasField("loss_param")
    rows = softmax_lines(x, param.axis) if scores else lines(x, param.axis)
    if matrix:
        gains = matrix[0].reshape(rows.shape[1], -1)
    else:
        gains = np.reshape(BlobProto.FromString(Path(param.source).read_bytes()).data, (rows.shape[1], -1))
    total, counted = 0.0, 0
    for (i, k), label in zip(
        np.ndindex(rows.shape[0], rows.shape[2]), labels.ravel().astype(int), strict=True
    ):
        if label != ignored(given.param.loss_param):
            total -= sum(gain * math.log(p) for gain, p in zip(gains[label], rows[i, :, k], strict=True))
            counted += 1
    loss = divided(total, given.param.loss_param, rows.shape[0], rows.shape[2], counted)
    return [loss, rows.reshape(x.shape)][: given.tops]


def multinomial(given: Given) -> list[np.ndarray]:
    x, labels = given.bottom
    costs = [-math.log(x[i].ravel()[label]) for i, label in enumerate(labels.ravel().astype(int))]
    return [np.array(sum(costs) / len(costs))]


def sigmoid_cross_entropy(given: Given) -> list[np.ndarray]:
    (x, targets), param = given.bottom, given.param.loss_param
    total, counted = 0.0, 0
    for v, target in zip(x.ravel().tolist(), targets.ravel().tolist(), strict=True):
        if int(target) != ignored(param):
            total -= target * math.log(sigmoid(v)) + (1 - target) * math.log(1 - sigmoid(v))
            counted += 1
    return [divided(total, param, len(x), x.size // len(x), counted, default="BATCH_SIZE")]


def smooth_l1_loss(given: Given) -> list[np.ndarray]:
    pred, target, *weights = given.bottom
    inside, outside = [*weights, np.ones(pred.shape), np.ones(pred.shape)][:2]
    sigma = given.param.smooth_l1_loss_param.sigma
    rows = np.zeros((pred.shape[0], *([1] if pred.ndim > 2 else []), *pred.shape[2:]))
    for at in np.ndindex(pred.shape):
        d = inside[at] * sigma**2 * (pred[at] - target[at])
        rows[(at[0], 0, *at[2:]) if pred.ndim > 2 else at[:1]] += outside[at] * smooth(d) / sigma**2
    places = rows.size // len(pred)
    loss = divided(rows.sum(), given.param.loss_param, len(pred), places, rows.size, default="BATCH_SIZE")
    return [loss, rows][: given.tops]


def smooth_l1_loss_ohem(given: Given) -> list[np.ndarray]:
    pred, target, *weights = given.bottom
    rows = np.zeros((pred.shape[0], *([1] if pred.ndim > 2 else []), *pred.shape[2:]))
    for at in np.ndindex(pred.shape):
        d = smooth((weights[0][at] if weights else 1) * (pred[at] - target[at]))
        rows[(at[0], 0, *at[2:]) if pred.ndim > 2 else at[:1]] += d
    places = rows.size // len(pred)
    loss = divided(rows.sum(), given.param.loss_param, len(pred), places, rows.size)
    return [loss, rows]


def softmax_costs(given: Given) -> tuple[np.ndarray, list[float], np.ndarray]:
    """The probabilities, outer x classes x inner; the cost of each label, 0 if ignored; the loss."""
    (x, labels), param = given.bottom, given.param.loss_param
    prob = softmax_lines(x, given.param.softmax_param.axis)
    costs, counted = [], 0
    for (i, k), label in zip(
        np.ndindex(prob.shape[0], prob.shape[2]), labels.ravel().astype(int), strict=True
    ):
        counted += label != ignored(param)
        cost = -math.log(prob[i, label, k]) if label != ignored(param) else 0.0
        if param.weight_by_label_freqs:
            often = int((labels.astype(int) == label).sum())
            cost *= param.class_weighting[label] if param.class_weighting else 1 / often
        costs.append(cost)
    return prob, costs, divided(sum(costs), param, prob.shape[0], prob.shape[2], counted)


def softmax_loss(given: Given) -> list[np.ndarray]:
    prob, costs, loss = softmax_costs(given)
    x, labels = given.bottom
    return [loss, prob.reshape(x.shape), np.reshape(costs, labels.shape)][: given.tops]


def l1_loss(given: Given) -> list[np.ndarray]:
    a, b = given.bottom
    return [np.array(sum(abs(v - w) for v, w in zip(a.flat, b.flat, strict=True)) / len(a))]


def kldiv_loss(given: Given) -> list[np.ndarray]:
    total = 0.0
    for x, fixations in zip(*given.bottom, strict=True):
        shown = x.ravel() / (sum(abs(x.ravel())) + 1e-6)
        wanted = fixations.ravel() / (sum(abs(fixations.ravel())) + 1e-6)
        total += sum(p * math.log(p / (q + 1e-6) + 1e-6) for p, q in zip(wanted, shown, strict=True))
    return [np.array(total / len(given.bottom[0]))]


def nss_loss(given: Given) -> list[np.ndarray]:
    total = 0.0
    for x, fixations in zip(*given.bottom, strict=True):
        total -= sum(a * b for a, b in zip(x.ravel(), fixations.ravel(), strict=True)) / sum(
            abs(fixations.ravel())
        )
    return [np.array(total / len(given.bottom[0]))]


def label_weighted_softmax_loss(given: Given) -> list[np.ndarray]:
    x, labels, weights = given.bottom
    param, each = given.param.loss_param, weights.size // len(x)
    prob, costs, _ = softmax_costs(replace(given, bottom=[x, labels]))
    total = sum(cost * weight for cost, weight in zip(np.ravel(costs), weights.flat, strict=True))
    counted = sum(label != ignored(param) for label in labels.flat)
    axis = range(x.ndim)[given.param.softmax_param.axis]
    outer = math.prod(x.shape[:axis])
    loss = divided(total, param, outer, each * len(x) // outer, counted)
    return [loss, prob.reshape(x.shape)][: given.tops]


def lsro_loss(given: Given) -> list[np.ndarray]:
    (x, labels), param = given.bottom, given.param.loss_param
    prob = softmax_lines(x, given.param.softmax_param.axis)
    total, counted = 0.0, 0
    for (i, k), label in zip(np.ndindex(prob.shape[0], prob.shape[2]), labels.ravel().tolist(), strict=True):
        if int(label) == ignored(param):
            continue
        counted += 1
        costs = [-math.log(p) for p in prob[i, :, k]]
        total += sum(costs) / len(costs) if label < 0 else costs[int(label)]
    loss = divided(total, param, prob.shape[0], prob.shape[2], counted)
    return [loss, prob.reshape(x.shape)][: given.tops]


def balanced_classes(given: Given) -> list[np.ndarray]:
    x, labels = given.bottom
    classes = x.shape[given.param.softmax_param.axis]
    folded = np.where(labels >= classes, 0, labels)
    prob, costs, _ = softmax_costs(replace(given, bottom=[x, folded]))
    counted = [int(v) for v in folded.flat if int(v) != ignored(given.param.loss_param)]
    zeros = counted.count(0)
    share = {True: zeros / len(counted), False: 1 - zeros / len(counted)}
    total = sum(cost * share[label >= 1] for cost, label in zip(costs, folded.flat, strict=True))
    loss = divided(total, given.param.loss_param, prob.shape[0], prob.shape[2], len(counted))
    return [loss, prob.reshape(x.shape)][: given.tops]


def jsd(given: Given) -> list[np.ndarray]:
    x, t = given.bottom
    total = 0.0
    for p, q in zip(x.ravel().tolist(), t.ravel().tolist(), strict=True):
        m = (p + q) / 2
        total += (p * math.log(p / m) if p > 1e-5 else 0) + (q * math.log(q / m) if q > 1e-5 else 0)
    return [np.array(total / 2 / len(x))]


def relevant(given: Given) -> list[np.ndarray]:
    total = 0.0
    for x, t in zip(*given.bottom, strict=True):
        d, half = (x.ravel() - t.ravel()).tolist(), x.size // 2
        for part in (d[:half], d[half:]):
            total += sum((part[i] - part[j]) ** 2 for j in range(len(part)) for i in range(j))
    return [np.array(total / len(given.bottom[0]) / 2)]


NAIVE = {
    "RelevantLoss": relevant,
    "JSDLoss": jsd,
    "SoftmaxWithBalanceLoss": balanced_classes,
    "LSROLoss": lsro_loss,
    "LabelWeightedSoftmaxWithLoss": label_weighted_softmax_loss,
    "Accuracy": accuracy,
    "ContrastiveLoss": contrastive,
    "EuclideanLoss": euclidean,
    "ScaledEuclideanLoss": scaled_euclidean,
    "HingeLoss": hinge,
    "InfogainLoss": infogain,
    "KLDivLoss": kldiv_loss,
    "L1Loss": l1_loss,
    "NSSLoss": nss_loss,
    "MultinomialLogisticLoss": multinomial,
    "SigmoidCrossEntropyLoss": sigmoid_cross_entropy,
    "SmoothL1Loss": smooth_l1_loss,
    "SmoothL1LossOHEM": smooth_l1_loss_ohem,
    "SoftmaxWithLoss": softmax_loss,
    "SoftmaxWithLossOHEM": softmax_loss,
}
