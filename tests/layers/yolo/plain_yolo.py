"""YOLO's losses and detections in plain loops over Python numbers; boxes are (x, y, w, h), the middle and the size."""

from __future__ import annotations

import math

import numpy as np

from caffe_compat.prototxt.caffe_pb2 import Yolov3Parameter

GIOU, MSE, DIOU, CIOU = (getattr(Yolov3Parameter, name) for name in ("GIOU", "MSE", "DIOU", "CIOU"))


def logistic(x):
    return 1 / (1 + math.exp(-x))


def soft(values):
    powers = [math.exp(v - max(values)) for v in values]
    return [p / sum(powers) for p in powers]


def sides(box):
    x, y, w, h = box
    return x - w / 2, y - h / 2, x + w / 2, y + h / 2


def inter(a, b):
    (a0, a1, a2, a3), (b0, b1, b2, b3) = sides(a), sides(b)
    w, h = min(a2, b2) - max(a0, b0), min(a3, b3) - max(a1, b1)
    return 0 if w < 0 or h < 0 else w * h


def iou(a, b):
    shared = inter(a, b)
    whole = a[2] * a[3] + b[2] * b[3] - shared
    return shared / whole if whole else 0


def likeness(a, b, kind):
    (a0, a1, a2, a3), (b0, b1, b2, b3) = sides(a), sides(b)
    w, h = max(a2, b2) - min(a0, b0), max(a3, b3) - min(a1, b1)
    if kind == GIOU:
        whole = a[2] * a[3] + b[2] * b[3] - inter(a, b)
        return iou(a, b) - (w * h - whole) / (w * h)
    far = ((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) / (w * w + h * h)
    if kind == DIOU:
        return iou(a, b) - far**0.6
    if kind == CIOU:
        bend = 4 / math.pi**2 * (math.atan(b[2] / b[3]) - math.atan(a[2] / a[3])) ** 2
        return iou(a, b) - far - bend / (1 - iou(a, b) + bend + 1e-6) * bend
    return iou(a, b)


class Grid:
    """One image's predictions: numbers[anchor][row][column] is a list, and the gradient likewise."""

    def __init__(self, x, anchors, numbers):
        self.width, self.height, self.anchors = x.shape[2], x.shape[1], anchors
        cells = x.reshape(anchors, numbers, self.height, self.width)
        self.x = {
            (n, j, i): cells[n, :, j, i].tolist() for n, j, i in np.ndindex(anchors, self.height, self.width)
        }
        self.diff = {place: [0.0] * numbers for place in self.x}

    def gradient(self):
        result = np.zeros((self.anchors, len(next(iter(self.diff.values()))), self.height, self.width))
        for (n, j, i), values in self.diff.items():
            result[n, :, j, i] = values
        return result.reshape(-1, self.height, self.width)

    def squares(self, first=0):
        return sum(v * v for values in self.diff.values() for v in values[first:])


def until_zero(rows, column):
    for row in rows:
        if row[column] == 0:
            return
        yield row


def objects_of(labels, image, images):
    """Rows of class, box: to compare with, and to match."""
    if labels.shape[-1] == 8:
        rows = [r for r in labels.reshape(-1, 8).tolist() if r[0] == image]
        rows = [(r[1] - 1, (r[3] + r[5]) / 2, (r[4] + r[6]) / 2, r[5] - r[3], r[6] - r[4]) for r in rows]
        return rows, rows
    rows = labels.reshape(images, -1, 5)[image].tolist()
    return list(until_zero(rows, 1)), list(until_zero(rows, 3))


def yolov1_loss(x, labels, param):
    """The loss of the first version, and the gradient at x for a loss weight of 1."""
    side, classes, boxes = param.side, param.num_class, param.num_object
    cells = side * side
    found, none, objects = 0.0, 0.0, 0
    grad = np.zeros((len(x), (classes + 5 * boxes) * cells))
    for n, (v, label) in enumerate(zip(x.reshape(len(x), -1), labels.reshape(len(x), -1), strict=True)):
        for j in range(cells):
            scores = [(classes + k) * cells + j for k in range(boxes)]
            places = [[(classes + boxes + 4 * k + o) * cells + j for o in range(4)] for k in range(boxes)]
            for s in scores:
                none += param.noobject_scale * v[s] ** 2
                grad[n, s] = param.noobject_scale * v[s]
            if not label[cells + j]:
                continue
            objects += 1
            for c in range(classes):
                wrong = v[c * cells + j] - (c == label[2 * cells + j])
                found += param.class_scale * wrong**2
                grad[n, c * cells + j] = param.class_scale * wrong
            truth = label[3 * cells + 4 * j : 3 * cells + 4 * j + 4].tolist()
            drawn = []
            for place in places:
                a, b, w, h = (v[p] for p in place)
                if param.constriant:
                    a, b = (j % side + a) / side, (j // side + b) / side
                if param.sqrt:
                    w, h = w * w, h * h
                drawn.append((a, b, w, h))
            overlaps = [iou(box, truth) for box in drawn]
            overlap = max(overlaps)
            if overlap > 0:
                best = overlaps.index(overlap)
            else:
                far = [math.dist(box, truth) for box in drawn]
                best = far.index(min(far)) if min(far) < 20 else 0
                overlap = 0
            score = v[scores[best]]
            none -= param.noobject_scale * score**2
            found += param.object_scale * (score - 1) ** 2
            grad[n, scores[best]] = param.object_scale * (score - overlap)
            if param.constriant:
                truth[:2] = truth[0] * side - j % side, truth[1] * side - j // side
            if param.sqrt:
                truth[2:] = math.sqrt(truth[2]), math.sqrt(truth[3])
            for p, wanted in zip(places[best], truth, strict=True):
                found += param.coord_scale * (v[p] - wanted) ** 2
                grad[n, p] = param.coord_scale * (v[p] - wanted)
    loss = found / max(objects, 1) + none / max(len(x) * cells * boxes - objects, 1)
    return np.array(loss), grad.reshape(x.shape) / len(x)


def region_loss(x, labels, param):
    """The loss, and the gradient at x for a loss weight of 1."""
    intel = labels.shape[-1] == 8
    sizes = list(zip(param.biases[::2], param.biases[1::2], strict=True))[: param.num]
    grids = []
    for image, of_image in enumerate(x):
        grid = Grid(of_image, param.num, 5 + param.num_class)
        side = grid.width
        seen, matched = objects_of(labels, image, len(x))

        def box(n, j, i, grid=grid, side=side):
            v = grid.x[n, j, i]
            return (
                (i + logistic(v[0])) / side,
                (j + logistic(v[1])) / side,
                math.exp(v[2]) * sizes[n][0] / side,
                math.exp(v[3]) * sizes[n][1] / side,
            )

        for place, v in grid.x.items():
            s = logistic(v[4])
            near = max([iou(box(*place), o[1:]) for o in seen], default=0) > param.thresh
            grid.diff[place][4] = 0 if near else param.noobject_scale * s * s * (1 - s)
        for label, *truth in matched:
            i, j = int(truth[0] * side), int(truth[1] * side)
            fits = []
            for n in range(param.num):
                size = [b / side for b in sizes[n]] if param.bias_match else box(n, j, i)[2:]
                fits.append(iou((0, 0, *size), (0, 0, *truth[2:])))
            n = fits.index(max(fits))
            v, d = grid.x[n, j, i], grid.diff[n, j, i]
            scale = param.coord_scale
            if not intel and not param.rescore:
                scale *= 2 - truth[2] * truth[3]
            wanted = (
                truth[0] * side - i,
                truth[1] * side - j,
                math.log(truth[2] * side / sizes[n][0]),
                math.log(truth[3] * side / sizes[n][1]),
            )
            for k in range(4):
                got = logistic(v[k]) if k < 2 else v[k]
                error = got - wanted[k]
                if intel:
                    error = max(-1, min(1, error))
                d[k] = scale * error * (got * (1 - got) if k < 2 else 1)
            s = logistic(v[4])
            if intel:
                d[4] = -param.object_scale * 2 * (1 - s) ** 3 * s * (1 - s)
            else:
                goal = iou(box(n, j, i), truth) if param.rescore else 1
                d[4] = -param.object_scale * (goal - s) * s * (1 - s)
            for c, p in enumerate(soft(v[5:])):
                d[5 + c] = -param.class_scale * ((c == int(label)) - p)
        grids.append(grid)
    loss = sum(grid.squares() for grid in grids) / (1 if intel else len(x))
    return loss, np.stack([grid.gradient() for grid in grids]) / len(x)


def slopes_of_likeness(box, truth, kind):
    """What Yolov3 moves x, y, w, h of a box by."""
    (l, t, r, b), (tl, tt, tr, tb) = sides(box), sides(truth)  # noqa: E741
    h, w = min(b, tb) - max(t, tt), min(r, tr) - max(l, tl)
    hull_h, hull_w = max(b, tb) - min(t, tt), max(r, tr) - min(l, tl)
    shared = w * h
    whole = box[2] * box[3] + truth[2] * truth[3] - shared
    own = {"t": -(r - l), "b": r - l, "l": -(b - t), "r": b - t}
    of_shared = {
        "t": -w if t > tt else 0,
        "b": w if b < tb else 0,
        "l": -h if l > tl else 0,
        "r": h if r < tr else 0,
    }
    out = {"t": t < tt, "b": b > tb, "l": l < tl, "r": r > tr}
    of_hull = {"t": -hull_w, "b": hull_w, "l": -hull_h, "r": hull_h}
    area, slope = hull_w * hull_h, {}
    for side in "tblr":
        of_whole = own[side] - of_shared[side]
        slope[side] = (whole * of_shared[side] - shared * of_whole) / whole**2
        if kind == GIOU:
            more = (area * of_whole - whole * of_hull[side] * out[side]) / area**2
            slope[side] = more if w <= 0 or h <= 0 else slope[side] + more
    moves = [
        slope["l"] + slope["r"],
        slope["t"] + slope["b"],
        slope["r"] - slope["l"],
        slope["b"] - slope["t"],
    ]
    if kind not in (DIOU, CIOU):
        return moves
    far = (box[0] - truth[0]) ** 2 + (box[1] - truth[1]) ** 2
    diagonal = hull_w**2 + hull_h**2
    more = [
        (2 * (truth[0] - box[0]) * diagonal - 2 * hull_w * (out["r"] - out["l"]) * far) / diagonal**2,
        (2 * (truth[1] - box[1]) * diagonal - 2 * hull_h * (out["b"] - out["t"]) * far) / diagonal**2,
        2 * hull_w * (out["r"] + out["l"]) / 2 * far / diagonal**2,
        2 * hull_h * (out["b"] + out["t"]) / 2 * far / diagonal**2,
    ]
    if kind == CIOU:
        turn = math.atan(truth[2] / truth[3]) - math.atan(box[2] / box[3])
        bend = 4 / math.pi**2 * turn**2
        alpha = bend / (1 - shared / whole + bend + 1e-6)
        more[2] += alpha * 8 / math.pi**2 * turn * box[3]
        more[3] -= alpha * 8 / math.pi**2 * turn * box[2]
    return more if w <= 0 or h <= 0 else [a + b for a, b in zip(moves, more, strict=True)]


def yolov3_loss(x, labels, param):
    """The loss, and the gradient at x for a loss weight of 1."""
    sizes = list(zip(param.biases[::2], param.biases[1::2], strict=True))
    mask, kind = list(param.mask)[: param.num], param.iou_loss
    grids, likenesses = [], []
    for image, of_image in enumerate(x):
        grid = Grid(of_image, param.num, 5 + param.num_class)
        width, height = grid.width, grid.height
        image_w, image_h = width * param.anchors_scale, height * param.anchors_scale
        seen, matched = objects_of(labels, image, len(x))

        def box(n, j, i, grid=grid, width=width, height=height, image_w=image_w, image_h=image_h):
            v = grid.x[n, j, i]
            return [
                (i + logistic(v[0])) / width,
                (j + logistic(v[1])) / height,
                math.exp(v[2]) * sizes[mask[n]][0] / image_w,
                math.exp(v[3]) * sizes[mask[n]][1] / image_h,
            ]

        for place, v in grid.x.items():
            near = max([likeness(box(*place), o[1:], kind) for o in seen], default=0) > param.thresh
            grid.diff[place][4] = 0 if near else logistic(v[4])
        for label, *truth in matched:
            i, j = int(truth[0] * width), int(truth[1] * height)
            fits = [likeness((0, 0, w / image_w, h / image_h), (0, 0, *truth[2:]), kind) for w, h in sizes]
            best = fits.index(max(fits)) if max(fits) > 0 else -1
            learners = []
            if best in mask:
                best = mask.index(best)
                learners.append(best)
            for n, fit in enumerate(fits):
                if n in mask and n != best and fit > param.iou_thresh and param.iou_thresh < 1:
                    learners.append(mask.index(n))
            for n in learners:
                v, d = grid.x[n, j, i], grid.diff[n, j, i]
                if kind == MSE:
                    scale = param.coord_scale * (2 - truth[2] * truth[3])
                    d[0] = scale * (logistic(v[0]) - (truth[0] * width - i))
                    d[1] = scale * (logistic(v[1]) - (truth[1] * height - j))
                    d[2] = scale * (v[2] - math.log(truth[2] * image_w / sizes[mask[n]][0]))
                    d[3] = scale * (v[3] - math.log(truth[3] * image_h / sizes[mask[n]][1]))
                else:
                    found = box(n, j, i)
                    likenesses.append(likeness(found, truth, kind if kind in (GIOU, CIOU) else DIOU))
                    moves = slopes_of_likeness(found, truth, kind)
                    moves = [moves[0], moves[1], moves[2] * math.exp(v[2]), moves[3] * math.exp(v[3])]
                    for k in range(4):
                        move = max(-param.max_delta, min(param.max_delta, moves[k] * param.iou_normalizer))
                        d[k] = (d[k] if param.accumulate else 0) - move
                s = logistic(v[4])
                d[4] = (s - 1) * (param.object_scale if param.use_logic_gradient else 1)
                p = [logistic(value) for value in v[5:]]
                goal = [
                    (c == label) * (1 - param.label_smooth_eps) + 0.5 * param.label_smooth_eps
                    for c in range(len(p))
                ]
                if d[5 + int(label)]:
                    chosen = [int(label)]
                else:
                    chosen = range(len(p))
                for c in chosen:
                    if param.use_focal_loss and len(chosen) > 1:
                        sure = p[int(label)]
                        focus = -(1 - sure) * (2 * sure * math.log(sure) + sure - 1)
                        d[5 + c] = -param.class_scale * ((c == label) - p[c]) * 0.5 * focus
                    else:
                        d[5 + c] = -param.class_scale * (goal[c] - p[c])
        grids.append(grid)
    if kind == MSE:
        loss = sum(grid.squares() for grid in grids)
    else:
        loss = sum(grid.squares(4) for grid in grids)
        if likenesses:
            loss += param.iou_normalizer * sum(1 - v for v in likenesses) / len(likenesses)
    for grid in grids if param.use_logic_gradient else ():
        for place, v in grid.x.items():
            for k, value in enumerate(v):
                if k not in (2, 3):
                    p = value if k < 2 and kind != MSE else logistic(value)
                    grid.diff[place][k] *= p * (1 - p)
    return loss / len(x), np.stack([grid.gradient() for grid in grids]) / len(x)


def gaussian_yolov3_loss(x, labels, param):
    """The loss, and the gradient at x for a loss weight of 1."""
    sizes = list(zip(param.biases[::2], param.biases[1::2], strict=True))
    mask = list(param.mask)[: param.num]
    grids, lacks = [], []
    for image, of_image in enumerate(x):
        grid = Grid(of_image, param.num, 9 + param.num_class)
        width, height = grid.width, grid.height
        image_w, image_h = width * param.anchors_scale, height * param.anchors_scale
        seen, matched = objects_of(labels, image, len(x))
        boxes = {
            (n, j, i): [
                (i + logistic(v[0])) / width,
                (j + logistic(v[2])) / height,
                math.exp(v[4]) * sizes[mask[n]][0] / image_w,
                math.exp(v[6]) * sizes[mask[n]][1] / image_h,
            ]
            for (n, j, i), v in grid.x.items()
        }
        for place, v in grid.x.items():
            near = max([iou(boxes[place], o[1:]) for o in seen], default=0) > param.thresh
            grid.diff[place][8] = 0 if near else logistic(v[8])
        for label, *truth in matched:
            i, j = int(truth[0] * width), int(truth[1] * height)
            fits = [iou((0, 0, w / image_w, h / image_h), (0, 0, *truth[2:])) for w, h in sizes]
            best = (
                mask.index(fits.index(max(fits))) if fits.index(max(fits)) in mask else fits.index(max(fits))
            )
            learners = [best] if fits.index(max(fits)) in mask else []
            for n, fit in enumerate(fits):
                if n in mask and n != best and fit > param.iou_thresh and param.iou_thresh < 1:
                    learners.append(mask.index(n))
            for n in learners:
                v, d = grid.x[n, j, i], grid.diff[n, j, i]
                lacks.append(1 - iou(boxes[n, j, i], truth))
                anchor = sizes[mask[n]]
                goals = [truth[0] * width - i, truth[1] * height - j]
                goals += [math.log(truth[2] * image_w / anchor[0]), math.log(truth[3] * image_h / anchor[1])]
                weight = param.coord_scale * (2 - truth[2] * truth[3]) / 2 * param.iou_normalizer
                for k, goal in enumerate(goals):
                    got, spread = v[2 * k] if k > 1 else logistic(v[2 * k]), logistic(v[2 * k + 1])
                    off = (goal - got) / spread
                    chance = math.exp(-off * off / 2) / math.sqrt(2 * math.pi) / (spread + 0.3)
                    for at, slope in (
                        (2 * k, off / spread),
                        (2 * k + 1, off * off / spread - 1 / (spread + 0.3)),
                    ):
                        move = chance / (chance + 1e-9) * weight * slope
                        move = max(-param.max_delta, min(param.max_delta, move))
                        d[at] = (d[at] if param.accumulate else 0) - move
                d[8] = (logistic(v[8]) - 1) * (param.object_scale if param.use_logic_gradient else 1)
                p = [logistic(value) for value in v[9:]]
                if d[9]:
                    d[9 + int(label)] = p[int(label)] - 1
                    continue
                sure = p[int(label)]
                focus = (
                    -(1 - sure) * (2 * sure * math.log(sure) + sure - 1) / 2 if param.use_focal_loss else 1
                )
                for c, value in enumerate(p):
                    d[9 + c] = param.class_scale * (value - (c == label)) * focus
        grids.append(grid)
    loss = sum(grid.squares(8) for grid in grids)
    if lacks:
        loss += param.iou_normalizer * sum(lacks) / len(lacks)
    for grid in grids if param.use_logic_gradient else ():
        for place, v in grid.x.items():
            for k, value in enumerate(v):
                if k not in (4, 6):
                    p = value if k < 8 else logistic(value)
                    grid.diff[place][k] *= p * (1 - p)
    return loss / len(x), np.stack([grid.gradient() for grid in grids]) / len(x)


def kept(candidates, threshold):
    """Of (score, class, box), the best first, those that overlap no better one that stays."""
    left = []
    for candidate in sorted(candidates, key=lambda c: -c[0]):
        if all(iou(other[2], candidate[2]) < threshold for other in left):
            left.append(candidate)
    return left


def rows_of(candidates, threshold, images):
    rows = [[0, c + 1, score, *sides(box)] for score, c, box in kept(candidates, threshold)]
    return np.array(rows or [[n] + [-1] * 6 for n in range(images)], float)[None, None]


def yolo_candidates(x, sizes, classes):
    """(own score, [score of each class by softmax], box) of each box of each image."""
    for of_image in x:
        grid = Grid(of_image, len(sizes), 5 + classes)
        found = []
        for j, i, n in np.ndindex(grid.height, grid.width, len(sizes)):
            v = grid.x[n, j, i]
            size = [math.exp(a) * b / grid.width for a, b in zip(v[2:4], sizes[n], strict=True)]
            found.append(
                (
                    logistic(v[4]),
                    soft(v[5:]),
                    ((i + logistic(v[0])) / grid.width, (j + logistic(v[1])) / grid.height, *size),
                )
            )
        yield found
