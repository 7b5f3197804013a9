"""The nets on a thin ResNet-50: lower stages keep their values, the twins agree, and a step learns."""

import numpy as np
import pytest

import caffe_compat as caffe
from caffe_compat.fast_rcnn.config import cfg_from_file
from caffe_compat.fast_rcnn.synthetic import synthetic_sample
from caffe_compat.prototxt import zoo

NAME = "thin_resnet50_fast_rcnn"
HEAD = ["fc6", "fc7", "cls_score", "bbox_pred"]


@pytest.fixture(scope="module")
def nets() -> dict[str, caffe.Net]:
    return {
        kind: caffe.Net(zoo.path(f"{NAME}_{kind}"), caffe.TEST if kind == "test" else caffe.TRAIN)
        for kind in ("train", "ohem_train", "test")
    }


def test_stage_2_and_the_head_learn_and_nothing_else(nets):
    for kind in ("train", "ohem_train"):
        net = nets[kind]
        learns = {net.layer_names[i] for param in net.learnable if param.lr_mult.value for i, _ in param.uses}
        own = {name for name in learns if not name.endswith("_readonly")}
        assert own == {name for name in net.params if name.startswith("conv_stage2")} | set(HEAD)
        assert len(own) == 6 * 3 + 1 + 4


def test_the_three_nets_have_the_same_weights(nets):
    shapes = {
        kind: {
            name: [blob.shape for blob in blobs]
            for name, blobs in net.params.items()
            if not name.endswith("_readonly")
        }
        for kind, net in nets.items()
    }
    assert shapes["train"] == shapes["ohem_train"] == shapes["test"]
    assert shapes["test"]["fc6"] == [(256, 512 * 7 * 7), (256,)]
    assert shapes["test"]["conv_stage2_block5_branch2b"] == [(128, 128, 3, 3), (128,)]


def test_a_pass_reaches_stage_2_from_above_and_stops(nets):
    net = nets["ohem_train"]
    rng = np.random.RandomState(3)
    for name, blobs in net.params.items():
        if name.startswith("bn_"):
            blobs[0].data[...], blobs[1].data[...], blobs[2].data[...] = 0, 1, 1
        elif name.startswith("conv_"):
            blobs[0].data[...] = rng.normal(0, np.sqrt(2 / blobs[0].data[0].size), blobs[0].shape)
    sample = synthetic_sample(21, 5, rois=70)
    sample["data"] = sample["data"][:, :, :128, :176]
    sample["rois"] *= 0.2  # of 600 x 800
    net.layer_dict["data"].set_blobs([sample])
    net.clear_param_diffs()
    net.forward()
    net.backward()
    assert net.blobs["eltwise_stage2_block5"].shape == (1, 512, 8, 11)  # a sixteenth of each side
    assert net.blobs["rois_hard"].num <= 64
    assert np.isfinite(float(net.blobs["loss_cls"].data))
    assert np.abs(net.params["conv_stage2_block0_branch2a"][0].diff).max() > 0
    assert not net.params["conv_stage1_block3_branch2c"][0].has_diff


def test_the_solvers_and_their_configurations():
    for suffix, images in (("_ohem", 1), ("", 2)):
        cfg = cfg_from_file(zoo.path(f"{NAME}_test").with_name(f"thin_resnet50{suffix}.yml"))
        train = cfg.TRAIN
        assert train.SCALES == cfg.TEST.SCALES == (400,)
        assert images == train.IMS_PER_BATCH and train.USE_OHEM is (suffix != "")
        solver = caffe.get_solver(zoo.path(f"{NAME}{suffix}_solver"), layer_settings=cfg.layer_settings())
        assert solver.param.iter_size * images == 2
