"""Layers of MS-CNN and Cascade R-CNN, box by box and place by place."""

from __future__ import annotations

import math

import numpy as np

from caffe_compat.layers.base import TRAIN
from caffe_compat.rng import Rng
from layers.naive.given import Given
from layers.naive.yolo import yolov1_loss


def area(box) -> float:
    return (box[2] - box[0] + 1) * (box[3] - box[1] + 1)


def iou(a, b, pixel=1) -> float:
    """Of boxes x1 y1 x2 y2 that are x2 - x1 + pixel wide."""
    w, h = (min(a[i + 2], b[i + 2]) - max(a[i], b[i]) for i in (0, 1))
    sizes = [(c[2] - c[0] + pixel, c[3] - c[1] + pixel) for c in (a, b)]
    if w < 0 or h < 0 or min(min(size) for size in sizes) <= 0:
        return 0
    both = (w + pixel) * (h + pixel)
    return both / (sizes[0][0] * sizes[0][1] + sizes[1][0] * sizes[1][1] - both)


def suppressed(found, kind, threshold, pixel) -> list:
    """found: (score, box), the best first."""
    stay = []
    for score, box in found:
        for _, better in stay:
            w, h = (min(box[i + 2], better[i + 2]) - max(box[i], better[i]) for i in (0, 1))
            both = (w + pixel) * (h + pixel) if w >= 0 and h > 0 else 0
            areas = [(b[2] - b[0] + pixel) * (b[3] - b[1] + pixel) for b in (box, better)]
            if both / {"IOU": sum(areas) - both, "IOMU": min(areas), "IOFU": areas[1]}[kind] > threshold:
                break
        else:
            stay.append((score, box))
    return stay


def regression(param) -> tuple[list[float], list[float]]:
    return list(param.bbox_mean) or [0] * 4, list(param.bbox_std) or [1] * 4


def moved(roi, offsets, param) -> list[float]:
    """The box x1 y1 x2 y2 to which normalized offsets lead from roi x1 y1 x2 y2."""
    mean, std = regression(param)
    dx, dy, dw, dh = (o * s + m for o, s, m in zip(offsets, std, mean, strict=True))
    w, h = roi[2] - roi[0] + 1, roi[3] - roi[1] + 1
    x, y = roi[0] + w / 2 + dx * w, roi[1] + h / 2 + dy * h
    w, h = w * math.exp(dw), h * math.exp(dh)
    return [x - w / 2, y - h / 2, x + w / 2 - 1, y + h / 2 - 1]


def four_axes(rows: list, columns: int) -> np.ndarray:
    return np.array(rows, np.float64).reshape(len(rows), columns, 1, 1)


def decode_bbox(given: Given) -> list[np.ndarray]:
    rows = []
    for r, (offsets, roi) in enumerate(zip(*given.bottom[:2], strict=True)):
        box = moved(roi[1:], offsets[4:], given.param.bbox_reg_param)
        if given.phase == TRAIN and (box[0] > box[2] or box[1] > box[3]):
            continue
        if len(given.bottom) > 2 and given.bottom[2][r, 5] >= given.param.decode_bbox_param.gt_iou_thr:
            continue
        rows.append([roi[0], *box])
    return [four_axes(rows, 5)]


def bbox_accuracy(given: Given) -> list[np.ndarray]:
    after, before, param = [], [], given.param.bbox_reg_param
    for offsets, roi, truth in zip(*given.bottom, strict=True):
        if truth[0] > 0 and truth[5] <= 0.975:
            k = int(truth[0]) if param.cls_aware else 1
            assert len(offsets) == 8 or param.cls_aware
            after.append(iou(moved(roi[1:], offsets[4 * k : 4 * k + 4], param), truth[1:5]))
            before.append(iou(roi[1:], truth[1:5]))
    tops = [np.full((1, 1, 1, 1), np.mean(values) if values else -1) for values in (after, before)]
    return tops[: given.tops]


