"""Layers of DeepLab's fork."""

from __future__ import annotations

import math

import numpy as np

from caffe_compat.errors import CaffeCompatError
from caffe_compat.layers.segmentation.permutohedral import Lattice
from caffe_compat.prototxt.caffe_pb2 import BiasChannelParameter
from caffe_compat.rng import Rng
from layers.naive.given import Given, taken

F = np.float32


def unique_label(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.unique_label_param
    top = np.full((len(x), param.max_labels, 1, 1), -1.0)
    for image, out in zip(x, top, strict=True):
        found = {v for v in image.flat if v not in param.ignore_label} | set(param.force_label)
        for j, label in enumerate(sorted(found)):
            out[j] = label
    return [top]


def bias_channel(given: Given) -> list[np.ndarray]:
    (x, labels), param = given.bottom, given.param.bias_channel_param
    with_background = param.HasField("background_label") or param.HasField("bg_bias")
    top = x.copy()
    for n, image in enumerate(labels):
        for place in np.ndindex(*image.shape):
            label = int(image[place])
            if label in [-1, *param.ignore_label]:
                continue
            if param.label_type == BiasChannelParameter.IMAGE:
                top[n, label] += param.fg_bias if label else param.bg_bias
                continue
            pixel = top[n, :, place[1], place[2]]
            if with_background:
                pixel[param.background_label] += param.bg_bias
            if not (with_background and label == param.background_label):
                pixel[label] += param.fg_bias
    return [top]


def adaptive_bias_channel(given: Given) -> list[np.ndarray]:
    (x, labels), param = given.bottom, given.param.adaptive_bias_channel_param
    rng = Rng(Rng(given.seed).draw())
    top = x.reshape(*x.shape[:2], -1).copy()
    for scores, row in zip(top, labels, strict=True):
        there = np.array(sorted(int(v) for v in row.flat if v >= 0))
        pixels = range(scores.shape[1])
        if param.suppress_others:
            for i in pixels:
                least = min(scores[c, i] for c in there)
                for c in range(len(scores)):
                    if c not in there and scores[c, i] > least:
                        scores[c, i] = least - param.margin_others
        most = [max(scores[c, i] for c in there) for i in pixels]
        before = sum(most)
        for _ in range(param.num_iter):
            rng.shuffle(there[int(there[0] == 0) :])
            for c in there:
                missing = sorted(m - s for m, s in zip(most, scores[c], strict=True))
                share = param.fg_portion if c else param.bg_portion
                scores[c] += missing[min(int(F(share) * F(len(most))), len(most) - 1)]
                most = [max(m, s) for m, s in zip(most, scores[c], strict=True)]
        scores += (before - sum(most)) / len(most)
    return [top.reshape(x.shape)]


def domain_transform(given: Given) -> list[np.ndarray]:
    (x, edges, sizes), param = given.bottom, given.param.domain_transform_param
    top, count = x.copy(), param.num_iter
    for n, maps in enumerate(top):
        height, width = (int(v) for v in sizes.reshape(len(x), 2)[n])

        def weight(i, j, sigma, n=n):
            amount = 1 + edges[n, 0, i, j] * param.spatial_sigma / param.range_sigma
            return min(max(math.exp(-math.sqrt(2) / sigma * amount), param.min_weight), 1)

        for step in range(1, count + 1):
            sigma = param.spatial_sigma * math.sqrt(3) * 2 ** (count - step) / math.sqrt(4**count - 1)
            for y in maps:
                for i in range(height):
                    for j in range(1, width):
                        y[i, j] += weight(i, j, sigma) * (y[i, j - 1] - y[i, j])
                    for j in range(width - 2, -1, -1):
                        y[i, j] += weight(i, j + 1, sigma) * (y[i, j + 1] - y[i, j])
                for j in range(width):
                    for i in range(1, height):
                        y[i, j] += weight(i, j, sigma) * (y[i - 1, j] - y[i, j])
                    for i in range(height - 2, -1, -1):
                        y[i, j] += weight(i + 1, j, sigma) * (y[i + 1, j] - y[i, j])
    return [top]


def spatial_product(given: Given) -> list[np.ndarray]:
    x, factors = given.bottom
    return [taken(x.shape, lambda at: x[at] * factors[at[0], 0, at[2], at[3]])]


def dense_crf(given: Given) -> list[np.ndarray]:
    """The lattice is the layer's own: plain loops for it stand with the mean field's."""
    (x, sizes, *images), param = given.bottom, given.param.dense_crf_param
    top = np.zeros(x.shape)
    for n, scores in enumerate(x):
        height, width = (
            min(int(v), end) for v, end in zip(sizes.reshape(-1, 2)[n], x.shape[2:], strict=True)
        )
        pixels = [(i, j) for i in range(height) for j in range(width)]
        filters = [
            (w, Lattice(CaffeCompatError, np.array([(F(j) / F(std), F(i) / F(std)) for i, j in pixels])))
            for w, std in zip(param.pos_w, param.pos_xy_std, strict=True)
        ]
        for w, std, rgb in zip(param.bi_w, param.bi_xy_std, param.bi_rgb_std, strict=True):
            rows = [
                [F(j) / F(std), F(i) / F(std), *(F(v) / F(rgb) for v in images[0][n, :, i, j])]
                for i, j in pixels
            ]
            filters.append((w, Lattice(CaffeCompatError, np.array(rows))))
        unary = np.array([scores[:, i, j] for i, j in pixels]).T
        prob = shares(unary)
        for _ in range(param.max_iter):
            total = unary.copy()
            for w, lattice in filters:
                norm = lattice.filter(np.ones((1, len(pixels))))[0]
                total += w * lattice.filter(prob) / norm
            prob = shares(total)
        for p, (i, j) in enumerate(pixels):
            for c, value in enumerate(prob[:, p]):
                top[n, c, i, j] = value if param.output_probability else math.log(max(value, 2.0**-126))
    return [top]


def dense_crf_map(given: Given) -> list[np.ndarray]:
    (x, images), param = given.bottom, given.param.densecrf_param
    top = np.zeros((len(x), 1, *x.shape[2:]))
    places = list(np.ndindex(*x.shape[2:]))
    for n, (scores, image) in enumerate(zip(x, images, strict=True)):
        near = [(F(j) / F(param.x_gauss), F(i) / F(param.y_gauss)) for i, j in places]
        alike = [
            (
                F(j) / F(param.x_bilateral),
                F(i) / F(param.y_bilateral),
                F(int(image[2, i, j])) / F(param.r_bilateral),
                F(int(image[1, i, j])) / F(param.g_bilateral),
                F(int(image[0, i, j])) / F(param.b_bilateral),
            )
            for i, j in places
        ]
        lattices = [Lattice(CaffeCompatError, np.array(rows)) for rows in (near, alike)]
        unary = np.array([scores[:, i, j] for i, j in places]).T
        prob = shares(unary)
        for _ in range(10):
            total = unary.copy()
            for w, lattice in zip((param.wt_gauss, param.wt_bilateral), lattices, strict=True):
                total += w * lattice.filter(prob) / lattice.filter(np.ones((1, len(places))))[0]
            prob = shares(total)
        for p, at in enumerate(places):
            top[(n, 0, *at)] = max(range(len(prob)), key=lambda c, p=p, prob=prob: prob[c, p])
    return [top]


def shares(scores: np.ndarray) -> np.ndarray:
    """The softmax over the first axis, of which less than e^-20 of the largest counts 0."""
    parts = np.exp(scores - scores.max(axis=0))
    parts[parts < math.exp(-20)] = 0
    return parts / parts.sum(axis=0)


NAIVE = {
    "AdaptiveBiasChannel": adaptive_bias_channel,
    "BiasChannel": bias_channel,
    "DenseCRF": dense_crf,
    "DenseCRFMap": dense_crf_map,
    "DomainTransform": domain_transform,
    "DomainTransformForwardOnly": domain_transform,
    "SpatialProduct": spatial_product,
    "UniqueLabel": unique_label,
}
