"""A planted error of each kind is found at its layer, with its cause first; commands and recorder run as for users."""

import numpy as np
import pytest
from commands import run
from planting import ROOT, SMALL, diff, edited, first, load, record, save, small_inputs
from processes import run_process

from caffe_compat.compare.reference import read_recording

SEED = ("--seed", 3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with inputs.npz, and the recording of the net as it is: right.npz."""
    folder = tmp_path_factory.mktemp("planted")
    save(folder / "inputs.npz", small_inputs())
    script = ROOT / "scripts" / "record_in_caffe.py"
    arguments = [script, SMALL, folder / "right.npz", *SEED, "--inputs", folder / "inputs.npz"]
    done = run_process("caffe_compat", *arguments)
    assert done.returncode == 0, done.stderr
    return folder


def record_other(folder, tmp_path, old, new, keep_text):
    """A recording of the net with other text; says that it was the right text, unless keep_text."""
    net = edited(tmp_path / "other.prototxt", old, new)
    path = record(tmp_path, net, *SEED, "--inputs", folder / "inputs.npz")
    if not keep_text:
        save(path, {**load(path), "prototxt": np.array(SMALL.read_text())})
    return path


def test_the_same(folder):
    done = run("caffe_compat.cli.main", "diff", SMALL, "--against", folder / "right.npz")
    assert done.returncode == 0, done.stdout
    assert "the same: all" in done.stdout
    assert max(map(len, done.stdout.splitlines()[1:])) <= 100


@pytest.mark.parametrize("keep_text", [False, True])
def test_floor_pooling(folder, tmp_path, keep_text):
    path = record_other(folder, tmp_path, "pool: MAX", "pool: MAX round_mode: FLOOR", keep_text)
    stage, layer, blob, at, text = first(diff("--against", path))
    assert (stage, layer, blob, at) == ("data", "pool1", "pool1", "pool1")
    if keep_text:
        assert text == "its prototxt says so: pooling_param.round_mode is FLOOR there, CEIL here"
    else:
        assert text == "it rounds the number of windows down (floor)"


def test_lrn_alpha_not_divided(folder, tmp_path):
    path = record_other(folder, tmp_path, "alpha: 0.3", "alpha: 0.9", keep_text=False)
    assert first(diff("--against", path)) == (
        "data", "norm1", "norm1", "norm1", "it does not divide alpha by n (3, the values in a window)"
    )  # fmt: skip


def swapped(arrays):
    return {
        key: value[:, ::-1].copy() if key in ("data", "in:data", "data:data") else value
        for key, value in arrays.items()
    }


def test_channels_swapped_in_the_reference(folder, tmp_path):
    """The recording claims the right inputs, but its first layer saw RGB."""
    save(tmp_path / "rgb.npz", swapped(small_inputs()))
    path = record(tmp_path, SMALL, *SEED, "--inputs", tmp_path / "rgb.npz")
    save(path, swapped(load(path)))
    assert first(diff("--against", path)) == (
        "data", "conv1", "conv1", "conv1", "it has the three channels the other way round (BGR and RGB)"
    )  # fmt: skip


def test_channels_swapped_and_mean_left_in_the_inputs(folder, tmp_path):
    inputs = swapped(small_inputs())
    inputs["data"] += np.float32([122.7717, 115.9465, 102.9801]).reshape(1, 3, 1, 1)
    save(tmp_path / "rgb.npz", inputs)
    stage, layer, blob, _, text = first(
        diff("--against", folder / "right.npz", "--inputs", tmp_path / "rgb.npz")
    )
    assert (stage, layer, blob) == ("input", "input", "data")
    assert text == (
        "its input has the three channels the other way round (BGR and RGB), and has -102.98, -115.947, -122.772 "
        "added to the channels (the mean: 102.98, 115.947, 122.772)"
    )


def transposed(weights):
    return np.ascontiguousarray(weights.T).reshape(weights.shape)


def test_transposed_weights_in_a_file(folder, tmp_path):
    import caffe_compat as caffe

    net = caffe.Net(SMALL, caffe.TRAIN)
    for key, value in load(folder / "right.npz").items():
        if key.startswith("param:"):
            _, layer, index = key.split(":")
            net.params[layer][int(index)].data[...] = value
    net.params["fc"][0].data[...] = transposed(net.params["fc"][0].data)
    net.save(tmp_path / "w.caffemodel")
    result = diff("--against", folder / "right.npz", "--weights", tmp_path / "w.caffemodel")
    stage, layer, blob, at, text = first(result)
    assert (stage, blob) == ("param", "0") and layer in ("fc", "fc_readonly") and at == layer
    assert text.startswith("its weights are transposed")


def test_transposed_weights_in_the_reference(folder, tmp_path):
    """The recording's own params, loaded into the net, do not give its data."""
    arrays = load(folder / "right.npz")
    for layer in ("fc", "fc_readonly"):
        arrays[f"param:{layer}:0"] = transposed(arrays[f"param:{layer}:0"])
    stage, layer, blob, at, text = first(diff("--against", save(tmp_path / "turned.npz", arrays)))
    assert (stage, layer, blob, at) == ("data", "fc_readonly", "fc_readonly", "fc_readonly")
    # the guess turns W (11 x 42), read as 42 x 11, back
    assert text == "its weights are transposed (kept as 42 x 11, inputs x outputs)"


def test_weights_of_another_name(folder, tmp_path):
    arrays = load(folder / "right.npz")
    other = np.random.RandomState(4).standard_normal(arrays["param:conv2:0"].shape).astype(np.float32)
    arrays |= {"param:conv2b:0": arrays["param:conv2:0"], "param:conv2b:1": arrays["param:conv2:1"]}
    arrays["param:conv2:0"] = other
    stage, layer, _, at, text = first(diff("--against", save(tmp_path / "named.npz", arrays)))
    assert (stage, layer, at) == ("data", "conv2", "conv2")
    assert text == "it has the weights of 'conv2b' in this layer (loaded by another name)"


def shifted(arrays, by):
    moved = {}
    for key, value in arrays.items():
        moved[key] = value
        if "rois" in key and not key.startswith(("diff", "seed")):
            moved[key] = value + np.float32([0, by, by, by, by])
    return moved


def test_shifted_rois(folder, tmp_path):
    save(tmp_path / "moved.npz", shifted(small_inputs(), 1))
    path = record(tmp_path, SMALL, *SEED, "--inputs", tmp_path / "moved.npz")
    save(path, shifted(load(path), -1))
    result = diff("--against", path)
    assert first(result) == (
        "data", "roi_pool_readonly", "pool2_readonly", "roi_pool_readonly",
        "its RoIs lie one pixel down and to the right of these",
    )  # fmt: skip
    row = result["rows"][result["divergences"][0]["row"]]
    roi, channel, y, x = row["error"]["index"]
    assert row["place"] == f"RoI {roi}, channel {channel}, bin row {y}, bin column {x}"


def test_floored_rois(folder, tmp_path):
    inputs = small_inputs()
    inputs["rois"][:, 1:] = np.floor(inputs["rois"][:, 1:] / 2) * 2
    save(tmp_path / "floored.npz", inputs)
    path = record(tmp_path, SMALL, *SEED, "--inputs", tmp_path / "floored.npz")
    right = {key: value for key, value in load(folder / "right.npz").items() if "rois" in key}
    save(path, {**load(path), **{key: value for key, value in right.items() if key[:4] in ("in:r", "data")}})
    assert first(diff("--against", path))[1::3] == (
        "roi_pool_readonly", "it rounds the RoIs' corners down (floor)"
    )  # fmt: skip


@pytest.mark.parametrize("keep_text", [False, True])
def test_one_lr_mult(folder, tmp_path, keep_text):
    old = 'name: "conv2" type: "Convolution" bottom: "pool1" top: "conv2"\n  param { lr_mult: 1 }'
    path = record_other(folder, tmp_path, old, old.replace("lr_mult: 1", "lr_mult: 0"), keep_text)
    stage, layer, blob, at, text = first(diff("--against", path))
    assert (stage, layer, blob, at) == ("param gradient", "conv2", "0", "conv2")
    if keep_text:
        assert text == "its prototxt says so: conv2: lr_mult of param 0 is 0 there, 1 here"
    else:
        assert text == "lr_mult of param 0 is 0"


def test_an_lr_mult_that_no_gradient_shows(folder, tmp_path):
    path = record_other(folder, tmp_path, 'name: "fc_w" lr_mult: 1', 'name: "fc_w" lr_mult: 0.5', True)
    result = diff("--against", path)
    assert result["divergences"] == []
    assert {(setting["layer"], setting["field"], setting["there"]) for setting in result["settings"]} == {
        ("fc", "lr_mult of param 0", "0.5"), ("fc_readonly", "lr_mult of param 0", "0.5")
    }  # fmt: skip


@pytest.mark.parametrize("keep_text", [False, True])
def test_one_propagate_down_flag(folder, tmp_path, keep_text):
    old, new = (
        "propagate_down: true propagate_down: false\n  roi",
        "propagate_down: false propagate_down: false\n  roi",
    )
    path = record_other(folder, tmp_path, old, new, keep_text)
    stage, layer, blob, at, text = first(diff("--against", path))
    assert (stage, layer, blob, at) == ("gradient", "roi_pool", "conv2_relu2_0_split_1", "roi_pool")
    if keep_text:
        assert text.startswith("its prototxt says so: roi_pool: propagate_down is false, false there")
    else:
        assert text == "propagate_down of bottom 0 ('conv2_relu2_0_split_1') is false"


def test_the_two_meanings_of_propagate_down(folder, tmp_path):
    """`propagate_down: true` forces a gradient at data today, and could only switch one off before."""
    old = 'bottom: "data" top: "conv1"'
    net = edited(tmp_path / "forced.prototxt", old, f"{old} propagate_down: true")
    path = record(tmp_path, net, *SEED, "--inputs", folder / "inputs.npz")
    stage, layer, blob, _, text = first(diff("--against", path, "--propagate-down", "restricts", net=net))
    assert (stage, layer, blob) == ("gradient", "conv1", "data")
    assert text.startswith("propagate_down has its other meaning there")


def test_another_seed(folder, tmp_path):
    path = record(tmp_path, SMALL, "--seed", 7, "--inputs", folder / "inputs.npz")
    assert first(diff("--against", path, "--seed", 8)) == (
        "data", "drop", "fc", "drop", "its random numbers begin here with seed 7"
    )  # fmt: skip


def test_a_seed_that_nobody_guesses(folder, tmp_path):
    path = record(tmp_path, SMALL, "--seed", 987654, "--inputs", folder / "inputs.npz")
    _, layer, _, _, text = first(diff("--against", path, "--seed", 8))
    assert layer == "drop" and text.startswith("it drops other elements: another seed")


def test_dropout_that_did_not_run(folder, tmp_path):
    path = record(tmp_path, SMALL, *SEED, "--inputs", folder / "inputs.npz", "--phase", "test")
    arrays = load(path)
    assert str(arrays["phase"]) == "TEST"
    assert first(diff("--against", path, "--phase", "train"))[1::3] == ("drop", "it ran in phase TEST")


def test_all_goes_on(folder, tmp_path):
    path = record_other(folder, tmp_path, "alpha: 0.3", "alpha: 0.9", keep_text=False)
    one, every = diff("--against", path), diff("--against", path, "--all")
    assert one["ended"] and not every["ended"]
    assert len(one["divergences"]) == 1 < len(every["divergences"])
    row = {(row["stage"], row["layer"]): row for row in every["rows"]}
    assert row["data", "conv2"]["same"]  # alone, fed with the reference's bottoms
    assert row["data", "conv2"]["running"] > 1e-3


def test_nothing_is_guessed_where_nothing_fits(folder, tmp_path):
    arrays = load(folder / "right.npz")
    arrays["data:norm1"] = arrays["data:norm1"].copy()
    arrays["data:norm1"][1, 5, 7, 11] += 0.5
    path = save(tmp_path / "odd.npz", arrays)
    done = run("caffe_compat.cli.main", "diff", SMALL, "--against", path)
    assert done.returncode == 1
    assert "norm1 (LRN): data of norm1 differs" in done.stdout
    assert "most at (1, 5, 7, 11): image 1, channel 5, row 7, column 11" in done.stdout
    assert "cause not found: 4 guesses were checked, none holds" in done.stdout


def test_recording_holds_every_version_of_a_blob(folder):
    values = read_recording(str(folder / "right.npz")).values
    before, after = values["data@conv1:conv1"].whole, values["data:conv1"].whole
    np.testing.assert_array_equal(np.maximum(before, 0), after)
    np.testing.assert_array_equal(values["diff@relu1:conv1"].whole * (before > 0), values["diff:conv1"].whole)


def test_params_of_another_shape(folder, tmp_path):
    old = (
        'name: "score" type: "InnerProduct" bottom: "fc" top: "score"\n  inner_product_param { num_output: 4'
    )
    path = record_other(folder, tmp_path, old, old.replace("4", "6"), keep_text=True)
    result = diff("--against", path, "--all")
    assert first(result) == (
        "data", "score", "score", "score",
        "its prototxt says so: inner_product_param.num_output is 6 there, 4 here",
    )  # fmt: skip
    rows = [result["rows"][divergence["row"]] for divergence in result["divergences"]]
    assert [(row["layer"], row["shape"], row["error"]["want_shape"]) for row in rows if row["stage"] == "param"] == [
        ("score", [4, 11], [6, 11]), ("score", [4], [6])
    ]  # fmt: skip
    done = run("caffe_compat.cli.main", "diff", SMALL, "--against", path)
    assert "its shape is 9x4 here, 9x6 there" in done.stdout


def test_pooling_below_params_whose_shape_depends_on_it(tmp_path):
    """The pooling is found, not the params that do not fit behind it."""
    text = """
        layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 6 dim: 8 } } }
        layer { name: "pool" type: "Pooling" bottom: "x" top: "pool" pooling_param { kernel_size: 3 stride: 2 } }
        layer { name: "ip" type: "InnerProduct" bottom: "pool" top: "ip"
                inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
    """
    (tmp_path / "net.prototxt").write_text(text)
    (tmp_path / "floor.prototxt").write_text(text.replace("stride: 2", "stride: 2 round_mode: FLOOR"))
    path = record(tmp_path, tmp_path / "floor.prototxt")
    save(path, {**load(path), "prototxt": np.array(text)})
    stage, layer, _, _, cause = first(diff("--against", path, net=tmp_path / "net.prototxt"))
    assert (stage, layer, cause) == ("data", "pool", "it rounds the number of windows down (floor)")


def test_a_tolerance_of_ones_own(folder, tmp_path):
    arrays = load(folder / "right.npz")
    arrays["data:loss"] = arrays["data:loss"] * np.float32(1.001)
    path = save(tmp_path / "near.npz", arrays)
    assert first(diff("--against", path))[1:] == (
        "loss",
        "loss",
        "loss",
        "it has 1.001 times these values",
    )
    done = run("caffe_compat.cli.main", "diff", SMALL, "--against", path, "--tolerance", "2e-3", "--quiet")
    assert done.returncode == 0 and done.stdout.startswith("the same"), done.stdout
