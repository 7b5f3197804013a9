"""Bottoms without any items, as behind a Filter that selects none, or pixels: no crash, no NaN, no gradient for the
params."""

import re

import numpy as np
import pytest

from caffe_compat.errors import CaffeCompatError, LayerError
from layers.cases import CASES
from layers.harness import Runner
from layers.sweep import check_each, each_type

REFUSED = {
    "BN": "nothing to take the statistics of",
    "BatchNorm": "nothing to take the statistics of",
    "Bias": "does not fit",
    "DecodeBBox": "no box is left",
    "DetectionOutput": "the top of PriorBox",
    "FrcnnOutput": "expected (1, 2)",
    "GradientSilent": "expected a number",
    "HardMining": "no RoIs to choose from",
    "HardRoIMining": "no RoIs to choose from",
    "LSTM": "T at least 1",
    "LSTMUnit": "expected 1 x N x D",
    "Proposal": "no images to propose RoIs in",
    "ProposalTarget": "there are too few RoIs",
    "RNN": "T at least 1",
    "ROIGenerating": "no heatmaps to take RoIs from",
    "RPROI": "no images to propose RoIs in",
    "SRNNFormat": "are not the rows of such maps",
    "Scale": "does not fit",
    "ScaleRoute": "no RoIs to choose from",
    "Slice": "do not cut axis 0",
    "SmoothL1Loss2": "has the branches 1 to 0",
    "SoftmaxWithLoss2": "has the branches 1 to 0",
}


@each_type((case.type, case) for case in CASES if case.shapes)
def test_no_items(type, items):
    check_each(runs_without_items_or_says_why_not, items)


def runs_without_items_or_says_why_not(case):
    runner = Runner.of(case, case.bottoms(np.random.RandomState(1)))
    runner.forward()
    try:
        runner.feed([np.zeros((0, *shape[1:])) for shape in case.shapes])
        tops = runner.forward()
    except LayerError as error:
        told = REFUSED.get(case.type, "nothing to take a loss of")
        assert told in error.message or "(0, " in error.message  # the shape without items
        return
    assert not any(np.isnan(top).any() for top in tops)
    assert not any(np.isnan(blob.data).any() for blob in runner.layer.blobs)
    if not runner.layer.has_backward:
        return
    for blob in runner.layer.blobs:
        blob.diff[...] = 2
    runner.backward(runner.seeds(case, np.random.RandomState(2)))
    assert all((blob.diff == 2).all() for blob in runner.layer.blobs)


@pytest.mark.filterwarnings("ignore:layer 'layer'")
@each_type((case.type, case) for case in CASES if case.shapes and max(map(len, case.shapes)) > 3)
def test_no_pixels(type, items):
    """Images of no pixels, as behind a convolution whose window does not fit."""
    check_each(runs_without_pixels_or_says_why_not, items)


def runs_without_pixels_or_says_why_not(case):
    shapes = [(*shape[:2], *[0] * (len(shape) - 2)) if len(shape) > 3 else shape for shape in case.shapes]
    try:
        runner = Runner.of(case, [np.zeros(shape) for shape in shapes])
        tops = runner.forward()
    except CaffeCompatError as error:
        assert re.search(r"\b0\b|-1|no heatmaps|no top", error.message)
        return
    assert not any(np.isnan(top).any() for top in tops)
    if runner.layer.has_backward:
        runner.backward(runner.seeds(case, np.random.RandomState(2)))
    if not any(top.size for top in tops):
        assert not any(blob.diff.any() for blob in runner.layer.blobs)


@pytest.mark.parametrize("type", ["LSTM", "RNN"])
def test_no_streams(type):
    runner = Runner(
        f'type: "{type}" recurrent_param {{ num_output: 4 }}',
        [np.ones((3, 2, 5)), np.ones((3, 2)), np.ones((2, 7))],
    )
    runner.forward()
    for blob in runner.layer.blobs:
        blob.diff[...] = 2
    runner.feed([np.ones((3, 0, 5)), np.ones((3, 0)), np.ones((0, 7))])
    assert runner.forward()[0].shape == (3, 0, 4)
    runner.backward([np.ones((3, 0, 4))])
    assert all((blob.diff == 2).all() for blob in runner.layer.blobs)
