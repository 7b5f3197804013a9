"""SSD's layers, and Proposal: how their params say what layers/ssd/plain_ssd.py computes."""

from __future__ import annotations

import itertools
import math

import numpy as np

from caffe_compat.layers.rpn.anchors import generate_anchors
from caffe_compat.prototxt.caffe_pb2 import MultiBoxLossParameter, PriorBoxParameter
from layers.fast_rcnn.test_roi_pooling import naive as pooled
from layers.naive.given import Given
from layers.naive.losses import divided
from layers.rpn.test_proposal import naive as proposed
from layers.rpn.test_proposal import overlap
from layers.ssd import plain_ssd


def code(param) -> str:
    return PriorBoxParameter.CodeType.Name(param.code_type)


def densified(param, pixels, image, step) -> np.ndarray:
    boxes = []
    ratios = list(param.fixed_ratio) or [
        1,
        *(r for a in param.aspect_ratio for r in ((a, 1 / a) if param.flip else (a,))),
    ]
    for y, x in np.ndindex(*pixels):
        middle = (x + param.offset) * step[0], (y + param.offset) * step[1]
        for size, density in zip(param.fixed_size, param.density, strict=True):
            shift = size // density
            for ratio, (row, column) in itertools.product(ratios, np.ndindex(int(density), int(density))):
                cx = middle[0] - size // 2 + (column + 0.5) * shift
                cy = middle[1] - size // 2 + (row + 0.5) * shift
                w, h = size * math.sqrt(ratio), size / math.sqrt(ratio)
                boxes += [max((cx - w / 2) / image[0], 0), max((cy - h / 2) / image[1], 0)]
                boxes += [min((cx + w / 2) / image[0], 1), min((cy + h / 2) / image[1], 1)]
    if param.clip:
        boxes = [min(max(value, 0), 1) for value in boxes]
    return np.array([[boxes, [param.variance[0] if param.variance else 0.1] * len(boxes)]])


def tiled(param, pixels, image, step) -> np.ndarray:
    boxes = []
    for y, x in np.ndindex(*pixels):
        for size in map(int, param.min_size):
            places = {32: (-16, -8, 0, 8), 64: (-16, 0)}.get(size, (0,))
            for down, right in itertools.product(places, places):
                cx, cy = (x + param.offset) * step[0] + right, (y + param.offset) * step[1] + down
                left, top, more = cx - (size - 1) / 2, cy - (size - 1) / 2, size - 1
                boxes += [left / image[0], top / image[1], (left + more) / image[0], (top + more) / image[1]]
    if param.clip:
        boxes = [min(max(value, 0), 1) for value in boxes]
    return np.array([[boxes, [param.variance[0] if param.variance else 0.1] * len(boxes)]])


def offset(param, pixels, image, step) -> np.ndarray:
    boxes = []
    for y, x in np.ndindex(*pixels):
        for right, down in itertools.product(param.offset_w, param.offset_h):
            cx, cy = (x + right) * step[0], (y + down) * step[1]
            for size, ratio in itertools.product(map(int, param.min_size), param.aspect_ratio):
                for each in (ratio, 1 / ratio) if param.flip else (ratio,):
                    w, h = size * math.sqrt(each), size / math.sqrt(each)
                    boxes += [(cx - w / 2) / image[0], (cy - h / 2) / image[1]]
                    boxes += [(cx + w / 2) / image[0], (cy + h / 2) / image[1]]
    if param.clip:
        boxes = [min(max(value, 0), 1) for value in boxes]
    return np.array([[boxes, [param.variance[0] if param.variance else 0.1] * len(boxes)]])


def stretched(param) -> list[tuple[float, float]]:
    sizes = []
    for i, low in enumerate(param.min_size):
        others = [ratio for ratio in param.aspect_ratio if ratio != 1]
        sizes.append((low, low))
        if param.max_size:
            sizes.append((math.sqrt(low * int(param.max_size[i])),) * 2)
        sizes += [(low * ratio, low) for ratio in others]
        if param.flip:
            sizes += [(low, low * ratio) for ratio in others]
    return sizes


