"""YOLO's layers: how their params say what layers/yolo/plain_yolo.py computes."""

from __future__ import annotations

import math

import cv2
import numpy as np

from layers.naive.given import Given
from layers.yolo import plain_yolo
from layers.yolo.plain_yolo import logistic


def pairs(biases) -> list[tuple[float, float]]:
    return list(zip(biases[::2], biases[1::2], strict=True))


def region_loss(given: Given) -> list[np.ndarray]:
    return [plain_yolo.region_loss(*given.bottom, given.param.region_loss_param)[0]]


def yolov1_loss(given: Given) -> list[np.ndarray]:
    return [plain_yolo.yolov1_loss(*given.bottom, given.param.detection_loss_param)[0]]


def yolov3(given: Given) -> list[np.ndarray]:
    return [plain_yolo.yolov3_loss(*given.bottom, given.param.yolov3_param)[0]]


def yolo_detection_output(given: Given) -> list[np.ndarray]:
    param = given.param.yolo_detection_output_param
    assert param.HasField("num_classes") and len(param.biases) >= 2 * param.num_box
    candidates = []
    for x in given.bottom:
        for found in plain_yolo.yolo_candidates(x, pairs(param.biases)[: param.num_box], param.num_classes):
            for own, classes, box in found:
                score = own * max(classes)
                if score >= np.float32(param.confidence_threshold):
                    candidates.append((score, classes.index(max(classes)), box))
    return [plain_yolo.rows_of(candidates, param.nms_threshold, len(given.bottom[0]))]


def gaussian_yolov3(given: Given) -> list[np.ndarray]:
    return [plain_yolo.gaussian_yolov3_loss(*given.bottom, given.param.yolov3_param)[0]]


def yolov3_detection_output(given: Given) -> list[np.ndarray]:
    param = given.param.yolov3_detection_output_param
    assert param.HasField("num_classes") and param.mask_group_num == len(given.bottom)
    sizes, candidates, share = pairs(param.biases), [], len(param.mask) // param.mask_group_num
    first = 8 if param.gaussian_box else 4
    for t, x in enumerate(given.bottom):
        for of_image in x:
            grid = plain_yolo.Grid(of_image, param.num_box, first + 1 + param.num_classes)
            for (n, j, i), v in sorted(grid.x.items(), key=lambda item: (item[0][1:], item[0][0])):
                own, places = logistic(v[first]), v[:4]
                if param.gaussian_box:
                    own *= (4 - sum(logistic(v[k]) for k in (1, 3, 5, 7))) / 4
                    places = v[:8:2]
                w, h = sizes[param.mask[t * share + n]]
                box = (
                    (i + logistic(places[0])) / grid.width,
                    (j + logistic(places[1])) / grid.height,
                    math.exp(places[2]) * w / (grid.width * param.anchors_scale[t]),
                    math.exp(places[3]) * h / (grid.height * param.anchors_scale[t]),
                )
                for c, value in enumerate(v[first + 1 :]):
                    if own * logistic(value) > param.confidence_threshold:
                        candidates.append((own * logistic(value), c, box))
    return [plain_yolo.rows_of(candidates, param.nms_threshold, len(given.bottom[-1]))]


def yolo_seg(given: Given) -> list[np.ndarray]:
    x, labels, *pixels = given.bottom
    scale, loss = given.param.yolo_seg_param.object_scale, 0.0
    n, channels, height, width = x.shape
    for at in np.ndindex(x.shape):
        weight = scale
        if pixels and labels[at] > 0.5:
            own = sum(pixels[0].reshape(n, channels)[:, at[1]])
            weight *= 2 - own / (height * width * n - own)
        loss += ((logistic(x[at]) - labels[at]) * weight) ** 2
    return [loss / n]


def segmentation_evaluate(given: Given) -> list[np.ndarray]:
    param = given.param.segmentation_evaluate_param
    assert param.HasField("num_classes")
    x, labels = (b[0].astype(np.float32) for b in given.bottom)
    scores = []
    for found, wanted in zip(x, labels, strict=True):
        limit = param.threshold
        if found.shape != wanted.shape:
            whole = np.array([[int(v * 255) for v in row] for row in found], np.uint8)
            found, limit = (
                cv2.resize(whole, wanted.shape[::-1], interpolation=cv2.INTER_AREA),
                int(limit * 255),
            )
        got, truth = found > limit, wanted > param.threshold
        both = sum(a and b for a, b in zip(got.flat, truth.flat, strict=True))
        if both:
            scores.append(both / (got.sum() + truth.sum() - both))
        else:
            scores.append(-1 if x.shape != labels.shape and not truth.any() else 0)
    return [np.array(scores, float).reshape(1, 1, 1, -1)]


