"""What is not finite is named at the layer and place where it was planted; its layer alone gives the same."""

import json

import numpy as np
import pytest
from commands import run, run_prototxt
from fast_rcnn.drawn import write_devkit
from fast_rcnn.nets import TINY_TEST, tiny_test_net
from planting import SMALL, edited, load, save, small_inputs
from processes import python

import caffe_compat as caffe
from caffe_compat.debug import replay
from caffe_compat.fast_rcnn.config import cfg_from_list

MAIN = "caffe_compat.cli.main"
EXIT_CODE = 9

INPUT = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 5 dim: 7 } } }\n'
LEARNS = 'layer { name: "scale" type: "Scale" bottom: "x" top: "s" scale_param { filler { value: 1 } } }\n'


def check(folder, *args):
    """What run-prototxt --check-finite finds, as a process; its layer, replayed, has to give the same."""
    done = run_prototxt(*args, "--check-finite", "--json", "--seed", 3, cwd=folder)
    assert done.returncode == EXIT_CODE, done.stdout + done.stderr
    found = json.loads(done.stdout)["not_finite"]
    last = done.stderr.splitlines()[-1]
    assert f": error: layer '{found['layer']}' ({found['type']}): " in last
    assert not found["index"] or f"{tuple(found['index'])}: {found['place']}; " in last
    again = replay.run(folder / found["replay"])
    assert again.same and again.most == 0
    assert f"{again.value:g}" == found["value"] and again.finding == found
    return found


def named(found):
    return found["what"], found["layer"], found["name"], found["value"], tuple(found["index"])


def ranges(found):
    return {(one["what"], one["name"]): (one["least"], one["greatest"]) for one in found["inputs"]}


def x_with(index, value):
    """Inputs of one blob x, from 0.5 to 1.5 but for one value."""
    x = np.random.RandomState(4).uniform(0.5, 1.5, (2, 3, 5, 7)).astype(np.float32)
    x[index] = value
    return x


def test_a_weight(tmp_path):
    caffe.set_random_seed(1)
    net = caffe.Net(SMALL, caffe.TRAIN)
    net.params["conv2"][0].data[4, 6, 1, 2] = np.nan
    net.save(tmp_path / "bad.caffemodel")
    save(tmp_path / "in.npz", small_inputs())
    found = check(tmp_path, SMALL, "--weights", "bad.caffemodel", "--inputs", "in.npz")
    assert named(found) == ("param", "conv2", "0", "nan", (4, 6, 1, 2))
    assert found["place"] == "output 4, input 6, row 1, column 2"
    assert (found["found"]["nan"], found["found"]["inf"]) == (1, 0) and not found["born_here"]


