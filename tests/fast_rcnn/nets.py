"""Tiny test nets of Fast and Faster R-CNN with random weights."""

from __future__ import annotations

import numpy as np
from recordings import net_of

import caffe_compat as caffe

TINY_TEST = """\
name: "tiny Fast R-CNN"
input: "data" input_shape { dim: 1 dim: 3 dim: 48 dim: 64 }
input: "rois" input_shape { dim: 1 dim: 5 }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 6 kernel_size: 5 stride: 4 pad: 2 } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "roi_pool" type: "ROIPooling" bottom: "conv1" bottom: "rois" top: "pool"
        roi_pooling_param { pooled_w: 3 pooled_h: 3 spatial_scale: 0.25 } }
layer { name: "fc6" type: "InnerProduct" bottom: "pool" top: "fc6" inner_product_param { num_output: 40 } }
layer { name: "relu6" type: "ReLU" bottom: "fc6" top: "fc6" }
layer { name: "fc7" type: "InnerProduct" bottom: "fc6" top: "fc7" inner_product_param { num_output: 24 } }
layer { name: "relu7" type: "ReLU" bottom: "fc7" top: "fc7" }
layer { name: "cls_score" type: "InnerProduct" bottom: "fc7" top: "cls_score"
        inner_product_param { num_output: 21 } }
layer { name: "bbox_pred" type: "InnerProduct" bottom: "fc7" top: "bbox_pred"
        inner_product_param { num_output: 84 } }
layer { name: "cls_prob" type: "Softmax" bottom: "cls_score" top: "cls_prob" }
"""

# The same net behind an RPN: 6 anchors of 16 and 32 pixels, every 4 pixels
TINY_RPN_TEST = TINY_TEST.replace(
    'input: "rois" input_shape { dim: 1 dim: 5 }', 'input: "im_info" input_shape { dim: 1 dim: 3 }'
).replace(
    'layer { name: "roi_pool"',
    """\
layer { name: "rpn_cls_score" type: "Convolution" bottom: "conv1" top: "rpn_cls_score"
        convolution_param { num_output: 12 kernel_size: 1 } }
layer { name: "rpn_bbox_pred" type: "Convolution" bottom: "conv1" top: "rpn_bbox_pred"
        convolution_param { num_output: 24 kernel_size: 1 } }
layer { name: "split" type: "Reshape" bottom: "rpn_cls_score" top: "split"
        reshape_param { shape { dim: 0 dim: 2 dim: -1 dim: 0 } } }
layer { name: "rpn_cls_prob" type: "Softmax" bottom: "split" top: "rpn_cls_prob" }
layer { name: "join" type: "Reshape" bottom: "rpn_cls_prob" top: "join"
        reshape_param { shape { dim: 0 dim: 12 dim: -1 dim: 0 } } }
layer { name: "proposal" type: "Python" bottom: "join" bottom: "rpn_bbox_pred" bottom: "im_info" top: "rois"
        python_param { module: "rpn.proposal_layer" layer: "ProposalLayer"
                       param_str: "{feat_stride: 4, scales: [1, 2]}" } }
layer { name: "roi_pool\"""",
)


def tiny_test_net(seed: int = 4, text: str = TINY_TEST) -> caffe.Net:
    """Scores from below 0.01 to about a half, and boxes that move by some pixels."""
    net = net_of(text, caffe.TEST)
    rng = np.random.RandomState(seed)
    for name, (weights, bias) in net.params.items():
        fan_in = weights.count / weights.shape[0]
        scale = {"conv1": 0.02, "cls_score": 1.0, "bbox_pred": 0.2, "rpn_bbox_pred": 0.05}.get(name, 1.4)
        weights.data[...] = rng.standard_normal(weights.shape) * scale / np.sqrt(fan_in)
        bias.data[...] = rng.standard_normal(bias.shape) * 0.01
    return net
