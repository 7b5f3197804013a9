"""The configuration has every key of the reference's, and reads its files as they are."""

from dataclasses import asdict

import pytest
from recordings import net_of

import caffe_compat as caffe
from caffe_compat.errors import DataError, LayerError
from caffe_compat.fast_rcnn.config import (
    FASTER_RCNN,
    OHEM,
    Config,
    cfg_from_file,
    cfg_from_list,
    in_order,
)
from caffe_compat.fast_rcnn.feed import configure
from caffe_compat.layers.base import TEST, TRAIN
from caffe_compat.layers.fast_rcnn.hard_roi_mining import HardRoIMining, OHEMDataLayer
from caffe_compat.layers.fast_rcnn.roi_data import RoIDataLayer
from caffe_compat.layers.rpn.anchor_target import AnchorTargetLayer
from caffe_compat.layers.rpn.proposal import ProposalLayer
from caffe_compat.layers.rpn.proposal_target import ProposalTargetLayer
from caffe_compat.layers.rpn.pyramid_rois import AsRoisLayer

MINE = """
layer { name: "d" type: "DummyData" top: "p" top: "b" top: "r" top: "l" top: "t" top: "i" top: "o"
  dummy_data_param {
    shape { dim: 90 dim: 21 } shape { dim: 90 dim: 84 } shape { dim: 90 dim: 5 } shape { dim: 90 }
    shape { dim: 90 dim: 84 } shape { dim: 90 dim: 84 } shape { dim: 90 dim: 84 }
    data_filler { value: 0.5 } data_filler { } data_filler { type: "uniform" max: 999 } data_filler { }
    data_filler { } data_filler { } data_filler { } } }
layer { name: "m" type: "Python" bottom: "p" bottom: "b" bottom: "r" bottom: "l" bottom: "t" bottom: "i" bottom: "o"
  top: "1" top: "2" top: "3" top: "4" top: "5"
  python_param { module: "roi_data_layer.layer" layer: "OHEMDataLayer" param_str: "num_classes: 21" } }
"""  # each RoI is of an image of its own, so that none is left out because of another one

OHEM_YML = """\
EXP_DIR: fast_rcnn_ohem
MATLAB: /opt/matlab/8.1/bin/matlab
TRAIN:
  BG_THRESH_LO: 0.0
  # gradient accumulation
  IMS_PER_BATCH: 1
  BATCH_SIZE: 64
  USE_OHEM: True
  ASPECT_GROUPING: False"""

KEYS = """DEDUP_BOXES PIXEL_MEANS RNG_SEED EPS ROOT_DIR DATA_DIR MODELS_DIR MATLAB EXP_DIR USE_GPU_NMS GPU_ID
TRAIN.SCALES TRAIN.MAX_SIZE TRAIN.IMS_PER_BATCH TRAIN.BATCH_SIZE TRAIN.FG_FRACTION TRAIN.FG_THRESH
TRAIN.BG_THRESH_HI TRAIN.BG_THRESH_LO TRAIN.USE_FLIPPED TRAIN.BBOX_REG TRAIN.BBOX_THRESH TRAIN.SNAPSHOT_ITERS
TRAIN.SNAPSHOT_INFIX TRAIN.USE_PREFETCH TRAIN.BBOX_NORMALIZE_TARGETS TRAIN.BBOX_INSIDE_WEIGHTS
TRAIN.BBOX_NORMALIZE_TARGETS_PRECOMPUTED TRAIN.BBOX_NORMALIZE_MEANS TRAIN.BBOX_NORMALIZE_STDS
TRAIN.PROPOSAL_METHOD TRAIN.ASPECT_GROUPING TRAIN.HAS_RPN TRAIN.RPN_POSITIVE_OVERLAP TRAIN.RPN_NEGATIVE_OVERLAP
TRAIN.RPN_CLOBBER_POSITIVES TRAIN.RPN_FG_FRACTION TRAIN.RPN_BATCHSIZE TRAIN.RPN_NMS_THRESH
TRAIN.RPN_PRE_NMS_TOP_N TRAIN.RPN_POST_NMS_TOP_N TRAIN.RPN_MIN_SIZE TRAIN.RPN_BBOX_INSIDE_WEIGHTS
TRAIN.RPN_POSITIVE_WEIGHT TRAIN.RPN_NORMALIZE_TARGETS TRAIN.RPN_NORMALIZE_MEANS TRAIN.RPN_NORMALIZE_STDS
TRAIN.AGNOSTIC TEST.AGNOSTIC TRAIN.USE_OHEM TRAIN.OHEM_USE_NMS TRAIN.OHEM_NMS_THRESH TEST.SCALES
TEST.MAX_SIZE TEST.NMS TEST.SVM TEST.BBOX_REG TEST.HAS_RPN TEST.PROPOSAL_METHOD TEST.RPN_NMS_THRESH
TEST.RPN_PRE_NMS_TOP_N TEST.RPN_POST_NMS_TOP_N TEST.RPN_MIN_SIZE"""

