"""Which Caffe a net was written for: what its fields tell, what the name says, and what is warned of."""

import warnings

import numpy as np
import pytest

import caffe_compat as caffe
from caffe_compat.cli import options
from caffe_compat.errors import CaffeCompatError, GraphError
from caffe_compat.prototxt import dialects
from caffe_compat.prototxt.reader import parse_net

INPUT = (
    'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 10 dim: 12 } } }\n'
)
CONV = (
    'layer { name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param { num_output: 4 kernel_size: 3 '
    "pad: 5 } }\n"
)
CROP = 'layer { name: "crop" type: "Crop" bottom: "c" bottom: "x" top: "y" }\n'
LOSS = 'layer { name: "l" type: "SigmoidCrossEntropyLoss" bottom: "y" bottom: "t" top: "l" }\n'

MAP_WITH_BOXES = (
    'layer { name: "loc" type: "Convolution" bottom: "m" top: "loc" convolution_param { num_output: OUTPUTS } }\n'
    'layer { name: "prior" type: "PriorBox" bottom: "m" bottom: "x" top: "prior" '
    "prior_box_param { min_size: 30 max_size: 60 aspect_ratio: 2 aspect_ratio: 3 } }\n"
)


def map_with_scores(loc, scores, classes):
    """MAP_WITH_BOXES with a convolution of scores, and what tells its classes."""
    scores = (
        f'layer {{ name: "s" type: "Convolution" bottom: "m" convolution_param {{ num_output: {scores} }} }}'
    )
    output = (
        f'layer {{ name: "o" type: "DetectionOutput" detection_output_param {{ num_classes: {classes} }} }}'
    )
    return MAP_WITH_BOXES.replace("OUTPUTS", str(loc)) + scores + output


def explicit(text, name=None):
    net, _ = parse_net(text)
    return dialects.explicit(net, dialects.dialect_of(net, name))


def test_the_command_line_knows_all_dialects():
    assert tuple(dialects.DIALECTS) == options.DIALECTS


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('layer { name: "n" type: "BN" bn_param { bn_mode: INFERENCE } }', "segnet"),
        ('layer { name: "n" type: "BN" bn_param { shift_filler { value: 1 } } }', "segnet"),
        ('layer { name: "n" type: "BN" bn_param { frozen: true } }', "pspnet"),
        ('layer { name: "n" type: "BN" bn_param { slope_filler { value: 1 } } }', "pspnet"),
        ('layer { name: "c" type: "WarpCTCLoss" bottom: "x" bottom: "y" }', "caffe-ocr"),
        ('layer { name: "c" type: "WarpCTCLoss" bottom: "x" bottom: "y" bottom: "z" }', None),
        ('layer { name: "c" type: "CTCGreedyDecoder" bottom: "x" }', "caffe-ocr"),
        ('layer { name: "d" type: "ImageLabelmapData" top: "x" top: "y" }', "hed"),
        ('layer { name: "d" type: "ImageLabelmapData" } layer { type: "SoftmaxWithLoss" }', "deepskeleton"),
        ('layer { name: "d" type: "Quantize" } layer { type: "SoftmaxWithLoss" }', "deepskeleton"),
        ('layer { name: "d" type: "Quantize" } layer { type: "EuclideanLoss" }', None),
        (
            'layer { name: "d" type: "DetectionOutput" detection_output_param { normalized: false } }',
            "openvino",
        ),
        ('layer { name: "d" type: "SigmoidCrossEntropyBalanceLoss" }', "osvos"),
        ('layer { name: "m" type: "MaskResize" mask_resize_param { factor_width: 0.5 } }', "sstd"),
        ('layer { name: "d" type: "ImageLabelmapData" } layer { type: "AutoCrop" }', "rcf"),
        (
            'layer { name: "d" type: "ImageLabelmapData" } layer { type: "Crop" crop_param { offset: 2 } }',
            "rcf",
        ),
        (MAP_WITH_BOXES.replace("OUTPUTS", "24"), None),
        (MAP_WITH_BOXES.replace("OUTPUTS", "48"), "textboxes"),
        (map_with_scores(loc=48, scores=24, classes=2), "textboxes"),
        (map_with_scores(loc=24, scores=12, classes=2), None),
        (map_with_scores(loc=24, scores=48, classes=8), None),
        ('layer { name: "n" type: "BN" }', None),
        ('layer { name: "n" type: "ReLU" }', None),
    ],
)
def test_what_only_one_fork_has_tells(text, name):
    found = dialects.find(parse_net(text)[0])
    assert (found and found.name) == name