@pytest.mark.parametrize(
    "layer, planted, value, top",
    [
        ('type: "Log"', 0, "-inf", "x"),
        ('type: "Log"', -1, "nan", "y"),
        ('type: "Exp"', 90, "inf", "x"),
        ('type: "Power" power_param { power: -2 }', 1e-30, "inf", "y"),
    ],
)
def test_an_overflow(tmp_path, layer, planted, value, top):
    index = (1, 2, 3, 4)
    (tmp_path / "net.prototxt").write_text(
        INPUT + f'layer {{ name: "it" bottom: "x" top: "{top}" {layer} }}\n'
        'layer { name: "after" type: "ReLU" bottom: "%s" top: "z" }' % top
    )
    x = x_with(index, planted)
    save(tmp_path / "in.npz", {"x": x})
    found = check(tmp_path, "net.prototxt", "--inputs", "in.npz")
    assert named(found) == ("top", "it", top, value, index)
    assert found["place"] == "image 1, channel 2, row 3, column 4" and found["born_here"]
    assert ranges(found) == {("bottom", "x"): (pytest.approx(x.min()), pytest.approx(x.max()))}
    # the file is a recording, and the layer in it agrees with itself
    recording = load(tmp_path / "replay_it.npz")
    np.testing.assert_array_equal(recording["in:x"], x)
    (tmp_path / "alone.prototxt").write_text(str(recording["prototxt"]))
    done = run(MAIN, "diff", "alone.prototxt", "--against", "replay_it.npz", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("top", ["s", "r"], ids=["in place", "not in place"])
def test_a_gradient_where_forward_is_finite(tmp_path, top):
    """The root of 0 is 0; its slope there is not finite."""
    (tmp_path / "net.prototxt").write_text(
        INPUT
        + LEARNS
        + f'layer {{ name: "root" type: "Power" bottom: "s" top: "{top}" power_param {{ power: 0.5 }} }}\n'
        + f'layer {{ name: "loss" type: "Reduction" bottom: "{top}" top: "l" loss_weight: 3 }}'
    )
    save(tmp_path / "in.npz", {"x": x_with((1, 0, 4, 6), 0)})
    found = check(tmp_path, "net.prototxt", "--inputs", "in.npz")
    assert named(found) == ("gradient at bottom", "root", "s", "inf", (1, 0, 4, 6))
    assert ranges(found)["gradient at top", top] == (3, 3) and found["born_here"]
    assert ranges(found)["bottom", "s"] == (0, pytest.approx(1.5, abs=0.1))


@pytest.mark.parametrize("weight, what", [("inf", "gradient at top"), ("3e38", "gradient at bottom")])
def test_a_loss_weight(tmp_path, weight, what):
    (tmp_path / "net.prototxt").write_text(
        INPUT
        + LEARNS
        + f'layer {{ name: "loss" type: "Reduction" bottom: "s" top: "l" loss_weight: {weight}\n'
        + "        reduction_param { coeff: 5 } }"
    )
    found = check(tmp_path, "net.prototxt")
    name, index = ("l", ()) if what == "gradient at top" else ("s", (0, 0, 0, 0))
    assert named(found) == (what, "loss", name, "inf", index)
    assert (found["place"] == "the loss_weight of the layer") == (weight == "inf")


def test_a_gradient_of_a_param(tmp_path):
    """The products are finite, and so is each gradient at a bottom; their sum over the batch is not."""
    (tmp_path / "net.prototxt").write_text(
        INPUT + LEARNS + 'layer { name: "loss" type: "Reduction" bottom: "s" top: "l" loss_weight: 1e5 }'
    )
    x = np.ones((2, 3, 5, 7), np.float32)
    x[:, 1] = 3e32
    save(tmp_path / "in.npz", {"x": x})
    found = check(tmp_path, "net.prototxt", "--inputs", "in.npz")
    assert named(found) == ("gradient of param", "scale", "0", "inf", (1,))
    assert found["place"] == "channel 1"


def test_dropout_keeps_its_mask(tmp_path):
    """Twice the largest float is inf, where it is kept: the same elements in the replay."""
    (tmp_path / "net.prototxt").write_text(
        INPUT + 'layer { name: "first" type: "Dropout" bottom: "x" top: "y" }\n'
        'layer { name: "drop/2" type: "Dropout" bottom: "y" top: "y" }'
    )
    save(tmp_path / "in.npz", {"x": x_with((), 1) * np.float32(1e38)})
    found = check(tmp_path, "net.prototxt", "--inputs", "in.npz", "--phase", "train")
    assert found["layer"] == "drop/2" and found["replay"] == "replay_drop_2.npz"
    assert 20 < found["found"]["inf"] < 90


def test_a_roi_by_its_box(tmp_path):
    """ROIPooling gives zeros (behind a ReLU); 1 / 0 is named with the RoI, its image and its box."""
    net = edited(
        tmp_path / "net.prototxt",
        'layer {\n  name: "fc" type: "InnerProduct" bottom: "pool2"',
        'layer { name: "over" type: "Power" bottom: "pool2" top: "over" power_param { power: -1 } }\n'
        'layer {\n  name: "fc" type: "InnerProduct" bottom: "over"',
    )
    inputs = small_inputs()
    inputs["rois"][0, 3:] = inputs["rois"][0, 1:3] + 20  # the first RoI is large
    save(tmp_path / "in.npz", inputs)
    found = check(tmp_path, net, "--inputs", "in.npz")
    assert named(found)[:4] == ("top", "over", "over", "inf")
    roi, channel, row, column = found["index"]
    image, *box = inputs["rois"][roi]
    text = f"RoI {roi} (image {image:g}, box {' '.join(f'{x:g}' for x in box)})"
    assert found["place"] == f"{text}, channel {channel}, bin row {row}, bin column {column}"


FEEDER = """\
import caffe, numpy as np

class Feeder(caffe.Layer):
    def setup(self, bottom, top):
        pass

    def reshape(self, bottom, top):
        top[0].reshape(4, 5)
        top[1].reshape(4, 12)

    def forward(self, bottom, top):
        top[0].data[...] = [[0, 1, 2, 30, 40], [1, 5, 6, 17, 28], [1, 3, 2, 9, 8], [0, 0, 0, 7, 7]]
        top[1].data[...] = np.arange(48).reshape(4, 12)
        top[1].data[1, 11] = np.nan
"""
TARGETS = """
layer { name: "feed" type: "Python" top: "rois" top: "bbox_targets" python_param { module: "feeder" layer: "Feeder" } }
layer { name: "roi_input" type: "Input" top: "x" input_param { shape { dim: 4 dim: 12 } } }
layer { name: "scale" type: "Scale" bottom: "x" top: "s" }
layer { name: "loss" type: "SmoothL1Loss" bottom: "s" bottom: "bbox_targets" top: "loss"
        propagate_down: true propagate_down: false }
layer { name: "silence" type: "Silence" bottom: "rois" }
"""


def test_a_target_of_a_roi(tmp_path):
    (tmp_path / "feeder.py").write_text(FEEDER)
    (tmp_path / "net.prototxt").write_text(TARGETS)
    found = check(tmp_path, "net.prototxt")
    assert named(found) == ("top", "feed", "bbox_targets", "nan", (1, 11))
    assert found["place"] == "RoI 1 (image 1, box 5 6 17 28), class 2, dh"
    done = run_prototxt("net.prototxt", "--iterations", 2, cwd=tmp_path)  # Caffe goes on, and so do we
    assert done.returncode == 0
    told = [
        line for line in done.stderr.splitlines() if "for its bottom 'bbox_targets' is nan at RoI 1" in line
    ]
    assert len(told) == 1 and "--check-finite" in told[0]


SOLVER = """\
net: "net.prototxt" base_lr: 1e4 lr_policy: "fixed" max_iter: 30 display: 10 random_seed: 2
snapshot_after_train: false momentum: 0.9
"""
DIVERGES = """
layer { name: "in" type: "Input" top: "x" top: "t" input_param { shape { dim: 4 dim: 3 } shape { dim: 4 dim: 2 } } }
layer { name: "ip1" type: "InnerProduct" bottom: "x" top: "h"
        inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "ip2" type: "InnerProduct" bottom: "h" top: "y"
        inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "loss" }
"""


@pytest.fixture
def diverging(tmp_path):
    (tmp_path / "net.prototxt").write_text(DIVERGES)
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    return tmp_path


def test_a_solver_that_diverges(diverging):
    found = check(diverging, "solver.prototxt")
    solver = caffe.get_solver(diverging / "solver.prototxt")
    assert (
        named(found) == ("top", "loss", "loss", "inf", ()) and found["iteration"] == 2 and found["born_here"]
    )
    again = run(MAIN, "train", "-solver", "solver.prototxt", "--check-finite", "--seed", 3, cwd=diverging)
    assert again.returncode == EXIT_CODE and f"in iteration {found['iteration']}" in again.stderr
    with pytest.raises(caffe.NotFiniteError), caffe.check_finite(solver):
        solver.net.blobs["x"].data[...] = 1
        solver.solve()
    assert not any(solver.net.callbacks.values())
    with np.errstate(over="ignore"):
        solver.step(1)  # nobody looks any more


def test_an_update(tmp_path):
    """All gradients are finite; the step is too large for a float."""
    (tmp_path / "net.prototxt").write_text(DIVERGES.replace('weight_filler { type: "xavier" }', ""))
    (tmp_path / "solver.prototxt").write_text(SOLVER.replace("1e4", "3e38"))
    save(tmp_path / "in.npz", {"x": np.ones((4, 3), np.float32), "t": np.full((4, 2), 7, np.float32)})
    found = check(tmp_path, "solver.prototxt", "--inputs", "in.npz")
    assert named(found) == ("update", "ip2", "1", "inf", (0,)) and found["iteration"] == 0


def test_without_it_a_solver_goes_on(diverging):
    done = run_prototxt("solver.prototxt", "--seed", 3, cwd=diverging)
    assert done.returncode == 0 and "Optimization Done" in done.stderr
    told = [line for line in done.stderr.splitlines() if "--check-finite" in line]
    assert len(told) == 1 and "Iteration " in told[0] and "layer 'loss' (EuclideanLoss)" in told[0]


def test_finite_runs_are_as_before(tmp_path):
    save(tmp_path / "in.npz", small_inputs())
    args = (SMALL, "--inputs", "in.npz", "--seed", 3, "--quiet", "--iterations", 2)
    plain, checked = (run_prototxt(*args, *more, cwd=tmp_path) for more in ((), ("--check-finite",)))
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, plain.stdout, "")
    assert [path.name for path in tmp_path.iterdir()] == ["in.npz"]