END2END_YML = """\
EXP_DIR: faster_rcnn_end2end
TRAIN:
  HAS_RPN: True
  IMS_PER_BATCH: 1
  BBOX_NORMALIZE_TARGETS_PRECOMPUTED: True
  RPN_POSITIVE_OVERLAP: 0.7
  RPN_BATCHSIZE: 256
  PROPOSAL_METHOD: gt
  BG_THRESH_LO: 0.0
TEST:
  HAS_RPN: True"""


RFCN_YML = """\
TRAIN: {HAS_RPN: True, IMS_PER_BATCH: 1, BBOX_NORMALIZE_TARGETS_PRECOMPUTED: True, RPN_NORMALIZE_TARGETS: True,
        PROPOSAL_METHOD: gt, BG_THRESH_LO: 0.0, BATCH_SIZE: -1, AGNOSTIC: True, RPN_PRE_NMS_TOP_N: 6000,
        RPN_POST_NMS_TOP_N: 300}
TEST: {PROPOSAL_METHOD: 'rpn', HAS_RPN: False, AGNOSTIC: True}"""


@pytest.fixture
def write(tmp_path):
    def write(text: str):
        path = tmp_path / "cfg.yml"
        path.write_text(text)
        return path

    return write


def test_it_has_the_keys_of_the_references_and_no_others():
    found = []
    for key, value in asdict(Config()).items():
        found += [f"{key}.{name}" for name in value] if isinstance(value, dict) else [key]
    assert sorted(found) == sorted(KEYS.split())


def test_the_file_of_ohem_is_read_as_it_is(write):
    cfg = cfg_from_file(write(OHEM_YML))
    assert cfg == cfg_from_list(["MATLAB", "/opt/matlab/8.1/bin/matlab"], OHEM)
    train = cfg.TRAIN
    assert (train.IMS_PER_BATCH, train.BATCH_SIZE, train.BG_THRESH_LO) == (1, 64, 0.0)
    assert (train.USE_OHEM, train.ASPECT_GROUPING, train.FG_THRESH) == (True, False, 0.5)
    assert Config().TRAIN.BATCH_SIZE == 128  # the defaults stay


def test_the_file_of_faster_rcnn_is_read_as_it_is(write):
    assert cfg_from_file(write(END2END_YML)) == FASTER_RCNN


def test_the_file_of_rfcn_is_read_as_it_is(write):
    cfg = cfg_from_file(write(RFCN_YML))
    train = cfg.TRAIN
    assert (train.AGNOSTIC, cfg.TEST.AGNOSTIC, train.BATCH_SIZE, train.RPN_POST_NMS_TOP_N) == (
        True,
        True,
        -1,
        300,
    )
    assert (train.RPN_NORMALIZE_TARGETS, train.RPN_NORMALIZE_STDS) == (True, (0.1, 0.1, 0.2, 0.2))
    settings = cfg.layer_settings()
    assert settings[RoIDataLayer]["agnostic"] and settings[AnchorTargetLayer]["normalize_targets"]
    assert settings[ProposalLayer]["normalized_deltas"] == {TRAIN: True, TEST: False}


def test_values_take_the_type_of_the_default(write):
    text = """
EPS: 1e-3
PIXEL_MEANS: [[[1, 2.5, 3]]]
TRAIN: {SCALES: !!python/tuple [480, 576], FG_THRESH: 1, BBOX_NORMALIZE_STDS: [1, 2, 3, 4]}
TEST: {SCALES: [300], NMS: 0.4}
"""
    cfg = cfg_from_file(write(text))
    assert cfg.EPS == 1e-3 and cfg.PIXEL_MEANS == (1.0, 2.5, 3.0)
    assert cfg.TRAIN.SCALES == (480, 576) and cfg.TRAIN.BBOX_NORMALIZE_STDS == (1.0, 2.0, 3.0, 4.0)
    assert (type(cfg.TRAIN.FG_THRESH), cfg.TRAIN.FG_THRESH) == (float, 1.0)
    assert (cfg.TEST.SCALES, cfg.TEST.NMS) == ((300,), 0.4)
    assert cfg_from_file(write(""), cfg) == cfg


