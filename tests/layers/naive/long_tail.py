"""Layers that single projects added."""

from __future__ import annotations

import itertools
import math

import numpy as np

from caffe_compat.layers.base import TRAIN
from caffe_compat.rng import Rng
from layers.naive.given import Given, taken, with_axis
from layers.naive.normalization import softmax_lines


def flip(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.flip_param
    x = x.reshape(*x.shape, *[1] * (4 - x.ndim))
    rows, columns = x.shape[2:]

    def pixel(at):
        n, c, i, j = at
        i, j = rows - 1 - i if param.flip_height else i, columns - 1 - j if param.flip_width else j
        return x[n, c, i, j]

    return [taken(x.shape, pixel).reshape(given.bottom[0].shape)]


def select_channels(given: Given) -> list[np.ndarray]:
    param = given.param.filter_param
    kept = [i for i, number in enumerate(given.blobs[0]) if number][: param.num_output]
    return [
        taken(
            with_axis(x.shape, param.axis, param.num_output),
            lambda at, x=x: x[(*at[: param.axis], kept[at[param.axis]], *at[param.axis + 1 :])],
        )
        for x in given.bottom
    ]


def channel_scale(given: Given) -> list[np.ndarray]:
    x, numbers = given.bottom
    if not given.param.channel_scale_param.do_forward:
        return [x]
    numbers = numbers.reshape(len(x), *x.shape[2:])
    return [taken(x.shape, lambda at: x[at] * numbers[(at[0], *at[2:])])]


def insanity(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.insanity_param
    mean = (param.ub - param.lb) / (math.log(param.ub) - math.log(param.lb))
    slopes = np.full(x.shape, mean, np.float32)
    if given.phase == TRAIN:
        Rng(given.seed).uniform(param.lb, param.ub, slopes)
    return [taken(x.shape, lambda at: x[at] if x[at] > 0 else x[at] / float(slopes[at]))]


def spatial_wta(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.spatial_wta_param
    height, width = x.shape[2:]
    rows, columns = (height, width) if param.global_wta else (param.kernel_size, param.kernel_size)
    if param.HasField("kernel_h"):
        rows, columns = param.kernel_h, param.kernel_w
    down, across = (param.stride_h, param.stride_w) if param.HasField("stride_h") else [param.stride] * 2
    assert rows and columns and (param.HasField("stride_h") == param.HasField("stride_w"))
    kept = np.zeros(x.shape)
    for n, c in np.ndindex(x.shape[:2]):
        for i in range(0, height - rows + 1, down):
            for j in range(0, width - columns + 1, across):
                places = [(i + a, j + b) for a in range(rows) for b in range(columns)]
                kept[(n, c, *max(places, key=lambda at, map=x[n, c]: abs(map[at])))] = 1
    return [x * kept, kept][: given.tops]


def grn(given: Given) -> list[np.ndarray]:
    (x,), bias = given.bottom, given.param.grn_param.bias

    def value(at):
        return x[at] / math.sqrt(sum(x[(at[0], c, *at[2:])] ** 2 for c in range(x.shape[1])) + bias)

    return [taken(x.shape, value)]


def scale_filter(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.scale_filter_param
    assert param.min_scale < param.max_scale
    scales = np.ones(x.shape[0] * x.shape[1], np.float32)
    if given.phase == TRAIN:
        Rng(given.seed).uniform(param.min_scale, param.max_scale, scales)
    return [taken(x.shape, lambda at: x[at] * float(scales[at[0] * x.shape[1] + at[1]]))]


def noise(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.noise_param
    values = np.zeros(x.shape, np.float32)
    if given.phase == TRAIN and param.HasField("gaussian_std"):
        size = math.sqrt(sum(v * v for v in x.flat) / x.size)
        Rng(given.seed).gaussian(param.bias, size * param.gaussian_std, values)
    elif given.phase == TRAIN:
        Rng(given.seed).uniform(param.bias - param.uniform_range, param.bias + param.uniform_range, values)
    return [x + values]


def local(given: Given) -> list[np.ndarray]:
    (x,), (filters, *bias), param = given.bottom, given.blobs, given.param.local_param
    size, stride, pad = param.kernel_size, param.stride, param.pad
    images, channels, height, width = x.shape
    rows, columns = ((n + 2 * pad - size) // stride + 1 for n in (height, width))
    assert len(filters) == param.num_output and len(bias) == param.bias_term

    def pixel(at):
        n, o, i, j = at
        place = i * columns + j
        total = bias[0][0, 0, o, place] if bias else 0.0
        for k, (c, di, dj) in enumerate(itertools.product(range(channels), range(size), range(size))):
            y, z = i * stride - pad + di, j * stride - pad + dj
            if 0 <= y < height and 0 <= z < width:
                total += x[n, c, y, z] * filters[o, 0, k, place]
        return total

    return [taken((images, param.num_output, rows, columns), pixel)]


def gradient_scaler(given: Given) -> list[np.ndarray]:
    return given.bottom


def manhattan_loss(given: Given) -> list[np.ndarray]:
    a, b = given.bottom
    return [np.array(sum(abs(v - w) for v, w in zip(a.flat, b.flat, strict=True)) / len(a))]


def consistency_loss(given: Given) -> list[np.ndarray]:
    joints, flow = given.bottom
    height, width = flow.shape[2:]
    values = joints.reshape(len(joints), -1, 4, joints[0, 0].size)
    total = 0.0
    for n, j, k in np.ndindex(values.shape[0], values.shape[1], values.shape[3]):
        x1, y1, x2, y2 = values[n, j, :, k]
        column1, column2 = (int(min(max(v, 0), width - 1)) for v in (x1, x2))
        row1, row2 = (int(min(max(v, 0), height - 1)) for v in (y1, y2))
        total += abs(x1 + (flow[n, 0, row1, column1] + flow[n, 0, row2, column2]) / 2 - x2)
        total += abs(y1 + (flow[n, 1, row1, column1] + flow[n, 1, row1, column2]) / 2 - y2)
    return [np.array(total / len(joints))]


def softmax_cross_entropy_loss(given: Given) -> list[np.ndarray]:
    x, shares = given.bottom
    prob = softmax_lines(x, given.param.softmax_param.axis).reshape(x.shape)
    terms = [t * math.log(t / p) for t, p in zip(shares.flat, prob.flat, strict=True) if t > 0]
    return [np.array(sum(terms) / len(x))]


def weight_euclidean_loss(given: Given) -> list[np.ndarray]:
    (*points, factors), param = [*given.bottom, 1][:3], given.param.weight_euclidean_loss_param
    predicted, true = (values.reshape(len(values), 2, 68) for values in points)
    factors = np.broadcast_to(np.reshape(factors, np.shape(factors) and true.shape), true.shape)
    total = 0.0
    for n in range(len(true)):
        (x, y), size = true[n], 1.0
        if param.normalized and param.normalized_type:
            size = math.hypot(min(1, *x) - max(0, *x), min(1, *y) - max(0, *y))
        elif param.normalized:
            size = math.hypot(x[36] - x[42], y[39] - y[45])
        for j, i in np.ndindex(2, 68):
            weight = param.contour_weight if i < 17 else param.main_weight
            if param.coarse_weight and i + 1 in (18, 22, 23, 27, 37, 40, 43, 46, 28, 32, 36, 49, 55):
                weight = param.coarse_weight
            total += factors[n, j, i] * weight * (predicted[n, j, i] - true[n, j, i]) ** 2 / size
    return [np.array(total / len(true) / 2)]


def mmd_loss(given: Given) -> list[np.ndarray]:
    (source, target), param, rng = given.bottom, given.param.mmd_param, Rng(given.seed)
    rows = [*source.reshape(len(source), -1), *target.reshape(len(target), -1)]

    def square(i: int, j: int) -> float:
        return float(sum((a - b) ** 2 for a, b in zip(rows[i], rows[j], strict=True)))

    n, m = len(source), len(target)
    total = sum(square(i, j) for i in range(n + m) for j in range(n + m))
    gamma = (n + m) * (n + m - 1) / total / param.kernel_mul ** (param.kernel_num // 2)

    def kernel(i: int, j: int) -> float:
        return sum(math.exp(-gamma * param.kernel_mul**k * square(i, j)) for k in range(param.kernel_num))

    def pair(count: int) -> tuple[int, int]:
        first, second = rng.draw() % count, rng.draw() % count
        return first, (second + 1) % count if first == second else second

    loss = 0.0
    for _ in range(max(n, m)):
        s1, s2 = pair(n)
        t1, t2 = (n + t for t in pair(m))
        loss += kernel(s1, s2) + kernel(t1, t2) - kernel(s1, t2) - kernel(s2, t1)
    return [np.array(loss)]


def mixup(given: Given) -> list[np.ndarray]:
    (x, labels), param, rng = given.bottom, given.param.mixup_param, Rng(given.seed)
    order = np.arange(len(x))
    rng.shuffle(order)
    own = rng.beta(param.alpha, param.alpha)
    mixed, shares = (
        np.zeros(x.shape),
        np.zeros((len(x), labels.shape[1] if labels.ndim == 2 else param.cls_num)),
    )
    for i in range(len(x)):
        for j, weight in ((i, own), (order[i], 1 - own)):
            mixed[i] += weight * x[j]
            if labels.ndim == 2:
                shares[i] += weight * labels[j]
            else:
                shares[i, int(labels[j])] += weight
    return [mixed, shares]


def dense_block(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.denseblock_param
    count, by_kind = param.numTransition, 10 if param.use_BC else 5
    kinds = [given.blobs[k * count : (k + 1) * count] for k in range(by_kind)]
    assert len(given.blobs) == by_kind * count + 1
    rng = Rng(given.seed) if param.use_dropout and given.phase == TRAIN else None

    def activated(maps: np.ndarray, scale, bias, mean, variance) -> np.ndarray:
        result = np.zeros(maps.shape)
        for c in range(maps.shape[1]):
            of = (
                (maps[:, c].mean(), maps[:, c].var())
                if given.phase == TRAIN
                else (mean.flat[c], variance.flat[c])
            )
            result[:, c] = (maps[:, c] - of[0]) / math.sqrt(of[1] + 1e-5) * scale.flat[c] + bias.flat[c]
        return np.maximum(result, 0)

    for i in range(count):
        new = activated(x, *(kind[i] for kind in kinds[1:5]))
        if param.use_BC:
            new = np.einsum("nchw,oc->nohw", new, kinds[5][i][:, :, 0, 0])
            new = activated(new, *(kind[i] for kind in kinds[6:10]))
        filters = kinds[0][i]
        assert filters.shape[0] == param.growthRate
        wide, maps = (
            np.pad(new, [(0, 0), (0, 0), (1, 1), (1, 1)]),
            np.zeros((len(x), len(filters), *x.shape[2:])),
        )
        for y, z, j, k in itertools.product(range(x.shape[2]), range(x.shape[3]), range(3), range(3)):
            maps[:, :, y, z] += wide[:, :, y + 2 - j, z + 2 - k] @ filters[:, :, j, k].T
        if rng:
            keep = np.empty(maps.size, np.uint8)
            rng.bernoulli(1 - param.dropout_amount, keep)
            maps *= keep.reshape(maps.shape) / (1 - param.dropout_amount)
        x = np.concatenate([x, maps], axis=1)
    return [x]


def mask_outputs(given: Given) -> list[np.ndarray]:
    (x, classes), size = given.bottom, given.param.convolution_param.kernel_size[0]
    rows = x.reshape(len(x), -1).tolist()
    firsts = [int(c) * size for c in classes.ravel()]
    return [np.array([row[first : first + size] for row, first in zip(rows, firsts, strict=True)])]


def create_mask_vector(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.create_mask_vector_param
    top, counts = np.zeros((len(x), param.num_label, 1, 1)), [0] * param.num_label
    for n, image in enumerate(x):
        for label in image.ravel().astype(int).tolist():
            if 0 <= label < param.num_label:
                counts[label] += 1
        for label, count in enumerate(counts):
            top[n, label] = count / image.size if param.pool == param.AVE else count > 0
    return [top]


def grid_pooling(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.grid_pooling_param
    rows, columns = param.pooled_h, param.pooled_w

    def value(at):
        n, c, i, j = at
        h, w = x.shape[2:]
        top, bottom = i * h // rows, -(-(i + 1) * h // rows)
        left, right = j * w // columns, -(-(j + 1) * w // columns)
        return max(x[n, c, y, z] for y in range(top, bottom) for z in range(left, right))

    return [taken((*x.shape[:2], rows, columns), value)]


NAIVE = {
    "CreateMaskVector": create_mask_vector,
    "GRIDPooling": grid_pooling,
    "DenseBlock": dense_block,
    "MaskOutputs": mask_outputs,
    "ChannelScale": channel_scale,
    "ConsistencyLoss": consistency_loss,
    "Flip": flip,
    "GradientScaler": gradient_scaler,
    "GRN": grn,
    "Insanity": insanity,
    "Local": local,
    "MMDLoss": mmd_loss,
    "ManhattanLoss": manhattan_loss,
    "Mixup": mixup,
    "Noise": noise,
    "ScaleFilter": scale_filter,
    "SelectChannels": select_channels,
    "SpatialWta": spatial_wta,
    "SoftmaxCrossEntropyLoss": softmax_cross_entropy_loss,
    "WeightEuclideanLoss": weight_euclidean_loss,
}
