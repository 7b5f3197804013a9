"""Extreme params, shapes and values end soon, in numbers or in one clear line: cases of each kind that once did not.

scripts/sweep_extremes.py runs all there are, in children that can be ended; what is here is known to end.
"""

from pathlib import Path

import numpy as np
import pytest
from processes import python
from recordings import net_of

from caffe_compat.blob import Blob
from caffe_compat.errors import CaffeCompatError
from caffe_compat.layers.common.pairs_of_domains import gamma_of
from caffe_compat.rng import Rng
from layers.cases import CASES
from layers.extremes import Extreme, attempt, millions_of, params_of, values_of
from layers.harness import Case, Runner

HUGE = 2_000_000_000
MAPS = (2, 3, 4, 5)
RATHER_MANY = "it must be at most"
EXAMPLES = [(1_000_000, 1), (1_000_000,)]
MANY_PAIRS = "which makes 1000000000000 pairs, more than"

REFUSED = {
    # work that the data does not bound
    f'"AdaptiveBiasChannel" adaptive_bias_channel_param {{ num_iter: {HUGE} }}': (
        [MAPS, (2, 6, 1, 1)],
        "num_iter is 2000000000; it must be at most 1000",
    ),
    f'"DenseCRF" dense_crf_param {{ max_iter: {HUGE} }}': ([MAPS, (2, 2)], RATHER_MANY),
    f'"DomainTransform" domain_transform_param {{ num_iter: {HUGE} }}': (
        [MAPS, (2, 1, 4, 5), (2, 2)],
        RATHER_MANY,
    ),
    f'"MultiStageMeanfield" multi_stage_meanfield_param {{ num_iterations: {HUGE} }}': (
        [MAPS, MAPS, MAPS],
        RATHER_MANY,
    ),
    f'"DenseBlock" denseblock_param {{ numTransition: {HUGE} growthRate: 1 }}': ([MAPS], RATHER_MANY),
    f'"FeatureExtrapolating" feature_extrapolating_param {{ num_scale_base: 1 num_per_octave: {HUGE} '
    'scale_string: "1" }': ([MAPS], RATHER_MANY),
    f'"DetectionEvaluate" detection_evaluate_param {{ num_classes: {HUGE} }}': (
        [(1, 1, 3, 7), (1, 1, 2, 8)],
        RATHER_MANY,
    ),
    f'"DetectionOutput" detection_output_param {{ num_classes: {HUGE} }}': (
        [(1, 4), (1, 2), (1, 2, 4)],
        RATHER_MANY,
    ),
    '"PriorBoxDensified" prior_box_param { fixed_size: 8 density: 50000 }': ([MAPS, MAPS], RATHER_MANY),
    '"RNN" recurrent_param { num_output: 1 }': (
        [(20_001, 1, 1), (20_001, 1)],
        "the number of steps, T, is 20001",
    ),
    # pairs of what there is a million of
    '"CosineSimilarityBatch"': (EXAMPLES, MANY_PAIRS),
    '"LiftedStructSimilaritySoftmaxLoss"': (EXAMPLES, MANY_PAIRS),
    '"RankHardLoss" rank_param { pair_size: 4 }': (EXAMPLES, MANY_PAIRS),
    '"SemiContrastLoss" semicontrast_loss_param { feature_index: 1 }': (EXAMPLES[:1] + EXAMPLES, MANY_PAIRS),
    '"PairwiseLoss"': (EXAMPLES[:1] * 4, MANY_PAIRS),
    '"HashingLoss"': (EXAMPLES, MANY_PAIRS),
    '"SegAccuracy"': ([(1, 50_000, 1, 1), (1, 1, 1, 1)], "50000 classes is compared with each"),
    # sizes that are no whole numbers
    '"Duplicate" duplicate_param { height: nan width: 3 }': ([(2, 5, 1, 1)], "they must be at least 1"),
    '"Duplicate" duplicate_param { height: inf width: 3 }': ([(2, 5, 1, 1)], "more than Caffe's limit"),
    '"MaskResize" mask_resize_param { output_height: 3 output_width: 2 factor_height: inf }': (
        [MAPS],
        "more than Caffe's limit",
    ),
    '"ImResize" imresize_param { factor: 3e38 }': ([MAPS], "more than Caffe's limit"),
    '"PriorBox" prior_box_param { min_size: 2 aspect_ratio: inf }': ([MAPS, MAPS], "aspect_ratio is inf"),
    **{
        f'"TernaryConvolution" convolution_param {{ num_output: 2 kernel_size: 1 }} '
        f"stochastic_quantization_param {{ sq: true ratio: {ratio} }}": ([MAPS], told)
        for ratio, told in (("-1e30", "ratio is -1e"), ("nan", "ratio is nan"))
    },
    '"TernaryInnerProduct" inner_product_param { num_output: 2 } stochastic_quantization_param { ratio: -inf }': (
        [MAPS],
        "ratio is -inf",
    ),
    # shapes
    '"PredictBox" predict_box_param { }': ([()], "the bottoms have the shapes"),
    '"Python" python_param { module: "rpn.proposal_layer" layer: "ProposalLayer" '
    'param_str: "{feat_stride: 99999999999999999999}" }': (
        [(1, 18, 4, 3), (1, 36, 4, 3), (1, 3)],
        "param_str is",
    ),
}


@pytest.mark.parametrize("layer", REFUSED)
def test_what_is_refused_before_it_begins(layer):
    shapes, told = REFUSED[layer]
    with pytest.raises(CaffeCompatError, match=told):
        Runner(f"type: {layer}", [np.ones(shape) for shape in shapes])


