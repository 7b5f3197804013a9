"""Fields and types of a Caffe that nobody here knows: the layer that has them cannot be built; the others can."""

import pytest

from caffe_compat import TEST, TRAIN, Net
from caffe_compat.errors import GraphError, PrototxtError
from caffe_compat.prototxt.reader import parse_net, read_net
from caffe_compat.prototxt.writer import net_text

NET = """\
layer {
  name: "faces"
  type: "FaceData"
  top: "x"
  include { phase: TRAIN }
  face_data_param { source: "faces.txt" points { x: 1 y: [2, 3] } points: < x: 4 > }
  transform_param { mirror: true, crop_box_h: 5; crop_size: 7 }
}
layer { name: "x" type: "Input" top: "x" include { phase: TEST } input_param { shape { dim: 2 dim: 3 } } }
layer { name: "r" type: "ReLU" bottom: "x" top: "y" }
"""


def test_other_layers_of_the_net_can_be_built(tmp_path):
    file = tmp_path / "net.prototxt"
    file.write_text(NET)
    param, source = read_net(file)
    assert [field.told for field in param.layer[0].unread] == [
        "LayerParameter has no field 'face_data_param'",
        "TransformationParameter has no field 'crop_box_h'",
    ]
    assert param.layer[0].transform_param.crop_size == 7
    assert source.where("layer", 0, "unread", 1) == (7, 35)
    assert Net(file, TEST).blobs["y"].shape == (2, 3)
    with pytest.raises(GraphError) as raised:
        Net(file, TRAIN)
    assert str(raised.value) == (
        f"{file}:1: layer 'faces': unknown layer type 'FaceData'; caffe-compat layers lists those that are known; "
        "LayerParameter has no field 'face_data_param'"
    )


def test_a_layer_with_such_a_field_is_not_built_without_it(tmp_path):
    file = tmp_path / "net.prototxt"
    file.write_text(NET.replace('"ReLU"', '"ReLU"\n  relu_param { steepness_of_all: 2 }'))
    with pytest.raises(PrototxtError) as raised:
        Net(file, TEST)
    assert str(raised.value) == f"{file}:11:16: ReLUParameter has no field 'steepness_of_all'"


def test_what_a_fork_is_known_for_is_told(tmp_path):
    file = tmp_path / "net.prototxt"
    file.write_text('layer { name: "m" type: "NCALoss" top: "x" nca_param { } }')
    with pytest.raises(GraphError, match=r"'nca_param'; it is of happynear's Caffe: .* not built here"):
        Net(file, TEST)


def test_nothing_is_lost_in_writing():
    with pytest.raises(PrototxtError, match=r"layer 'faces' cannot be written again: .*'face_data_param'"):
        net_text(parse_net(NET)[0])


@pytest.mark.parametrize(
    ("layer", "near"),
    [
        ("convolutoin_param { }", "'convolutoin_param'; did you mean 'convolution_param'?"),
        ('type: "Convolution" convolutoin_param { }', "did you mean 'convolution_param'?"),
        ("transform_param { miror: true }", "did you mean 'mirror'?"),
        ("transform_param { cropsize: 3 }", "did you mean 'crop_size'?"),
        ("transform_param { bottom: 'x' }", "LayerParameter has: is a '}' missing above?"),
    ],
)
def test_misspellings_are_errors_of_reading(layer, near):
    with pytest.raises(PrototxtError) as raised:
        parse_net(f"layer {{ {layer} }}")
    assert near in str(raised.value)


def test_a_param_that_is_nearly_another_and_named_as_its_type():
    layer = parse_net('layer { poolings_param { t: 1 } type: "Poolings" }')[0].layer[0]
    assert (
        layer.unread[0].told == "LayerParameter has no field 'poolings_param'; did you mean 'pooling_param'?"
    )


@pytest.mark.parametrize(
    "field", ["shuffled_by: 2", "window_cls_data_param { label_dim: 20 }", "at { x: 1 }"]
)
def test_fields_of_a_data_layer(field):
    layer = parse_net(f'layer {{ type: "HeatmapData" top: "x" {field} }}')[0].layer[0]
    assert [one.told.partition(";")[0] for one in layer.unread] == [
        f"LayerParameter has no field '{field.split()[0].strip(':')}'"
    ]


def test_types_of_the_second_generation():
    net, source = parse_net(
        'layers { type: WINDOW_POSE_DATA name: "d" top: "x" window_pose_data_param { scale: 2 } }\n'
        'layers { name: "r" type: RELU bottom: "x" top: "y" }'
    )
    assert [layer.type for layer in net.layer] == ["WindowPoseData", "ReLU"]
    assert source.where("layer", 0, "unread", 0) == (1, 52)
    assert source.where("layer", 1, "type") == (2, 20)
    with pytest.raises(PrototxtError, match=r"1:16: 'type' takes one of NONE, .* found 'CONVOLUTON'"):
        parse_net("layers { type: CONVOLUTON }")