def test_bn_that_says_nothing_gets_the_form_of_its_net():
    segnet = 'layer { name: "a" type: "BN" bn_param { bn_mode: INFERENCE } } layer { name: "b" type: "BN" }'
    assert explicit(segnet).layer[1].bn_param.HasField("bn_mode")
    with pytest.warns(UserWarning, match="--dialect segnet"):
        assert explicit('layer { name: "b" type: "BN" }').layer[0].bn_param.HasField("momentum")
    assert explicit('layer { name: "b" type: "BN" }', "segnet").layer[0].bn_param.HasField("bn_mode")


def test_crop_without_param():
    """The bottoms meet in x; the convolution's top begins 4 pixels before it."""
    text = INPUT + CONV + CROP
    assert list(explicit(text, "hed").layer[-1].crop_param.offset) == [4, 4]
    assert not explicit(text, "bvlc").layer[-1].HasField("crop_param")
    with pytest.warns(UserWarning, match="layer 'crop' .* here 4 and 4: --dialect hed"):
        assert not explicit(text).layer[-1].HasField("crop_param")


def test_crop_with_equal_offsets_is_not_warned_of():
    same = CONV.replace("pad: 5", "pad: 1")
    assert not explicit(INPUT + same + CROP).layer[-1].HasField("crop_param")


def test_crop_through_a_deconvolution_and_pooling():
    """HED's: side outputs of stride 2, enlarged by a deconvolution of 4 with stride 2, behind a first padding of 35."""
    text = INPUT + (
        'layer { name: "c" type: "Convolution" bottom: "x" top: "a" convolution_param { num_output: 4 kernel_h: 3 '
        "kernel_w: 5 pad_h: 35 pad_w: 34 } }"
        'layer { name: "r" type: "ReLU" bottom: "a" top: "a" }'
        'layer { name: "p" type: "Pooling" bottom: "a" top: "p" pooling_param { kernel_size: 2 stride: 2 } }'
        'layer { name: "u" type: "Deconvolution" bottom: "p" top: "c" convolution_param { num_output: 1 kernel_size: 4 '
        "stride: 2 } }"
    )
    assert list(explicit(text + CROP, "hed").layer[-1].crop_param.offset) == [35, 33]


@pytest.mark.parametrize(
    ("between", "told"),
    [
        (CONV.replace("pad: 5", "pad: 5 stride: 2"), "its second bottom lies at x"),
        (CONV.replace("pad: 5", "pad: 0"), "its second bottom lies at x"),
        (CONV.replace("kernel_size: 3", "kernel_size: 2"), "its second bottom lies at x"),
        ('layer { name: "f" type: "Flatten" bottom: "x" top: "c" }', "layer 'f' (Flatten) has no map of coordinates"),
    ],
)  # fmt: skip
def test_crop_that_finds_no_offset(between, told):
    with pytest.raises(GraphError, match="layer 'crop': Crop finds no offset") as error:
        explicit(INPUT + between + CROP, "hed")
    assert told in str(error.value)
    assert "give crop_param { offset: ... }" in str(error.value)
    explicit(INPUT + between + CROP)  # as BVLC has it; nothing to warn of


def test_the_balanced_loss_has_a_type_of_its_own():
    assert explicit(LOSS, "hed").layer[0].type == "SigmoidCrossEntropyBalanceLoss"
    assert explicit(LOSS).layer[0].type == "SigmoidCrossEntropyLoss"
    rcf = explicit(LOSS, "rcf").layer[0]
    assert rcf.type == "SigmoidCrossEntropyBalanceLoss"
    param = rcf.sigmoid_cross_entropy_balance_loss_param
    assert (round(param.negative_weight, 6), param.ignore_others) == (1.1, True)


