"""Faces and other features: margins, distances, norms."""

from __future__ import annotations

import math

import numpy as np

from caffe_compat.layers.base import TRAIN
from caffe_compat.prototxt.caffe_pb2 import FocalLossParameter
from layers.naive.given import Given, taken
from layers.naive.losses import divided, ignored
from layers.naive.normalization import softmax_lines


def rows_of(x: np.ndarray, axis: int) -> np.ndarray:
    """The axes before `axis` as one, and those from it on."""
    axis = range(x.ndim)[axis]
    return x.reshape(math.prod(x.shape[:axis]), -1)


def with_own(given: Given, change) -> np.ndarray:
    """A copy of bottom[0] with `change` done to the score of each example's label."""
    x, labels = given.bottom
    y = rows_of(x, 1).copy()
    for i, label in enumerate(labels.ravel().astype(int)):
        y[i, label] = change(y[i, label])
    return y.reshape(x.shape)


def center_loss(given: Given) -> list[np.ndarray]:
    if given.param.center_loss_param.HasField("cluster_num"):
        return moving_center_loss(given)
    (x, labels), (centres,), param = given.bottom, given.blobs, given.param.center_loss_param
    total = 0.0
    for row, label in zip(rows_of(x, 1), labels.ravel().astype(int), strict=True):
        for value, centre in zip(row, centres[label], strict=True):
            total += abs(value - centre) if param.distance_type == "L1" else (value - centre) ** 2 / 2
    assert centres.shape == (param.num_output, math.prod(x.shape[range(x.ndim)[param.axis] :]))
    return [np.array(total / len(x))]


def moving_center_loss(given: Given) -> list[np.ndarray]:
    param = given.param.center_loss_param
    assert param.cluster_num > given.bottom[1].max()
    return [np.array(param.loss_weight * (given.bottom[0] ** 2).sum() / len(given.bottom[0]) / 2)]


def shifted(cosine: float, m: float) -> float:
    if cosine <= math.cos(math.pi - m):
        return cosine - m * math.sin(m)
    return math.cos(math.acos(min(cosine, 1)) + m)


def cosin_addm(given: Given) -> list[np.ndarray]:
    m = given.param.cosin_add_m_param.m
    return [with_own(given, lambda cosine: shifted(cosine, m))]


def combined_margin(given: Given) -> list[np.ndarray]:
    param = given.param.combined_margin_param
    return [with_own(given, lambda cosine: math.cos(param.m1 * math.acos(cosine) + param.m2) - param.m3)]


def adacos(given: Given) -> list[np.ndarray]:
    param = given.param.adacos_add_m_scale_param
    x, labels = rows_of(given.bottom[0], 1), given.bottom[1].ravel().astype(int)
    scale = math.sqrt(2) * math.log(param.num_classes - 1)
    angle = sum(math.acos(value) for value in x.flat) / x.size
    total = 0.0
    for row, label in zip(x, labels, strict=True):
        total += sum(1 if c == label else math.exp(scale * value) for c, value in enumerate(row))
    scale = math.log(total / len(x)) / math.cos(min(angle, math.pi / 4))
    return [scale * with_own(given, lambda cosine: shifted(cosine, param.m))]


def label_specific_add(given: Given) -> list[np.ndarray]:
    param = given.param.label_specific_add_param
    bias = param.bias
    if param.HasField("bias_base"):
        bias = param.bias_base + (1 + param.bias_gamma * param.iteration) ** param.bias_power - 1
        bias = min(max(bias, param.bias_min), param.bias_max)
    top = with_own(given, lambda score: score + bias if score > -bias else score)
    return [top, np.array([bias])][: given.tops]