def prior_box(given: Given) -> list[np.ndarray]:
    param = given.param.prior_box_param
    (height, width), image = given.bottom[0].shape[2:], given.bottom[1].shape[:1:-1]
    if param.HasField("img_size"):
        image = (param.img_size, param.img_size)
    elif param.HasField("img_w"):
        image = (param.img_w, param.img_h)
    step = (image[0] / width, image[1] / height)
    if param.HasField("step"):
        step = (param.step, param.step)
    elif param.HasField("step_w"):
        step = (param.step_w, param.step_h)
    if param.fixed_size:
        return [densified(param, (height, width), image, step)]
    if given.param.type == "PriorBoxOffset":
        return [offset(param, (height, width), image, step)]
    if given.param.type == "PriorBoxTiled":
        return [tiled(param, (height, width), image, step)]
    sizes = []
    for i, low in enumerate(map(int, param.min_size)):
        if param.use_default:
            sizes.append((low, low))
        if param.max_size:
            sizes.append((math.sqrt(low * int(param.max_size[i])),) * 2)
        for ratio in param.aspect_ratio:
            sizes.append((low * math.sqrt(ratio), low / math.sqrt(ratio)))
            if param.flip:
                sizes.append(sizes[-1][::-1])
    variance = tuple(param.variance) or (0.1,)
    variance = variance * 4 if len(variance) == 1 else variance
    if given.param.type == "PriorBoxClustered":
        sizes = list(zip(param.width, param.height, strict=True))
    if given.param.type == "PriorBoxStretched":
        sizes = stretched(param)
    where = (height, width), image, step, param.offset, variance, param.clip, param.denser_prior_boxes
    return [plain_ssd.priors(sizes, *where)]


def detection_output(given: Given) -> list[np.ndarray]:
    param = given.param.detection_output_param
    more = {"least_object": param.objectness_score, "polygon": param.use_polygon}
    if given.param.type == "DetectionOutputExtended":
        return [with_places(given)]
    if given.param.type == "DetectionOutputStates":
        more["states"] = given.bottom[3].reshape(*given.bottom[0].shape[:1], -1, param.num_states)
    elif len(given.bottom) > 4 or (len(given.bottom) > 3 and param.HasField("objectness_score")):
        more["objects"] = given.bottom[3]
    if len(given.bottom) > 4:
        more["moves"] = given.bottom[4]
    if not param.normalized:
        more["pixels"] = (param.input_width, param.input_height)
    found = plain_ssd.detections(
        *given.bottom[:3],
        classes=param.num_classes,
        share=param.share_location,
        code=code(param),
        in_target=param.variance_encoded_in_target,
        background=param.background_label_id,
        least=param.confidence_threshold if param.HasField("confidence_threshold") else None,
        top=param.nms_param.top_k if param.nms_param.HasField("top_k") else -1,
        thresh=param.nms_param.nms_threshold,
        eta=param.nms_param.eta,
        keep=param.keep_top_k,
        theta=param.nms_param.theta if param.nms_param.soft_nms else None,
        **more,
    )
    return [
        found[None, None]
        if len(found)
        else np.array(
            [
                [
                    [n] + [-1] * (6 + 8 * param.use_polygon + (param.num_states if "states" in more else 0))
                    for n in range(len(given.bottom[0]))
                ]
            ]
        )[None]
    ]