def test_pairs_on_the_command_line():
    cfg = cfg_from_list(["TRAIN.SCALES", "(480, 600)", "EXP_DIR", "some where", "TEST.NMS", "0.5"], OHEM)
    assert cfg.TRAIN.SCALES == (480, 600) and cfg.EXP_DIR == "some where" and cfg.TEST.NMS == 0.5
    assert cfg.TRAIN.USE_OHEM
    assert cfg_from_list([]) == Config()
    with pytest.raises(DataError, match=r"'TRAIN.SCALES' has no value"):
        cfg_from_list(["TRAIN.SCALES"])


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("TRAIN.SCALES", "(480,576)", (480, 576)),
        ("TRAIN.SCALES", "(90,)", (90,)),
        ("TRAIN.SCALES", "[600,]", (600,)),
        ("TRAIN.SCALES", " [ 480 , 600 ] ", (480, 600)),
        ("PIXEL_MEANS", "[[[1, 2.5, -.5e1]]]", (1.0, 2.5, -5.0)),
        ("TRAIN.BBOX_NORMALIZE_STDS", "(1e-3, 1, +2., 1_0)", (0.001, 1.0, 2.0, 10.0)),
        ("TRAIN.USE_OHEM", "True", True),
        ("TRAIN.USE_FLIPPED", "False", False),
        ("EPS", "1e-3", 0.001),
        ("EPS", "2", 2.0),
        ("TRAIN.BATCH_SIZE", "-1", -1),
        ("TRAIN.BATCH_SIZE", "0x10", 16),
        ("EXP_DIR", "'3'", "3"),
        ("EXP_DIR", '"it\'s"', "it's"),
        ("EXP_DIR", "010", "010"),
        ("EXP_DIR", "yes", "yes"),
        ("EXP_DIR", "a: b # (c, d)", "a: b # (c, d)"),
        ("EXP_DIR", "(a, b)", "(a, b)"),
        ("EXP_DIR", "'", "'"),
        ("EXP_DIR", "", ""),
    ],
)
def test_values_on_the_command_line_are_python_literals_or_plain_text(key, text, value):
    cfg = cfg_from_list([key, text])
    found = getattr(cfg.TRAIN, key.removeprefix("TRAIN.")) if key.startswith("TRAIN.") else getattr(cfg, key)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("TRAIN.BATCH_SIZE", "1.5", "'TRAIN.BATCH_SIZE' is 1.5; expected a whole number like 128"),
        ("TRAIN.BATCH_SIZE", "None", "'TRAIN.BATCH_SIZE' is None; expected a whole number like 128"),
        ("TRAIN.BATCH_SIZE", "many", "'TRAIN.BATCH_SIZE' is 'many'; expected a whole number like 128"),
        ("TRAIN.USE_OHEM", "yes", "'TRAIN.USE_OHEM' is 'yes'; expected a truth value like False"),
        ("TRAIN.SCALES", "600", "'TRAIN.SCALES' is 600; expected one or more numbers like [600]"),
        ("TRAIN.SCALES", "[1 2]", "'TRAIN.SCALES' is '[1 2]'; expected one or more numbers like [600]"),
        ("TRAIN.SCALES", "(600, True)", "'TRAIN.SCALES' is True; expected a whole number like 600"),
        ("PIXEL_MEANS", "(1, 2)", "'PIXEL_MEANS' is (1, 2); expected 3 numbers like [102.9801, 115.9465"),
        ("EXP_DIR", "3", "'EXP_DIR' is 3; expected text like 'default'"),
        ("TRAIN.FG_THRESH", "1.5", "'TRAIN.FG_THRESH' is 1.5; expected an overlap, from 0 to 1"),
        ("TEST.NMS", "-0.3", "'TEST.NMS' is -0.3; expected an overlap, from 0 to 1"),
        ("TRAIN.FG_FRACTION", "2", "'TRAIN.FG_FRACTION' is 2.0; expected a share, from 0 to 1"),
        ("TRAIN.SCALES", "(600, 0)", "'TRAIN.SCALES' is (600, 0); expected pixels, 1 or more"),
        ("TRAIN.IMS_PER_BATCH", "0", "'TRAIN.IMS_PER_BATCH' is 0; expected 1 or more"),
        (
            "TRAIN.RPN_BATCHSIZE",
            "-2",
            "'TRAIN.RPN_BATCHSIZE' is -2; expected a number of anchors, or -1: all",
        ),
        ("TRAIN.BBOX_NORMALIZE_STDS", "(0.1, 0.1, 0.0, 0.2)", "expected more than 0"),
        ("RNG_SEED", "-1", "'RNG_SEED' is -1; expected a seed, from 0 to 4294967295"),
    ],
)
def test_values_on_the_command_line_that_do_not_fit(key, text, message):
    with pytest.raises(DataError) as error:
        cfg_from_list([key, text])
    assert message in error.value.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("TRAIN: {BATCH_SIZE: 3.5}", "'TRAIN.BATCH_SIZE' is 3.5; expected a whole number like 128"),
        ("TRAIN: {BATCH_SIZE: yes}", "'TRAIN.BATCH_SIZE' is True; expected a whole number"),
        ("TRAIN: {USE_OHEM: 1}", "'TRAIN.USE_OHEM' is 1; expected a truth value like False"),
        ("TRAIN: {FG_THRESH: half}", "'TRAIN.FG_THRESH' is 'half'; expected a number like 0.5"),
        ("TRAIN: {FG_THRESH: true}", "'TRAIN.FG_THRESH' is True; expected a number"),
        ("TRAIN: {SCALES: 600}", "'TRAIN.SCALES' is 600; expected one or more numbers like [600]"),
        ("TRAIN: {SCALES: []}", "'TRAIN.SCALES' is []"),
        ("TRAIN: {SCALES: [a]}", "'TRAIN.SCALES' is 'a'; expected a whole number like 600"),
        ("PIXEL_MEANS: [1, 2]", "'PIXEL_MEANS' is [1, 2]; expected 3 numbers like [102.9801, 115.9465"),
        ("EXP_DIR: 3", "'EXP_DIR' is 3; expected text like 'default'"),
        ("TRAIN: {BG_THRESH_LO: .nan}", "'TRAIN.BG_THRESH_LO' is nan; expected finite numbers"),
        ("PIXEL_MEANS: [1, .inf, 2]", "'PIXEL_MEANS' is (1.0, inf, 2.0); expected finite numbers"),
        ("TRAIN: 3", "TRAIN is 3; expected keys and values"),
        ("- 1", "the configuration is [1]; expected keys and values"),
    ],
)
def test_what_does_not_fit_is_refused(write, text, message):
    path = write(text)
    with pytest.raises(DataError) as error:
        cfg_from_file(path)
    assert message in error.value.message
    assert error.value.file == str(path)


