"""What a page shows of the mining along a training: sums by class and size, and the costliest background."""

import numpy as np
import pytest

import caffe_compat as caffe
from caffe_compat.fast_rcnn.feed import feed_sample
from caffe_compat.fast_rcnn.voc import CLASSES
from caffe_compat.prototxt import zoo
from caffe_compat.report.mining import section
from caffe_compat.report.mining_log import PERIODS, WORST, MiningLog
from caffe_compat.solvers import Iteration

MEANS = (102.9801, 115.9465, 122.7717)


@pytest.fixture(scope="module")
def mined():
    """A log of 13 of 18 iterations of the small OHEM net, and of each its labels, losses, kept rows, RoIs and data."""
    caffe.set_random_seed(4)
    net = caffe.Net(zoo.path("shapes_ohem_train"), caffe.TRAIN)
    log, seen = MiningLog(net, 18, MEANS), []
    for i in range(13):
        feed_sample(net, seed=i % 4)
        net.forward(end="hard_roi_mining")
        log(Iteration(i, 1.0, 1.0, 0.001, 0.1))
        layer, blobs = net.layer_dict["hard_roi_mining"], net.blobs
        seen.append(
            (
                blobs["labels"].data.ravel().astype(int).copy(),
                layer.losses.copy(),
                layer.selected.copy(),
                blobs["rois"].data.copy(),
                blobs["data"].data.copy(),
            )
        )
    return log, seen


def test_the_parts_of_a_training(mined):
    log, _ = mined
    assert PERIODS == 6
    assert [(one.first, one.last) for one in log.periods] == [(0, 2), (3, 5), (6, 8), (9, 11), (12, 12)]


def test_sums_by_class(mined):
    log, seen = mined
    for period, part in ((log.periods[1], seen[3:6]), (log.periods[4], seen[12:])):
        assert [one.name for one in period.classes] == ["background", *CLASSES[1:]]
        for label, group in enumerate(period.classes):
            assert group.rois == sum(int((labels == label).sum()) for labels, *_ in part)
            assert group.kept == sum(int((labels[kept] == label).sum()) for labels, _, kept, *_ in part)
            loss = sum(float(losses[labels == label].sum()) for labels, losses, *_ in part)
            kept_loss = sum(
                float(losses[kept][labels[kept] == label].sum()) for labels, losses, kept, *_ in part
            )
            assert (group.loss, group.kept_loss) == pytest.approx((loss, kept_loss), rel=1e-9)
            assert group.mean_loss == (pytest.approx(loss / group.rois) if group.rois else None)


def test_sums_by_size(mined):
    log, seen = mined
    counts = np.zeros(3, int)
    for *_, rois, _ in seen[:3]:
        area = (rois[:, 3] - rois[:, 1] + 1) * (rois[:, 4] - rois[:, 2] + 1)
        counts += [
            int((area < 1024).sum()),
            int(((area >= 1024) & (area < 9216)).sum()),
            int((area >= 9216).sum()),
        ]
    assert [one.rois for one in log.periods[0].sizes] == counts.tolist()
    assert sum(one.kept for one in log.periods[0].sizes) == sum(len(kept) for _, _, kept, *_ in seen[:3])


def test_the_costliest_background(mined):
    log, seen = mined
    costs = []
    for labels, losses, kept, *_ in seen[:3]:
        costs.append(max(losses[row] for row in kept if labels[row] == 0))
    worst = log.periods[0].worst
    assert [one.loss for one in worst] == pytest.approx(sorted(costs, reverse=True))
    labels, losses, kept, rois, data = seen[int(np.argmax(costs))]
    row = next(row for row in kept if labels[row] == 0)
    _, x1, y1, x2, y2 = rois[row]
    (left, top, right, bottom), pixels = worst[0].box, worst[0].pixels
    assert (right - left, bottom - top) == pytest.approx((x2 - x1, y2 - y1), abs=1e-3)
    column, line = int(x1 - left), int(y1 - top)
    height, width = pixels.shape[:2]
    whole = data[0].transpose(1, 2, 0) + np.array(MEANS, np.float32)
    expected = np.clip(whole[line : line + height, column : column + width], 0, 255)
    assert np.abs(pixels - expected).max() <= 0.51
    assert worst[0].taken_for in CLASSES[1:]


def test_at_most_so_many_pictures_and_one_an_iteration():
    caffe.set_random_seed(4)
    net = caffe.Net(zoo.path("shapes_ohem_train"), caffe.TRAIN)
    log = MiningLog(net, 60, MEANS)
    feed_sample(net, seed=1)
    net.forward(end="hard_roi_mining")
    for i in range(WORST + 2):
        log(Iteration(i, 1.0, 1.0, 0.001, 0.1))
        assert len(log.periods[0].worst) == min(i + 1, WORST)


def test_a_net_that_does_not_mine_has_no_log():
    net = caffe.Net(zoo.path("shapes_train"), caffe.TRAIN)
    log = MiningLog(net, 6, MEANS)
    log(Iteration(0, 1.0, 1.0, 0.001, 0.1))
    assert log.periods == []


def test_the_section(mined):
    log, _ = mined
    text = section(log.periods)
    group = next(one for one in log.periods[3].classes if one.kept)
    assert f"{100 * group.kept / group.rois:.3g} % kept, loss {group.mean_loss:.3g}" in text
    assert text.count("<image ") == sum(len(one.worst) for one in log.periods) == 13
    assert "iterations 9 to 11" in text and "<td>background</td>" in text
    there = {label for labels, *_ in mined[1] for label in np.unique(labels)}
    for label, name in enumerate(CLASSES[1:], 1):
        assert (f"<td>{name}</td>" in text) == (label in there)