def test_test_and_time(tmp_path):
    net = 'layer { name: "ones" type: "DummyData" top: "x" dummy_data_param { shape { dim: 2 dim: 3 } } }\n'
    net += 'layer { name: "log" type: "Log" bottom: "x" top: "y" }'
    (tmp_path / "net.prototxt").write_text(net)
    caffe.Net(tmp_path / "net.prototxt", caffe.TEST).save(tmp_path / "w.caffemodel")
    for action in (("test", "-weights", "w.caffemodel"), ("time",)):
        done = run(MAIN, *action, "-model", "net.prototxt", "--check-finite", cwd=tmp_path)
        assert done.returncode == EXIT_CODE and "top 'y' is -inf at (0, 0): " in done.stderr
        assert max(map(len, done.stdout.splitlines())) <= 100


def test_detect_and_evaluate(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_devkit(tmp_path / "kit")
    (tmp_path / "net.prototxt").write_text(TINY_TEST)
    net = tiny_test_net()
    net.params["cls_score"][1].data[3] = 3e38  # and more is inf
    net.params["cls_score"][0].data[3] = 3e38
    net.save(tmp_path / "w.caffemodel")
    devkit = ("--devkit", "kit", "--image-set", "trainval")
    photo = sorted((tmp_path / "kit/VOC2007/JPEGImages").iterdir())[0]
    for command in (("detect", "net.prototxt", photo), ("evaluate", "net.prototxt", *devkit)):
        args = ("--weights", "w.caffemodel", "--check-finite", "--set", "TEST.SCALES", "(90,)")
        done = run(MAIN, *command, *args, cwd=tmp_path)
        assert done.returncode == EXIT_CODE, done.stderr
        assert (
            "layer 'cls_score' (InnerProduct): top 'cls_score' is inf at (0, 3): RoI 0 (image 0, "
            in done.stderr
        )
        assert "), class 3; " in done.stderr
    assert run(MAIN, "replay", "replay_cls_score.npz", "--quiet", cwd=tmp_path).returncode == 0


def test_rois_that_are_none_are_one_line(tmp_path):
    inputs = small_inputs()
    inputs["rois"][6, [1, 3]] = 17, 3
    save(tmp_path / "in.npz", inputs)
    done = run_prototxt(SMALL, "--inputs", "in.npz", "--iterations", 2, "--quiet", cwd=tmp_path)
    lines = done.stderr.splitlines()
    assert done.returncode == 0 and len(lines) == 2  # two layers pool them
    assert lines[0].startswith("warning: layer 'roi_pool_readonly' (ROIPooling): RoI 6 (image ")


def test_replay_wants_its_own_files(tmp_path):
    save(tmp_path / "in.npz", small_inputs())
    done = run(MAIN, "replay", "in.npz", cwd=tmp_path)
    assert done.returncode == 7 and "in.npz: error: this is no file that --check-finite wrote" in done.stderr


def test_a_replay_that_differs(tmp_path):
    (tmp_path / "net.prototxt").write_text(INPUT + 'layer { name: "it" type: "Log" bottom: "x" top: "y" }')
    save(tmp_path / "in.npz", {"x": x_with((0, 1, 2, 3), 0)})
    check(tmp_path, "net.prototxt", "--inputs", "in.npz")
    done = run(MAIN, "replay", "replay_it.npz", "--json", cwd=tmp_path)
    again = json.loads(done.stdout)
    assert done.returncode == 0 and again["same"] and again["value"] == "-inf" and again["others_within"] == 0
    assert again["not_finite"]["index"] == [0, 1, 2, 3]
    save(tmp_path / "other.npz", {**load(tmp_path / "replay_it.npz"), "in:x": x_with((0, 1, 2, 4), 0)})
    done = run(MAIN, "replay", "other.npz", cwd=tmp_path)
    assert done.returncode == 1 and "other values are not finite than were" in done.stdout


PROPOSALS = """
layer { name: "in" type: "Input" top: "rois" top: "gt_boxes"
        input_param { shape { dim: 3 dim: 5 } shape { dim: 1 dim: 5 } } }
layer { name: "targets" type: "Python" bottom: "rois" bottom: "gt_boxes"
        top: "r" top: "labels" top: "bbox_targets" top: "inside" top: "outside"
        python_param { module: "rpn.proposal_target_layer" layer: "ProposalTargetLayer" param_str: "num_classes: 3" } }
"""


def test_a_replay_has_the_settings_of_the_layer(tmp_path):
    """A configuration has box targets overflow, and samples two RoIs; a layer without it would do neither."""
    keys = [
        "TRAIN.BBOX_NORMALIZE_TARGETS_PRECOMPUTED",
        "True",
        "TRAIN.BATCH_SIZE",
        "2",
        "TRAIN.FG_FRACTION",
        "1.0",
    ]
    cfg = cfg_from_list([*keys, "TRAIN.BBOX_NORMALIZE_STDS", "(1e-45, 0.1, 0.2, 0.2)"])
    (tmp_path / "net.prototxt").write_text(PROPOSALS)
    net = caffe.Net(tmp_path / "net.prototxt", caffe.TRAIN, layer_settings=cfg.layer_settings())
    net.blobs["rois"].data[...] = [[0, 1, 2, 21, 32], [0, 3, 2, 21, 32], [0, 2, 2, 21, 32]]
    net.blobs["gt_boxes"].data[...] = [6, 2, 21, 32, 2]
    with pytest.raises(caffe.NotFiniteError) as caught, caffe.check_finite(net, tmp_path):
        net.forward()
    assert caught.value.finding.found.shape == (2, 12) and caught.value.finding.what == "top"
    again = replay.run(caught.value.finding.replay)
    assert again.same and again.most == 0


SCALER = """\
import caffe

class Scaler(caffe.Layer):
    factor = {caffe.TRAIN: 1.0, caffe.TEST: 1.0}

    def setup(self, bottom, top):
        pass

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        top[0].data[...] = bottom[0].data * self.factor[self.phase]
"""


def scaled(folder, monkeypatch, factor):
    """The file of a finding by the strict engine, in a user's layer that multiplies with a factor of the settings."""
    monkeypatch.syspath_prepend(folder)
    (folder / "scaler.py").write_text(SCALER)
    (folder / "net.prototxt").write_text(
        INPUT
        + 'layer { name: "it" type: "Python" bottom: "x" top: "y" python_param { module: "scaler" layer: "Scaler" } }'
    )
    plain = caffe.Net(folder / "net.prototxt", caffe.TRAIN)
    settings = {type(plain.layers[-1]): {"factor": {caffe.TRAIN: factor, caffe.TEST: 1.0}}}
    net = caffe.Net(folder / "net.prototxt", caffe.TRAIN, layer_settings=settings, engine="strict")
    net.blobs["x"].data[...] = x_with((1, 2, 3, 4), 2) * np.float32(1e38)
    with pytest.raises(caffe.NotFiniteError) as caught, caffe.check_finite(net, folder):
        net.forward()
    assert caught.value.finding.index == (1, 2, 3, 4)
    return caught.value.finding.replay


def test_a_replay_has_the_settings_of_a_users_layer_and_the_engine(tmp_path, monkeypatch):
    path = scaled(tmp_path, monkeypatch, 2.0)
    again = replay.run(path, python_layers=True)
    assert again.same and again.value == np.inf and again.most == 0
    assert load(path)["engine"].tolist() == ["strict", "cpu", "float32"]
    save(path, {**load(path), "engine": np.array(["torch", "cuda:99", "float32"])})
    with pytest.warns(UserWarning, match="by the engine torch on cuda:99, which is not to be had here"):
        assert replay.run(path, python_layers=True).same


def test_settings_that_cannot_be_kept_are_one_line(tmp_path, monkeypatch):
    path = scaled(tmp_path, monkeypatch, np.array(2.0))
    with pytest.raises(
        caffe.DataError, match=r"replay_it\.npz: the settings of layer 'it', .* cannot be read back"
    ):
        replay.run(path)


def test_a_loss_of_87(tmp_path):
    """Each label has probability 0: said once, with the scores and the layer where they grew."""
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "x" type: "Input" top: "x" top: "t" input_param { shape { dim: 4 dim: 3 } shape { dim: 4 } } }\n'
        'layer { name: "big" type: "Scale" bottom: "x" top: "big" scale_param { filler { value: 1e6 } } }\n'
        'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "big" bottom: "t" top: "loss" }'
    )
    x = np.array([[0, 1, 2], [0, 2, 1], [0, 3, 2], [0, 1, 1]], np.float32)
    save(tmp_path / "in.npz", {"x": x, "t": np.zeros(4, np.float32)})
    done = run_prototxt("net.prototxt", "--inputs", "in.npz", "--iterations", 3, cwd=tmp_path)
    (line,) = done.stderr.splitlines()
    assert "a loss of 87.3365 is -log(FLT_MIN), the most there is: each label has probability 0" in line
    assert "scores go from 0 to 3e+06; values grow most in layer 'big', from 3 to 3e+06" in line


def test_python_scripts(tmp_path):
    (tmp_path / "net.prototxt").write_text(INPUT + 'layer { name: "it" type: "Log" bottom: "x" top: "y" }')
    program = """
        import caffe_compat as caffe
        net = caffe.Net("net.prototxt", caffe.TEST)
        net.forward()
        with caffe.check_finite(net):
            try:
                net.forward()
            except caffe.NotFiniteError as error:
                print(error.layer, error.finding.value, error.finding.index, error.finding.replay or "no file")
        net.forward()
        """
    done = python(program, cwd=tmp_path)
    assert done.stdout == "it -inf (0, 0, 0, 0) no file\n", done.stderr
