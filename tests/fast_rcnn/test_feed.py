"""What a run feeds to a net: photos in their order, no more than it needs."""

import numpy as np
import pytest
from recordings import net_of

import caffe_compat as caffe
from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn import feed
from caffe_compat.fast_rcnn.config import OHEM, cfg_from_list
from caffe_compat.fast_rcnn.voc import Devkit
from caffe_compat.prototxt import zoo
from fast_rcnn.drawn import SIZES

TOPS = 'top: "data" top: "rois" top: "labels" top: "t" top: "i" top: "o"'
DATA = f'layer {{ name: "data" type: "RoIData" {TOPS} python_param {{ param_str: "num_classes: 21" }} }}'
REST = """layer { name: "r" type: "Silence" bottom: "data" }"""
MINE = """
layer { name: "p" type: "DummyData" top: "p" dummy_data_param { shape { dim: 1 dim: 21 } } }
layer { name: "b" type: "DummyData" top: "b" dummy_data_param { shape { dim: 1 dim: 84 } } }
layer { name: "m" type: "HardRoIMining" bottom: "p" bottom: "b" bottom: "rois" bottom: "labels" bottom: "t"
  bottom: "i" bottom: "o" top: "1" top: "2" top: "3" top: "4" top: "5" }"""


def served(net: caffe.Net) -> dict[str, np.ndarray]:
    layer = net.layers[0]
    layer.forward([], [net.blobs[name] for name in ("data", "rois", "labels", "t", "i", "o")])
    return {name: net.blobs[name].data.copy() for name in ("data", "rois", "labels")}


@pytest.fixture
def told():
    return []


def test_a_mining_net_gets_all_rois_of_a_photo_at_a_time(devkit, told):
    net = net_of(DATA + REST + MINE)
    lines = feed.feed_dataset(net, Devkit(devkit), 2, lambda *seen: told.append(seen))
    assert told == [("000007", 2), ("000012", 2)]  # the third photo is not needed
    assert lines == [
        f"data: VOC2007 trainval of {devkit}, 3 photo(s); an iteration has 1 photo(s) with all RoIs"
    ]
    assert [served(net)["data"].shape for _ in range(3)] == [
        (1, 3, 600, 800),
        (1, 3, 943, 600),
        (1, 3, 600, 800),
    ]


def test_a_plain_net_gets_sampled_rois_of_two_photos(devkit, told):
    net = net_of(DATA + REST)
    lines = feed.feed_dataset(net, Devkit(devkit), 1, lambda *seen: told.append(seen))
    assert told == [("000007", 2), ("000012", 2)]
    assert lines[0].endswith("an iteration has 2 photo(s) with 128 sampled RoIs")
    blobs = served(net)
    assert blobs["data"].shape == (2, 3, 943, 800) and len(blobs["rois"]) <= 128


def test_a_configuration_counts_and_bad_photos_are_told(devkit):
    (devkit / "VOC2007/JPEGImages/000007.jpg").write_bytes(b"no")
    net = net_of(DATA + REST)
    cfg = cfg_from_list(["TRAIN.SCALES", "(60,)", "TRAIN.USE_OHEM", "False"], OHEM)
    with pytest.raises(DataError, match="not a photo") as error:
        feed.feed_dataset(net, Devkit(devkit), cfg=cfg)
    assert error.value.file.endswith("000007.jpg")
    lines = feed.feed_dataset(net, Devkit(devkit), 2, cfg=cfg, skip_bad_images=True)
    assert served(net)["data"].shape == (1, 3, 94, 60)
    assert len(lines) == 2 and lines[1].startswith("skipped 1 bad image(s): ") and "000007.jpg" in lines[1]


def test_a_net_for_other_classes_is_told_what_to_change(devkit):
    """In a net of RPN, two layers are told of the classes; in R-FCN, filters are counted by bins."""
    own = ("__background__", "dog", "car", "cat", "person", "tvmonitor", "none")
    kit = Devkit(devkit, classes=own)
    net = caffe.Net(zoo.path("shapes_rpn_train"), caffe.TRAIN)
    with pytest.raises(DataError) as caught:
        feed.feed_dataset(net, kit)
    assert caught.value.message == (
        f"the net is for 21 classes (num_classes of 'data' and 'roi_data'), {kit.name} has 7, both with the "
        "background; set num_classes of 'data' and 'roi_data' to 7, num_output of 'cls_score' to 7, num_output "
        "of 'bbox_pred' to 28"
    )
    text = f"""{DATA.replace("num_classes: 21", "num_classes: 5")}
        layer {{ name: "maps" type: "Convolution" bottom: "data" top: "maps"
                convolution_param {{ num_output: 45 kernel_size: 1 }} }}
        layer {{ name: "ps" type: "PSROIPooling" bottom: "maps" bottom: "rois" top: "ps"
                psroi_pooling_param {{ output_dim: 5 group_size: 3 spatial_scale: 1 }} }}"""
    with pytest.raises(DataError, match="num_output of 'maps' to 63, output_dim of 'ps' to 7") as caught:
        feed.feed_dataset(net_of(text, caffe.TRAIN), kit)
    assert "5 classes only: give --classes" not in caught.value.message


def test_photos_without_annotation(devkit, told):
    paths = [str(devkit / f"VOC2007/JPEGImages/{image_id}.jpg") for image_id in SIZES]
    net = net_of(DATA + REST)
    feed.feed_photos(net, paths[:2], lambda *seen: told.append(seen))
    assert told == [("000007.jpg", 2), ("000012.jpg", 2)]
    assert not served(net)["labels"].any()
    assert served(net)["data"].shape == (1, 3, 943, 600)


def test_the_inputs_of_a_test_net(devkit):
    net = net_of(
        'input: "data" input_shape { dim: 1 dim: 3 dim: 4 dim: 5 } input: "rois" input_shape { dim: 1 dim: 5 } '
        'layer { name: "s" type: "Silence" bottom: "data" bottom: "rois" }',
        caffe.TEST,
    )
    feed.feed_dataset(net, Devkit(devkit, image_set="val"))
    assert net.blobs["data"].shape == (2, 3, 600, 750)
    assert net.blobs["rois"].data[-1, 0] == 1