FORK_YML = """\
TRAIN:
  CUTOUT_HOLES: True
  FG_THRESH: 0.6
  BATCHSIZE: 3
train: {BATCH_SIZE: 3}
IMS_PER_BATCH: 7
TEST:
  IMS_PER_BATCH: 3
  SOFT_NMS: {SIGMA: 0.5}
3: 4"""


def test_keys_that_nothing_reads_are_set_aside_with_one_warning(write):
    path = write(FORK_YML)
    with pytest.warns(UserWarning) as told:
        cfg = cfg_from_file(path, OHEM)
    assert cfg == cfg_from_list(["TRAIN.FG_THRESH", "0.6"], OHEM)  # and nothing near to them has changed
    assert [str(one.message) for one in told] == [
        f"{path}: keys that nothing here reads are set aside: TRAIN.CUTOUT_HOLES, "
        "TRAIN.BATCHSIZE (did you mean TRAIN.BATCH_SIZE?), train (did you mean TRAIN?), "
        "IMS_PER_BATCH (did you mean TRAIN.IMS_PER_BATCH?), TEST.IMS_PER_BATCH, TEST.SOFT_NMS, 3"
    ]


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("TRAIN.BATCHSIZE", "did you mean 'TRAIN.BATCH_SIZE'?"),
        ("train.BATCH_SIZE", "did you mean 'TRAIN'?"),
        ("HAS_RPN", "did you mean 'TRAIN.HAS_RPN'?"),
        ("TRAIN.CUTOUT_HOLES", "known are SCALES, MAX_SIZE, IMS_PER_BATCH"),
    ],
)
def test_an_unknown_key_of_the_command_line_is_refused(key, hint):
    with pytest.raises(DataError) as error:
        cfg_from_list([key, "1"])
    assert f"there is no configuration key '{key.split('.')[0] if key[0] == 't' else key}'; {hint}" in str(
        error.value
    )


def test_a_key_that_stands_twice_is_told(write):
    path = write("TRAIN: {BATCH_SIZE: 64}\nTEST: {NMS: 0.4}\nTRAIN: {FG_THRESH: 0.6}")
    with pytest.warns(
        UserWarning, match=rf"{path}:3: the key 'TRAIN' stands here again, and the last one counts"
    ):
        cfg = cfg_from_file(path)
    assert (cfg.TRAIN.BATCH_SIZE, cfg.TRAIN.FG_THRESH, cfg.TEST.NMS) == (128, 0.6, 0.4)


