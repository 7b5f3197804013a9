"""Every case of every layer, forward, against the same in plain loops; and that these know every field."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from listed import assert_listed

from caffe_compat.layers.registry import layer_type_list
from caffe_compat.rng import set_random_seed
from layers.cases import CASES
from layers.data_cases import data_cases
from layers.harness import Case, Runner, parse, random_numbers
from layers.naive import NAIVE, given_to
from layers.sweep import check_each, each_type
from layers.test_contract import WITHOUT_CASES
from layers.test_fields import HONOURED, is_set, with_field

SEED = 6

# fields that change no top of a forward pass, each with a test of its own
NO_TOP = {
    "MultiBoxFocalLoss.multibox_loss_param.map_object_to_agnostic": "is what two classes mean anyway",
    "MultiBoxLoss.multibox_loss_param.map_object_to_agnostic": "is what two classes mean anyway",
    "BN.bn_param.momentum": "changes the params; test_bn.py",
    "CuDNNBatchNorm.cudnn_batch_norm_param.momentum": "changes the params; test_cudnn_batch_norm.py",
    **{
        f"{param}.{name}_{field}": "is what a param starts with"
        for param in (
            "MultiStageMeanfield.multi_stage_meanfield_param",
            "MultiStageMeanfieldAU3.multi_stage_meanfield_au3_param",
        )
        for name in ("spatial", "bilateral")
        for field in ("filter_weight", "filter_weights_str")
    },
    **{
        f"DilatedByBottom.convolution_param.{name}": "has to be 1; test_dilated_by_bottom.py"
        for name in ("stride", "stride_h", "stride_w")
    },
    "SegAccuracy.seg_accuracy_param.reset": "is about several forwards; test_seg_accuracy.py",
    "SigmoidCrossEntropyBalanceLoss.sigmoid_cross_entropy_balance_loss_param.ignore_others": (
        "is for backward; test_edge_losses.py"
    ),
    "BatchNorm.batch_norm_param.moving_average_fraction": "changes the params; test_batch_norm.py",
    "DenseBlock.denseblock_param.moving_average_fraction": "changes the params; test_dense_block.py",
    "CenterLoss.center_loss_param.axis": "has to be where the features begin; test_metric.py",
    "ChannelScale.channel_scale_param.do_backward_feature": "is for backward; test_long_tail.py",
    "ChannelScale.channel_scale_param.do_backward_scale": "is for backward; test_long_tail.py",
    "DetectionOutput.detection_output_param.save_output_param": "names files; test_detection_files.py",
    "DetectionAccuracy.detection_accuracy_param.coord_num": "has to be 4; test_anchor_accuracies.py",
    "DetectionGroupLoss.detection_group_loss_param.neg_ranking_type": "ranks alike; test_anchor_losses.py",
    "DetectionLoss.detection_loss_param.coord_num": "has to be 4; test_anchor_losses.py",
    "Eltwise.eltwise_param.stable_prod_grad": "is for backward; test_eltwise.py",
    "RegionLoss.region_loss_param.class_map": "names a file; layers/yolo/test_losses.py",
    **{
        f"GaussianYolov3.yolov3_param.{name}": "is for backward; layers/yolo/test_losses.py"
        for name in ("coord_scale", "max_delta", "accumulate")
    },
    "Yolov3.yolov3_param.accumulate": "is for backward; layers/yolo/test_losses.py",
    "Yolov3.yolov3_param.max_delta": "is for backward; layers/yolo/test_losses.py",
    "Lstm.lstm_param.clipping_threshold": "is for backward; test_lstm.py",
    **{
        f"GradientScaler.gradient_scaler_param.{name}": "is for backward; test_long_tail.py"
        for name in ("lower_bound", "upper_bound", "alpha", "max_iter", "scale_factor")
    },
    "GRN.grn_param.dummy_backward": "is for backward; test_grn.py",
    "FrcnnOutput.frcnn_output_param.save_output_param": "names files; test_frcnn_output.py",
    "FlowWarp.flow_warp_param.fill_value": "makes NaN; flow/test_flow_warp.py",
    "HardRoIMining.hard_roi_mining_param.num_classes": "has to be what bottom[0] has; test_hard_roi_mining.py",
    **{
        f"Quant.quant_param.{name}": "is for backward; hwgq/test_hwgq.py"
        for name in ("backward_func", "clip_thr")
    },
    "MultiSoftmaxLoss.mult_softmax_loss_param.learning_multiple": "is for backward; test_multi_softmax.py",
    "LabeledMatching.labeled_matching_param.momentum": "changes the params; metric/test_matching.py",
    **{
        f"Reshape.reshape_param.new_{name}": "makes it PatchReshape; test_patch_reshape.py"
        for name in ("channel", "height", "width", "patch_width", "patch_height")
    },
    "LRNRistretto.lrn_param.norm_region": "has to be ACROSS_CHANNELS; ristretto/test_ristretto.py",
    "MergeCrop.mergecrop_param.backward": "is for backward; test_papers.py",
    "MovingCenterLoss.center_loss_param.alpha": "counts from the second batch on; test_metric.py",
    "MovingCenterLoss.center_loss_param.cluster_num": "has to be above the labels; test_metric.py",
    "MMDLoss.mmd_param.fix_gamma": "counts from the second batch on; test_long_tail.py",
    "EliwiseProduct.eliwise_product_param.bias_term": "makes a param that is not read",
    "GatingInnerProduct.inner_product_param.bias_term": "makes a param that is not read",
    "LinearTransform.linear_transform_param.backprop": "is for backward; test_papers.py",
    "MultiROIPooling.multi_roi_pooling_param.top_num": "has to be the number of tops; test_papers.py",
    **{
        f"JMMDLoss.jmmd_param.{name}": "is for backward; test_papers.py"
        for name in (
            "kernel_num",
            "kernel_mul",
            "label_kernel_num",
            "label_kernel_mul",
            "sigma",
            "auto_sigma",
        )
    },
    "JMMDLoss.jmmd_param.fix_gamma": "counts from the second batch on; test_papers.py",
    **{
        f"GeneralTripletLoss.general_triplet_loss_param.{name}": "is for backward; metric/test_metric.py"
        for name in ("add_center_loss", "positive_weight")
    },
    "Sparsify.sparsify_param.coef": "is for backward; test_papers.py",
    "PairwiseLoss.pairwise_param.continous_similarity": "is for backward; test_papers.py",
    **{
        f"TripletLoss.triplet_loss_param.{name}": "is TripletSetLoss's"
        for name in ("losstype", "num_triplets", "use_pair")
    },
    **{
        f"MIL.mil_param.{name}": "makes it MILOfRows; test_mil.py"
        for name in ("context_per_roi", "instances_per_bag")
    },
    "Bias.bias_param.channel_shared": "the reader makes num_axes of it; prototxt/test_upgrade_renamed.py",
    "Scale.scale_param.scale_factor": "the reader makes a Power of it; prototxt/test_upgrade_renamed.py",
    "DetectionOutput.detection_output_param.do_state_prediction": (
        "makes it DetectionOutputStates; ssd/test_detection_output.py"
    ),
    **{
        f"PriorBox.prior_box_param.{name}": "make it PriorBoxOffset; ssd/test_prior_box.py"
        for name in ("offset_w", "offset_h")
    },
    "ROIPooling.roi_pooling_param.is_rich": "makes it ROISparsePooling; test_papers.py",
    **{
        f"Scale.scale_param.{name}": "makes it BoundedScale; test_papers.py"
        for name in ("min_value", "max_value")
    },
    "ROIPooling.roi_pooling_param.pool": "AVE is ROIAveragePooling's; test_papers.py",
    "SemiContrastLoss.semicontrast_loss_param.feature_index": "is for backward; test_papers.py",
    **{
        f"SumPooling.sum_pooling_param.{name}": "has to be 0; test_papers.py"
        for name in ("pad", "pad_h", "pad_w")
    },
    "UnitNormalize.normalize_param.bp_norm": "is for backward; test_metric.py",
    "SpatialTransformer.st_param.to_compute_dU": "is for backward; test_spatial_transformer.py",
}


def runner(case: Case, shapes=()) -> Runner:
    """The case's layer, all params filled: statistics too, with positive numbers."""
    made = Runner.of(case, case.bottoms(random_numbers(1), shapes))
    rng = random_numbers(2)
    for i in case.fixed_params:
        made.layer.blobs[i].data[...] = rng.uniform(0.5, 2, made.layer.blobs[i].shape)
    return made