def with_places(given: Given) -> np.ndarray:
    """The detections of class 1, each with its prior, column and row behind its box."""
    param, (deltas, scores, priors) = given.param.detection_output_param, given.bottom
    n, height, width, numbers = deltas.shape
    places = [(a, x, y) for y in range(height) for x in range(width) for a in range(numbers // 4)]
    assert param.num_classes == 2 and param.share_location
    rows = plain_ssd.detections(
        deltas.reshape(n, -1),
        scores.reshape(n, -1),
        priors,
        classes=2,
        share=True,
        code=code(param),
        in_target=param.variance_encoded_in_target,
        background=0,
        least=param.confidence_threshold if param.HasField("confidence_threshold") else None,
        top=param.nms_param.top_k if param.nms_param.HasField("top_k") else -1,
        thresh=param.nms_param.nms_threshold,
        eta=param.nms_param.eta,
        keep=param.keep_top_k,
        theta=param.nms_param.theta if param.nms_param.soft_nms else None,
        states=np.array([places] * n, float),
    )
    if not len(rows):
        return np.array([[[image] + [-1] * 9 for image in range(n)]])[None]
    return np.concatenate([rows[:, :3], rows[:, 6:], rows[:, 3:6]], axis=1)[None, None]


def multibox_loss(given: Given) -> list[np.ndarray]:
    param, loss_param = given.param.multibox_loss_param, given.param.loss_param
    if param.num_classes == 2 and not param.map_object_to_agnostic:
        given.bottom[3][..., 1] = 1
    message = MultiBoxLossParameter
    focal = None
    if given.param.type == "MultiBoxFocalLoss":
        focal = given.param.focal_loss_param.alpha, given.param.focal_loss_param.gamma
    place, score, matches, _ = plain_ssd.multibox_loss(
        *given.bottom[:4],
        classes=param.num_classes,
        share=param.share_location,
        code=code(param),
        in_target=param.encode_variance_in_target,
        background=param.background_label_id,
        thresh=param.overlap_threshold,
        alone=param.match_type == message.BIPARTITE,
        by_prior=param.use_prior_for_matching,
        difficult=param.use_difficult_gt,
        inside=param.bp_inside,
        border=param.ignore_cross_boundary_bbox,
        l2=param.loc_loss_type == message.L2,
        logistic=param.conf_loss_type == message.LOGISTIC,
        weight=param.loc_weight,
        mining=message.MiningType.Name(param.mining_type),
        ratio=param.neg_pos_ratio,
        below=param.neg_overlap,
        samples=param.sample_size,
        nms=(param.nms_param.nms_threshold, param.nms_param.top_k) if param.HasField("nms_param") else None,
        nms_priors=param.use_prior_for_nms,
        agnostic=param.map_object_to_agnostic,
        objectness=given.bottom[4] if len(given.bottom) > 4 else None,
        least_object=param.objectness_score,
        moves=given.bottom[5] if len(given.bottom) > 5 else None,
        focal=focal,
        polygon=param.use_polygon,
    )
    images, priors = len(given.bottom[0]), given.bottom[2].shape[2] // 4
    place, score = (divided(part, loss_param, images, priors, matches) for part in (place, score))
    return [score + (min(place, 20) if param.use_polygon else place)]


def in_pixels(box, height, width, resize) -> list[float]:
    """A box in parts of the resized image, on the image."""
    if resize.resize_mode == resize.FIT_LARGE_SIZE_AND_PAD:
        aspect, whole = width / height, resize.width / resize.height
        across = 0 if aspect > whole else (1 - aspect / whole) / 2
        down = (1 - whole / aspect) / 2 if aspect > whole else 0
        box = [(v - pad) / (1 - 2 * pad) for v, pad in zip(box, (across, down) * 2, strict=True)]
    return [min(max(v, 0), 1) * side for v, side in zip(box, (width, height) * 2, strict=True)]


def share(a, b, more: int) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width < 0 or height < 0:
        width = height = 0
    common = (width + more) * (height + more)
    areas = [(c[2] - c[0] + more) * (c[3] - c[1] + more) for c in (a, b)]
    return common / (sum(areas) - common)


def detection_evaluate(given: Given) -> list[np.ndarray]:
    param = given.param.detection_evaluate_param
    found, things = [list(row) for row in given.bottom[0][0, 0]], []
    for row in given.bottom[1][0, 0]:
        if row[0] == -1:
            break
        things.append([*row, False])
    sizes = []
    if param.name_size_file:
        with open(param.name_size_file) as file:
            sizes = [tuple(map(int, line.split()[1:])) for line in file]
    rows = []
    for c in range(param.num_classes):
        if c != param.background_label_id:
            mine = [t for t in things if t[1] == c and (param.evaluate_difficult_gt or not t[7])]
            rows.append([-1, c, len(mine), -1, -1])
    images = sorted({row[0] for row in found if row[0] != -1})
    for number, image in enumerate(images):
        for c in sorted({row[1] for row in found if row[0] == image} - {-1}):
            mine = [row for row in found if row[0] == image and row[1] == c]
            goals = [t for t in things if t[0] == image and t[1] == c]
            for row in sorted(mine, key=lambda row: -row[2]) if goals else mine:
                boxes = [row[3:7], *(t[3:7] for t in goals)]
                if sizes:
                    boxes = [in_pixels(box, *sizes[number % len(sizes)], param.resize_param) for box in boxes]
                shares = [share(boxes[0], box, bool(sizes)) for box in boxes[1:]]
                best = max(shares, default=-1)
                right, wrong = 0, 1
                if best >= param.overlap_threshold:
                    goal = goals[shares.index(best)]
                    right, wrong = (0, 1) if goal[8] else (1, 0)
                    if goal[7] and not param.evaluate_difficult_gt:
                        right = wrong = 0
                    goal[8] = True
                rows.append([image, c, row[2], right, wrong])
    return [np.array([[rows]])]


def proposal(given: Given) -> list[np.ndarray]:
    (prob, steps, infos), param = given.bottom, given.param.proposal_param
    rois, scores = [], []
    for image in range(len(prob)):
        height, width, *scales = infos[min(image, len(infos) - 1)][:4]
        least = param.min_size * scales[-1], param.min_size * scales[0]
        found = []
        for y, x in np.ndindex(prob.shape[2:]):
            for a, (ratio, scale) in enumerate((r, s) for r in param.ratio for s in param.scale):
                w = math.floor(math.sqrt(param.base_size**2 / ratio) + 0.5)
                h = math.floor(w * ratio + 0.5) * scale
                w *= scale
                dx, dy, dw, dh = steps[image, 4 * a : 4 * a + 4, y, x]
                middle = (param.base_size - 1) / 2 + 0.5
                cx, cy = middle + x * param.feat_stride + dx * w, middle + y * param.feat_stride + dy * h
                reach = np.array([w * math.exp(dw), h * math.exp(dh)]) / 2
                centre = np.array([cx, cy])
                box = np.concatenate([centre - reach, centre + reach])
                box = np.clip(box, 0, [width - 1, height - 1] * 2)
                large = all(
                    far - near + 1 >= size for near, far, size in zip(box[:2], box[2:], least, strict=True)
                )
                found.append((prob[image, prob.shape[1] // 2 + a, y, x] * large, len(found), box))
        kept: list[np.ndarray] = []
        for score, _, box in sorted(found, key=lambda item: item[:2], reverse=True)[: param.pre_nms_topn]:
            if len(kept) < param.post_nms_topn and all(
                overlap(box, other) <= param.nms_thresh for other in kept
            ):
                kept.append(box)
                rois.append([image, *box])
                scores.append(score)
    return [np.array(rois), np.array(scores)][: given.tops]


def rproi(given: Given) -> list[np.ndarray]:
    (prob, steps, maps, infos), param = given.bottom, given.param.region_proposal_param
    anchors = generate_anchors(ratios=param.anchor_ratio, scales=param.anchor_scale)
    assert prob.shape[1] == 2 * len(anchors)
    limits = param.prenms_top, param.nms_max_out, param.iou_threshold, param.min_box_size
    found = []
    for n in range(len(prob)):
        one = prob[n : n + 1], steps[n : n + 1], infos[n : n + 1] if len(infos) > 1 else infos
        rois, _ = proposed(*one, anchors, param.feature_stride, *limits)
        found.append(rois + np.array([n, 0, 0, 0, 0]))
    rois = np.concatenate(found)
    pooling = given.param.roi_pooling_param
    sizes = pooling.pooled_h, pooling.pooled_w
    seed = np.zeros((len(rois), maps.shape[1], *sizes))
    return [rois, pooled(maps, rois, *sizes, pooling.spatial_scale, seed)[0]]


NAIVE = {
    "DetectionEvaluate": detection_evaluate,
    "DetectionOutput": detection_output,
    "DetectionOutputExtended": detection_output,
    "DetectionOutputStates": detection_output,
    "MultiBoxFocalLoss": multibox_loss,
    "MultiBoxLoss": multibox_loss,
    "PriorBox": prior_box,
    "PriorBoxDensified": prior_box,
    "PriorBoxOffset": prior_box,
    "PriorBoxTiled": prior_box,
    "PriorBoxStretched": prior_box,
    "Proposal": proposal,
    "PriorBoxClustered": prior_box,
    "RPROI": rproi,
}
