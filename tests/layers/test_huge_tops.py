"""Params that ask for more than a blob can hold are an error before memory is taken."""

import numpy as np
import pytest

from caffe_compat.errors import CaffeCompatError
from layers.harness import Runner

HUGE = 2_000_000_000
MAPS = (1, 2, 5, 6)


@pytest.mark.parametrize(
    "layer, shapes",
    [
        (f'"SpatialTransformer" st_param {{ output_H: {HUGE} output_W: {HUGE} }}', [MAPS, (1, 6)]),
        (
            f'"Correlation" correlation_param {{ kernel_size: 1 max_displacement: {HUGE} pad: {HUGE} }}',
            [MAPS, MAPS],
        ),
        (
            f'"Correlation" correlation_param {{ kernel_size: 1 max_displacement: 1 pad: {HUGE} }}',
            [MAPS, MAPS],
        ),
        (f'"MaskResize" mask_resize_param {{ output_height: {HUGE} output_width: {HUGE} }}', [MAPS]),
        (f'"Resample" resample_param {{ height: {HUGE} width: {HUGE} }}', [MAPS]),
        (f'"Downsample" downsample_param {{ top_height: {HUGE} top_width: {HUGE} }}', [MAPS]),
        ('"Accum" accum_param { size_divisible_by: 4000000000 }', [MAPS]),
        ('"ImResize" imresize_param { factor: 1e30 }', [MAPS]),
        ('"Nms" nms_param { num_parts: 2 max_peaks: 4000000000 }', [MAPS]),
        ('"CompactBilinear" compact_bilinear_param { num_output: 4000000000 }', [MAPS, MAPS]),
    ],
)
def test_a_top_that_is_too_large(layer, shapes):
    with pytest.raises(CaffeCompatError, match="more than Caffe's limit"):
        Runner(f"type: {layer}", [np.ones(shape) for shape in shapes])


@pytest.mark.parametrize("factor", ["inf", "nan"])
def test_a_factor_that_is_no_number(factor):
    with pytest.raises(CaffeCompatError, match="becomes 0 x 0"):
        Runner(f'type: "ImResize" imresize_param {{ factor: {factor} }}', [np.ones(MAPS)])


@pytest.mark.parametrize(
    "layer, shapes",
    [
        ("FlowWarp", [(0, 2, 3, 4), (0, 2, 3, 4)]),
        ("SpatialTransformer", [(0, 2, 3, 4), (0, 6)]),
        ("Accum", [(0, 2, 3, 4)]),
        ("L2Normalize", [(0, 3)]),
        ("DomainTransform", [(0, 2, 3, 4), (0, 1, 3, 4), (0, 2)]),
        ("MaskPooling", [(0, 2, 3, 4), (0, 1, 3, 4)]),
        ("ChannelNorm", [(0, 2, 3, 4)]),
    ],
)
def test_no_images_are_no_error(layer, shapes):
    runner = Runner(f'type: "{layer}"', [np.ones(shape) for shape in shapes])
    (top,) = runner.forward()
    runner.backward(
        [np.ones(top.shape)], [True] * 2 + [False] * (len(shapes) - 2) if len(shapes) > 1 else [True]
    )
    assert top.size == 0
