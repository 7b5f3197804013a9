"""Planted errors in the OHEM net of the zoo are found at their layers."""

import numpy as np
import pytest
from commands import run
from planting import ROOT, diff, edited, first, load, record, save

NET = ROOT / "prototxt" / "zoo" / "shapes_ohem_train.prototxt"


def inputs():
    """One small photo with 70 RoIs of which 9 are of a class: mining keeps 64."""
    rng = np.random.RandomState(3)
    corners = rng.uniform(0, 60, (70, 2))
    boxes = np.hstack([corners, corners + rng.uniform(12, 50, (70, 2))])
    labels = np.zeros(70, np.float32)
    labels[:9] = rng.randint(1, 21, 9)
    targets, weights = np.zeros((70, 84), np.float32), np.zeros((70, 84), np.float32)
    for i in range(9):
        columns = slice(4 * int(labels[i]), 4 * int(labels[i]) + 4)
        targets[i, columns], weights[i, columns] = rng.standard_normal(4), 1
    return {
        "data": rng.standard_normal((1, 3, 112, 128)).astype(np.float32) * 60,
        "rois": np.hstack([np.zeros((70, 1)), boxes]).astype(np.float32),
        "labels": labels,
        "bbox_targets": targets,
        "bbox_inside_weights": weights,
        "bbox_outside_weights": weights,
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ohem")
    save(folder / "inputs.npz", inputs())
    record(folder, NET, "--seed", 3, "--inputs", folder / "inputs.npz").rename(folder / "right.npz")
    return folder


def planted(folder, tmp_path, old, new):
    """A recording of another net that says it was this one."""
    net = edited(tmp_path / "other.prototxt", old, new, NET)
    path = record(tmp_path, net, "--seed", 3, "--inputs", folder / "inputs.npz")
    return save(path, {**load(path), "prototxt": np.array(NET.read_text())})


def test_the_same(folder):
    done = run("caffe_compat.cli.main", "diff", NET, "--against", folder / "right.npz", "--quiet")
    assert done.returncode == 0 and done.stdout.startswith("the same: all"), done.stdout


def test_transposed_square_weights(folder, tmp_path):
    arrays = load(folder / "right.npz")
    for layer in ("fc7", "fc7_readonly"):
        arrays[f"param:{layer}:0"] = arrays[f"param:{layer}:0"].T.copy()
    _, layer, _, at, text = first(diff("--against", save(tmp_path / "turned.npz", arrays), net=NET))
    assert layer == at == "fc7_readonly"
    assert text.startswith("its weights are transposed")


def test_channels_swapped(folder, tmp_path):
    path = save(tmp_path / "rgb.npz", {**inputs(), "data": inputs()["data"][:, ::-1]})
    recorded = load(record(tmp_path, NET, "--seed", 3, "--inputs", path))
    for key in ("in:data", "data:data"):
        recorded[key] = recorded[key][:, ::-1]
    result = diff("--against", save(tmp_path / "claims.npz", recorded), net=NET)
    assert first(result)[:4] == ("data", "conv1", "conv1", "conv1")
    assert "the other way round (BGR and RGB)" in first(result)[4]


def test_floor_pooling(folder, tmp_path):
    old = 'top: "pool2"\n  pooling_param { pool: MAX'
    path = planted(folder, tmp_path, old, old + " round_mode: FLOOR")
    assert first(diff("--against", path, net=NET))[1::3] == (
        "pool2", "it rounds the number of windows down (floor)"
    )  # fmt: skip


def test_shifted_rois_of_the_mined_branch(folder, tmp_path):
    """Only the branch that learns sees RoIs that lie a cell of the map (8 pixels) off."""
    arrays = load(folder / "right.npz")
    arrays["data:rois_hard"] = arrays["data:rois_hard"] - np.float32([0, 8, 8, 8, 8])
    result = diff("--against", save(tmp_path / "moved.npz", arrays), "--all", net=NET)
    found = {
        (row["stage"], row["layer"]): divergence["causes"]
        for divergence in result["divergences"]
        for row in [result["rows"][divergence["row"]]]
    }
    assert [layer for stage, layer in found if stage == "data"] == ["hard_roi_mining", "roi_pool4"]
    text = found["data", "roi_pool4"][0]["text"]
    assert text == "its RoIs lie one cell of the map down and to the right of these"


def test_one_flag(folder, tmp_path):
    old = 'top: "pool4"\n  propagate_down: true'
    path = planted(folder, tmp_path, old, old.replace("true", "false"))
    stage, layer, _, at, text = first(diff("--against", path, net=NET))
    assert (stage, layer, at) == ("gradient", "roi_pool4", "roi_pool4")
    assert text == "propagate_down of bottom 0 ('conv4_relu4_0_split_1') is false"


def test_one_lr_mult_of_a_shared_param(folder, tmp_path):
    """fc6_w belongs to the read-only branch, which computes no gradient: what the other branch says counts."""
    old = 'param { name: "fc6_w" lr_mult: 1 decay_mult: 1 }'
    path = planted(folder, tmp_path, old, old.replace("lr_mult: 1", "lr_mult: 0"))
    stage, layer, blob, at, text = first(diff("--against", path, net=NET))
    assert (stage, layer, blob, at, text) == ("param gradient", "fc6", "0", "fc6", "lr_mult of param 0 is 0")