def test_every_layer_type_has_a_naive_one():
    assert_listed(
        NAIVE,
        set(layer_type_list()).difference(WITHOUT_CASES),
        "add a naive one to tests/layers/naive/, in the file of its family",
        "no layer type that has cases; take its naive one out",
    )
    unknown = set(NO_TOP).difference(f"{type}.{name}" for type, name in HONOURED)
    assert not unknown, f"{sorted(unknown)}: no layer reads these fields; take them out of NO_TOP"


@functools.cache
def naive_tops(case: Case, shapes=()) -> list[np.ndarray]:
    return NAIVE[case.type](given_to(runner(case, shapes), SEED))


def assert_agrees(case: Case, shapes=()) -> None:
    made, want = runner(case, shapes), naive_tops(case, tuple(shapes))
    set_random_seed(SEED)
    tops = made.forward()
    assert len(want) == len(tops) == case.tops
    for i, (top, values) in enumerate(zip(tops, want, strict=True)):
        assert top.shape == np.shape(values), f"top {i}"
        bound = 2e-5 * np.abs(values).max(initial=0)
        np.testing.assert_allclose(top, values, rtol=2e-5, atol=bound, err_msg=f"top {i}")


@pytest.mark.filterwarnings("ignore:.* lies outside the image")
@each_type((case.type, case) for case in CASES)
def test_against_plain_loops(type, items):
    check_each(assert_agrees, items)
    check_each(
        lambda case: assert_agrees(case, case.other_shapes), [case for case in items if case.other_shapes]
    )


