"""Layers that place boxes, choose among them or pool in them, as ONNX, on the cases of the contract sweep.

In onnxruntime, as OpenCV has no NonMaxSuppression.
"""

import numpy as np
import pytest
from layers.cases import CASES
from layers.harness import Case, unit
from runtimes import differences, net_of, onnxruntimes, ours

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TEST
from caffe_compat.layers.rpn.proposal import ProposalLayer
from caffe_compat.onnx_export.model import to_onnx

TOLERANCE = 1e-5


def sizes(rng, shape):
    """An image of 47 x 61 pixels, at scale 0.9."""
    return np.array([[47, 61, 0.9]])


def ties(rng, shape):
    """Probabilities of which many are equal."""
    return rng.randint(2, 6, shape) / 8


TEXT = Case(
    'type: "Python" python_param { module: "layers.text_proposal_layer" layer: "ProposalLayer" '
    "param_str: \"'feat_stride': 16\" }",
    [(1, 20, 3, 4), (1, 20, 3, 4), (1, 3)],
    [(1, 20, 5, 2), (1, 20, 5, 2), (1, 3)],
    fills=[unit, lambda rng, shape: 0.3 * rng.standard_normal(shape), sizes],
    tops=2,
    id="TextProposalLayer",
)
PRIORS = [case for case in CASES if case.type.startswith("PriorBox")]
CHOSEN = (
    *(
        "DetectionOutput",
        "DetectionOutputStates",
        "FrcnnOutput",
        "Proposal",
        "RPROI",
        "YoloDetectionOutput",
        "Yolov3DetectionOutput",
    ),
    *("BoxOutput", "BoxGroupOutput", "DecodeBBox", "ScaleRoute"),
)
CHOICES = [
    TEXT,
    *(
        case
        for case in CASES
        if case.type in CHOSEN
        and (case.type, len(case.shapes)) != ("DecodeBBox", 3)  # a third bottom is for training
        and "soft_nms" not in case.layer
    ),
    *(
        Case(
            'type: "Python" python_param { module: "rpn.proposal_layer" layer: "ProposalLayer" '
            "param_str: \"{'feat_stride': 8, 'scales': [1, 2, 3]}\" }",
            [(1, 18, 5, 6), (1, 36, 5, 6), (1, 3)],
            [(1, 18, 7, 4), (1, 36, 7, 4), (1, 3)],
            fills=[fill, lambda rng, shape: 0.3 * rng.standard_normal(shape), sizes],
            tops=tops,
            id=f"ProposalLayer {tops} {fill.__name__}",
        )
        for tops, fill in ((1, unit), (2, unit), (2, ties))
    ),
]
POOLED = (
    "PSROIPooling",
    "PSROIAlign",
    "DeformablePSROIPooling",
    "ROIAlign",
    "ROIAlignment",
    "ROIMaskPooling",
    "ROIAveragePooling",
)
POOLING = [case for case in CASES if case.type in POOLED]


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Limits of ProposalLayer that so small maps reach."""
    for name, value in (("pre_nms_top_n", 150), ("post_nms_top_n", 11), ("nms_thresh", 0.6), ("min_size", 9)):
        monkeypatch.setattr(ProposalLayer, name, {TEST: value})


def prototxt(case, shapes):
    inputs = "".join(
        f'layer {{ name: "x{i}" type: "Input" top: "x{i}" input_param {{ shape {{ {dims} }} }} }}\n'
        for i, dims in enumerate(" ".join(f"dim: {dim}" for dim in shape) for shape in shapes)
    )
    bottoms = " ".join(f'bottom: "x{i}"' for i in range(len(shapes)))
    tops = " ".join(f'top: "y{i}"' for i in range(case.tops))
    return inputs + f'layer {{ name: "it" {bottoms} {tops} {case.layer} }}\n'


def check(net, run, case, shapes, seed):
    arrays = case.bottoms(np.random.RandomState(seed), shapes)
    inputs = {
        f"x{i}": array.astype(np.float32).reshape(shape)
        for i, (array, shape) in enumerate(zip(arrays, shapes, strict=True))
    }
    assert max(differences(ours(net, inputs), run(inputs)).values()) <= TOLERANCE, seed


@pytest.mark.parametrize(
    "case, shapes",
    [
        pytest.param(case, shapes, id=f"{case.id} {shapes}")
        for case in PRIORS + CHOICES + POOLING
        for shapes in (case.shapes, case.other_shapes)
        if shapes
    ],
)
def test_as_our_own(case, shapes, tmp_path):
    net = net_of(tmp_path, prototxt(case, shapes))
    run = onnxruntimes(to_onnx(net))
    for seed in range(3):
        check(net, run, case, shapes, seed)


def test_soft_suppression_has_no_form(tmp_path):
    (case,) = (case for case in CASES if case.type == "DetectionOutput" and "soft_nms" in case.layer)
    with pytest.raises(LayerError, match="cannot be exported to ONNX with soft_nms"):
        to_onnx(net_of(tmp_path, prototxt(case, case.shapes)))


@pytest.mark.parametrize("case", PRIORS, ids=lambda case: case.id)
def test_prior_boxes_follow_the_sizes_of_the_map_and_the_image(case, tmp_path):
    net = net_of(tmp_path, prototxt(case, case.shapes))
    check(net, onnxruntimes(to_onnx(net)), case, case.other_shapes, 1)


@pytest.mark.parametrize("size", [(37, 29), (50, 64)])
@pytest.mark.parametrize("family", ["FASTER_RCNN", "CASCADE_RCNN"])
def test_a_region_proposal_network_to_its_end(family, size, tmp_path):
    """The RoIs that it proposes, whatever their number, are pooled and classified, or moved."""
    net = net_of(tmp_path, globals()[family])
    model = to_onnx(net)
    rows = {value.name: value.type.tensor_type.shape.dim[0] for value in model.graph.output}
    assert not any(dim.dim_value or dim.dim_param for dim in rows.values())
    data = np.random.default_rng(7).standard_normal((1, 3, *size)).astype(np.float32)
    inputs = {"data": data, "im_info": np.float32([[*size, 1]])}
    mine = ours(net, {name: inputs[name] for name in net.inputs})
    assert all(len(top) > 3 for top in mine.values())
    assert max(differences(mine, onnxruntimes(model)(inputs)).values()) <= TOLERANCE


FASTER_RCNN = """\
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 37 dim: 29 } } }
layer { name: "im_info" type: "Input" top: "im_info" input_param { shape { dim: 1 dim: 3 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 5 kernel_size: 8 stride: 8 } }
layer { name: "score" type: "Convolution" bottom: "conv" top: "score"
        convolution_param { num_output: 18 kernel_size: 1 } }
layer { name: "pairs" type: "Reshape" bottom: "score" top: "pairs"
        reshape_param { shape { dim: 0 dim: 2 dim: -1 dim: 0 } } }
layer { name: "softmax" type: "Softmax" bottom: "pairs" top: "softmax" }
layer { name: "back" type: "Reshape" bottom: "softmax" top: "back"
        reshape_param { shape { dim: 0 dim: 18 dim: -1 dim: 0 } } }
layer { name: "deltas" type: "Convolution" bottom: "conv" top: "deltas"
        convolution_param { num_output: 36 kernel_size: 1 } }
layer { name: "proposal" type: "Python" bottom: "back" bottom: "deltas" bottom: "im_info" top: "rois"
        python_param { module: "rpn.proposal_layer" layer: "ProposalLayer"
                       param_str: "{'feat_stride': 8, 'scales': [1, 2, 3]}" } }
layer { name: "pool" type: "ROIPooling" bottom: "conv" bottom: "rois" top: "pool"
        roi_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 0.125 } }
