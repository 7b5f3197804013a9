"""Layers of nets that retrieve and label images."""

from __future__ import annotations

import math

import numpy as np

from layers.naive.given import Given, taken

# what a C program prints for rand() after srand(1) with glibc
C_RAND = [
    *(1804289383, 846930886, 1681692777, 1714636915, 1957747793, 424238335, 719885386, 1649760492, 596516649),
    *(
        1189641421,
        1025202362,
        1350490027,
        783368690,
        1102520059,
        2044897763,
        1967513926,
        1365180540,
        1540383426,
    ),
]


def compact_bilinear(given: Given) -> list[np.ndarray]:
    (a, b), param = given.bottom, given.param.compact_bilinear_param
    size, numbers = param.num_output, iter(C_RAND)
    sketches = []
    for x in (a, b):
        places = [next(numbers) % size for _ in range(x.shape[1])]
        sketches.append(
            list(zip(places, (2 * (next(numbers) % 2) - 1 for _ in range(x.shape[1])), strict=True))
        )
    top = np.zeros((len(a), size, *a.shape[2:]))
    for n, i, j in np.ndindex(len(a), *a.shape[2:]):
        for c, (place, sign) in enumerate(sketches[0]):
            for d, (other_place, other_sign) in enumerate(sketches[1]):
                value = sign * other_sign * a[n, c, i, j] * b[n, d, i, j]
                top[n, (place + other_place) % size, i, j] += size * value
    return [top.sum(axis=(2, 3), keepdims=True) if param.sum_pool else top]


def signed_sqrt(given: Given) -> list[np.ndarray]:
    (x,) = given.bottom
    return [taken(x.shape, lambda at: math.sqrt(x[at]) if x[at] >= 0 else -math.sqrt(-x[at]))]


def l2_normalize(given: Given) -> list[np.ndarray]:
    (x,) = given.bottom
    return [np.stack([row / math.sqrt(sum(v * v for v in row.flat) + 1e-7) for row in x])]


def normalization(given: Given) -> list[np.ndarray]:
    (x,) = given.bottom
    return [np.stack([row / math.sqrt(sum(v * v for v in row.flat)) for row in x])]


def k1(given: Given) -> list[np.ndarray]:
    return [-k2(given)[0]]


def k2(given: Given) -> list[np.ndarray]:
    x, _ = given.bottom
    return [np.array(sum((v - 0.5) ** 2 for v in x.flat) / (2 * x.size))]


def multi_label_loss(given: Given) -> list[np.ndarray]:
    scores, labels = given.bottom
    shares = taken(scores.shape, lambda at: 1 / (1 + math.exp(-scores[at])))
    losses = [
        -math.log(p if label > 0 else 1 - p)
        for p, label in zip(shares.flat, labels.flat, strict=True)
        if label
    ]
    return [np.array(sum(losses) / len(scores)), shares][: given.tops]


def multi_label_accuracy(given: Given) -> list[np.ndarray]:
    pairs = [
        (score >= 0, label) for score, label in zip(*(x.flat for x in given.bottom), strict=True) if label
    ]
    hits = sum(found for found, label in pairs if label > 0)
    rejected = sum(not found for found, label in pairs if label < 0)
    positives = sum(label > 0 for _, label in pairs)
    recall, specificity = hits / positives, rejected / (len(pairs) - positives)
    precision = hits / sum(found for found, _ in pairs) if hits else 0
    harmonic = 2 / (1 / recall + 1 / specificity) if hits and rejected else 0
    f1 = 2 * precision * recall / (precision + recall) if hits else 0
    return [np.array([recall, specificity, harmonic, precision, f1]).reshape(1, 5, 1, 1)]


NAIVE = {
    "CompactBilinear": compact_bilinear,
    "K1_EuclideanLoss": k1,
    "K2_EuclideanLoss": k2,
    "L2Normalize": l2_normalize,
    "MultiLabelAccuracy": multi_label_accuracy,
    "MultiLabelLoss": multi_label_loss,
    "Normalization": normalization,
    "NormalizationL2": normalization,
    "SignedSqrt": signed_sqrt,
}