@pytest.fixture(scope="module")
def cases(tmp_path_factory) -> list[Case]:
    files = data_cases(tmp_path_factory.mktemp("data"))
    return [*CASES, *(case for case in files if case.type in NAIVE)]


def test_against_plain_loops_with_files(cases):
    for case in cases[len(CASES) :]:
        assert_agrees(case)


# fillers say what params start with: test_fillers.py
OF_TOPS = [
    (type, name)
    for type, name in HONOURED
    if type in NAIVE
    and f"{type}.{name}" not in NO_TOP
    and (type == "DummyData" or "filler" not in name.lower())
]


@each_type(OF_TOPS)
def test_the_naive_layer_knows_its_fields(type, items, cases):
    """Without the field, some case that sets it comes out otherwise, or not at all."""
    check_each(lambda name: assert_known(type, name, cases), items)


def assert_known(type: str, name: str, cases: list[Case]) -> None:
    for case in sorted((case for case in cases if case.type == type and is_set(case, name)), key=Case.size):
        want, given = naive_tops(case), given_to(runner(case), SEED)
        given.param = parse(with_field(case, name, lambda message, field: message.ClearField(field)).layer)
        try:
            with np.errstate(all="ignore"):
                got = NAIVE[type](given)
        except (ArithmeticError, AssertionError, LookupError, OSError, TypeError, ValueError):
            return
        if not all(np.array_equal(a, b) for a, b in zip(got, want, strict=True)):
            return
    raise AssertionError("the naive layer does not read it")
