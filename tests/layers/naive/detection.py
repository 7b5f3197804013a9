"""SSD's layers, and Proposal: how their params say what layers/ssd/plain_ssd.py computes."""

from __future__ import annotations

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
    sizes = []
    for i, low in enumerate(map(int, param.min_size)):
        sizes.append((low, low))
        if param.max_size:
            sizes.append((math.sqrt(low * int(param.max_size[i])),) * 2)
        for ratio in param.aspect_ratio:
            sizes.append((low * math.sqrt(ratio), low / math.sqrt(ratio)))
            if param.flip:
                sizes.append(sizes[-1][::-1])
    variance = tuple(param.variance) or (0.1,)
    variance = variance * 4 if len(variance) == 1 else variance
    return [plain_ssd.priors(sizes, (height, width), image, step, param.offset, variance, param.clip)]


def detection_output(given: Given) -> list[np.ndarray]:
    param = given.param.detection_output_param
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
    )
    return [
        found[None, None]
        if len(found)
        else np.array([[[n] + [-1] * 6 for n in range(len(given.bottom[0]))]])[None]
    ]


def multibox_loss(given: Given) -> list[np.ndarray]:
    param, loss_param = given.param.multibox_loss_param, given.param.loss_param
    message = MultiBoxLossParameter
    place, score, matches, _ = plain_ssd.multibox_loss(
        *given.bottom,
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
    )
    images, priors = len(given.bottom[0]), given.bottom[2].shape[2] // 4
    return [divided(place + score, loss_param, images, priors, matches)]


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
    "DetectionOutput": detection_output,
    "MultiBoxLoss": multibox_loss,
    "PriorBox": prior_box,
    "Proposal": proposal,
    "RPROI": rproi,
}
