"""Snapshots hold weights that give boxes as they are; the net goes on with those that give normalised ones."""

import cv2
import numpy as np
import pytest
from recordings import net_of

import caffe_compat as caffe
from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.bbox_pred import normalize, store_unnormalized, unnormalized
from caffe_compat.fast_rcnn.config import OHEM, Config, cfg_from_list
from caffe_compat.fast_rcnn.roidb import Roidb
from caffe_compat.fast_rcnn.source import minibatches
from fast_rcnn.drawn import picture
from fast_rcnn.golden import recorded, recorded_roidb

NET = """
layer { name: "x" type: "DummyData" top: "x" dummy_data_param { shape { dim: 7 dim: 5 }
  data_filler { type: "gaussian" std: 1 } } }
layer { name: "bbox_pred" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 84
  weight_filler { type: "gaussian" std: 0.1 } bias_filler { type: "gaussian" std: 0.1 } } }"""

TRAIN = """
layer { name: "data" type: "Python" top: "data" top: "rois" top: "labels" top: "t" top: "i" top: "o"
  python_param { module: "roi_data_layer.layer" layer: "RoIDataLayer" param_str: "'num_classes': 21" } }
layer { name: "pool" type: "ROIPooling" bottom: "data" bottom: "rois" top: "pool"
  roi_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 1 } }
layer { name: "drop" type: "Dropout" bottom: "pool" top: "drop" }
layer { name: "bbox_pred" type: "InnerProduct" bottom: "drop" top: "pred" inner_product_param { num_output: 84
  weight_filler { type: "gaussian" std: 0.0001 } } }
layer { name: "box" type: "SmoothL1Loss" bottom: "pred" bottom: "t" bottom: "i" bottom: "o" top: "box" }"""
SOLVER = 'net: "net.prototxt" base_lr: 0.0001 momentum: 0.9 lr_policy: "fixed" snapshot_prefix: "snap" iter_size: 2'


def params(net: caffe.Net) -> list[np.ndarray]:
    return [blob.data.copy() for blob in net.params["bbox_pred"]]


def test_outputs_of_unnormalised_weights_are_scaled_and_moved():
    net, roidb = net_of(NET), recorded_roidb(Config())
    before = params(net)
    net.forward()
    want = net.blobs["y"].data * roidb.stds + roidb.means
    weights, bias = unnormalized([blob.data for blob in net.params["bbox_pred"]], roidb.means, roidb.stds)
    assert (weights.dtype, bias.dtype) == (np.float32, np.float32)
    np.testing.assert_allclose(net.blobs["x"].data @ weights.T + bias, want, rtol=1e-5, atol=1e-6)
    assert not weights[:4].any()  # the background has no targets
    for array, now in zip(before, params(net), strict=True):
        np.testing.assert_array_equal(array, now)


def test_normalising_is_the_way_back():
    net, roidb = net_of(NET), recorded_roidb(Config())
    before = params(net)
    for blob, stored in zip(
        net.params["bbox_pred"], unnormalized(before, roidb.means, roidb.stds), strict=True
    ):
        blob.data[...] = stored
    normalize(net, roidb.means, roidb.stds)
    known = roidb.stds > 0
    assert 4 <= np.count_nonzero(~known) < 84
    for array, now in zip(before, params(net), strict=True):
        np.testing.assert_allclose(now[known], array[known], rtol=1e-5, atol=1e-6)
        assert np.isfinite(now).all()
    normalize(net_of(NET.replace("bbox_pred", "other")), roidb.means, roidb.stds)  # nothing to do


def test_a_net_for_other_classes_is_refused():
    net, roidb = net_of(NET.replace("84", "16")), recorded_roidb(Config())
    with pytest.raises(
        DataError, match=r"bbox_pred has params of the shapes .*16.*; expected .* of 84 outputs"
    ):
        normalize(net, roidb.means, roidb.stds)
    with pytest.raises(DataError, match="bbox_pred has params"):
        unnormalized(params(net)[:1], roidb.means, roidb.stds)


@pytest.fixture
def roidb(tmp_path) -> Roidb:
    for seed, image_id in enumerate(recorded("roidb")["image_id"][:5]):
        cv2.imwrite(str(tmp_path / f"{image_id}.jpg"), picture(seed, 375, 500))
    small = ["TRAIN.SCALES", "(40,60)", "TRAIN.MAX_SIZE", "80", "TRAIN.USE_PREFETCH", "True"]
    return recorded_roidb(cfg_from_list(small, OHEM), tmp_path)


def solver_on(roidb: Roidb, folder) -> caffe.solvers.Solver:
    np.random.seed(3)
    caffe.set_random_seed(3)
    (folder / "net.prototxt").write_text(TRAIN)
    (folder / "solver.prototxt").write_text(SOLVER.replace('"snap"', f'"{folder}/snap"'))
    solver = caffe.get_solver(folder / "solver.prototxt")
    layer = solver.net.layers[0]
    layer.set_source(minibatches(roidb, layer.num_classes))
    store_unnormalized(solver, roidb)
    return solver


def test_a_snapshot_is_unnormalised_and_training_goes_on_from_it_bit_for_bit(roidb, tmp_path):
    straight = solver_on(roidb, tmp_path)
    straight.step(3)
    state = straight.snapshot()
    learned = params(straight.net)
    straight.step(9)  # past the end of the epoch

    stored = net_of(TRAIN)
    stored.copy_from(state.replace("solverstate", "caffemodel"))
    for array, want in zip(params(stored), unnormalized(learned, roidb.means, roidb.stds), strict=True):
        np.testing.assert_array_equal(array, want)

    resumed = solver_on(roidb, tmp_path)
    resumed.step(1)  # whatever happened before does not matter
    resumed.restore(state)
    for array, want in zip(params(resumed.net), learned, strict=True):
        np.testing.assert_array_equal(array, want)
    resumed.step(9)
    assert np.abs(params(straight.net)[0] - learned[0]).max() > 0
    for array, want in zip(params(resumed.net), params(straight.net), strict=True):
        np.testing.assert_array_equal(array, want)
    for solver in (straight, resumed):
        solver.net.layers[0].source.close()


def test_without_normalised_targets_weights_are_stored_as_they_are(roidb, tmp_path):
    plain = Roidb(roidb.photos, cfg_from_list(["TRAIN.BBOX_NORMALIZE_TARGETS", "False"], OHEM), roidb.classes)
    assert solver_on(plain, tmp_path).weight_exports == {}
