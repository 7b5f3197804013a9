"""Alternating training: the stages of published folders, a run that is killed again and again, and what it leaves."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from commands import run

import caffe_compat as caffe
from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.alternating.recipe import read_recipe
from caffe_compat.fast_rcnn.alternating.training import AlternatingTraining
from caffe_compat.fast_rcnn.anchor_statistics import anchor_statistics
from caffe_compat.fast_rcnn.boxes import bbox_overlaps
from caffe_compat.fast_rcnn.build import dataset_roidb
from caffe_compat.fast_rcnn.config import Config, cfg_from_file, cfg_from_list
from caffe_compat.fast_rcnn.detect import Detector
from caffe_compat.fast_rcnn.images import read_photo
from caffe_compat.fast_rcnn.rpn_proposals import Proposer
from caffe_compat.fast_rcnn.shapes import make_shapes
from caffe_compat.fast_rcnn.voc import Devkit
from caffe_compat.layers.rpn.anchors import generate_anchors
from caffe_compat.prototxt import zoo
from caffe_compat.prototxt.reader import read_binary_net

NETS = zoo.path("shapes_train").parent / "shapes_alternating"
SMALL = ["TRAIN.SCALES", "(120,)", "TEST.SCALES", "(120,)", "TEST.RPN_MIN_SIZE", "5"]
SET = [word for key, value in zip(SMALL[::2], SMALL[1::2], strict=True) for word in ("--set", key, value)]
CFG = cfg_from_list(SMALL, cfg_from_file(NETS / "shapes_alternating.yml"))
ITERATIONS = (3, 2, 3, 2)
CONVS = ("conv1", "conv2", "conv3", "conv4")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Has `kit`, `nets` whose solvers take a snapshot after each iteration, and `run`, done without interruption."""
    folder = tmp_path_factory.mktemp("alternating")
    make_shapes(folder / "kit", images=5)
    shutil.copytree(NETS, folder / "nets")
    shutil.copy(zoo.path("shapes_train"), folder)
    for solver in (folder / "nets").glob("*_solver.prototxt"):
        solver.write_text(solver.read_text().replace("snapshot: 500", "snapshot: 1"))
    done = command(folder, "--devkit", "kit")
    assert done.returncode == 0, done.stderr
    assert "step 1 of 7, stage 1, rpn: 3 iterations\n" in done.stdout
    assert done.stdout.endswith("wrote run/final.caffemodel\n")
    assert "Iteration 0, loss = " in done.stderr and "filled by fillers: fc6" not in done.stdout
    return folder


def command(folder: Path, *more: object):
    train = (
        "train-alternating",
        "nets",
        "--cfg",
        "nets/shapes_alternating.yml",
        *SET,
        "--output",
        "run",
        "--seed",
        5,
    )
    return run("caffe_compat.cli.main", *train, "--iterations", "3,2,3,2", *more, cwd=folder)


def training(folder: Path, output: str, cfg: Config = CFG, nets: str = "nets", **more) -> AlternatingTraining:
    more = {"iterations": ITERATIONS, "seed": 5, **more}
    return AlternatingTraining(
        folder / nets, Devkit(folder / "kit", "2007", "trainval"), cfg, folder / output, **more
    )


def params(path: Path) -> dict[str, list[np.ndarray]]:
    layers = read_binary_net(path).layer
    return {
        layer.name: [np.array(blob.data, np.float32) for blob in layer.blobs]
        for layer in layers
        if layer.blobs
    }


def assert_same(some: dict, others: dict, names) -> None:
    for name in names:
        for one, other in zip(some[name], others[name], strict=True):
            np.testing.assert_array_equal(one, other, err_msg=name)


def contents(run: Path) -> dict[str, object]:
    """All files of a run, as they are, but proposals as arrays: a zip file has times in it."""
    return {
        path.name: {k: v.tolist() for k, v in np.load(path).items()}
        if path.suffix == ".npz"
        else path.read_bytes()
        for path in run.iterdir()
    }


# ---- the stages of a folder ----------------------------------------------------------------------------------------