def test_deepskeletons_losses_have_types_of_their_own():
    text = LOSS + LOSS.replace("SigmoidCrossEntropyLoss", "SoftmaxWithLoss")
    types = [layer.type for layer in explicit(text, "deepskeleton").layer]
    assert types == ["SigmoidCrossEntropyBalanceLoss", "SoftmaxWithBalanceLoss"]
    assert [layer.type for layer in explicit(text, "hed").layer][1] == "SoftmaxWithLoss"


def test_polygons_are_those_of_textboxes_plus_plus():
    data = 'layer { name: "d" type: "AnnotatedData" top: "x" top: "y" }'
    for message in ("multibox_loss_param", "detection_output_param"):
        text = f'{data} layer {{ name: "l" {message} {{ use_polygon: true }} }}'
        assert explicit(text).layer[0].annotated_data_param.polygons
        assert not explicit(text.replace("true", "false")).layer[0].annotated_data_param.polygons


def test_a_net_runs_as_its_dialect_has_it(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(INPUT + CONV.replace("pad: 5", "pad: 5 weight_filler { type: 'xavier' }") + CROP)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = caffe.Net(path, caffe.TEST)
    net = caffe.Net(path, caffe.TEST, dialect="hed")
    assert (plain.dialect, net.dialect) == (None, dialects.DIALECTS["hed"])
    assert (plain.propagate_down, net.propagate_down) == ("replaces", "restricts")
    for one in (plain, net):
        one.blobs["x"].data[...] = np.random.default_rng(1).standard_normal((2, 3, 10, 12))
        one.forward()
    assert np.array_equal(net.blobs["y"].data, net.blobs["c"].data[:, :, 4:14, 4:16])
    assert np.array_equal(plain.blobs["y"].data, plain.blobs["c"].data[:, :, :10, :12])
    with pytest.raises(CaffeCompatError, match="there is no dialect 'x'; choose from bvlc, caffe-ocr"):
        caffe.Net(path, caffe.TEST, dialect="x")


def test_auto_crop_finds_its_offset_in_every_dialect(tmp_path):
    text = INPUT + CONV.replace("pad: 5", "pad: 5 weight_filler { type: 'xavier' }")
    path = tmp_path / "net.prototxt"
    path.write_text(text + CROP.replace('"Crop"', '"AutoCrop"'))
    net = caffe.Net(path, caffe.TEST, dialect="bvlc")
    net.blobs["x"].data[...] = np.random.default_rng(1).standard_normal((2, 3, 10, 12))
    net.forward()
    assert net.layers[-1].type == "AutoCrop"
    assert np.array_equal(net.blobs["y"].data, net.blobs["c"].data[:, :, 4:14, 4:16])


def test_crop_of_blobs_that_have_nothing_in_common():
    other = 'layer { name: "o" type: "Input" top: "c" input_param { shape { dim: 1 } } }'
    with pytest.warns(UserWarning, match="layer 'crop' .* no blob in common, so the offset is taken as 0"):
        assert list(explicit(INPUT + other + CROP, "hed").layer[-1].crop_param.offset) == [0, 0]


def test_textboxes_doubles_the_boxes():
    assert explicit(MAP_WITH_BOXES.replace("OUTPUTS", "48")).layer[1].prior_box_param.denser_prior_boxes
    assert not explicit(MAP_WITH_BOXES.replace("OUTPUTS", "24")).layer[1].prior_box_param.denser_prior_boxes
    assert (
        explicit(MAP_WITH_BOXES.replace("OUTPUTS", "24"), "textboxes")
        .layer[1]
        .prior_box_param.denser_prior_boxes
    )


def test_faceboxes_tiles_the_small_boxes(tmp_path):
    net = (
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 64 dim: 96 } } }\n'
        'layer { name: "m" type: "Pooling" bottom: "x" top: "m" pooling_param { kernel_size: 32 stride: 32 } }\n'
        'layer { name: "c" type: "Convolution" bottom: "m" top: "c" '
        "convolution_param { num_output: 84 kernel_size: 1 } }\n"
        'layer { name: "p" type: "PriorBox" bottom: "m" bottom: "x" top: "p" '
        "prior_box_param { min_size: 32 min_size: 64 min_size: 128 step: 32 } }\n"
    )
    path = tmp_path / "net.prototxt"
    path.write_text(net)
    net = caffe.Net(path, caffe.TEST)
    assert net.blobs["p"].data.shape == (1, 2, 2 * 3 * 21 * 4)
    net.forward()
    first = net.blobs["p"].data[0, 0, :4] * [96, 64, 96, 64]
    assert np.allclose(first, [16 - 16 - 15.5, 16 - 16 - 15.5, 16 - 16 + 15.5, 16 - 16 + 15.5])
    assert caffe.Net(path, caffe.TEST, dialect="bvlc").blobs["p"].data.shape == (1, 2, 2 * 3 * 3 * 4)