def margin_product(given: Given, param, weights: np.ndarray) -> list[np.ndarray]:
    """The own score is |x| |w| ((-1)^k cos(m angle) - 2 k), k = floor(m angle / pi), mixed with the plain one."""
    x, labels = given.bottom
    axis = range(x.ndim)[param.axis]
    mix = max(param.base * (1 + param.gamma * (param.iteration + 1)) ** -param.power, param.lambda_min)
    m = param.type + 1
    rows = []
    for row, label in zip(rows_of(x, param.axis), labels.ravel().astype(int), strict=True):
        scores = [sum(a * b for a, b in zip(row, w, strict=True)) for w in weights]
        if m > 1:
            size = math.sqrt(sum(row**2) * sum(weights[label] ** 2))
            angle = math.acos(scores[label] / size)
            k = math.floor(m * angle / math.pi)
            margin = size * ((-1) ** k * math.cos(m * angle) - 2 * k)
            scores[label] = (margin + mix * scores[label]) / (1 + mix)
        rows.append(scores)
    return [np.array(rows).reshape(*x.shape[:axis], len(weights)), np.array([mix])][: given.tops]


def large_margin_inner_product(given: Given) -> list[np.ndarray]:
    param = given.param.largemargin_inner_product_param
    assert len(given.blobs[0]) == param.num_output
    return margin_product(given, param, given.blobs[0])


def unit_rows(weights: np.ndarray, safe: float) -> np.ndarray:
    return np.array([[value / math.sqrt(sum(row**2) + safe) for value in row] for row in weights])


def margin_inner_product(given: Given) -> list[np.ndarray]:
    param = given.param.margin_inner_product_param
    assert len(given.blobs[0]) == param.num_output
    return margin_product(given, param, unit_rows(given.blobs[0], 0))


def unit_normalize(given: Given) -> list[np.ndarray]:
    kind = given.param.softmax_param.normalize_type
    if given.param.normalize_param.HasField("normalize_type") or kind == "Softmax":
        kind = given.param.normalize_param.normalize_type
    x = given.bottom[0].reshape(*given.bottom[0].shape, *[1] * (4 - given.bottom[0].ndim))
    norms = np.zeros((len(x), 1, *x.shape[2:]))
    top = np.zeros(x.shape)
    for i, j, k in np.ndindex(len(x), *x.shape[2:]):
        values = x[i, :, j, k].tolist()
        norm = sum(map(abs, values)) + 1e-6 if kind == "L1" else math.sqrt(sum(v * v for v in values) + 1e-6)
        norms[i, 0, j, k] = norm
        top[i, :, j, k] = [v / norm for v in values]
    return [top, norms][: given.tops]


def norm_l2(given: Given) -> list[np.ndarray]:
    (x,) = given.bottom
    rows = [row / math.sqrt(sum(v * v for v in row) + 1e-7) for row in rows_of(x, 1)]
    return [np.reshape(rows, (*x.shape, *[1] * (4 - x.ndim)))]


def norm(given: Given) -> list[np.ndarray]:
    x = given.bottom[0].reshape(*given.bottom[0].shape, *[1] * (4 - given.bottom[0].ndim))
    top = np.zeros(x.shape)
    for i, j, k in np.ndindex(len(x), *x.shape[2:]):
        top[i, :, j, k] = x[i, :, j, k] / (math.sqrt(sum(v * v for v in x[i, :, j, k])) + 1e-6)
    return [top]


def normalized_inner_product(given: Given) -> list[np.ndarray]:
    (x,), (weights, *bias), param = given.bottom, given.blobs, given.param.inner_product_param
    rows = rows_of(x, param.axis)
    unit = unit_rows(weights.reshape(-1, rows.shape[1]), 1e-6).reshape(weights.shape)
    unit = unit.T if param.transpose else unit
    assert len(bias) == param.bias_term and len(unit) == param.num_output
    y = [[sum(a * b for a, b in zip(row, w, strict=True)) for w in unit] for row in rows]
    return [
        (np.array(y) + (bias[0] if bias else 0)).reshape(*x.shape[: range(x.ndim)[param.axis]], len(unit))
    ]