def published(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        (folder / name).write_text('train_net: "train.pt" base_lr: 0.1 lr_policy: "fixed"')
    (folder / "rpn_test.pt").write_text("")
    return folder


def test_the_four_stages_of_faster_rcnn(tmp_path):
    names = [
        f"stage{n}_{kind}" for n in (1, 2) for kind in ("rpn_solver60k80k.pt", "fast_rcnn_solver30k40k.pt")
    ]
    recipe = read_recipe(published(tmp_path / "f", *names, "stage1_rpn_train.pt", "faster_rcnn_test.pt"))
    assert [(stage.name, stage.iterations, stage.begins_from) for stage in recipe.stages] == [
        ("stage1_rpn", 80000, ()),
        ("stage1_fast_rcnn", 40000, ()),
        ("stage2_rpn", 80000, ("stage1_fast_rcnn",)),
        ("stage2_fast_rcnn", 40000, ("stage1_fast_rcnn", "stage2_rpn")),
    ]
    assert [stage.solver.name for stage in recipe.stages] == names
    rpn, detector = (recipe.for_stage(stage, CFG).TRAIN for stage in recipe.stages[:2])
    assert (rpn.HAS_RPN, rpn.PROPOSAL_METHOD, rpn.IMS_PER_BATCH, rpn.BBOX_REG) == (True, "gt", 1, False)
    assert (detector.HAS_RPN, detector.PROPOSAL_METHOD, detector.IMS_PER_BATCH, detector.BBOX_REG) == (
        False,
        "rpn",
        2,
        True,
    )
    test = recipe.for_proposals(CFG).TEST
    assert (test.RPN_PRE_NMS_TOP_N, test.RPN_POST_NMS_TOP_N, test.SCALES) == (-1, 2000, (120,))


def test_the_five_stages_of_rfcn(tmp_path):
    rpn, detector = "rpn_solver60k80k.pt", "rfcn_ohem_solver80k120k.pt"
    names = [f"stage1_{rpn}", f"stage1_{detector}", f"stage2_{rpn}", f"stage2_{detector}", f"stage3_{rpn}"]
    recipe = read_recipe(published(tmp_path / "f", *names))
    assert [(stage.name, stage.iterations, stage.begins_from) for stage in recipe.stages] == [
        ("stage1_rpn", 80000, ()),
        ("stage1_rfcn_ohem", 120000, ()),
        ("stage2_rpn", 80000, ("stage1_rfcn_ohem",)),
        ("stage2_rfcn_ohem", 120000, ()),
        ("stage3_rpn", 80000, ("stage2_rfcn_ohem",)),
    ]
    assert recipe.for_stage(recipe.stages[3], CFG).TRAIN.IMS_PER_BATCH == 1
    test = recipe.for_proposals(CFG).TEST
    assert (test.RPN_PRE_NMS_TOP_N, test.RPN_POST_NMS_TOP_N) == (6000, 300)


@pytest.mark.parametrize(
    "names, message",
    [
        ((), "has no solver of a stage; expected stageN_rpn_solver"),
        (
            ("stage1_rpn_solver.pt", "stage2_fast_rcnn_solver.pt"),
            "has stage1_rpn_solver.pt, stage2_fast_rcnn_solver",
        ),
        (
            ("stage1_rpn_solver.pt", "stage1_rpn_solver5k.pt", "stage1_rfcn_solver.pt"),
            "one of each, for N = 1",
        ),
    ],
)
def test_a_folder_without_stages(tmp_path, names, message):
    with pytest.raises(DataError, match=message):
        read_recipe(published(tmp_path / "f", *names))


def test_a_folder_without_a_test_net(tmp_path):
    nets = published(tmp_path / "f", "stage1_rpn_solver.pt", "stage1_fast_rcnn_solver.pt")
    with pytest.raises(DataError, match="has no max_iter; give the numbers of iterations"):
        AlternatingTraining(nets, Devkit, CFG, tmp_path / "run")
    (nets / "rpn_test.pt").unlink()
    with pytest.raises(DataError, match=r"and no rpn_test\.pt; expected"):
        read_recipe(nets)
    with pytest.raises(DataError, match="there is no such folder"):
        read_recipe(tmp_path / "g")


# ---- a run -------------------------------------------------------------------------------------------------------


def test_the_final_net_shares_its_convolutions(folder):
    stages = {name: params(folder / f"run/{name}.caffemodel") for name in ("stage1_rpn", "stage1_fast_rcnn")}
    stages |= {
        name: params(folder / f"run/{name}.caffemodel")
        for name in ("stage2_rpn", "stage2_fast_rcnn", "final")
    }
    for name in ("stage2_rpn", "stage2_fast_rcnn", "final"):
        assert_same(stages[name], stages["stage1_fast_rcnn"], CONVS)
    assert np.abs(stages["stage1_rpn"]["conv4"][0] - stages["final"]["conv4"][0]).max() > 0
    assert_same(stages["final"], stages["stage2_rpn"], ("rpn_conv", "rpn_cls_score", "rpn_bbox_pred"))
    assert_same(stages["final"], stages["stage2_fast_rcnn"], ("fc6", "fc7", "cls_score", "bbox_pred"))
    assert (
        np.abs(stages["stage1_fast_rcnn"]["fc6"][0] - stages["final"]["fc6"][0]).max() < 0.01
    )  # goes on from it
    assert set(stages["final"]) == set(stages["stage2_rpn"]) | set(stages["stage2_fast_rcnn"])
    assert (folder / "run/final.classes.txt").read_text() == (
        folder / "run/stage1_rpn.classes.txt"
    ).read_text()


def test_the_final_net_detects(folder):
    net = caffe.Net(zoo.path("shapes_rpn_test"), caffe.TEST, layer_settings=CFG.layer_settings())
    report = net.copy_from(folder / "run/final.caffemodel")
    assert not report.filled and not report.zero
    photo = read_photo(folder / "kit/VOC2007/JPEGImages/000003.jpg")
    assert len(Detector(net, CFG, thresh=0.01)(photo)) > 0


def test_proposals_are_those_of_the_rpn(folder):
    """Both the file that a detector learned from, and what the command writes."""
    recipe, kit = read_recipe(NETS), Devkit(folder / "kit", "2007", "trainval")
    net = caffe.Net(NETS / "rpn_test.prototxt", caffe.TEST, weights=folder / "run/stage2_rpn.caffemodel")
    propose = Proposer(net, recipe.for_proposals(CFG))
    stored = np.load(folder / "run/stage2_rpn_proposals.npz")
    assert sorted(stored) == sorted(kit.image_ids)
    for image_id, boxes in stored.items():
        photo = read_photo(kit.photo(image_id))
        height, width = photo.shape[:2]
        np.testing.assert_array_equal(boxes, propose(photo))
        scale = 120 / min(height, width)
        assert 100 < len(boxes) <= 2000 and boxes.dtype == np.float32
        assert boxes.min() >= 0 and (boxes.max(axis=0) < [width, height, width, height]).all()
        assert (boxes[:, 2:] - boxes[:, :2]).min() >= 5 * 0.999 - 1 / scale
    done = run(
        "caffe_compat.cli.main", "propose", NETS / "rpn_test.prototxt", "--devkit", "kit", "--output", "p.npz",
        "--weights", "run/stage2_rpn.caffemodel", "--cfg", NETS / "shapes_alternating.yml", *SET, "--json",
        "--set", "TEST.RPN_PRE_NMS_TOP_N", -1, "--set", "TEST.RPN_POST_NMS_TOP_N", 2000, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["boxes"] == sum(map(len, stored.values()))
    for image_id, boxes in np.load(folder / "p.npz").items():
        np.testing.assert_array_equal(boxes, stored[image_id])


class Killed(BaseException):
    """Stands for the end of a process."""


def test_a_run_that_is_killed_again_and_again_has_the_same_results(folder, monkeypatch):
    """Killed before a renaming or removal of a file, which are what can be seen of it: each time another one."""
    left, kills = 0, 0

    def killing(action):
        def killed(path, *more, **how):
            nonlocal left
            if folder / "again" in Path(path).parents:
                left -= 1
                if left < 0:
                    raise Killed
            action(path, *more, **how)

        return killed

    for name in ("replace", "unlink"):
        monkeypatch.setattr(os, name, killing(getattr(os, name)))
    while True:
        left = 13 + kills % 5  # a snapshot has four files
        try:
            train = training(folder, "again")
            for step in train.steps:
                if not train.is_done(step):
                    train.do(step)
            break
        except Killed:
            kills += 1
    assert kills > 3
    monkeypatch.undo()
    assert contents(folder / "again") == contents(folder / "run")


def test_another_run_needs_another_folder(folder, tmp_path):
    for change, more in (
        ("configuration", {"cfg": cfg_from_list(["TRAIN.FG_FRACTION", "0.5"], CFG)}),
        ("seed", {"seed": 6}),
    ):
        with pytest.raises(
            DataError, match=f"has the results of another run, with another {change}; give another"
        ):
            training(folder, "run", **more)
    often = cfg_from_list(["TRAIN.SNAPSHOT_ITERS", "7"], CFG)  # changes no result
    assert all(map((train := training(folder, "run", often)).is_done, train.steps))
    for seed in (6, 7):  # nothing was done there yet
        training(folder, str(tmp_path / "new"), seed=seed)
    with pytest.raises(
        DataError, match="there are 3 numbers of iterations; expected one, or one for each of 4 stages"
    ):
        training(folder, "run", iterations=(1, 2, 3))
    with pytest.raises(DataError, match="cannot be read: No such file"):
        training(folder, "run", weights=tmp_path / "no.caffemodel")


# ---- five stages -------------------------------------------------------------------------------------------------


def test_five_stages_with_normalised_targets_of_anchors(folder):
    """Of the same nets, with a third RPN that does not keep its convolutions."""
    shutil.copytree(folder / "nets", folder / "five")
    third = (folder / "nets/stage2_rpn_solver.prototxt").read_text()
    (folder / "five/stage3_rpn_solver.prototxt").write_text(
        third.replace("stage2_rpn_train", "stage1_rpn_train")
    )
    cfg = cfg_from_list(["TRAIN.RPN_NORMALIZE_TARGETS", "True"], CFG)
    train = training(folder, "run5", cfg, "five", iterations=(1,))
    assert [step.title for step in train.steps] == [
        "means and stds of anchors",
        "stage 1, rpn",
        "stage 1, rpn: proposals",
        "stage 1, fast rcnn",
        "stage 2, rpn",
        "stage 2, rpn: proposals",
        "stage 2, fast rcnn",
        "stage 3, rpn",
        "the final net",
    ]
    solvers = {}

    def solve(solver, state):
        solver.solve(state)
        solvers[Path(solver.snapshot_prefix()).name] = solver

    for step in train.steps[:-1]:
        train.do(step, solve=solve)
    found = json.loads((folder / "run5/anchor_statistics.json").read_text())
    assert min(found["stds"]) > 0.05
    learned = [blob.data for blob in solvers["stage1_rpn"].net.params["rpn_bbox_pred"]]
    stored = params(folder / "run5/stage1_rpn.caffemodel")["rpn_bbox_pred"]
    means, stds = (np.tile(found[name], 9) for name in ("means", "stds"))
    np.testing.assert_allclose(stored[1], learned[1] * stds + means, rtol=1e-5)
    np.testing.assert_allclose(stored[0].ravel(), (learned[0] * stds[:, None, None, None]).ravel(), rtol=1e-5)
    assert max(map(len, np.load(folder / "run5/stage1_rpn_proposals.npz").values())) <= 300
    with pytest.warns(
        UserWarning, match="do not share conv1, conv2, conv3, conv4, so that the final net is not"
    ):
        train.do(train.steps[-1])


def test_statistics_of_anchors(folder):
    """Against a plain loop over photos, mirrored ones too, objects and anchors."""
    kit = Devkit(folder / "kit", "2007", "trainval")
    cfg = cfg_from_list(
        [
            "TRAIN.HAS_RPN",
            "True",
            "TRAIN.IMS_PER_BATCH",
            "1",
            "TRAIN.BBOX_REG",
            "False",
            "TRAIN.PROPOSAL_METHOD",
            "gt",
        ],
        CFG,
    )
    net = caffe.Net(NETS / "rpn_test.prototxt", caffe.TEST)
    means, stds = anchor_statistics(net, dataset_roidb(kit, cfg), cfg)
    anchors, deltas = generate_anchors(scales=(3, 5, 7)), []
    for image_id in kit.image_ids:
        height, width = read_photo(kit.photo(image_id)).shape[:2]
        scale = 120 / min(height, width)
        for mirrored in (False, True):
            objects = kit.objects(image_id).boxes
            objects = objects[~kit.objects(image_id).ignored]
            if mirrored:
                objects = np.stack(
                    [width - objects[:, 2] - 1, objects[:, 1], width - objects[:, 0] - 1, objects[:, 3]], 1
                )
            objects = objects * scale
            inside = []
            for y in range(0, 200, 8):
                for x in range(0, 200, 8):
                    for anchor in anchors + np.array([x, y, x, y]):
                        if (
                            min(anchor) >= 0
                            and anchor[2] < round(width * scale)
                            and anchor[3] < round(height * scale)
                        ):
                            inside.append(anchor)
            overlap = bbox_overlaps(np.array(inside), objects)
            for i, anchor in enumerate(inside):
                if overlap[i].max() >= 0.7 or (overlap[i] == overlap.max(axis=0)).any():
                    one = objects[overlap[i].argmax()]
                    (ax, ay), (ox, oy) = ((box[:2] + box[2:] + 1) / 2 for box in (anchor, one))
                    (aw, ah), (ow, oh) = (box[2:] - box[:2] + 1 for box in (anchor, one))
                    deltas.append([(ox - ax) / aw, (oy - ay) / ah, np.log(ow / aw), np.log(oh / ah)])
    assert len(deltas) > 20
    np.testing.assert_allclose(means, np.mean(deltas, axis=0), atol=1e-4)
    np.testing.assert_allclose(stds, np.std(deltas, axis=0), rtol=1e-4)


# ---- the command ---------------------------------------------------------------------------------------------------


def test_the_command_does_what_is_not_done(folder):
    before = contents(folder / "run")
    (folder / "run/stage2_fast_rcnn.caffemodel").unlink()
    done = command(folder, "--devkit", "kit", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert [one["iter"] for one in result["steps"]] == [None] * 5 + [2, None]
    assert result["final"] == "run/final.caffemodel"
    assert contents(folder / "run") == before
    done = command(folder)
    assert (
        done.returncode and done.stderr == "error: there is no data to learn from; give --devkit or --data\n"
    )