def anchored(offsets, place, field, stride, param, reg) -> tuple[float, float, float, float]:
    """Centre and size of the box of offsets at a place (y, x), which are clipped."""
    mean, std = regression(reg)
    dx, dy, dw, dh = (o * s + m for o, s, m in zip(offsets, std, mean, strict=True))
    dx, dy = (min(max(d, -1 / param.field_xyr), 1 / param.field_xyr) for d in (dx, dy))
    dw, dh = (min(max(math.exp(d), 1 / param.field_whr), param.field_whr) for d in (dw, dh))
    x, y = ((place[1 - i] + 0.5) * stride + d * field[i] for i, d in enumerate((dx, dy)))
    return x, y, field[0] * dw, field[1] * dh


def proposals(images: list[list], param, pixel: int, tops: int) -> list[np.ndarray]:
    rows = []
    for n, found in enumerate(images):
        found = found[: param.max_nms_num or None]
        stay = suppressed(found, param.nms_type, param.iou_thr, pixel)
        rows += [[n, *box, score] for score, box in stay[: param.max_post_nms_num or None]]
    if not rows:
        return [four_axes([[0, 1, 1, 10, 10]], 5), np.zeros((1, 6, 1, 1))][:tops]
    return [four_axes([row[:5] for row in rows], 5), four_axes(rows, 6)][:tops]


def box_output(given: Given) -> list[np.ndarray]:
    param, images = given.param.box_output_param, []
    for n in range(len(given.bottom[0])):
        found = []
        for j, maps in enumerate(given.bottom):
            field, stride = (param.field_w[j], param.field_h[j]), param.downsample_rate[j]
            for y, x in np.ndindex(*maps.shape[2:]):
                *scores, dx, dy, dw, dh = maps[n, :, y, x]
                cx, cy, w, h = anchored(
                    (dx, dy, dw, dh), (y, x), field, stride, param, given.param.bbox_reg_param
                )
                left, upper = max(cx - w / 2, 0), max(cy - h / 2, 0)
                w, h = min(w, maps.shape[3] * stride - left), min(h, maps.shape[2] * stride - upper)
                score = max(scores[1:]) - scores[0]
                if score >= param.fg_thr and min(w, h) >= param.min_size:
                    found.append((score, [left, upper, left + w, upper + h]))
        images.append(sorted(found, reverse=True))
    return proposals(images, param, 0, given.tops)


