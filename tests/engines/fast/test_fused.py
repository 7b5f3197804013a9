"""The fast engine against the strict one, on whole nets."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from commands import run_prototxt

import caffe_compat as caffe
from caffe_compat.engines.fast import shared_bins
from caffe_compat.engines.fast.find_fused import FusedGroup
from caffe_compat.engines.fast.reused_rows import ReusedRows
from caffe_compat.engines.fast.shared_bins import SharedBins
from caffe_compat.fast_rcnn.synthetic import synthetic_sample
from caffe_compat.prototxt import zoo


def small_ohem(engine: str | None) -> caffe.Net:
    """The small OHEM net on a drawn photo with 1500 RoIs, in which rounding flips no maximum of RoI pooling."""
    caffe.set_random_seed(4)
    net = caffe.Net(zoo.path("shapes_ohem_train"), caffe.TRAIN, engine=engine)
    net.layer_dict["data"].set_blobs([synthetic_sample(21, seed=6, rois=1500)])
    return net


@pytest.fixture(scope="module")
def nets() -> Iterator[tuple[caffe.Net, caffe.Net]]:
    """Both engines after a pass; the fast one shares though it would not pay."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared_bins, "PACKING", -(10**9))
        yield run_both()


def run_both() -> tuple[caffe.Net, caffe.Net]:
    result = small_ohem("fast"), small_ohem("strict")
    for net in result:
        net.clear_param_diffs()
        net.forward()
        net.backward()
    return result


def test_the_steps_of_the_ohem_net(nets):
    fast, strict = nets
    assert (fast.engine.name, strict.engine.name, strict.engine.groups) == ("fast", "strict", [])
    first, second = (group for group in fast.engine.groups if isinstance(group, FusedGroup))
    names = fast.layer_names
    assert isinstance(first.fused, SharedBins) and first.fused.sharing < 1
    assert [names[i] for i in range(first.first, first.last + 1)] == ["roi_pool4_readonly", "fc6_readonly"]
    assert isinstance(second.fused, ReusedRows) and (names[second.first], second.first) == (
        "fc6",
        second.last,
    )


def test_same_numbers(nets):
    fast, strict = nets
    mined = [net.layer_dict["hard_roi_mining"].selected for net in nets]
    np.testing.assert_array_equal(*mined)
    assert len(mined[0]) == 64
    for name, blob in strict.blobs.items():
        got, want = fast.blobs[name].data, blob.data
        assert np.abs(got - want).max(initial=0) <= 1e-5 * max(np.abs(want).max(initial=0), 1e-3), name
    for got, want in zip(fast.learnable, strict.learnable, strict=True):
        one, other = fast.param_blob(got).diff, strict.param_blob(want).diff
        assert np.abs(one - other).max() <= 1e-4 * np.abs(other).max()


def test_the_hard_rows_are_computed_where_the_read_only_ones_are_not_of_this_pass():
    net = small_ohem("fast")
    net.forward()
    want = net.blobs["fc6"].data.copy()
    net.params["fc6_readonly"][0].data[...] *= 3  # shared with fc6
    net.forward(start="roi_pool4", end="relu6")
    assert np.abs(net.blobs["fc6"].data).max() > 1.5 * np.abs(want).max()


def test_callbacks_come_once_for_each_layer_in_order(nets):
    net = small_ohem("fast")
    seen: list[tuple[str, int]] = []
    net.before_forward(lambda i: seen.append(("before", i)))
    net.after_forward(lambda i: seen.append(("after", i)))
    net.forward()
    assert seen == [(when, i) for i in range(len(net.layers)) for when in ("before", "after")]


def test_a_callback_sees_the_blob_that_is_not_made():
    net, want = small_ohem("fast"), small_ohem("strict")
    want.forward()
    index = net.layer_names.index("roi_pool4_readonly")
    seen: list[np.ndarray] = []
    net.after_forward(lambda i: seen.append(net.blobs["pool4_readonly"].data.copy()) if i == index else None)
    net.forward()
    expected = want.blobs["pool4_readonly"].data
    assert np.abs(seen[0] - expected).max() <= 1e-5 * expected.max()


def test_each_net_keeps_its_engine(nets):
    """A net that was made before another one of another engine, or before set_engine, computes as it did."""
    fast, strict = small_ohem("fast"), small_ohem("strict")
    default = caffe.get_engine()
    caffe.set_engine("strict")
    try:
        assert small_ohem(None).engine.name == "strict" and fast.engine.name == "fast"
    finally:
        caffe.set_engine(default)
    assert len(fast.engine.groups) > 2 and not strict.engine.groups
    fast.forward(), strict.forward()
    for name in ("fc6_readonly", "fc7"):
        np.testing.assert_array_equal(strict.blobs[name].data, nets[1].blobs[name].data)
        want = strict.blobs[name].data
        assert np.abs(fast.blobs[name].data - want).max() <= 1e-5 * np.abs(want).max()


def test_an_unknown_engine():
    with pytest.raises(caffe.CaffeCompatError, match="no engine 'quick'; choose from fast, strict"):
        caffe.set_engine("quick")


def test_the_engine_of_a_command(tmp_path):
    losses = {}
    for engine in ("fast", "strict"):
        done = run_prototxt(zoo.path("shapes_ohem_train"), "--engine", engine, "--seed", 3, "--quiet")
        assert done.returncode == 0, done.stderr
        losses[engine] = done.stdout
    assert "loss_cls" in losses["fast"]
    done = run_prototxt(zoo.path("lenet"), "--engine", "quick")
    assert done.returncode == 2 and "invalid choice: 'quick'" in done.stderr
