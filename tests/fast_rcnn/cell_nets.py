"""Nets of SSD and YOLO that find coloured cells of 8 x 8 input pixels: class 1 where they are red, 2 where blue."""

from __future__ import annotations

import numpy as np
from recordings import net_of

import caffe_compat as caffe


def _net(height: int, width: int, text: str) -> str:
    return f"""
input: "data" input_shape {{ dim: 2 dim: 3 dim: {height} dim: {width} }}
layer {{ name: "cells" type: "Pooling" bottom: "data" top: "cells"
        pooling_param {{ pool: AVE kernel_size: 8 stride: 8 }} }}
{text}"""


def _convolution(name: str, outputs: int) -> str:
    return f"""layer {{ name: "{name}" type: "Convolution" bottom: "cells" top: "{name}"
        convolution_param {{ num_output: {outputs} kernel_size: 1 }} }}
"""


def _by_cell(name: str) -> str:
    return f"""layer {{ name: "{name}_perm" type: "Permute" bottom: "{name}" top: "{name}_perm"
        permute_param {{ order: [0, 2, 3, 1] }} }}
layer {{ name: "{name}_flat" type: "Flatten" bottom: "{name}_perm" top: "{name}_flat" }}
"""


_SSD = f"""
{_convolution("loc", 4)}{_by_cell("loc")}{_convolution("seen", 3)}{_by_cell("seen")}
layer {{ name: "by_class" type: "Reshape" bottom: "seen_flat" top: "by_class"
        reshape_param {{ shape {{ dim: [0, -1, 3] }} }} }}
layer {{ name: "prob" type: "Softmax" bottom: "by_class" top: "prob" softmax_param {{ axis: 2 }} }}
layer {{ name: "prob_flat" type: "Flatten" bottom: "prob" top: "prob_flat" }}
layer {{ name: "prior" type: "PriorBox" bottom: "cells" bottom: "data" top: "prior" prior_box_param {{ min_size: 8 }} }}
layer {{ name: "found" type: "DetectionOutput" bottom: "loc_flat" bottom: "prob_flat" bottom: "prior" top: "found"
        detection_output_param {{ num_classes: 3 code_type: CENTER_SIZE keep_top_k: 50 confidence_threshold: 0.01
                                 nms_param {{ nms_threshold: 0.45 }} }} }}
"""
_YOLO_V2 = (
    _convolution("seen", 7)
    + """
layer { name: "found" type: "YoloDetectionOutput" bottom: "seen" top: "found" yolo_detection_output_param {
        num_classes: 2 num_box: 1 biases: [1, 1] confidence_threshold: 0.01 } }
"""
)
_YOLO_V3 = (
    _convolution("seen", 7)
    + """
layer { name: "found" type: "Yolov3DetectionOutput" bottom: "seen" top: "found" yolov3_detection_output_param {
        num_classes: 2 num_box: 1 mask: 0 mask_group_num: 1 biases: [8, 8] anchors_scale: 8
        confidence_threshold: 0.01 } }
"""
)
CELL_NETS = {  # height and width of the input, of which YOLO v2 wants a square
    "ssd": _net(32, 64, _SSD),
    "yolo v2": _net(32, 32, _YOLO_V2),
    "yolo v3": _net(32, 64, _YOLO_V3),
}


def cell_net(kind: str, scale: float = 1.0) -> caffe.Net:
    """Its input is blue, green, red: pixels, less any mean of all three, times `scale`. Each box is a cell."""
    net = net_of(CELL_NETS[kind], caffe.TEST)
    for weights, bias in net.params.values():
        weights.data[...] = bias.data[...] = 0
    weights, bias = (blob.data for blob in net.params["seen"])
    rows = weights.reshape(len(weights), 3)  # of SSD: classes 0 to 2; of YOLO: box, score, classes 1 and 2
    red_less_blue = np.array([-1, 0, 1]) * 0.1 / scale
    rows[-2], rows[-1] = red_less_blue, -red_less_blue
    if kind == "ssd":
        bias[0] = 10
    else:
        bias[4:] = 3, -6, -6
    return net
