"""SSD in plain Python, number by number: what its layers are compared with."""

from __future__ import annotations

import math

import numpy as np


def priors(sizes, pixels, image, step, offset=0.5, variance=(0.1,) * 4, clip=False):
    """1 x 2 x 4HWP: boxes of these sizes (width, height) at each pixel of a map (height, width)."""
    boxes, variances = [], []
    for y in range(pixels[0]):
        for x in range(pixels[1]):
            for w, h in sizes:
                cx, cy = (x + offset) * step[0], (y + offset) * step[1]
                box = [
                    (cx - w / 2) / image[0],
                    (cy - h / 2) / image[1],
                    (cx + w / 2) / image[0],
                    (cy + h / 2) / image[1],
                ]
                boxes += [min(max(value, 0), 1) for value in box] if clip else box
                variances += variance
    return np.array([[boxes, variances]])


def decode(code, prior, variance, steps):
    x1, y1, x2, y2 = prior
    a, b, c, d = (v * s for v, s in zip(variance, steps, strict=True))
    w, h = x2 - x1, y2 - y1
    if code == "CORNER":
        return x1 + a, y1 + b, x2 + c, y2 + d
    if code == "CORNER_SIZE":
        return x1 + a * w, y1 + b * h, x2 + c * w, y2 + d * h
    cx, cy, nw, nh = (x1 + x2) / 2 + a * w, (y1 + y2) / 2 + b * h, w * math.exp(c), h * math.exp(d)
    return cx - nw / 2, cy - nh / 2, cx + nw / 2, cy + nh / 2


def overlap(a, b):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0
    return w * h / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h)


def detections(
    steps,
    scores,
    priors,
    classes,
    share=True,
    code="CORNER",
    in_target=False,
    background=0,
    least=None,
    top=-1,
    thresh=0.3,
    eta=1,
    keep=-1,
):
    """What DetectionOutput finds: rows of image, class, score, box. The arrays are its bottoms."""
    steps, scores, (boxes, variances) = steps.tolist(), scores.tolist(), priors[0].tolist()
    labels = 1 if share else classes
    result = []
    for n in range(len(steps)):
        found = []
        for c in range(classes):
            if c == background:
                continue
            candidates = []
            for p in range(len(boxes) // 4):
                start = 4 * (p * labels + (0 if share else c))
                variance = [1] * 4 if in_target else variances[4 * p : 4 * p + 4]
                box = decode(code, boxes[4 * p : 4 * p + 4], variance, steps[n][start : start + 4])
                score = scores[n][p * classes + c]
                if least is None or score > least:
                    candidates.append((score, box))
            candidates.sort(key=lambda item: -item[0])
            if top > -1:
                candidates = candidates[:top]
            kept, now = [], thresh
            for score, box in candidates:
                if all(overlap(box, other) <= now for _, other in kept):
                    kept.append((score, box))
                    if eta < 1 and now > 0.5:
                        now *= eta
            found += [(c, score, box) for score, box in kept]
        if -1 < keep < len(found):
            last = sorted((score for _, score, _ in found), reverse=True)[:keep]
            found = [item for item in found if item[1] in last]
        result += [[n, c, score, *box] for c, score, box in found]
    return np.array(result)
