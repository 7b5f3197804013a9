"""SSD in plain Python, number by number: what its layers are compared with."""

from __future__ import annotations

import math

import numpy as np


def priors(sizes, pixels, image, step, offset=0.5, variance=(0.1,) * 4, clip=False, dense=False):
    """1 x 2 x 4HWP: boxes of these sizes (width, height) at each pixel of a map (height, width); dense: each twice."""
    boxes, variances = [], []
    for y in range(pixels[0]):
        for x in range(pixels[1]):
            for (w, h), down in [(size, at) for size in sizes for at in ([offset, 1] if dense else [offset])]:
                cx, cy = (x + offset) * step[0], (y + down) * step[1]
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


def soft(candidates, thresh, eta, theta):
    """Which candidates stay, as DeepDetect's queue has it."""
    queue, kept = list(enumerate(score for score, _ in candidates)), []
    while queue:
        i, score = queue[0]
        wins = True
        for k in kept:
            shared = overlap(candidates[i][1], candidates[k][1])
            queue.append((i, score * math.exp(-(shared**2) / theta)))
            queue.pop(0)
            queue.sort(key=lambda item: -item[1])
            if shared > thresh:
                wins = False
                break
        queue.pop(0)
        if wins:
            kept.append(i)
            thresh *= eta if eta < 1 and thresh > 0.5 else 1
    return kept


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
    objects=None,
    least_object=0,
    moves=None,
    pixels=None,
    polygon=False,
    states=None,
    theta=None,
):
    """What DetectionOutput finds: rows of image, class, score, box (and corners). The arrays are its bottoms.

    objects: that priors are background, and an object; least_object of the latter. moves: of the priors themselves.
    states: N x P x S, that come behind a row's score. theta: of soft suppression; None: there is none.
    """
    if pixels:
        rows = (priors[0, 0].reshape(-1, 5)[:, 1:] / [*pixels, *pixels]).ravel()
        priors = np.array([[rows, np.ones_like(rows)]])
    steps, scores, (boxes, variances) = steps.tolist(), scores.tolist(), priors[0].tolist()
    labels, numbers = 1 if share else classes, 12 if polygon else 4
    result = []
    for n in range(len(steps)):
        found = []
        for c in range(classes):
            if c == background:
                continue
            candidates = []
            for p in range(len(boxes) // 4):
                start = numbers * (p * labels + (0 if share else c))
                variance = [1] * 4 if in_target else variances[4 * p : 4 * p + 4]
                prior = boxes[4 * p : 4 * p + 4]
                if moves is not None:
                    prior = decode(code, prior, variance, moves[n, 4 * p : 4 * p + 4])
                box = list(decode(code, prior, variance, steps[n][start : start + 4]))
                for i in range(8 if polygon else 0):
                    side = prior[2 + i % 2] - prior[i % 2]
                    edge = prior[[0, 1, 2, 1, 2, 3, 0, 3][i]]
                    box.append(edge + variance[i % 2] * side * steps[n][start + 4 + i])
                box += [] if states is None else states[n, p].tolist()
                score = scores[n][p * classes + c]
                if objects is not None and objects[n, 2 * p + 1] < least_object:
                    score = 1 if c == 0 else 0
                if least is None or score > least:
                    candidates.append((score, box))
            candidates.sort(key=lambda item: -item[0])
            if top > -1:
                candidates = candidates[:top]
            if theta is not None:
                kept = soft(candidates, thresh, eta, theta)
                found += [(c, *candidates[i]) for i in kept]
                continue
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
        result += [[n, c, score, *box[numbers:], *box[:numbers]] for c, score, box in found]
    return np.array(result)


def encode(code, prior, variance, goal):
    w, h = prior[2] - prior[0], prior[3] - prior[1]
    if code == "CORNER":
        steps = [goal[i] - prior[i] for i in range(4)]
    elif code == "CORNER_SIZE":
        steps = [(goal[i] - prior[i]) / (w, h, w, h)[i] for i in range(4)]
    else:
        steps = [(goal[i] + goal[i + 2] - prior[i] - prior[i + 2]) / 2 / (w, h)[i] for i in range(2)]
        steps += [math.log((goal[i + 2] - goal[i]) / (w, h)[i]) for i in range(2)]
    return [step / v for step, v in zip(steps, variance, strict=True)]


def stand_for(boxes, goals, threshold, alone, ignored):
    """The goal of each box, None where it has none, and the most it overlaps one."""
    overlaps = [
        [overlap(box, goal) if not ignored[p] else 0 for goal in goals] for p, box in enumerate(boxes)
    ]
    found = [None] * len(boxes)
    left = list(range(len(goals)))
    while left:
        most, p, g = max(
            (overlaps[p][g], -p, -g) for p in range(len(boxes)) for g in left if found[p] is None
        )
        if most == 0:
            break
        found[-p] = -g
        left.remove(-g)
    for p in range(len(boxes)):
        best = max(range(len(goals)), key=lambda g: overlaps[p][g])
        if found[p] is None and not alone and overlaps[p][best] >= max(threshold, 1e-9):
            found[p] = best
    return found, [max(row) for row in overlaps]


def multibox_loss(
    steps,
    scores,
    priors,
    objects,
    classes,
    share=True,
    code="CORNER",
    in_target=False,
    background=0,
    thresh=0.5,
    alone=False,
    by_prior=True,
    difficult=True,
    inside=False,
    border=False,
    l2=False,
    logistic=False,
    weight=1,
    mining="MAX_NEGATIVE",
    ratio=3,
    below=0.5,
    samples=64,
    nms=None,
    nms_priors=False,
    agnostic=False,
    objectness=None,
    least_object=0,
    moves=None,
    focal=None,
    polygon=False,
):
    """The two sums of MultiBoxLoss (times loc_weight), the number of matches, and which (image, prior) count."""
    steps, scores, (boxes, variances) = steps.tolist(), scores.tolist(), priors[0].tolist()
    count, labels, numbers = len(boxes) // 4, 1 if share else classes, 12 if polygon else 4
    boxes, variances = ([row[4 * p : 4 * p + 4] for p in range(count)] for row in (boxes, variances))
    place = score = matches = 0
    counting = set()
    ones = set()
    for n in range(len(steps)):
        things = [row for row in objects[0, 0].tolist() if row[0] == n and (difficult or not row[7])]
        got = [
            [steps[n][numbers * (p * labels + c) :][:numbers] for c in range(labels)] for p in range(count)
        ]
        plain = [[1] * 4] * count if in_target else variances
        moved = [
            [decode(code, boxes[p], plain[p], got[p][c][:4]) for p in range(count)] for c in range(labels)
        ]
        own = boxes
        if moves is not None:
            own = [decode(code, boxes[p], plain[p], moves[n, 4 * p : 4 * p + 4]) for p in range(count)]
        hard = [objectness is None or objectness[n, 2 * p + 1] >= least_object for p in range(count)]
        pairs, most = [], [0] * count
        outside = [False] * count
        for c in range(labels):
            mine = things if share or by_prior else [row for row in things if row[1] == c]
            if not mine or (not share and c == background):
                continue
            tried = own if by_prior else moved[c]
            outside = [border and any(not 0 <= value <= 1 for value in box) for box in tried]
            found, most = stand_for(tried, [row[3:7] for row in mine], thresh, alone, outside)
            pairs += [
                (p, c, mine[g]) for p, g in enumerate(found) if g is not None and (share or mine[g][1] == c)
            ]
        wanted = {p: [] for p in range(count)}
        away, box_away = {}, {}
        for p, c, row in pairs:
            wanted[p].append(background + 1 if agnostic else int(row[1]))
            goal = encode(code, own[p], variances[p], row[3:7])
            for i in range(numbers - 4):  # x and y of the four corners, from those of the prior
                side = own[p][2 + i % 2] - own[p][i % 2]
                corner = own[p][[0, 1, 2, 1, 2, 3, 0, 3][i]]
                goal.append((row[8 + i] - corner) / side / variances[p][i % 2])
            away[p, c] = box_away[p, c] = 0
            for i in range(numbers):
                d = abs(got[p][c][i] / (variances[p][i] if in_target else 1) - goal[i])
                place_of = own[p] if by_prior else decode(code, own[p], plain[p], got[p][c][:4])
                if inside and not 0 <= place_of[i if i < 4 else [0, 1, 2, 3, 2, 3, 2, 3][i - 4]] <= 1:
                    d = 0
                each = d * d / 2 if l2 or d < 1 else d - 0.5
                away[p, c] += each
                box_away[p, c] += each if i < 4 else 0
        cost = []
        for p in range(count):
            x = scores[n][p * classes : (p + 1) * classes]
            if logistic:
                right = wanted[p] or [background]
                probs = [1 / (1 + math.exp(-value)) for value in x]
                cost.append(-sum(math.log(q if c in right else 1 - q) for c, q in enumerate(probs)))
            else:
                right = wanted[p][-1] if wanted[p] else background
                cost.append(math.log(sum(math.exp(value) for value in x)) - x[right])
        chosen = list(range(count))
        if mining != "NONE":
            loss = list(cost)
            if mining == "HARD_EXAMPLE":
                for (p, _), value in box_away.items():
                    loss[p] += value
                pool, limit = [p for p in range(count) if hard[p]], samples
            else:
                pool = [
                    p
                    for p in range(count)
                    if not wanted[p] and not outside[p] and most[p] < below and hard[p]
                ]
                limit = int(len(pairs) * ratio)
            pool.sort(key=lambda p: -loss[p])
            if nms:
                of = boxes if nms_priors else moved[0]
                area = [max(b[2] - b[0], 0) * max(b[3] - b[1], 0) for b in of]
                kept = []
                for p in pool[: nms[1] if nms[1] >= 0 else None]:
                    if area[p] >= 1e-5 and all(overlap(of[p], of[q]) <= nms[0] for q in kept):
                        kept.append(p)
                pool = kept
            chosen = pool[:limit]
            if mining == "MAX_NEGATIVE":
                chosen += [p for p in range(count) if wanted[p]]
            chosen = [p for p in chosen if not outside[p]] if things else []
        counting.update((n, p) for p in chosen)
        for p in chosen:
            for label in wanted[p] or ([] if mining == "NONE" else [background]):
                at = n * count + p * classes if mining == "NONE" else (n * count + p) * classes
                ones.add(at + label)  # without mining, one number a prior is the step from image to image
        for p in chosen if not logistic else ():
            right = math.exp(-cost[p])
            score += cost[p] * (focal[0] * (1 - right) ** focal[1] if focal else 1)
        place += weight * sum(value for (p, _), value in away.items() if p in chosen)
        matches += sum(p in chosen for p, _ in away)
    if logistic:
        for n, p in counting:
            for c, x in enumerate(scores[n][p * classes : (p + 1) * classes]):
                target = 1 if (n * count + p) * classes + c in ones else background
                score += max(x, 0) - x * target + math.log1p(math.exp(-abs(x)))
    return place, score, matches, counting
