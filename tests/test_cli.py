"""The commands, run as a user runs them."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from commands import run, run_prototxt
from processes import TINY, errors, started
from reference import OHEM_TRAIN, REFERENCE, reference

import caffe_compat as caffe
from caffe_compat.cli import main
from caffe_compat.prototxt import zoo

OHEM = zoo.path("vgg_cnn_m_1024_fast_rcnn_ohem_train")


@pytest.fixture
def tiny(tmp_path):
    (tmp_path / "net.prototxt").write_text(TINY)
    return tmp_path


def test_table(tiny):
    done = run_prototxt("net.prototxt", "--seed", "3", cwd=tiny)
    assert (done.returncode, errors(done)) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"caffe-compat {caffe.__version__}: net.prototxt"
    assert max(map(len, lines)) <= 100
    words = [line.split() for line in lines]
    assert ["params", "filled", "by", "fillers:", "conv"] in words
    assert ["params", "left", "at", "zero", "(no", "filler):", "ip"] in words
    conv = next(line for line in words if line[:1] == ["conv"])
    assert conv[1:4] == ["Convolution", "2x4x3x5", "4x3x3x3"] and conv[-1] == "flows"
    data = next(line for line in words if line[:1] == ["in"])
    assert data[1:3] == ["Input", "2x3x5x7"] and data[-3:] == ["nothing", "learns", "below"]
    assert lines[-1].startswith("iteration 1: loss = 1.79176")  # ln 6: all scores are zero


def test_json_and_iterations(tiny):
    done = run_prototxt("net.prototxt", "--json", "--iterations", "3", "--seed", "1", cwd=tiny)
    report = json.loads(done.stdout)
    assert report["phase"] == "TRAIN" and report["iterations"] == 3
    assert len(report["losses"]) == 3
    assert report["losses"][2]["loss"] == pytest.approx(np.log(6), rel=1e-6)
    layers = {layer["name"]: layer for layer in report["layers"]}
    assert layers["conv"]["top_shapes"] == [[2, 4, 3, 5]] and layers["conv"]["gradient"]
    assert layers["in"]["backward_ms"] is None and layers["in"]["reason"] == "nothing learns below"


def test_quiet(tiny):
    done = run_prototxt("net.prototxt", "--quiet", cwd=tiny)
    assert done.stdout.splitlines() == ["iteration 1: loss = 1.79176; loss = 1.79176"]


def test_inputs_weights_and_dump(tiny):
    net = caffe.Net(tiny / "net.prototxt", caffe.TEST)
    rng = np.random.RandomState(5)
    for blobs in net.params.values():
        for blob in blobs:
            blob.data[...] = rng.standard_normal(blob.shape)
    net.save(tiny / "w.caffemodel")
    x = rng.standard_normal((3, 3, 6, 5)).astype(np.float32)  # another batch and image size
    np.savez(tiny / "bad.npz", x=x, t=[1, 4, 2])
    done = run_prototxt("net.prototxt", "--weights", "w.caffemodel", "--inputs", "bad.npz", cwd=tiny)
    assert done.returncode == 5 and "'ip'" in done.stderr  # ip has learned for 5 x 7 images
    x = rng.standard_normal((3, 3, 5, 7)).astype(np.float32)
    np.savez(tiny / "in.npz", x=x, t=[1, 4, 2])
    done = run_prototxt(
        "net.prototxt", "--weights", "w.caffemodel", "--inputs", "in.npz", "--dump", "out.npz", cwd=tiny
    )
    assert done.returncode == 0, done.stderr
    assert "params loaded from w.caffemodel: conv, ip" in done.stdout
    with np.load(tiny / "out.npz") as out:
        np.testing.assert_array_equal(out["data:x"], x)
        np.testing.assert_array_equal(out["param:conv:0"], net.params["conv"][0].data)
        scores = out["data:conv"].reshape(3, -1) @ out["param:ip:0"].T + out["param:ip:1"]
        np.testing.assert_allclose(out["data:ip"], scores, rtol=1e-4, atol=1e-4)
        prob = np.exp(scores - scores.max(1, keepdims=True))
        prob /= prob.sum(1, keepdims=True)
        prob[np.arange(3), [1, 4, 2]] -= 1
        np.testing.assert_allclose(out["pdiff:ip:1"], prob.sum(0) / 3, rtol=1e-4, atol=1e-5)


def test_phase_and_stage(tmp_path):
    (tmp_path / "net.prototxt").write_text(
        TINY + 'layer { name: "only" type: "Silence" bottom: "ip" include { phase: TEST stage: "deploy" } }'
    )
    args = ["net.prototxt", "--json", "--phase", "test"]
    with_stage = json.loads(run_prototxt(*args, "--stage", "deploy", cwd=tmp_path).stdout)
    without = json.loads(run_prototxt(*args, cwd=tmp_path).stdout)
    assert "only" in [layer["name"] for layer in with_stage["layers"]]
    assert "only" not in [layer["name"] for layer in without["layers"]]


def test_seed_repeats_the_run(tmp_path):
    (tmp_path / "net.prototxt").write_text(
        TINY.replace("num_output: 6", 'num_output: 6 weight_filler { type: "gaussian" std: 1 }')
    )
    runs = [
        run_prototxt("net.prototxt", "--quiet", "--seed", seed, cwd=tmp_path).stdout for seed in (4, 4, 5)
    ]
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.slow
def test_the_main_job_on_a_drawn_sample():
    done = run_prototxt(OHEM, "--seed", "1")
    assert (done.returncode, errors(done)) == (0, "")
    assert max(map(len, done.stdout.splitlines()[1:])) <= 100  # the first line has the file's path
    assert "this is a drawn sample" in done.stdout
    assert "hard_roi_mining: kept 64 hard RoIs of 300: background" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "net, height, width, options",  # VGG16 takes four times as long at 600 x 800
    [
        (OHEM_TRAIN, 600, 800, ()),
        (OHEM_TRAIN.replace("VGG_CNN_M_1024", "VGG16"), 300, 400, ("--set", "TRAIN.SCALES", "(300,)")),
    ],
)
def test_the_main_job_on_photos(net, height, width, options):
    devkit = REFERENCE / "VOCdevkit2007"
    done = run_prototxt(reference(net), "--devkit", devkit, "--json", *options)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    layers = {layer["name"]: layer for layer in report["layers"]}
    assert layers["data"]["top_shapes"][0] == [1, 3, height, width]
    assert 1800 <= report["hard_rois"][0]["rois"] <= 2100 and report["hard_rois"][0]["kept"] == 64
    assert set(report["losses"][0]) == {"loss_cls", "loss_bbox"}
    assert all(np.isfinite(list(report["losses"][0].values())))
    assert layers["fc6_readonly"]["reason"] == "propagate_down: false" and layers["fc6"]["gradient"]


def test_help_and_list():
    done = run("caffe_compat.cli.main", "--help")
    assert done.returncode == 0 and "examples:" in done.stdout
    assert "examples:" in run_prototxt("--help").stdout


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["run", "n", "--weigths", "w"], "unrecognized arguments: --weigths w; did you mean --weights?"),
        (["explain"], "the following arguments are required: NET"),
        (["run", "n", "--iterations", "0"], "argument --iterations: must be at least 1"),
        (["time", "-modell=m", "-model", "m"], "unrecognized arguments: -modell=m; did you mean -model?"),
    ],
)
def test_wrong_arguments_are_one_line(arguments, message):
    done = run("caffe_compat.cli.main", *arguments)
    of = f"caffe-compat {arguments[0]}"
    assert done.returncode == 2
    assert done.stderr == f"{of}: error: {message} ({of} --help lists what there is)\n"


def all_commands():
    return next(action.choices for action in main.parser()._actions if action.choices)


def test_an_option_has_the_same_help_in_all_commands():
    own = {
        "--help",
        "--output",
        "--plot",
        "--engine",
    }  # files of another kind; diff does not run the fast engine
    helps = {}
    for command in all_commands().values():
        for action in command._actions:
            names = [name for name in action.option_strings if name.startswith("--")]
            if names and f"-{names[0].strip('-')}" not in action.option_strings:  # else a caffe binary's
                text = re.sub("[;,] default: .*", "", action.help)
                helps.setdefault(names[0], set()).add(re.sub("default: .*", "", text))
    assert len(helps) > 40
    assert {name: texts for name, texts in helps.items() if len(texts) > 1 and name not in own} == {}


def test_help_has_an_example_and_fits_100_columns():
    for name, command in all_commands().items():
        text = command.format_help()
        assert "\n  caffe-compat " in text or "\n  run-prototxt " in text, name
        assert max(map(len, text.splitlines())) <= 100, name


def test_layers():
    known = json.loads(run("caffe_compat.cli.main", "layers", "--json").stdout)
    assert [layer["type"] for layer in known if ": " not in layer["type"]] == caffe.layer_type_list()
    pooling = next(layer for layer in known if layer["type"] == "ROIPooling")
    roi_fields = ["pooled_h", "pooled_w", "spatial_scale", "pad_ratio", "pool", "is_rich"]
    assert pooling["params"] == {"roi_pooling_param": roi_fields}
    assert (pooling["origin"], pooling["no_gradient"], pooling["in_place"]) == ("Fast R-CNN", [1], False)
    done = run("caffe_compat.cli.main", "layers", "ReLU", "LRN")
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines if line[0] != " "] == ["type", "LRN", "ReLU"]
    params = " ".join(line[10:44].strip() for line in lines)
    assert "lrn_param: local_size, alpha, beta, norm_region, k" in params
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert "did you mean 'ReLU'?" in run("caffe_compat.cli.main", "layers", "Relu").stderr


def test_run_is_run_prototxt(tiny):
    done = run("caffe_compat.cli.main", "run", "net.prototxt", "--quiet", cwd=tiny)
    assert done.stdout.splitlines() == ["iteration 1: loss = 1.79176; loss = 1.79176"]


def test_an_interrupt_ends_with_its_code(tiny):
    command = [
        sys.executable,
        "-m",
        "caffe_compat.cli.run_prototxt",
        "net.prototxt",
        "--iterations",
        "100000000",
    ]
    with started(command, tiny, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        lines = [process.stdout.readline() for _ in range(4)]
        assert lines[-1].startswith("data:")
        process.send_signal(2)
        _, stderr = process.communicate()
    assert (process.returncode, stderr) == (130, "interrupted\n")


def test_labels_for_a_loss_and_an_accuracy(tmp_path):
    accuracy = 'layer { name: "acc" type: "Accuracy" bottom: "ip" bottom: "t" top: "acc" }'
    (tmp_path / "net.prototxt").write_text(TINY + accuracy)
    done = run_prototxt("net.prototxt", "--phase", "test", "--seed", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "the inputs are noise (zeros in t)" in done.stdout


def test_weights_of_another_net_are_refused(tiny):
    (tiny / "other.prototxt").write_text(
        TINY.replace('name: "conv"', 'name: "k"').replace('name: "ip"', 'name: "j"')
    )
    caffe.Net(tiny / "other.prototxt", caffe.TEST).save(tiny / "w.caffemodel")
    done = run_prototxt("net.prototxt", "--quiet", "--weights", "w.caffemodel", cwd=tiny)
    assert (done.returncode, done.stderr) == (
        6,
        "w.caffemodel: error: none of its layers (k, j) is in the net, whose layers with params are conv, ip; "
        "are these the weights of another net?\n",
    )


def test_a_dump_that_cannot_be_written_is_refused_before_the_run(tiny):
    done = run_prototxt("net.prototxt", "--dump", "none/out.npz", "--iterations", "1000000", cwd=tiny)
    assert done.returncode == 1
    assert (
        done.stderr
        == f"none/out.npz: error: cannot be written: there is no folder '{tiny}/none'; make it first\n"
    )


def test_losses_that_are_not_finite(tiny):
    huge = TINY.replace('weight_filler { type: "xavier" }', 'weight_filler { type: "constant" value: 3e38 }')
    (tiny / "net.prototxt").write_text(
        huge.replace("num_output: 6", 'num_output: 6 weight_filler { type: "xavier" }')
    )
    done = run_prototxt("net.prototxt", "--json", cwd=tiny)
    assert json.loads(done.stdout)["losses"] == [{"loss": None}]
    first, second = done.stderr.splitlines()
    assert first == "warning: loss is not finite in iteration 1"
    assert second.startswith(
        "warning: layer 'loss' (SoftmaxWithLoss): the loss is nan, for its bottom 'ip' is nan at image 0, class 0; "
    )


def test_a_param_for_another_type_of_layer(tmp_path):
    net = tmp_path / "net.prototxt"
    net.write_text(TINY.replace("num_output: 6 }", "num_output: 6 } relu_param { negative_slope: 0.1 }"))
    result = run_prototxt(net, "--quiet")
    assert result.returncode == 0
    told = [line for line in result.stderr.splitlines() if line.startswith("warning: ")]
    assert told == [
        "warning: layer 'ip' (InnerProduct): relu_param is for other types of layers; it has no effect, as in Caffe"
    ]


def test_a_reader_that_goes_away(tiny):
    command = (
        f"{sys.executable} -m caffe_compat.cli.run_prototxt net.prototxt | head -1; exit ${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(["bash", "-c", command], cwd=tiny, capture_output=True, text=True, timeout=300)
    assert (done.returncode, errors(done)) == (0, "")


@pytest.mark.parametrize("seed", ["-1", "4294967296"])
def test_a_seed_out_of_range(seed, tiny):
    done = run_prototxt("net.prototxt", f"--seed={seed}", cwd=tiny)
    assert done.returncode == 2 and "must lie between 0 and 4294967295" in done.stderr