def inner_distance(given: Given) -> list[np.ndarray]:
    x, param = given.bottom[0], given.param.inner_distance_param
    rows = rows_of(x, param.axis)
    assert (len(given.bottom) == 3) == param.update_center_only
    if len(given.bottom) > 1:
        centres = given.bottom[1]
    else:
        centres = given.blobs[0].reshape(-1, rows.shape[1])
        shape = (param.num_output, rows.shape[1])
        assert given.blobs[0].shape == (shape[::-1] if param.transpose else shape)
        centres = unit_rows(centres, 1e-6) if param.normalize else centres
    power = 1 if param.distance_type == "L1" else 2
    y = [[sum(abs(a - b) ** power for a, b in zip(row, c, strict=True)) for c in centres] for row in rows]
    bias = given.blobs[1] if len(given.param.param) > 1 and param.bias_term else np.zeros(len(centres))
    return [np.reshape(y + bias, (*x.shape[: range(x.ndim)[param.axis]], len(centres)))]


def focal_loss(given: Given) -> list[np.ndarray]:
    (x, labels), param = given.bottom, given.param.focal_loss_param
    prob = softmax_lines(x, given.param.softmax_param.axis)
    total, counted = 0.0, 0
    for (i, k), label in zip(
        np.ndindex(prob.shape[0], prob.shape[2]), labels.ravel().astype(int), strict=True
    ):
        if label == ignored(given.param.loss_param):
            continue
        p = prob[i, label, k]
        if param.type == FocalLossParameter.ONEADDP:
            weight = ((param.alpha if param.HasField("alpha") else 1) + p) ** param.gamma
        else:
            weight = param.alpha * (1 - p) ** param.gamma
        total -= weight * math.log(p)
        counted += 1
    loss = divided(total, given.param.loss_param, prob.shape[0], prob.shape[2], counted)
    return [loss, prob.reshape(x.shape)][: given.tops]


def lifted_struct(given: Given) -> list[np.ndarray]:
    x, labels = rows_of(given.bottom[0], 1), given.bottom[1].ravel()
    margin, costs = given.param.lifted_struct_sim_softmax_loss_param.margin, []
    for i in range(len(x)):
        for j in range(i + 1, len(x)):
            if labels[i] == labels[j]:
                others = [k for k in range(len(x)) if labels[k] != labels[i]]
                total = sum(math.exp(margin - math.dist(x[end], x[k])) for end in (i, j) for k in others)
                costs.append(max(math.log(total) + math.dist(x[i], x[j]), 0) ** 2 if total else 0)
    return [np.array(sum(costs) / 2 / max(len(costs), 1))]


def triplet_loss(given: Given) -> list[np.ndarray]:
    total = 0.0
    for a, p, n, *weight in zip(*given.bottom, strict=True):
        gap = ((a - p) ** 2).sum() - ((a - n) ** 2).sum()
        total += max(0, given.param.triplet_loss_param.margin + gap) * (weight[0] if weight else 1)
    return [np.array(total / len(given.bottom[0]) / 2)]


def cosine_similarity_loss(given: Given) -> list[np.ndarray]:
    a, b = given.bottom
    return [np.array(1 - sum(p * q for p, q in zip(a.flat, b.flat, strict=True)) / len(a))]


def general_contrastive_loss(given: Given) -> list[np.ndarray]:
    (x, labels), param = given.bottom, given.param.general_contrastive_loss_param
    loss, near, far = 0.0, [], []
    for row, label in zip(x.reshape(len(x), -1), labels.ravel(), strict=True):
        for j, distance in enumerate(row):
            if j == label:
                near.append(min(max(distance - param.positive_margin, 0), param.positive_outlier_thresh))
                loss += param.positive_weight * near[-1]
                continue
            far.append(max(param.negative_margin - distance, 0))
            cost = math.exp(-distance) if param.exp_negative_weight and far[-1] else far[-1]
            loss += param.negative_weight * cost
    return [np.array(loss / len(x)), np.array([sum(near) / len(near), sum(far) / len(far)])]


def general_triplet_loss(given: Given) -> list[np.ndarray]:
    (x, labels), param = given.bottom, given.param.general_triplet_loss_param
    loss, near, far = 0.0, [], []
    for row, label in zip(x.reshape(len(x), -1), labels.ravel().astype(int), strict=True):
        others = [*row[:label], *row[label + 1 :]]
        costs = [max(row[label] + param.margin - other, 0) for other in others]
        loss += param.negative_weight * (max(costs) if param.hardest_only else sum(costs))
        near.append(row[label])
        far += others
    return [np.array(loss / len(x)), np.array([sum(near) / len(near), sum(far) / len(far)])]