def eval_detection(given: Given) -> list[np.ndarray]:
    param = given.param.eval_detection_param
    x, labels = given.bottom[:2]
    tops = []
    predicted = plain_yolo.yolo_candidates(x, pairs(param.biases)[: param.num_object], param.num_class)
    for image, found in enumerate(predicted):
        objects = plain_yolo.objects_of(labels, image, len(x))[0]
        top = [sum(o[0] == c for o in objects) for c in range(param.num_class)]
        candidates = []
        for own, classes, box in found:
            score = (own, max(classes), own * max(classes))[param.score_type]
            candidates.append((score, classes.index(max(classes)), box))
        left = plain_yolo.kept(candidates, param.nms) if param.nms >= 0 else []
        taken = set()
        for score, c, box in sorted((k for k in left if k[0] >= 0.005), key=lambda k: k[1]):
            own = [(plain_yolo.iou(box, o[1:]), k) for k, o in enumerate(objects) if o[0] == c]
            top += [c, score, 0, 0]
            if not own:
                top[-1] = 1
                continue
            overlap, k = max(own)
            if overlap >= param.threshold:
                top[-1 if k in taken else -2] = 1
                taken.add(k)
        tops.append(top + [0] * (param.num_class + x.shape[2] ** 2 * param.num_object * 4 - len(top)))
    return [np.array(tops, float)]


def eval_v1_detection(given: Given) -> list[np.ndarray]:
    param = given.param.eval_detection_param
    side, count, classes = param.side, param.num_object, param.num_class
    cells, tops = side * side, []
    for x, label in zip(*given.bottom[:2], strict=True):
        objects = []
        for i in range(cells):
            if label[cells + i]:
                objects.append(
                    (int(label[2 * cells + i]), label[i] == 1, label[3 * cells + 4 * i :][:4].tolist())
                )
        top = [sum(o[0] == c and not o[1] for o in objects) for c in range(classes)]
        candidates = []
        for i in range(cells):
            scores = [x[c * cells + i] for c in range(classes)]
            for b in range(count):
                own = x[(classes + b) * cells + i]
                px, py, w, h = (x[(classes + count + 4 * b + k) * cells + i] for k in range(4))
                if param.constriant:
                    px, py = (i % side + px) / side, (i // side + py) / side
                if param.sqrt:
                    w, h = w * w, h * h
                score = (own, max(scores), own * max(scores))[param.score_type]
                candidates.append((score, scores.index(max(scores)), (px, py, w, h)))
        left = (
            plain_yolo.kept(candidates, param.nms)
            if param.nms >= 0
            else sorted(candidates, key=lambda k: -k[0])
        )
        taken = set()
        for score, c, box in sorted(left, key=lambda k: k[1]):
            own = [(plain_yolo.iou(box, o[2]), -k) for k, o in enumerate(objects) if o[0] == c]
            overlap, k = max(own, default=(-1, 0))
            top += [c, score, 0, 0]
            if overlap < param.threshold:
                top[-1] = 1
            elif not objects[-k][1]:
                top[-1 if k in taken else -2] = 1
                taken.add(k)
        tops.append(top + [0] * (classes + cells * count * 4 - len(top)))
    return [np.array(tops, float)]


def assisted_excitation(given: Given) -> list[np.ndarray]:
    x, labels, added = given.bottom
    top, (height, width) = x.copy(), x.shape[2:]
    marked = np.zeros((height, width))
    for _, cx, cy, w, h in plain_yolo.until_zero(labels.reshape(len(x), -1, 5)[0].tolist(), 1):
        for j, i in np.ndindex(height, width):
            columns = int((cx - w / 2) * width), int((cx + w / 2) * width + 0.95)
            rows = int((cy - h / 2) * height), int((cy + h / 2) * height + 0.95)
            if max(columns[0], 0) <= i < columns[1] and max(rows[0], 0) <= j < rows[1]:
                marked[j, i] = 1
    top[0] += marked * added.reshape(-1, height, width)[0]
    return [top]


NAIVE = {
    "AssistedExcitation": assisted_excitation,
    "EvalDetection": eval_detection,
    "YoloV1EvalDetection": eval_v1_detection,
    "RegionLoss": region_loss,
    "SegmentationEvaluate": segmentation_evaluate,
    "YoloDetectionOutput": yolo_detection_output,
    "YoloSeg": yolo_seg,
    "YoloV1Loss": yolov1_loss,
    "GaussianYolov3": gaussian_yolov3,
    "Yolov3": yolov3,
    "Yolov3DetectionOutput": yolov3_detection_output,
}