def test_what_cannot_be_read_is_refused(write, tmp_path):
    with pytest.raises(DataError, match="cannot read the configuration: No such file") as error:
        cfg_from_file(tmp_path / "none.yml")
    assert error.value.file == str(tmp_path / "none.yml")
    with pytest.raises(DataError, match="is no YAML") as error:
        cfg_from_file(write("TRAIN:\n  A: [1\nB: 2"))
    assert error.value.line == 3
    texts = (
        "TRAIN: !!python/object/apply:os.system [ls]",
        "[" * 3000,
        "? !!python/tuple [[1]]\n: 2",
        "A: 2001-06-31",
    )
    for text in texts:
        with pytest.raises(DataError, match="is no YAML"):
            cfg_from_file(write(text))


def test_the_settings_of_the_layers():
    pairs = "TRAIN.SCALES (480,576) TRAIN.MAX_SIZE 900 TRAIN.OHEM_USE_NMS False TRAIN.OHEM_NMS_THRESH 0.6"
    settings = cfg_from_list(["TRAIN.BATCH_SIZE", "32", *pairs.split()], OHEM).layer_settings()
    assert settings[RoIDataLayer] == {
        "ims_per_batch": 1,
        "scale": 576,
        "max_size": 900,
        "agnostic": False,
    }
    assert settings[OHEMDataLayer] == {"batch_size": 32, "use_nms": False, "nms_thresh": 0.6}
    assert HardRoIMining not in settings


def test_the_settings_of_the_rpn_layers_go_by_phase():
    names = {
        ProposalLayer: ("pre_nms_top_n", "post_nms_top_n", "nms_thresh", "min_size"),
        AnchorTargetLayer: ("batch_size", "fg_fraction", "positive_overlap", "clobber_positives"),
        ProposalTargetLayer: ("batch_size", "bg_thresh_lo", "normalize_targets", "normalize_stds"),
        AsRoisLayer: ("most_rois",),
    }
    pairs = "TRAIN.RPN_PRE_NMS_TOP_N 70 TEST.RPN_MIN_SIZE 5 TRAIN.RPN_BATCHSIZE 32"
    settings = cfg_from_list(pairs.split(), OHEM).layer_settings()
    got = [[settings[cls][name] for name in found] for cls, found in names.items()]
    by_phase = [
        {TRAIN: 70, TEST: 6000},
        {TRAIN: 2000, TEST: 300},
        {TRAIN: 0.7, TEST: 0.7},
        {TRAIN: 16, TEST: 5},
    ]
    assert got == [by_phase, [32, 0.5, 0.7, False], [64, 0.0, False, (0.1, 0.1, 0.2, 0.2)], [300]]


def batch_size_of(most: int) -> Config:
    return cfg_from_list(["TRAIN.BATCH_SIZE", str(most)], OHEM)


def mined(net: caffe.Net) -> int:
    net.forward()
    return len(net.layer_dict["m"].selected)


def test_each_net_keeps_its_configuration():
    classes = OHEM.layer_settings().keys()
    before = [dict(vars(cls)) for cls in classes]
    many, few = (net_of(MINE, layer_settings=batch_size_of(most).layer_settings()) for most in (20, 5))
    assert (mined(many), mined(few), mined(many)) == (20, 5, 20)
    configure(few, batch_size_of(7))
    assert (mined(many), mined(few), mined(net_of(MINE))) == (20, 7, OHEMDataLayer.batch_size)
    assert [dict(vars(cls)) for cls in classes] == before


def test_each_solver_keeps_its_configuration(tmp_path):
    (tmp_path / "net.prototxt").write_text(MINE)
    solver = tmp_path / "solver.prototxt"
    solver.write_text('net: "net.prototxt" test_iter: 1 test_interval: 9 base_lr: 1 lr_policy: "fixed"')
    many, few = (
        caffe.get_solver(solver, layer_settings=batch_size_of(most).layer_settings()) for most in (20, 5)
    )
    nets = many.net, few.net, many.test_nets[0], few.test_nets[0]
    assert [mined(net) for net in nets] == [20, 5, 20, 5]


def test_a_setting_that_a_layer_does_not_have_is_refused():
    with pytest.raises(LayerError, match="'batchsize', which OHEMDataLayer does not have") as error:
        net_of(MINE, layer_settings={OHEMDataLayer: {"batchsize": 5}})
    assert error.value.layer == "m"


def test_a_look_in_order_has_no_mirror_images_and_fixed_means():
    train = in_order(OHEM).TRAIN
    assert not train.USE_FLIPPED and train.BBOX_NORMALIZE_TARGETS_PRECOMPUTED and train.USE_OHEM
