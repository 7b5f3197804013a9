"""Layer types that are another Caffe's under another name."""

import pytest

from caffe_compat.prototxt.reader import parse_net


def test_bnhk_is_a_bn_of_four_params():
    net, _ = parse_net("""
        layer { name: "b" type: "BNHK" bottom: "x" top: "y"
                bnhk_param { slope_filler { value: 2 } momentum: 0.7 frozen: true } }
    """)
    (layer,) = net.layer
    assert layer.type == "BN" and not layer.HasField("bnhk_param")
    assert (layer.bn_param.slope_filler.value, layer.bn_param.frozen) == (2, True)
    assert abs(layer.bn_param.momentum - 0.7) < 1e-6


def test_a_scale_by_a_number_is_a_power():
    net, _ = parse_net(
        'layer { name: "s" type: "Scale" bottom: "x" top: "y" scale_param { scale_factor: 0.25 } }'
    )
    (layer,) = net.layer
    assert (layer.type, layer.power_param.scale, layer.HasField("scale_param")) == ("Power", 0.25, False)


def test_a_scalar_is_a_scale_by_a_bottom():
    net, _ = parse_net(
        'layer { name: "s" type: "Scalar" bottom: "x" bottom: "f" top: "y" scalar_param { axis: -1 } }'
        'layer { name: "t" type: "Scalar" bottom: "y" bottom: "f" top: "z" }'
    )
    assert [(layer.type, layer.scale_param.axis) for layer in net.layer] == [("Scale", -1), ("Scale", 0)]


def test_a_detection_is_a_detection_loss():
    net, _ = parse_net(
        'layer { name: "d" type: "Detection" bottom: "x" bottom: "t" top: "l" detection_param { cls_num: 5 } }'
    )
    (layer,) = net.layer
    assert (layer.type, layer.detection_loss_param.cls_num) == ("DetectionLoss", 5)
    assert not layer.HasField("detection_param")


def test_means_of_offsets_stand_in_bbox_reg_param():
    net, _ = parse_net("""
        layer { name: "t" type: "ProposalTarget" bottom: "r" bottom: "g" top: "y"
                proposal_target_param { cls_num: 2 bbox_mean: 1 bbox_mean: 2 bbox_std: 3 bbox_std: 4 } }
    """)
    (layer,) = net.layer
    assert ([*layer.bbox_reg_param.bbox_mean], [*layer.bbox_reg_param.bbox_std]) == ([1, 2], [3, 4])
    assert not layer.proposal_target_param.bbox_mean


def test_a_normalize_that_fixes_its_scale_has_the_defaults_of_dsclrcn():
    text = 'layer { name: "n" type: "Normalize" norm_param { %s } }'
    found = [
        parse_net(text % fields)[0].layer[0].norm_param
        for fields in ("fix_scale: true", "fix_scale: true across_spatial: true eps: 0.5", "eps: 0.25")
    ]
    values = [(param.across_spatial, param.channel_shared, round(param.eps, 9)) for param in found]
    assert values == [(False, False, 1e-6), (True, False, 0.5), (True, True, 0.25)]
    assert not any(param.HasField("fix_scale") for param in found)


def test_an_abs_loss_that_ignores_nothing_is_an_l1_loss():
    text = 'layer { name: "l" type: "AbsLoss" bottom: "x" bottom: "t" top: "l" %s }'
    assert parse_net(text % "loss_weight: 2")[0].layer[0].type == "L1Loss"
    assert parse_net(text % "loss_param { ignore_label: 0 }")[0].layer[0].type == "AbsLoss"


def test_memory_data_with_dims_is_an_input():
    text = 'layer { name: "d" type: "MemoryData" top: "x" %s memory_data_param { dim: 1 dim: 3 dim: 5 } }'
    (layer,) = parse_net(text % "")[0].layer
    assert (layer.type, [*layer.input_param.shape[0].dim]) == ("Input", [1, 3, 5])
    assert not layer.HasField("memory_data_param")
    assert parse_net(text % 'top: "label"')[0].layer[0].type == "MemoryData"


def test_pw_attend_is_an_att_pooling():
    text = 'layer { name: "a" type: "PwAttend" pw_attend_param { att_mode: LOCAL kernel_size: 5 pad: 2 } }'
    with pytest.warns(
        UserWarning, match=r"layer 'a' \(PwAttend\): no source .* taken for PiCANet's AttPooling"
    ):
        (layer,) = parse_net(text)[0].layer
    param = layer.att_pooling_param
    assert (layer.type, param.kernel_size, param.pad) == ("AttPooling", 5, 2)
    assert not layer.HasField("pw_attend_param")


def test_a_sum_of_several_bottoms_is_an_eltwise():
    text = 'layer { name: "s" type: "Sum" bottom: "a" %s top: "s" }'
    assert parse_net(text % 'bottom: "b" bottom: "c"')[0].layer[0].type == "Eltwise"
    assert parse_net(text % "")[0].layer[0].type == "Sum"


def test_bn_of_all_gpus_has_defaults_of_its_own():
    text = 'layer { name: "b" type: "BNData" bottom: "x" top: "x" %s }'
    fields = (
        "",
        "bn_param { momentum: 0.5 moving_average: true }",
        "bn_param { moving_average: true } param { lr_mult: 0 }",
    )
    layers = [parse_net(text % one)[0].layer[0] for one in fields]
    assert {layer.type for layer in layers} == {"BN"}
    values = [
        (round(p.momentum, 6), p.moving_average, p.frozen) for p in (layer.bn_param for layer in layers)
    ]
    assert values == [(0.95, False, False), (0.5, True, False), (0.95, True, True)]


def test_an_l2_loss_is_a_euclidean_loss():
    net, _ = parse_net('layers { name: "l" type: L2_LOSS bottom: "x" bottom: "t" top: "l" }')
    assert net.layer[0].type == "EuclideanLoss"


def test_a_bias_that_is_shared_has_no_axes():
    text = 'layer { name: "b" type: "Bias" bottom: "x" top: "x" bias_param { channel_shared: %s } }'
    one, many, filled = (
        parse_net(text % value)[0].layer[0].bias_param
        for value in ("true", "false", "true filler { value: 2 }")
    )
    assert [(p.num_axes, round(p.filler.value, 6)) for p in (one, many, filled)] == [
        (0, 0.1),
        (1, 0.1),
        (0, 2),
    ]
    assert not one.HasField("channel_shared")
