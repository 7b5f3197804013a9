"""Shared bins against ROIPooling and InnerProduct, which run one after the other in the strict engine."""

from __future__ import annotations

import numpy as np
import pytest
from recordings import net_of

import caffe_compat as caffe
from caffe_compat.engines.fast import shared_bins
from caffe_compat.layers.kernels import shared_bins as kernels

NET = """
input: "maps" input_shape {{ dim: 3 dim: 11 dim: 13 dim: 17 }}
input: "rois" input_shape {{ dim: 1 dim: 5 }}
layer {{ name: "pool" type: "ROIPooling" bottom: "maps" bottom: "rois" top: "pool"
        roi_pooling_param {{ pooled_h: {h} pooled_w: {w} spatial_scale: 0.125 pad_ratio: {pad} }} }}
layer {{ name: "fc" type: "InnerProduct" bottom: "pool" top: "fc"
        inner_product_param {{ num_output: {outputs} bias_term: {bias} weight_filler {{ type: "gaussian" std: 0.1 }}
                              bias_filler {{ type: "gaussian" std: 1 }} }} }}
layer {{ name: "relu" type: "ReLU" bottom: "fc" top: "fc" }}
"""


def rois(count: int) -> np.ndarray:
    """Boxes around a few places in three images, many of them alike once rounded; some lie outside."""
    rng = np.random.RandomState(3)
    around = rng.uniform([-20, -20, 30, 30], [60, 50, 150, 120], (9, 4))
    boxes = around[rng.randint(9, size=count)] + rng.standard_normal((count, 4)) * 3
    boxes[:: count // 3] += 500
    return np.hstack((rng.randint(0, 3, (count, 1)), boxes)).astype(np.float32)


def run(engine: str, count: int = 157, infinite: int = 0, **numbers: object) -> tuple[caffe.Net, np.ndarray]:
    caffe.set_engine(engine)
    caffe.set_random_seed(2)
    try:
        net = net_of(
            NET.format(**{"h": 5, "w": 4, "outputs": 37, "bias": "true", "pad": 0, **numbers}), caffe.TEST
        )
    finally:
        caffe.set_engine("fast")
    net.blobs["maps"].data[...] = np.random.RandomState(1).standard_normal(net.blobs["maps"].shape)
    net.blobs["rois"].reshape(count, 5)
    net.blobs["rois"].data[...] = rois(count)
    if infinite:
        net.blobs["maps"].data[1, infinite, 3, 4:6] = np.inf
        net.params["fc"][0].data[infinite, 41] = -np.inf
    net.blobs["fc"].data[...] = np.nan
    return net, net.forward()["fc"].copy()


@pytest.mark.parametrize(
    "numbers",
    [
        {},
        {"h": 7, "w": 7},
        {"h": 1, "w": 1},
        {"bias": "false"},
        {"pad": 0.25},
        {"outputs": 700},
    ],  # 700: more than one block
    ids=str,
)
def test_same_as_the_layers(numbers, monkeypatch):
    monkeypatch.setattr(shared_bins, "PACKING", 0)
    net, got = run("fast", **numbers)
    want = run("strict", **numbers)[1]
    group = net.engine.groups[0]
    assert isinstance(group.fused, shared_bins.SharedBins) and group.fused.sharing < 0.9
    assert np.abs(got - want).max() <= 3e-6 * np.abs(want).max()
    assert (want > 0).mean() > 0.3


def test_infinite_numbers(monkeypatch):
    monkeypatch.setattr(shared_bins, "PACKING", 0)
    (net, got), (_, want) = (run(engine, infinite=7) for engine in ("fast", "strict"))
    assert net.engine.groups[0].fused.sharing < 0.9
    assert 20 < np.isinf(want).sum() < want.size / 2 and np.isnan(want).any()
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    np.testing.assert_array_equal(got[np.isinf(want)], want[np.isinf(want)])
    finite = np.isfinite(want)
    np.testing.assert_allclose(got[finite], want[finite], atol=3e-6 * want[finite].max())


def test_the_pooled_blob_is_made_when_asked_for():
    net, _ = run("fast")
    assert net.blobs["pool"].pending_data is not None
    np.testing.assert_array_equal(net.blobs["pool"].data, run("strict")[0].blobs["pool"].data)
    assert net.blobs["pool"].pending_data is None


def test_a_held_array_of_the_pooled_blob_stays_true():
    net, _ = run("fast")
    held = net.blobs["pool"].data
    net.blobs["maps"].data[...] *= 2
    before = held.copy()
    net.forward()
    np.testing.assert_array_equal(held, 2 * before)


def test_where_nothing_is_shared_the_layers_run_alone():
    net, got = run("fast", count=7)
    assert net.engine.groups[0].fused.sharing == 1
    np.testing.assert_array_equal(got, run("strict", count=7)[1])


def test_part_of_the_layers():
    """Started or ended between the two, each layer runs by itself; what is written into the blob counts."""
    net, whole = run("fast")
    net.forward(end="pool")
    assert net.blobs["pool"].pending_data is None
    net.blobs["pool"].data[...] = 0
    net.forward(start="fc", end="relu")
    bias = net.params["fc"][1].data
    np.testing.assert_allclose(
        net.blobs["fc"].data, np.broadcast_to(np.maximum(bias, 0), whole.shape), rtol=1e-6
    )


def test_no_room_for_a_bad_roi():
    net, _ = run("fast")
    net.blobs["rois"].data[5, 0] = 3
    with pytest.raises(
        caffe.LayerError, match=r"pool.*RoI 5 is of image 3; bottom\[0\] holds the images 0 to 2"
    ):
        net.forward()


def test_numbering_of_rectangles():
    rng = np.random.RandomState(0)
    keys = rng.randint(0, 40, (6, 31)).astype(np.int64) * 123456789
    table = np.full(512, -1, np.int64)
    ids, places, rows = (
        np.empty(keys.shape, np.int32),
        np.empty(keys.shape, np.int32),
        np.empty(keys.size, np.int32),
    )
    found, starts = np.empty(keys.size, np.int64), np.empty(7, np.int64)
    count, total = kernels.distinct(keys, table, ids, found, rows, starts, places)
    assert count == len(np.unique(keys)) and sorted(found[:count]) == sorted(np.unique(keys))
    assert total == sum(len(np.unique(row)) for row in keys) == starts[6]
    for p in range(6):
        np.testing.assert_array_equal(found[rows[starts[p] : starts[p + 1]]][places[p]], keys[p])