layer { name: "fc" type: "InnerProduct" bottom: "pool" top: "fc" inner_product_param { num_output: 4 } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""
CASCADE_RCNN = """\
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 37 dim: 29 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 6 kernel_size: 4 stride: 4 } }
layer { name: "score" type: "Convolution" bottom: "conv" top: "score"
        convolution_param { num_output: 4 kernel_size: 1 } }
layer { name: "pairs" type: "Reshape" bottom: "score" top: "pairs"
        reshape_param { shape { dim: -1 dim: 2 } axis: 0 num_axes: 2 } }
layer { name: "probabilities" type: "Softmax" bottom: "pairs" top: "probabilities" }
layer { name: "deltas" type: "Convolution" bottom: "conv" top: "deltas"
        convolution_param { num_output: 8 kernel_size: 1 } }
layer { name: "groups" type: "Reshape" bottom: "deltas" top: "groups"
        reshape_param { shape { dim: -1 dim: 4 } axis: 0 num_axes: 2 } }
layer { name: "boxes" type: "BoxGroupOutput" bottom: "probabilities" bottom: "groups" top: "rois" top: "scored"
        bbox_reg_param { bbox_mean: 0 bbox_mean: 0 bbox_mean: 0 bbox_mean: 0
                         bbox_std: 0.1 bbox_std: 0.1 bbox_std: 0.2 bbox_std: 0.2 }
        box_group_output_param { box_group_param { field_w: 9 field_w: 16 field_h: 13 field_h: 7 stride: 4 }
                                 min_size: 4 fg_thr: 0.3 max_nms_num: 60 max_post_nms_num: 20 } }
layer { name: "align" type: "ROIAlign" bottom: "conv" bottom: "rois" top: "align"
        roi_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 0.25 pad_ratio: 0.25 } }
layer { name: "pool" type: "ROIPooling" bottom: "conv" bottom: "rois" top: "pool"
        roi_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 0.25 } }
layer { name: "moves" type: "InnerProduct" bottom: "align" top: "moves" inner_product_param { num_output: 8 } }
layer { name: "decode" type: "DecodeBBox" bottom: "moves" bottom: "rois" top: "moved"
        bbox_reg_param { bbox_mean: 0 bbox_mean: 0 bbox_mean: 0 bbox_mean: 0
                         bbox_std: 0.1 bbox_std: 0.1 bbox_std: 0.2 bbox_std: 0.2 } }
layer { name: "route" type: "ScaleRoute" bottom: "rois" bottom: "moved" top: "large" top: "moved_large"
        scale_route_param { low_scale: 9 } }
"""
