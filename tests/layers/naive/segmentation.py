"""Layers of nets that say something of each pixel."""

from __future__ import annotations

import math

import numpy as np

from caffe_compat.prototxt.caffe_pb2 import UnpoolingParameter
from layers.naive.given import Given, like
from layers.naive.neurons import sigmoid
from layers.naive.normalization import softmax_lines

F = np.float32


def seg_accuracy(given: Given) -> list[np.ndarray]:
    (x, labels), ignored = given.bottom, given.param.seg_accuracy_param.ignore_label
    classes = range(x.shape[1])
    pairs = []
    for n, h, w in np.ndindex(x.shape[0], *x.shape[2:]):
        label = int(labels[n, 0, h, w])
        if label not in ignored:
            pairs.append((label, max(classes, key=lambda c: (x[n, c, h, w], c))))
    recalls, jaccards = [], []
    for c in classes:
        right = sum(label == guess == c for label, guess in pairs)
        either = sum(c in pair for pair in pairs)
        occurs = sum(label == c for label, _ in pairs)
        recalls += [right / occurs] if occurs else []
        jaccards.append(right / either if either else 1)
    accuracy = sum(label == guess for label, guess in pairs) / len(pairs)
    return [np.reshape([accuracy, sum(recalls) / len(recalls), sum(jaccards) / len(jaccards)], (1, 1, 1, 3))]


def precision_recall(given: Given) -> list[np.ndarray]:
    param = given.param.precision_recall_param
    counts = {(found, true): 0 for found in (False, True) for true in (False, True)}
    for x, label in zip(*(blob.ravel().tolist() for blob in given.bottom), strict=True):
        if not (param.HasField("ignore_label") and int(label) == param.ignore_label):
            counts[x >= param.thresh, int(label) != 0] += 1
    hits, misses = counts[True, True], counts[False, True]
    false, passed = counts[True, False], counts[False, False]
    precision, recall = hits / (hits + false), hits / (hits + misses)
    accuracy, rate = (hits + passed) / sum(counts.values()), passed / (passed + false)
    measure = 2 * precision * recall / (precision + recall)
    return [np.array(value) for value in (precision, recall, accuracy, rate, measure)]


def balanced(given: Given) -> list[np.ndarray]:
    (x, targets), param = given.bottom, given.param.sigmoid_cross_entropy_balance_loss_param
    total = 0.0
    for scores, image in zip(x, targets, strict=True):
        positives, negatives = int((image == 1).sum()), int((image == 0).sum())
        for v, t in zip(scores.ravel().tolist(), image.ravel().tolist(), strict=True):
            if t == 1:
                total -= negatives / (positives + negatives) * math.log(sigmoid(v))
            if t == 0:
                weight = param.negative_weight * positives / (positives + negatives)
                total -= weight * math.log(1 - sigmoid(v))
    return [np.array(total / len(x))]


def weighted_fmeasure(given: Given) -> list[np.ndarray]:
    param = given.param.weighted_fmeasure_loss_param
    images = range(len(given.bottom[0])) if param.avg_fm else [slice(None)]
    losses, measures = [], []
    for n in images:
        rows = list(zip(*(blob[n].ravel().tolist() for blob in given.bottom), strict=True))
        if param.margin < 0.5:
            rows = [(t if abs(t - x) <= 0.5 - param.margin else x, t, r, p) for x, t, r, p in rows]
        hits = sum(x * t * r for x, t, r, _ in rows)
        precision = sum(x * t * p for x, t, _, p in rows) / sum(x * p for x, _, _, p in rows)
        if not hits:
            squares = sum(p * (t - x) ** 2 for x, t, _, p in rows) / sum(row[3] for row in rows)
            losses.append(param.mse_lambda / 2 * squares)
            measures.append(0.0)
            continue
        recall = hits / sum(t * r for _, t, r, _ in rows)
        measures.append(2 * recall * precision / (recall + precision))
        losses.append(1 - measures[-1])
    return [np.array(sum(losses) / len(losses)), np.reshape(measures, (-1, 1))][: given.tops]


def dice(given: Given) -> list[np.ndarray]:
    total = 0.0
    for a, b in zip(*given.bottom, strict=True):
        both = sum(v * w for v, w in zip(a.flat, b.flat, strict=True))
        total += (2 * both + 1) / (sum(v * v for v in a.flat) + sum(w * w for w in b.flat) + 1)
    return [np.array(1 - total / len(given.bottom[0]))]


def unpooling(given: Given) -> list[np.ndarray]:
    (x, *masks), param = given.bottom, given.param.unpooling_param
    kernel = (param.kernel_h, param.kernel_w) if param.HasField("kernel_h") else (param.kernel_size,) * 2
    stride = (param.stride_h, param.stride_w) if param.HasField("stride_h") else (param.stride,) * 2
    sizes = [k * (n + 1) - s for k, n, s in zip(kernel, x.shape[2:], stride, strict=True)]
    if param.HasField("unpool_size"):
        sizes = [param.unpool_size] * 2
    if param.HasField("unpool_h"):
        sizes = [param.unpool_h, param.unpool_w]
    if param.scale:
        sizes = [param.scale * n for n in x.shape[2:]]
    if param.HasField("output_h"):
        sizes = [param.output_h, param.output_w]
    top = np.zeros((*x.shape[:2], *sizes))
    for n, c, h, w in np.ndindex(x.shape):
        first = h * stride[0], w * stride[1]
        window = [
            (i, j)
            for i in range(first[0], min(first[0] + kernel[0], sizes[0]))
            for j in range(first[1], min(first[1] + kernel[1], sizes[1]))
        ]
        if param.unpool == UnpoolingParameter.MAX:
            place = min(first[0], sizes[0] - 1), min(first[1], sizes[1] - 1)
            if masks:
                place = divmod(int(masks[0][n, c, h, w]), sizes[1])
            top[(n, c, *place)] = x[n, c, h, w]
            continue
        share = len(window) if param.unpool == UnpoolingParameter.AVE else 1
        for place in window:
            top[(n, c, *place)] += x[n, c, h, w] / share
    return [top]