def label_specific_rescale(given: Given) -> list[np.ndarray]:
    (x, labels), param = given.bottom, given.param.label_specific_rescale_param
    top = x.reshape(len(x), -1).copy()
    for row, label in zip(top, labels.ravel(), strict=True):
        for j, score in enumerate(row.tolist()):
            if given.phase == TRAIN or param.rescale_test:
                stays = param.for_ip and score <= 0
                own = score if stays else param.positive_weight * score
                row[j] = own if j == label else param.negative_weight * score
    return [top.reshape(x.shape)]


def kernel_loss(given: Given) -> list[np.ndarray]:
    a, b, first, second = given.bottom
    total = 0.0
    for i in range(len(a)):
        squares = sum((p - q) ** 2 for p, q in zip(a[i].ravel(), b[i].ravel(), strict=True))
        cost = 1 - math.exp(-squares / (2 * given.param.kernel_loss_param.sigma_sq))
        total += -cost if first.ravel()[i] == second.ravel()[i] else cost
    return [np.array(total / len(a))]


def fappy_loss(given: Given) -> list[np.ndarray]:
    cosines, labels = given.bottom
    labels = labels.ravel().tolist()
    pairs = [(i, j) for i in range(len(labels)) for j in range(i + 1, len(labels))]
    of = dict(zip(pairs, cosines.ravel().tolist(), strict=True))
    loss, width = 0.0, 2.0
    while width >= given.param.fappy_loss_param.delta:
        counted = 0
        for i, j in pairs:
            if labels[i] != labels[j] or 1 - of[i, j] < width:
                continue
            counted += 1
            others = [k for k in range(len(labels)) if labels[k] != labels[i]]
            bins = math.ceil(2 / width) + 2
            for one in (i, j):
                histogram = np.zeros(bins)
                for k in others:
                    place = (of[min(one, k), max(one, k)] + 1) / width
                    histogram[int(place)] += (int(place) + 1 - place) / len(others)
                    histogram[int(place) + 1] += (place - int(place)) / len(others)
                place = (of[i, j] + 1) / width
                loss += (int(place) + 1 - place) * histogram[int(place) :].sum()
                loss += (place - int(place)) * histogram[int(place) + 1 :].sum()
        loss = loss / max(counted, 1) / 2
        width /= 2
    return [np.array(loss)]


def ps(given: Given) -> list[np.ndarray]:
    (x,) = given.bottom
    n, c, rows, columns = x.shape
    first, parts = rows // 4, []
    for part in range(4):
        height = first if part < 3 else rows - 3 * first
        parts.append(
            taken(
                (n, c, height, columns),
                lambda at, start=part * first: x[at[0], at[1], start + at[2], at[3]],
            )
        )
    return parts


NAIVE = {
    "PS": ps,
    "FAPPYLoss": fappy_loss,
    "KernelLoss": kernel_loss,
    "GeneralContrastiveLoss": general_contrastive_loss,
    "GeneralTripletLoss": general_triplet_loss,
    "LabelSpecificRescale": label_specific_rescale,
    "CosineSimilarityLoss": cosine_similarity_loss,
    "AdaCosAddmScale": adacos,
    "CenterLoss": center_loss,
    "CombinedMargin": combined_margin,
    "CosinAddm": cosin_addm,
    "FocalLoss": focal_loss,
    "InnerDistance": inner_distance,
    "LabelSpecificAdd": label_specific_add,
    "LargeMarginInnerProduct": large_margin_inner_product,
    "MarginInnerProduct": margin_inner_product,
    "MovingCenterLoss": moving_center_loss,
    "LiftedStructSimilaritySoftmaxLoss": lifted_struct,
    "Norm": norm,
    "NormL2": norm_l2,
    "NormalizedInnerProduct": normalized_inner_product,
    "TripletLoss": triplet_loss,
    "UnitNormalize": unit_normalize,
}