@pytest.mark.parametrize(
    "shape, told",
    [
        ((99_999_999_999, 1_000_000, 0), "no elements, but dims beyond Caffe's limit of 2147483647"),
        ((0, 2**63), "no elements"),
        ((1,) * 33, "33 axes; 32 are the most"),
    ],
)
def test_shapes_that_no_blob_has(shape, told):
    with pytest.raises(CaffeCompatError, match=told):
        Blob(shape)


def test_a_net_that_needs_more_than_there_is_says_so_before_it_runs():
    chain = "".join(
        f'layer {{ name: "{i}" type: "AbsVal" bottom: "{i}" top: "{i + 1}" }}' for i in range(2000)
    )
    shape = "input_param { shape { dim: 1000000000 } }"  # 4 GB each, 8 TB in all
    with pytest.raises(
        CaffeCompatError, match=r"what the layers of the net write takes 7.* GiB, this machine has"
    ):
        net_of(f'force_backward: true layer {{ name: "in" type: "Input" top: "0" {shape} }} {chain}')


@pytest.mark.parametrize("low, high", [(-3.4e38, 3.4e38), (-np.inf, 0), (3.4028234663852886e38,) * 2])
def test_a_range_in_which_no_number_would_ever_be_found(low, high):
    with pytest.raises(CaffeCompatError, match="the range is too large"):
        Rng(1).number(low, high)


EMPTY = """
force_backward: true
layer { name: "in" type: "Input" top: "x" top: "s" input_param {
        shape { dim: 2000000000 dim: 1 dim: 0 dim: 1 } shape { dim: 2000000000 dim: 1 dim: 0 dim: 1 } } }
layer { name: "concat" type: "Concat" bottom: "x" bottom: "s" top: "concat" concat_param { axis: 2 } }
layer { name: "softmax" type: "Softmax" bottom: "concat" top: "softmax" softmax_param { axis: 2 } }
layer { name: "scale" type: "ChannelScale" bottom: "x" bottom: "s" top: "scale" }
layer { name: "sum" type: "Eltwise" bottom: "x" bottom: "s" top: "sum" }
"""


@pytest.mark.parametrize("engine", ["strict", "fast"])
def test_blobs_without_elements_cost_nothing(engine):
    """Two thousand million rows of none would take longer than anybody waits, and compiled code cannot be stopped."""
    done = python(
        """
        import sys

        from caffe_compat.engine import EngineChoice
        from recordings import net_of

        net = net_of(sys.argv[1], engine=EngineChoice(sys.argv[2]))
        net.forward()
        net.backward()
        assert net.blobs["scale"].data.shape == (2_000_000_000, 1, 0, 1)
        """,
        EMPTY,
        engine,
        path=Path(__file__).parents[1],
    )
    assert done.returncode == 0, done.stderr


def test_what_goes_into_an_empty_top_gets_no_gradient():
    """A layer that is not run, since it has nothing to write, still gives its bottom zeros."""
    net = net_of("""
    force_backward: true
    layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
    layer { name: "none" type: "Input" top: "i" input_param { shape { dim: 0 } } }
    layer { name: "rows" type: "BatchReindex" bottom: "x" bottom: "i" top: "y" }
    """)
    net.blobs["x"].diff[...] = 7
    net.forward()
    net.backward()
    assert net.blobs["y"].data.shape == (0, 3)
    assert not net.blobs["x"].diff.any()


def test_a_stride_beyond_the_map_is_as_one_across_it():
    x = np.random.RandomState(1).standard_normal(MAPS)
    for more in ("", "round_mode: FLOOR", "pool: AVE"):
        tops = [
            Runner(f'type: "Pooling" pooling_param {{ kernel_size: 2 stride: {stride} {more} }}', [x])
            for stride in (5, 2**31 - 1)
        ]
        a, b = (runner.forward()[0] for runner in tops)
        np.testing.assert_array_equal(a, b)
        seed = np.ones(a.shape)
        np.testing.assert_array_equal(*(runner.backward([seed])[0] for runner in tops))


def test_the_mean_distance_of_a_million_examples():
    half = np.zeros((500_000, 2)), np.tile([3.0, 4.0], (500_000, 1))
    assert gamma_of(*half) == pytest.approx(1_000_000 * 999_999 / (2 * 500_000**2 * 25), rel=1e-12)
    assert gamma_of(half[1] / 10, half[1] / 10) == 0


def test_an_exponential_beyond_float():
    (top,) = Runner('type: "Exp" exp_param { shift: 1e30 }', [np.ones((2, 3))]).forward()
    assert np.isposinf(top).all()


TYPES = [
    "Exp",
    "LRN",
    "Pooling",
    "Duplicate",
    "ImResize",
    "MaskResize",
    "CTCLoss",
    "CtcLoss",
    "MultiBoxLoss",
    "Power",
]


@pytest.mark.parametrize("type", TYPES)
def test_each_param_at_its_extremes(type):
    cases = sorted((case for case in CASES if case.type == type), key=Case.size)
    check([*params_of(cases, 1), *values_of(cases[0])])


def test_each_dim_at_a_million():
    cases = [case for case in CASES if case.type == "LiftedStructSimilaritySoftmaxLoss"]
    check(list(millions_of(min(cases, key=Case.size))))


def check(extremes: list[Extreme]) -> None:
    ends = {extreme.id: attempt(extreme) for extreme in extremes if "65537" not in extreme.what}
    faults = {id: outcome.told for id, outcome in ends.items() if outcome.kind not in ("ok", "error")}
    assert not faults
    assert {outcome.kind for outcome in ends.values()} == {"ok", "error"}