def test_sstd_stretches_the_boxes():
    text = MAP_WITH_BOXES.replace("OUTPUTS", "24")
    assert explicit(text, "sstd").layer[1].type == "PriorBoxStretched"
    assert explicit(text).layer[1].type == "PriorBox"


ZOOM = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 dim: ROWS dim: 6 } } }
layer { name: "z" type: "Interp" bottom: "x" top: "y" interp_param { zoom_factor: 2 } }
"""


def test_openvino_zooms_whole_pixels(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(ZOOM.replace("ROWS", "4"))
    for dialect, size in (("openvino", (8, 12)), ("pspnet", (7, 11))):
        assert caffe.Net(path, caffe.TEST, dialect=dialect).blobs["y"].shape[2:] == size


def test_a_zoom_of_images_that_it_divides_is_told():
    with pytest.warns(UserWarning, match="layer 'z' .* OpenVINO makes 2 H: --dialect openvino"):
        assert not explicit(ZOOM.replace("ROWS", "4")).layer[1].interp_param.zoom_whole
    assert not explicit(ZOOM.replace("ROWS", "5")).layer[1].interp_param.zoom_whole


MEETS = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 dim: ROWS dim: COLUMNS } } }
layer { name: "p" type: "Pooling" bottom: "x" top: "p" pooling_param { pool: MAX kernel_size: 3 stride: 2 pad: PAD } }
layer { name: "c" type: "Convolution" bottom: "p" top: "c" convolution_param {
  num_output: 2 kernel_h: 3 kernel_w: 5 pad_h: 2 pad_w: 4 dilation: 2 } }
layer { name: "r" type: "ReLU" bottom: "c" top: "c" }
layer { name: "z" type: "Interp" bottom: "c" top: "z" interp_param { zoom_factor: 2 } }
layer { name: "s" type: "Eltwise" bottom: "x" bottom: "z" top: "y" }
"""


@pytest.mark.parametrize(
    ("rows", "columns", "pad", "name"), [(8, 12, 0, "openvino"), (9, 13, 1, None), (8, 13, 1, None)]
)
def test_zoomed_maps_that_meet_others_tell(rows, columns, pad, name):
    text = MEETS.replace("ROWS", str(rows)).replace("COLUMNS", str(columns)).replace("PAD", str(pad))
    found = dialects.find(parse_net(text)[0])
    assert (found.name if found else None) == name


def test_a_net_whose_zoomed_maps_meet_others_runs(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(MEETS.replace("ROWS", "8").replace("COLUMNS", "12").replace("PAD", "0"))
    net = caffe.Net(path, caffe.TEST)
    assert net.blobs["z"].shape == net.blobs["y"].shape == (1, 2, 8, 12)


def test_the_decoder_of_caffe_ocr():
    text = """layer { name: "a" type: "CTCGreedyDecoder" bottom: "x" }
    layer { name: "b" type: "CTCGreedyDecoder" bottom: "x" bottom: "y" ctc_decoder_param { blank_index: 3 } }"""
    net = explicit(text)
    assert [layer.type for layer in net.layer] == ["CTCGreedyDecoder", "CTCGreedyAccuracy"]
    assert [layer.ctc_decoder_param.blank_index for layer in net.layer] == [0, 3]
    assert [layer.type for layer in explicit(text, "bvlc").layer] == ["CTCGreedyDecoder"] * 2
    assert explicit(text, "bvlc").layer[0].ctc_decoder_param.blank_index == -1