def quantize(given: Given) -> list[np.ndarray]:
    x = given.bottom[0]
    classes = [0 if v < 1 or v >= 200 else 1 + (v >= 12) + (v >= 36) + (v >= 80) for v in x.ravel().tolist()]
    return [like(classes, x)]


def rescale(given: Given) -> list[np.ndarray]:
    (x,), field = given.bottom, given.param.rescale_param.rf
    within = [v < field and abs(v) > 1e-4 for v in x.ravel().tolist()]
    values = [2 * v / field - 1 if w else 0 for v, w in zip(x.ravel().tolist(), within, strict=True)]
    return [like(values, x), like(within, x)][: given.tops]


class PlainLattice:
    """The permutohedral lattice of a few pixels, with a dict for a hash table."""

    def __init__(self, features: np.ndarray):
        self.points: dict[tuple[int, ...], int] = {}
        self.pixels = [self.simplex(row.astype(F)) for row in features]

    def simplex(self, feature: np.ndarray) -> list[tuple[int, float]]:
        """The lattice points around a pixel, and what each weighs."""
        d = len(feature)
        deviation = float(F(math.sqrt(2 / 3) * (d + 1)))
        total, elevated = F(0), [F(0)] * (d + 1)
        for j in range(d, 0, -1):
            part = feature[j - 1] * F(1 / math.sqrt(j * (j + 1)) * deviation)
            elevated[j] = total - F(j) * part
            total += part
        elevated[0] = total
        rounded = [int(np.rint(v * F(1 / (d + 1)))) for v in elevated]
        away = [F(v) - F(r * (d + 1)) for v, r in zip(elevated, rounded, strict=True)]
        order = sorted(range(d + 1), key=lambda i: (-away[i], i))
        rank = [order.index(i) + sum(rounded) for i in range(d + 1)]
        origin = [r * (d + 1) for r in rounded]
        for i in range(d + 1):
            wraps = (rank[i] < 0) - (rank[i] > d)
            rank[i] += wraps * (d + 1)
            origin[i] += wraps * (d + 1)
        sorted_away = [0.0] * (d + 1)
        for i in range(d + 1):
            sorted_away[rank[i]] = (elevated[i] - F(origin[i])) * F(1 / (d + 1))
        corners = []
        for k in range(d + 1):
            key = tuple(o + (k if r <= d - k else k - d - 1) for o, r in zip(origin, rank, strict=True))
            weight = sorted_away[d - k] - sorted_away[d - k + 1] if k else 1 + sorted_away[d] - sorted_away[0]
            corners.append((self.points.setdefault(key, len(self.points)), float(weight)))
        return corners

    def filter(self, values: list[float]) -> np.ndarray:
        field = dict.fromkeys(self.points, 0.0)
        keys = list(self.points)
        for value, corners in zip(values, self.pixels, strict=True):
            for point, weight in corners:
                field[keys[point]] += weight * value
        axes = len(keys[0])
        for j in range(axes):
            move = [axes - 1 if i == j else -1 for i in range(axes)]
            old = dict(field)
            for key in keys:
                ahead, behind = (
                    old.get(tuple(k + sign * m for k, m in zip(key, move, strict=True)), 0.0)
                    for sign in (1, -1)
                )
                field[key] = old[key] + 0.5 * (ahead + behind)
        alpha = 1 / (1 + 2.0 ** (1 - axes))
        return np.array([alpha * sum(w * field[keys[p]] for p, w in corners) for corners in self.pixels])


def meanfield(given: Given) -> list[np.ndarray]:
    unary, q, images = given.bottom
    param = (
        given.param.multi_stage_meanfield_au3_param
        if given.param.type == "MultiStageMeanfieldAU3"
        else given.param.multi_stage_meanfield_param
    )
    spatial, bilateral, compatibility = (blob[0, 0] for blob in given.blobs)
    places = np.array([(w, h) for h, w in np.ndindex(unary.shape[2:])], F)
    top = np.zeros(unary.shape)
    for n, image in enumerate(images):
        colours = (image.reshape(len(image), -1).T.astype(F)) / F(param.theta_beta)
        lattices = [
            PlainLattice(places / F(param.theta_gamma)),
            PlainLattice(np.hstack([places / F(param.theta_alpha), colours])),
        ]
        norms = [lattice.filter([1.0] * len(places)) for lattice in lattices]
        scores = q[n].reshape(unary.shape[1], -1)
        for _ in range(param.num_iterations):
            prob = softmax_lines(scores[None], 1)[0]
            near, alike = (
                np.array([lattice.filter(list(row)) / norm for row in prob])
                for lattice, norm in zip(lattices, norms, strict=True)
            )
            message = spatial @ near + bilateral @ alike
            scores = unary[n].reshape(scores.shape) - compatibility @ message
        top[n] = scores.reshape(unary.shape[1:])
    return [top]


NAIVE = {
    "DiceCoefLoss": dice,
    "MultiStageMeanfield": meanfield,
    "MultiStageMeanfieldAU3": meanfield,
    "PR": precision_recall,
    "Quantize": quantize,
    "Rescale": rescale,
    "SegAccuracy": seg_accuracy,
    "SigmoidCrossEntropyBalanceLoss": balanced,
    "Unpooling": unpooling,
    "WeightedFmeasureLoss": weighted_fmeasure,
}