def box_group_output(given: Given) -> list[np.ndarray]:
    param = given.param.box_group_output_param
    images = [[] for _ in range(len(given.bottom[0]) // len(param.box_group_param[0].field_w))]
    for j, group in enumerate(param.box_group_param):
        prob, maps = given.bottom[2 * j : 2 * j + 2]
        for row in range(len(prob)):
            n, k = divmod(row, len(group.field_w))
            for place in np.ndindex(*prob.shape[2:]):
                offsets = maps[(row, slice(None), *place)]
                field = group.field_w[k], group.field_h[k]
                cx, cy, w, h = anchored(
                    offsets, place, field, group.stride, param, given.param.bbox_reg_param
                )
                box = [max(cx - w / 2, 0), max(cy - h / 2, 0)]
                box.append(min(cx + w / 2 - 1, prob.shape[3] * group.stride))
                box.append(min(cy + h / 2 - 1, prob.shape[2] * group.stride))
                score = 1 - prob[(row, 0, *place)]
                if score >= param.fg_thr and min(box[2] - box[0], box[3] - box[1]) + 1 >= param.min_size:
                    images[n].append((score, box))
    return proposals([sorted(found, reverse=True) for found in images], param, 1, given.tops)


def selected(bottoms, rows) -> list[np.ndarray]:
    return [b[rows].reshape(len(rows), *b.shape[1:], *[1] * (4 - b.ndim)) for b in bottoms]


def scale_route(given: Given) -> list[np.ndarray]:
    param = given.param.scale_route_param
    low = param.low_scale if param.HasField("low_scale") else None
    high = param.high_scale if param.HasField("high_scale") else None
    scales = [math.sqrt(area(roi[1:])) for roi in given.bottom[0]]
    rows = [r for r, s in enumerate(scales) if (low is None or s >= low) and (high is None or s < high)]
    if not rows:
        middle = math.sqrt(low * high) if low and high else low or high or 256
        rows = [min(range(len(scales)), key=lambda r: abs(math.log2(scales[r] / middle)))]
    return selected(given.bottom, rows)


def hard_mining(given: Given) -> list[np.ndarray]:
    costs, rois, param = given.bottom[0].ravel(), given.bottom[1], given.param.hard_mining_param
    order = sorted(range(len(costs)), key=lambda r: (costs[r], r), reverse=True)
    keep = []
    for n in range(param.num_image):
        keep += [r for r in order if rois[r, 0] == n][: param.num_roi_per_image]
    assert all(rois[:, 0] < param.num_image)
    keep += [r for r in order if r not in keep]
    return selected(given.bottom[1:], sorted(keep[: param.num_image * param.num_roi_per_image]))


def frcnn_output(given: Given) -> list[np.ndarray]:
    param, reg = given.param.frcnn_output_param, given.param.bbox_reg_param
    prob, offsets, rois, (size,) = (b.reshape(len(b), -1) for b in given.bottom)
    assert offsets.shape[1] == (4 * prob.shape[1] if reg.cls_aware else 8)
    rows = []
    for c in range(1, prob.shape[1]):
        found = []
        for r, roi in enumerate(rois):
            k = c if reg.cls_aware else 1
            x1, y1, x2, y2 = moved(roi[1:5], offsets[r, 4 * k : 4 * k + 4], reg)
            if prob[r, c] >= param.conf_thr:
                found.append((prob[r, c], [max(x1, 0), max(y1, 0), min(x2, size[1]), min(y2, size[0])]))
        stay = suppressed(sorted(found, reverse=True), param.nms_type, param.iou_thr, 1)
        rows += [[0, *box, c, score] for score, box in stay]
    if param.max_det_num:
        least = sorted((row[6] for row in rows), reverse=True)[: param.max_det_num][-1]
        rows = [row for row in rows if row[6] >= least]
    return [four_axes([[0, *[-1] * 6], *rows], 7)]


def drawn(stream, param, truth, pixel, count) -> list:
    """Boxes of background, x1 y1 x2 y2 behind the image."""
    rows = []
    while len(rows) < count:
        n = stream.draw() % param.num_img_per_batch
        x, y = stream.draw() % (param.img_width - 32), stream.draw() % (param.img_height - 32)
        w, h = stream.draw() % (param.img_width - x), stream.draw() % (param.img_height - y)
        box = [x, y, x + max(w, 32) - 1, y + max(h, 32) - 1]
        if all(t[0] != n or measured(box, t[1:5], pixel) < param.fg_thr for t in truth):
            rows.append([n, *box])
    return rows


def measured(a, b, pixel) -> float:
    """The overlap of boxes that include both corners; what they share may have to be at least a pixel wide."""
    if pixel:
        return iou(a, b)
    return iou([*a[:2], a[2] + 1, a[3] + 1], [*b[:2], b[2] + 1, b[3] + 1], 0)


def proposal_target(given: Given) -> list[np.ndarray]:
    param, reg = given.param.proposal_target_param, given.param.bbox_reg_param
    rois, truth = given.bottom[0].tolist(), [t for t in given.bottom[1] if t[0] != -1 and t[5] > 0]
    is_mscnn = given.bottom[1].shape[1] == 7
    rois += [list(t[:5]) for t in truth] if param.append_gtbox else []
    foreground, background, others = [], [], []
    for roi in rois:
        near = [(measured(roi[1:], t[1:5], not is_mscnn), t) for t in truth if t[0] == roi[0]]
        most, match = max(near, key=lambda pair: pair[0]) if near else (0, None)
        row = (roi, match, most)
        if most >= param.fg_thr:
            foreground += [row] if not match[6] else []
        elif param.bg_thr_lw <= most < param.bg_thr_hg:
            background.append(row)
        else:
            others.append(row)
    size = param.batch_size
    if size != -1:
        assert len(foreground) <= round(param.fg_fraction * size), "drawn at random"
        assert len(foreground) + len(background) <= size, "drawn at random"
        if param.pickup_discard:
            background += others[: size - len(foreground) - len(background)]
    missing = size - len(foreground) - len(background) if is_mscnn and size != -1 else 0
    background += [(roi, None, 0) for roi in drawn(Rng(given.seed), param, truth, not is_mscnn, missing)]
    rows = foreground + background
    width = 2 if not reg.cls_aware else param.cls_num
    tops = [np.zeros((len(rows), n)) for n in (5, 1, 4 * width, 4 * width, 4 * width, 6, 1)]
    mean, std = regression(reg)
    for r, (roi, match, most) in enumerate(rows):
        tops[0][r] = roi
        if r >= len(foreground):
            continue
        tops[1][r] = match[5]
        w, h, tw, th = (b[i + 2] - b[i] + 1 for b in (roi[1:], match[1:5]) for i in (0, 1))
        move = [(match[1 + i] - roi[1 + i] + (t - s) / 2) / s for i, (s, t) in enumerate(((w, tw), (h, th)))]
        offsets = [*move, math.log(tw / w), math.log(th / h)]
        k = 4 * (int(match[5]) if reg.cls_aware else 1)
        tops[2][r, k : k + 4] = [(o - m) / s for o, m, s in zip(offsets, mean, std, strict=True)]
        tops[3][r, k : k + 4] = tops[4][r, k : k + 4] = param.bbox_thr_lw <= most <= param.bbox_thr_hg
        tops[5][r] = [match[5], *match[1:5], most]
    weight = [most if param.iou_weighted and r < len(foreground) else 1 for r, (*_, most) in enumerate(rows)]
    total = sum(weight[: len(foreground)])
    for r in range(len(rows) if total else 0):
        if r < len(foreground):
            weight[r] *= param.fg_fraction * len(rows) / total
        else:
            weight[r] *= (1 - param.fg_fraction) * len(rows) / len(background)
    tops[6][:, 0] = weight
    return [top[:, :, None, None] for top in tops][: given.tops]


class Losses:
    """Sums over places; see layers/mscnn/anchor_loss.py."""

    def __init__(self, param, given: Given, fields, stride):
        self.param, self.fields, self.stride = param, fields, stride
        self.mean, self.std = regression(given.param.bbox_reg_param)
        self.loss_param = given.param.loss_param
        self.classes, self.boxes = [], []  # what each place adds

    def ignores(self, label) -> bool:
        return self.loss_param.HasField("ignore_label") and label == self.loss_param.ignore_label

    def class_of(self, truth) -> int:
        return min(int(truth[0]), 1) if self.param.objectness else int(truth[0])

    def add(self, place, k, scores, offsets, truth, weight, clips, smooth) -> None:
        label = self.class_of(truth)
        if not self.ignores(label):
            self.classes.append(-math.log(softmax(scores)[label]) * weight)
        if truth[0] == 0 or self.ignores(truth[0]):
            return
        field, param = self.fields[k], self.param
        wanted = [(truth[1 + i] - (place[1 - i] + 0.5) * self.stride) / field[i] for i in (0, 1)]
        wanted += [math.log(max(truth[3 + i], 2) / field[i]) for i in (0, 1)]
        for i, d in enumerate(offsets):
            if clips:
                most = 1 / param.field_xyr if i < 2 else math.log(param.field_whr)
                a = i // 2 * 2
                mean, std = (
                    (self.mean[a] + self.mean[a + 1]) / 2,
                    math.sqrt(self.std[a] * self.std[a + 1]),
                )
                d = min(max(d, (-most - mean) / std), (most - mean) / std)
            d -= (wanted[i] - self.mean[i]) / self.std[i]
            self.boxes.append(abs(d) - 0.5 if smooth and abs(d) >= 1 else d * d / 2)

    def tops(self) -> list[np.ndarray]:
        boxes = getattr(self.param, "lambda") * (np.mean(self.boxes) if self.boxes else 0)
        return [np.array([(np.mean(self.classes) if self.classes else 0) + boxes, boxes]).reshape(1, 1, 1, 2)]


def softmax(scores) -> np.ndarray:
    parts = np.exp(scores - np.max(scores))
    return parts / parts.sum()


def detection_loss(given: Given) -> list[np.ndarray]:
    if given.param.detection_loss_param.HasField("side"):
        return yolov1_loss(given)
    (x, truth), param, stream = given.bottom, given.param.detection_loss_param, Rng(given.seed)
    assert param.coord_num == 4
    sums = Losses(param, given, [(param.field_w, param.field_h)], param.downsample_rate)
    places, keep = list(np.ndindex(*x.shape[2:])), {}
    for n in range(len(x)):
        at = [truth[(n, slice(None), *place)] for place in places]
        scores = [x[(n, slice(None), *place)] for place in places]
        free = [i for i, t in enumerate(at) if t[0] == 0 and t[5] < param.bg_threshold]
        mode, chosen = param.sample_mode, set()
        part = 0.5 if mode == "mixture" else 1
        if mode in ("random", "mixture"):
            count = int(sum(t[0] != 0 for t in at) * param.bg_multiple * part)
            draws = [stream.draw() % len(places) for _ in range(max(count, 4 * (param.cls_num - 1)))]
            chosen |= set(draws) & set(free)
        if mode in ("bootstrap", "mixture"):
            for k in range(1, param.cls_num):
                count = int(sum(sums.class_of(t) == k for t in at) * param.bg_multiple * part)
                chosen |= set(sorted(free, key=lambda i, k=k: -scores[i][k])[: max(4, count)])
        if mode == "all":
            chosen = set(free)
        for i in range(len(places)):
            if at[i][0] != 0 or i in chosen:
                keep[n, i] = at[i][5] if param.iou_weighted and at[i][0] != 0 else 1
    front = [k for k in keep if truth[(k[0], 0, *places[k[1]])] != 0]
    total = {side: sum(keep[k] for k in keep if (k in front) == side) for side in (True, False)}
    for n, i in keep:
        weight, place = keep[n, i], places[i]
        if param.pos_neg_weighted and total[True]:
            share = 1 / (1 + param.bg_multiple)
            is_front = (n, i) in front
            weight *= (share if is_front else 1 - share) * len(keep) / total[is_front]
        at = x[(n, slice(None), *place)]
        args = at[: param.cls_num], at[param.cls_num :], truth[(n, slice(None), *place)]
        sums.add(place, 0, *args, weight, True, param.bb_smooth)
    return sums.tops()


def detection_group_loss(given: Given) -> list[np.ndarray]:
    (x, offsets, truth), param = given.bottom, given.param.detection_group_loss_param
    assert x.shape[1] == param.cls_num
    fields = list(zip(param.field_w, param.field_h, strict=True))
    sums = Losses(param, given, fields, param.stride)
    keep, front = [], set()
    for first in range(0, len(x), len(fields)):
        places = [(first + k, *place) for k in range(len(fields)) for place in np.ndindex(*x.shape[2:])]
        chosen = [p for p in places if truth[p[0], 0, p[1], p[2]] > 0]
        free = [
            p
            for p in places
            if truth[p[0], 0, p[1], p[2]] == 0 and truth[p[0], 5, p[1], p[2]] < param.bg_threshold
        ]
        count = max(len(chosen) * param.bg_multiple, param.min_num_neg)
        if param.batch_size != -1:
            assert len(chosen) <= round(param.batch_size / (1 + param.bg_multiple)), "drawn at random"
            count = param.batch_size - len(chosen)
        if len(free) > count:
            assert param.neg_mining_type == "bootstrap", "drawn at random"
            free.sort(key=lambda p: softmax(x[p[0], :, p[1], p[2]])[0])
        front |= set(chosen)
        keep += chosen + free[:count]
    for row, y, w in keep:
        at, weight = (row, slice(None), y, w), 1
        if param.pos_neg_weighted:
            share, behind = 1 / (1 + param.bg_multiple), len(keep) - len(front)
            is_front = (row, y, w) in front
            weight = (share if is_front else 1 - share) * len(keep) / (len(front) if is_front else behind)
        clips = param.HasField("field_xyr") and param.HasField("field_whr")
        smooth = param.bbox_loss_type == "Smooth_L1"
        sums.add((y, w), row % len(fields), x[at], offsets[at], truth[at], weight, clips, smooth)
    tops = sums.tops()
    if param.neg_ranking_type == "conf_loss":
        return tops
    return [np.array([*tops[0].ravel()]).reshape(1, 1, 1, 2)]


def accuracy(given: Given, param, scores, offsets, truth, fields, stride, pixel, best) -> list[np.ndarray]:
    right, front, overlaps, ignored = [], [], [], given.param.loss_param
    for row in range(len(scores)):
        for place in np.ndindex(*scores.shape[2:]):
            label, x, y, w, h, overlap = truth[(row, slice(None), *place)]
            of = min(label, 1) if param.objectness else label
            if not (ignored.HasField("ignore_label") and of == ignored.ignore_label) and (
                of or overlap < param.bg_threshold
            ):
                right.append(of in best(scores[(row, slice(None), *place)]))
                front += right[-1:] if of else []
            if label and not (ignored.HasField("ignore_label") and label == ignored.ignore_label):
                field = fields[row % len(fields)]
                at = offsets[(row, slice(None), *place)]
                cx, cy, bw, bh = anchored(at, place, field, stride, param, given.param.bbox_reg_param)
                boxes = [
                    [a - c / 2, b - d / 2, a + c / 2 - pixel, b + d / 2 - pixel]
                    for a, b, c, d in ((cx, cy, bw, bh), (x, y, w, h))
                ]
                overlaps.append(iou(*boxes, pixel))
    means = [np.mean(values) if values else -1 for values in (right, front, overlaps)]
    return [np.array(means[:2]).reshape(1, 1, 1, 2), np.full((1, 1, 1, 1), means[2])][: given.tops]


def detection_accuracy(given: Given) -> list[np.ndarray]:
    (x, truth), param = given.bottom, given.param.detection_accuracy_param
    assert param.coord_num == 4 and x.shape[1] == param.cls_num + 4
    fields = [(param.field_w, param.field_h)]

    def best(scores):
        return np.argsort(scores)[::-1][: param.top_k]

    return accuracy(given, param, x[:, :-4], x[:, -4:], truth, fields, param.downsample_rate, 0, best)


def detection_group_accuracy(given: Given) -> list[np.ndarray]:
    (x, offsets, truth), param = given.bottom, given.param.detection_group_accuracy_param
    assert x.shape[1] == param.cls_num
    fields = list(zip(param.field_w, param.field_h, strict=True))
    return accuracy(given, param, x, offsets, truth, fields, param.stride, 1, lambda s: [np.argmax(s)])


NAIVE = {
    "BboxAccuracy": bbox_accuracy,
    "BoxGroupOutput": box_group_output,
    "BoxOutput": box_output,
    "DecodeBBox": decode_bbox,
    "DetectionAccuracy": detection_accuracy,
    "DetectionGroupAccuracy": detection_group_accuracy,
    "DetectionGroupLoss": detection_group_loss,
    "DetectionLoss": detection_loss,
    "FrcnnOutput": frcnn_output,
    "HardMining": hard_mining,
    "ProposalTarget": proposal_target,
    "ScaleRoute": scale_route,
}
