"""Layers that the Caffes of single papers have."""

from __future__ import annotations

import itertools
import math

import numpy as np

from caffe_compat.layers.base import TRAIN
from caffe_compat.rng import Rng
from layers.naive.given import Given, taken
from layers.naive.normalization import softmax_lines


def rows(x: np.ndarray) -> list[list[float]]:
    return x.reshape(len(x), -1).tolist()


def dot(a, b) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def sum_pooling(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.sum_pooling_param
    assert param.pool == param.SUM
    sizes, kernel, stride = x.shape[2:], [param.kernel_size] * 2, [param.stride] * 2
    if param.HasField("kernel_h"):
        kernel, stride = [param.kernel_h, param.kernel_w], [param.stride_h, param.stride_w]
    if param.global_pooling:
        kernel = list(sizes)
    counts = [math.ceil((n - k) / s) + 1 for n, k, s in zip(sizes, kernel, stride, strict=True)]

    def window(at):
        spans = [
            range(i * s, min(i * s + k, n)) for i, k, s, n in zip(at[2:], kernel, stride, sizes, strict=True)
        ]
        return sum(x[at[0], at[1], h, w] for h, w in itertools.product(*spans))

    return [taken((*x.shape[:2], *counts), window)]


def division(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.division_param
    return [
        taken(
            (*x.shape[:2], param.height, param.width),
            lambda at, p=p: x[at[0], at[1], at[2] + p[0], at[3] + p[1]],
        )
        for p in zip(param.ycoord, param.xcoord, strict=True)
    ]


def combination(given: Given) -> list[np.ndarray]:
    param, last = given.param.combination_param, given.bottom[-1].shape
    top = np.zeros((*last[:2], param.ycoord[-1] + last[2], param.xcoord[-1] + last[3]))
    for x, row, column in zip(given.bottom, param.ycoord, param.xcoord, strict=True):
        for n, c, h, w in np.ndindex(x.shape):
            top[n, c, h + row, w + column] = x[n, c, h, w]
    return [top]


def products(x: np.ndarray, weights: np.ndarray, axis: int, bias=None) -> np.ndarray:
    inputs = x.reshape(-1, math.prod(x.shape[axis:])).tolist()
    bias = np.zeros(len(weights)) if bias is None else bias
    values = [[dot(row, w) + b for w, b in zip(weights, bias, strict=True)] for row in inputs]
    return np.reshape(values, (*x.shape[:axis], len(weights)))


def linear_transform(given: Given) -> list[np.ndarray]:
    (x,), (weights,) = given.bottom, given.blobs
    assert len(weights) == given.param.linear_transform_param.num_output
    return [products(x, weights, given.param.linear_transform_param.axis)]


def fuse_inner_product(given: Given) -> list[np.ndarray]:
    (x,), (weights, *bias), param = given.bottom, given.blobs, given.param.inner_product_param
    assert len(bias) == param.bias_term and len(weights) == param.num_output
    return [products(x, weights, param.axis, *bias)] * 2


def semi_contrast_loss(given: Given) -> list[np.ndarray]:
    images, texts, labels = (rows(x) for x in given.bottom)
    margin, total = given.param.semicontrast_loss_param.margin, 0.0
    for (image, a), (text, b) in itertools.product(
        zip(images, labels, strict=True), zip(texts, labels, strict=True)
    ):
        distance = math.dist(image, text)
        total += distance**2 if a == b else max(0, margin - distance) ** 2
    return [np.array(total / 2 / len(images))]


def ranking_loss(given: Given) -> list[np.ndarray]:
    param, total = given.param.ranking_loss_param, 0.0
    scores, labels = rows(given.bottom[0]), given.bottom[1].ravel()
    for row, label in zip(scores, labels, strict=True):
        costs = [max(0, param.margin - row[int(label)] + s) for i, s in enumerate(row) if i != label]
        violated = [cost for cost in costs if cost > 0]
        total += sum(violated[:1] if param.trunc else violated)
    return [np.array(total / len(scores))]


def matrix_prod(given: Given) -> list[np.ndarray]:
    left, right = given.bottom
    shared = left.shape[0] == 1

    def element(at):
        b, k, n = at
        matrix = right[k] if shared else right[b]
        return dot(left[b, k], matrix[:, n])

    return [taken((*left.shape[:2], right.shape[2]), element)]


def similarity(given: Given) -> list[np.ndarray]:
    left, right = (rows(x) for x in given.bottom)
    return [np.array([[dot(a, b) for b in right] for a in left])]


def hashing_loss(given: Given) -> list[np.ndarray]:
    (codes, labels), param = map(rows, given.bottom), given.param.hashing_loss_param
    several = len(labels[0]) > 1
    count, total = len(codes), 0.0
    for i in range(count):
        for j in range(i + 1, count):
            distance = sum((a - b) ** 2 for a, b in zip(codes[i], codes[j], strict=True))
            same = dot(labels[i], labels[j]) > 0 if several else int(labels[i][0]) == int(labels[j][0])
            total += distance if same else max(0, param.bi_margin - distance)
    away = sum(abs(abs(value) - 1) for code in codes for value in code)
    return [np.array(total / (count * (count - 1)) + param.tradeoff * away / count)]


def word_sum(given: Given) -> list[np.ndarray]:
    (x,), (weights, *bias), param = given.bottom, given.blobs, given.param.word_sum_param
    assert len(bias) == param.bias_term
    size = x.shape[2]

    def element(at):
        b, k, n = at
        return dot(weights[k], x[b, :, n]) + (bias[0][k * size + n] if bias else 0)

    return [taken((len(x), param.num_output, size), element)]


def rank_hard_loss(given: Given) -> list[np.ndarray]:
    param, rng = given.param.rank_param, Rng(given.seed)
    features, labels = rows(given.bottom[0]), given.bottom[1].ravel()

    def gap(a, b, c):
        return max(0, param.margin - dot(features[a], features[a + 1]) + dot(features[b], features[c]))

    def shuffled(items):
        for i in range(1, len(items)):
            j = rng.draw() % (i + 1)
            items[i], items[j] = items[j], items[i]
        return items

    total = 0.0
    for a in range(0, len(features), param.pair_size):
        able = [j for j in range(len(features)) if labels[j] != labels[a] and gap(a, a, j) > 0]
        able.sort(key=lambda j: -dot(features[a], features[j]))
        if len(able) > param.neg_num:
            hard, rest = shuffled(able[: param.neg_num]), able[param.neg_num :]
            hard_num = int(param.neg_num * param.hard_ratio)
            rest = shuffled(rest + hard[hard_num:])
            able = hard[:hard_num] + rest[: int(param.neg_num * param.rand_ratio)]
        total += sum(gap(a, a, j) + gap(a, a + 1, j) for j in able)
    return [np.array(total / (param.neg_num * len(features) // param.pair_size * 2))]


def pairwise_loss(given: Given) -> list[np.ndarray]:
    param, total, weights = given.param.pairwise_param, 0.0, 0.0
    codes, labels, others, their_labels = (rows(x) for x in given.bottom)
    for (a, own), (b, their) in itertools.product(
        zip(codes, labels, strict=True), zip(others, their_labels, strict=True)
    ):
        shared = dot(own, their)
        if shared >= len(own):
            continue
        similar, p = shared > 0, param.sigmoid_param * dot(a, b)
        weight = param.class_num if similar else 1
        cost = math.log(1 + math.exp(p)) - p * similar
        if 0 <= param.l_threshold <= p:
            cost = 0 if similar else p
        total, weights = total + weight * cost, weights + weight
    return [np.array(total / weights if param.l_lambda > 0 else 0.0)]


def quantization_loss(given: Given) -> list[np.ndarray]:
    x = given.bottom[0]
    return [np.array(sum(math.log(math.cosh(abs(v) - 1)) for v in x.flat) / x.size)]


def scale_tanh(given: Given) -> list[np.ndarray]:
    param = given.param.scale_tanh_param
    scale = param.init_scale
    if given.phase == TRAIN and param.step_size == 1:
        scale *= (1 + param.gamma) ** param.power
    return [np.vectorize(math.tanh)(scale * given.bottom[0])]


def l2_norm(given: Given) -> list[np.ndarray]:
    x, eps = given.bottom[0], given.param.l2norm_param.eps
    return [np.reshape([[v / (math.sqrt(dot(row, row)) + eps) for v in row] for row in rows(x)], x.shape)]


def bilinear(plane: np.ndarray, h: float, w: float) -> float:
    total = 0.0
    for y, x in itertools.product(range(plane.shape[0]), range(plane.shape[1])):
        total += max(0, 1 - abs(h - y)) * max(0, 1 - abs(w - x)) * plane[y, x]
    return total


def psroi_align(given: Given) -> list[np.ndarray]:
    (maps, rois), param = given.bottom, given.param.psroi_align_param
    group, count, sizes = param.group_size, param.sample_num, maps.shape[2:]

    def places(low, high, bin, size):
        start, end = low * param.spatial_scale, (high + 1) * param.spatial_scale
        length = max(end - start, 0.1) / group
        near, far = (min(max(start + i * length, 0), size - 1) for i in (bin, bin + 1))
        found = [near + i * length / (count + 1) for i in range(1, count + 1)]
        return [place for place in found if place < far]

    def bin(at):
        r, d, i, j = at
        image, x1, y1, x2, y2 = rois[r]
        plane = maps[int(image), (d * group + i) * group + j]
        samples = itertools.product(places(y1, y2, i, sizes[0]), places(x1, x2, j, sizes[1]))
        return sum(bilinear(plane, h, w) for h, w in samples) / count**2

    return [taken((len(rois), param.output_dim, group, group), bin)]


def round_away(value: float) -> int:
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def roi_average_pooling(given: Given) -> list[np.ndarray]:
    return roi_bins(given, lambda bin: np.mean(bin))


def roi_sparse_pooling(given: Given) -> list[np.ndarray]:
    return roi_bins(given, lambda bin: bin[::2, ::2].max())


def roi_bins(given: Given, pooled) -> list[np.ndarray]:
    """Of each bin what `pooled` makes of its pixels, rows x columns; 0 where there are none."""
    (maps, rois), param = given.bottom, given.param.roi_pooling_param

    def span(low, high, index, bins, limit):
        first, last = (round_away(v * param.spatial_scale) for v in (low, high))
        size = max(last - first + 1, 1) / bins
        return range(
            max(math.floor(index * size) + first, 0), min(math.ceil((index + 1) * size) + first, limit)
        )

    def bin(at):
        r, c, i, j = at
        image, x1, y1, x2, y2 = rois[r]
        hs = span(y1, y2, i, param.pooled_h, maps.shape[2])
        ws = span(x1, x2, j, param.pooled_w, maps.shape[3])
        values = np.array([[maps[int(image), c, h, w] for w in ws] for h in hs])
        return pooled(values) if values.size else 0.0

    return [taken((len(rois), maps.shape[1], param.pooled_h, param.pooled_w), bin)]


def multi_roi_pooling(given: Given) -> list[np.ndarray]:
    (maps, landmarks), param = given.bottom, given.param.multi_roi_pooling_param
    size, limits = (param.pooled_h, param.pooled_w), maps.shape[2:]

    def element(at, top):
        n, c, h, w = at
        x, y = (v * param.spatial_scale - k // 2 for v, k in zip(landmarks[n, top], size[::-1], strict=True))
        h, w = round_away(y) + h, round_away(x) + w
        return maps[n, c, h, w] if 0 <= h < limits[0] and 0 <= w < limits[1] else 0.0

    return [
        taken((*maps.shape[:2], *size), lambda at, top=top: element(at, top)) for top in range(param.top_num)
    ]


def weighted_softmax_with_loss(given: Given) -> list[np.ndarray]:
    (x, labels, *weights), param = given.bottom, given.param.softmax_param
    loss_param, chances = given.param.loss_param, softmax_lines(x, param.axis)
    outer, _, inner = chances.shape
    total, counted = 0.0, 0
    for (n, i), label in zip(np.ndindex(outer, inner), labels.ravel(), strict=True):
        if loss_param.HasField("ignore_label") and label == loss_param.ignore_label:
            continue
        weight = 1.0
        if weights:
            weight = weights[0].ravel()[n * inner + i if weights[0].size > outer else n]
        elif param.label_id:
            weight = next(
                (s for k, s in zip(param.label_id, param.label_scale, strict=True) if k == label), 1
            )
        elif label == param.pos_cid:
            weight = param.pos_mult
        total -= weight * math.log(chances[n, int(label), i])
        counted += 1
    if loss_param.HasField("normalization"):
        counted = loss_param.pre_fixed_normalizer
    elif loss_param.HasField("normalize"):
        counted = outer
    return [np.array(total / max(counted, 1)), chances.reshape(x.shape)][: given.tops]


def triplet_set_loss(given: Given) -> list[np.ndarray]:
    param, features, total = given.param.triplet_loss_param, rows(given.bottom[0]), 0.0
    size = param.num_triplets + 2
    for start in range(0, len(features), size):
        a, p, *negatives = features[start : start + size]
        near = math.dist(a, p) ** 2
        total += near if param.use_pair or not param.HasField("use_pair") else 0
        for n in negatives:
            far = math.dist(a, n) ** 2
            cost = param.margin + near - far if param.losstype == 0 else 1 - far / (near + param.margin)
            total += max(0, cost)
    return [np.array(total / 2 / (len(features) // size))]


def multi_channel_sigmoid(given: Given, reweighted: bool = False) -> list[np.ndarray]:
    x, labels = given.bottom
    words = labels.astype(np.float32).view(np.uint32)
    total = 0.0
    for n in range(len(x)):
        pixels = [at for at in np.ndindex(x.shape[2:]) if not int(words[(n, -1, *at)]) >> 31]
        share = sum(any(words[(n, k, *at)] for k in range(words.shape[1])) for at in pixels) / max(
            len(pixels), 1
        )
        for at in pixels:
            for k in range(x.shape[1]):
                there, score = int(words[(n, k // 32, *at)]) >> k % 32 & 1, x[(n, k, *at)]
                weight = (1 - share if there else share) if reweighted else 1
                total += weight * math.log(1 + math.exp(-score if there else score))
    return [np.array(total / len(x))]


def even_dist_loss(given: Given) -> list[np.ndarray]:
    columns = list(zip(*rows(given.bottom[0]), strict=True))
    shares = [sum(v > 0.5 for v in column) / len(column) for column in columns]
    return [np.array(sum((s - 0.5) ** 2 for s in shares) / 2 / len(given.bottom[0]))]


def min_quantize_loss(given: Given) -> list[np.ndarray]:
    x = given.bottom[0]
    return [np.array(sum(((v > 0.5) - v) ** 2 for v in x.flat) / 2 / len(x))]


def transform_loss(given: Given) -> list[np.ndarray]:
    a, b, u, v = (rows(x) for x in given.bottom)
    total = sum(math.dist(*codes) ** 2 * w[0] * z[0] for *codes, w, z in zip(a, b, u, v, strict=True))
    return [np.array(total / 2 / len(a))]


def classes_of(given: Given) -> list[list[list[float]]]:
    features = rows(given.bottom[0])
    return [features[i : i + 2] for i in range(0, len(features), 2)]


def mean_of(points: list[list[float]]) -> list[float]:
    return [sum(values) / len(points) for values in zip(*points, strict=True)]


def var_loss(given: Given) -> list[np.ndarray]:
    total = sum(math.dist(x, mean_of(points)) ** 2 for points in classes_of(given) for x in points)
    return [np.array(total / 2 / len(given.bottom[0]))]


def set_loss2(given: Given) -> list[np.ndarray]:
    means = [mean_of(points) for points in classes_of(given)]
    alpha, pairs = given.param.set_loss2_param.alpha, list(itertools.combinations(means, 2))
    return [np.array(sum(max(0, alpha - math.dist(a, b) ** 2 / 4) for a, b in pairs) / len(pairs))]


def netvlad(given: Given) -> list[np.ndarray]:
    (shares, x), (centres,), param = given.bottom, given.blobs, given.param.netvlad_param

    def element(at):
        n, k, d = at
        return sum(shares[n, k, h, w] * (x[n, d, h, w] + centres[k, d]) for h, w in np.ndindex(x.shape[2:]))

    top = taken((len(x), param.cluster_num, param.local_dim), element)
    return [top.reshape(len(x), param.vlad_dim)]


def intranorm(given: Given) -> list[np.ndarray]:
    x, parts = given.bottom[0], given.param.intranorm_param.cluster_num
    values = x.reshape(len(x) * parts, -1)
    return [np.reshape([[v / math.sqrt(dot(row, row) + 1e-12) for v in row] for row in values], x.shape)]


def spfilter(given: Given) -> list[np.ndarray]:
    *maps, one = given.bottom
    return [taken(x.shape, lambda at, x=x: x[at] * one[at[0]].flat[at[2] * x.shape[3] + at[3]]) for x in maps]


def filter_sum(given: Given) -> list[np.ndarray]:
    x, numbers = given.bottom
    return [
        taken(
            (len(x), 1, *x.shape[2:]),
            lambda at: dot(numbers[at[0]].ravel(), x[(at[0], slice(None), *at[2:])]),
        )
    ]


def linear_sum(given: Given) -> list[np.ndarray]:
    x, one = given.bottom
    return [taken(x.shape[:2], lambda at: dot(np.ravel(x[at]), np.ravel(one[at[0], 0])))]


def cosine_similarity_batch(given: Given) -> list[np.ndarray]:
    param, labels = given.param.cosine_similarity_batch_param, given.bottom[1].ravel()
    numbered = list(zip(rows(given.bottom[0]), labels, strict=True))
    pairs = list(itertools.combinations(numbered, 2))
    cosines = [dot(a, b) / math.sqrt(dot(a, a) * dot(b, b)) for (a, _), (b, _) in pairs]
    kinds = [int(param.pos_label if k == m else param.neg_label) for (_, k), (_, m) in pairs]
    return [np.reshape(values, (-1, 1, 1, 1)) for values in (cosines, kinds)]


def convert(given: Given) -> list[np.ndarray]:
    (x,) = given.bottom
    wide = x.shape[-1]
    maps = x.reshape(*x.shape[:2], wide)
    steps = np.array([[[row[t] for row in image] for image in maps] for t in range(wide)])
    return [steps, np.array([[min(t, 1)] * len(x) for t in range(wide)])][: given.tops]


def reverse_time(given: Given) -> list[np.ndarray]:
    x, lengths = given.bottom

    def element(at):
        t, n, *rest = at
        if t < lengths[n]:
            return x[(int(lengths[n]) - 1 - t, n, *rest)]
        return x[at] if given.param.reverse_time_param.copy_remaining else 0.0

    return [taken(x.shape, element)]


def mask(given: Given) -> list[np.ndarray]:
    x, marks = given.bottom
    pixels = [x[0, :, h, w] for h, w in np.ndindex(marks.shape[2:]) if marks[0, 0, h, w] >= 1]
    return [np.reshape(pixels, (len(pixels), x.shape[1], 1, 1))]


def smooth_pooling(given: Given) -> list[np.ndarray]:
    """The weights max(v - t, 0) that add up to z, with t found by halving."""
    (x, *smooth), param = given.bottom, given.param.smooth_pooling_param
    assert param.has_smooth_blobs != bool(smooth)
    top, shown = np.zeros((*x.shape[:2], 1, 1)), np.zeros(x.shape)
    for n, c in np.ndindex(x.shape[:2]):
        numbers = smooth[0].reshape(len(x), -1)[n] if smooth else given.blobs[0].ravel()
        mu = max(numbers[0 if param.unique_smooth else c], 0.01)
        values = x[n, c].ravel().tolist()
        if param.max_value > max(0, *values):
            values.append(param.max_value)
        low, high = min(values) / mu - param.z, max(values) / mu
        for _ in range(100):
            middle = (low + high) / 2
            total = sum(max(v / mu - middle, 0) for v in values)
            low, high = (middle, high) if total > param.z else (low, middle)
        weights = [max(v / mu - low, 0) for v in values]
        top[n, c] = dot(weights, values) - (0 if param.fix_smooth else mu / 2 * dot(weights, weights))
        shown[n, c] = np.reshape(weights[: x[n, c].size], x.shape[2:])
    return [top, shown]


def sparsify(given: Given) -> list[np.ndarray]:
    x, threshold = given.bottom[0], given.param.sparsify_param.thre
    return [taken(x.shape, lambda at: math.copysign(max(abs(x[at]) - threshold, 0), x[at]))]


def eliwise_product(given: Given) -> list[np.ndarray]:
    (x,), axis = given.bottom, given.param.eliwise_product_param.axis
    values = [v * given.blobs[0][0] for v in x.ravel()]
    return [np.array(values).reshape(*x.shape[:axis], math.prod(x.shape[axis:]))]


def gating_inner_product(given: Given) -> list[np.ndarray]:
    answers, gates = given.bottom[0], given.bottom[1].reshape(len(given.bottom[1]), -1)
    outputs = given.param.inner_product_param.num_output

    def mean(at):
        image, output = at
        return sum(gate * answers[image].ravel()[k * outputs + output] for k, gate in enumerate(gates[image]))

    return [taken((len(answers), outputs), mean)]


def predict_box(given: Given) -> list[np.ndarray]:
    score, param = given.bottom[0], given.param.predict_box_param
    images, _, height, width = score.shape
    boxes, rows = np.zeros((images, 5, height, width)), []
    for n, x, y in itertools.product(range(images), range(width), range(height)):
        at, field, left, above = np.s_[n, :, y, x], param.receptive_field, 0, 0
        third = given.bottom[2][at] if len(given.bottom) > 2 else None
        if score[at][1] <= param.positive_thresh:
            continue
        if third is not None and len(third) == 2 and score[at][1] <= third[1] - 1e-5:
            continue
        if third is not None and len(third) == 3:
            left, above, field = third
            if not field:
                continue
        box = [(x * param.stride - left) / 12 * field, (y * param.stride - above) / 12 * field, field, field]
        if len(given.bottom) > 1:
            step = given.bottom[1][at]
            if param.bbreg_exp:
                box = [
                    box[0] + step[0] * field,
                    box[1] + step[1] * field,
                    *(field * math.exp(s) for s in step[2:]),
                ]
            else:
                corners = [box[0], box[1], box[0] + field, box[1] + field]
                corners = [c + step[i] * field for c, i in zip(corners, (1, 0, 3, 2), strict=True)]
                box = [corners[0], corners[1], corners[2] - corners[0], corners[3] - corners[1]]
        boxes[at] = [*box, score[at][1]]
        rows.append(boxes[at])
    if images > 1 or not rows:
        return [boxes, np.zeros((images, 1, 5))]
    return [boxes, np.array([rows])]


def point_supervision(given: Given) -> list[np.ndarray]:
    (scores, labels), param, loss = given.bottom, given.param.point_supervision_param, 0.0
    images, classes, height, width = scores.shape
    places = list(itertools.product(range(height), range(width)))
    for n in range(images):
        prob = {at: softmax([scores[(n, c, *at)] for c in range(classes)]) for at in places}
        there = set()
        for at in places:
            value = int(labels[(n, 2, *at)]) - param.is_siftflow
            if value >= 0:
                there.add(value)
            if value <= 0 - param.is_siftflow:
                break
        best = [max(prob[at][c] for at in places) for c in range(classes)]
        seen = sum(math.log(best[c]) for c in there)
        rest = sum(math.log(1 - best[c]) for c in range(classes) if c not in there)
        if not param.ignore_classes:
            loss -= seen / (len(there) if param.normalize_classes else 1)
        if not param.ignore_constraint:
            loss -= rest / (classes - len(there) if param.normalize_constraint else 1)
        if not param.HasField("ignore_label"):
            continue
        known = [at for at in places if labels[(n, 0, *at)] != param.ignore_label]
        if not param.ignore_location:
            weights = [1 if param.ignore_rank else labels[(n, 3, *at)] / 255 for at in known]
            costs = sum(
                w * math.log(prob[at][int(labels[(n, 0, *at)])]) for w, at in zip(weights, known, strict=True)
            )
            loss -= costs / (sum(weights) if param.normalize_supervised else 1)
        if not param.ignore_objectness:
            number = len(places) - (0 if param.ignore_location else len(known))
            for at in set(places) - set(known):
                empty, first = 1 - (labels[(n, 1, *at)] + 1) / 257, prob[at][0]
                cost = empty * math.log(first) + (1 - empty) * math.log(1 - first)
                loss -= cost / (number if param.normalize_objectness else 1)
    return [np.array(loss / images)]


def softmax(values: list[float]) -> list[float]:
    total = sum(map(math.exp, values))
    return [math.exp(v) / total for v in values]


def outer_product(given: Given) -> list[np.ndarray]:
    a, b = (x.reshape(x.shape[:2]) for x in given.bottom)
    return [taken((*a.shape, b.shape[1], 1), lambda at: a[at[0], at[1]] * b[at[0], at[2]])]


NAIVE = {
    "OuterProduct": outer_product,
    "Combination": combination,
    "Division": division,
    "FuseInnerProduct": fuse_inner_product,
    "GradientSilent": lambda given: [given.bottom[0]],
    "L2Norm": l2_norm,
    "LinearTransform": linear_transform,
    "HashingLoss": hashing_loss,
    "MatrixProd": matrix_prod,
    "MultiROIPooling": multi_roi_pooling,
    "PSROIAlign": psroi_align,
    "PairwiseLoss": pairwise_loss,
    "QuantizationLoss": quantization_loss,
    "ROIAveragePooling": roi_average_pooling,
    "ROISparsePooling": roi_sparse_pooling,
    "RankHardLoss": rank_hard_loss,
    "RankingLoss": ranking_loss,
    "ScaleTanH": scale_tanh,
    "SemiContrastLoss": semi_contrast_loss,
    "Similarity": similarity,
    "SumPooling": sum_pooling,
    "WeightedSoftmaxWithLoss": weighted_softmax_with_loss,
    "WordSum": word_sum,
    "EliwiseProduct": eliwise_product,
    "GatingInnerProduct": gating_inner_product,
    "PredictBox": predict_box,
    "SoftmaxWithLossExpectation": point_supervision,
    "JMMDLoss": lambda given: [np.array(0.0)],
    "CosineSimilarityBatch": cosine_similarity_batch,
    "Convert": convert,
    "ReverseTime": reverse_time,
    "Mask": mask,
    "SmoothPooling": smooth_pooling,
    "Sparsify": sparsify,
    "EvenDistLoss": even_dist_loss,
    "FilterSum": filter_sum,
    "Intranorm": intranorm,
    "LinearSum": linear_sum,
    "MinQuantizeLoss": min_quantize_loss,
    "MultiChannelReweightedSigmoidCrossEntropyLoss": lambda given: multi_channel_sigmoid(given, True),
    "MultiChannelSigmoidCrossEntropyLoss": multi_channel_sigmoid,
    "Netvlad": netvlad,
    "SetLoss2": set_loss2,
    "Spfilter": spfilter,
    "TransformLoss": transform_loss,
    "TripletSetLoss": triplet_set_loss,
    "VarLoss": var_loss,
}
