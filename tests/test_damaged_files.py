"""Files of which a part is something else than it should be: one line each. What scripts/fuzz.py found, by kind."""

from __future__ import annotations

import json
import struct
import zlib

import cv2
import h5py
import numpy as np
import pytest
from commands import run
from processes import TINY

import caffe_compat as caffe
from caffe_compat import weights
from caffe_compat.fast_rcnn.coco import CocoFile
from caffe_compat.fast_rcnn.config import cfg_from_list
from caffe_compat.files import parse_json
from caffe_compat.rng import Rng, set_numpy_state
from caffe_compat.tools.image_mean import read_mean

MAIN = "caffe_compat.cli.main"
DATA = (
    'layer { name: "in" type: "HDF5Data" top: "x" top: "t" '
    'hdf5_data_param { source: "l" batch_size: 2 shuffle: true } }'
)
SOLVER = 'net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 2 snapshot: 2 snapshot_prefix: "s" display: 1'


def one_line(done, code: int, *words: str) -> None:
    assert (done.returncode, done.stderr.count("\n")) == (code, 1), done.stderr
    assert all(word in done.stderr for word in words), done.stderr


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    with h5py.File(folder / "d.h5", "w") as file:
        file["x"], file["t"] = np.ones((4, 3, 5, 7), np.float32), np.arange(4, dtype=np.float32)
    (folder / "l").write_text("d.h5\n")
    (folder / "net.prototxt").write_text(DATA + TINY[TINY.index("\n", TINY.index("shape { dim: 2 } }")) :])
    (folder / "solver.prototxt").write_text(SOLVER)
    assert run(MAIN, "run", "solver.prototxt", "--quiet", "--metrics", "m.csv", cwd=folder).returncode == 0
    return folder


EXTRA = {
    "no words": lambda a: a.pop("rng/words"),
    "words of another type": lambda a: a.update({"rng/words": a["rng/words"].astype(np.int64)}),
    "a place before the words": lambda a: a.update({"rng/position": np.array(-1)}),
    "a place that numpy would have read": lambda a: a.update({"numpy/position": np.array(10**9)}),
    "losses that are text": lambda a: a.update(window=np.array(["x"])),
    "an order that is none": lambda a: a.update({"layer/train/in/row_order": np.array([0, 1, 1, 3])}),
    "an order of fractions": lambda a: a.update({"layer/train/in/row_order": np.arange(4.0)}),
    "a place behind the rows": lambda a: a.update({"layer/train/in/place": np.array([0, 9])}),
    "a param too many": lambda a: a.update({"param/ip/7": np.zeros(3)}),
    "no iteration": lambda a: a.pop("iter"),
}


@pytest.mark.parametrize("change", EXTRA.values(), ids=EXTRA)
def test_the_side_file_of_a_snapshot(change, trained, tmp_path):
    with np.load(trained / "s_iter_2.extra.npz") as file:
        arrays = dict(file)
    change(arrays)
    for name in (
        "s_iter_2.solverstate",
        "s_iter_2.caffemodel",
        "d.h5",
        "l",
        "net.prototxt",
        "solver.prototxt",
    ):
        (tmp_path / name).write_bytes((trained / name).read_bytes())
    np.savez(tmp_path / "s_iter_2.extra.npz", **arrays)
    done = run(MAIN, "run", "solver.prototxt", "--quiet", "--resume", "s_iter_2.solverstate", cwd=tmp_path)
    assert done.returncode in (5, 8) and done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize("text", ["iter,loss\n0,1\n", "iter\nx\n", '{"iter": 0}\n[', "[" * 9000])
def test_metrics_to_go_on_with(text, trained):
    name = "m.csv" if text[0] == "i" else "m.jsonl"
    (trained / name).write_text(text)
    command = ["run", "solver.prototxt", "--quiet", "--resume", "s_iter_2.solverstate", "--metrics", name]
    one_line(run(MAIN, *command, "--iterations", 3, cwd=trained), 1, f"{name}: error: these are no metrics")


REPLAY = {
    "no finding": lambda a: a.update(not_finite=np.array("{")),
    "no shape": lambda a: a.update({"in:x": a["in:x"][..., :2]}),
    "no such blob": lambda a: a.update({"in:z": a["in:x"]}),
    "no numbers": lambda a: a.update(rng=np.zeros(3)),
    "no index": lambda a: a.update(not_finite=np.array(str(a["not_finite"]).replace("[1, 2]", "[1, 99]"))),
}


@pytest.mark.parametrize("change", REPLAY.values(), ids=REPLAY)
def test_a_replay(change, tmp_path):
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }\n'
        'layer { name: "it" type: "Log" bottom: "x" top: "y" }'
    )
    np.savez(tmp_path / "in.npz", x=np.array([[1, 2, 3], [4, 5, 0.0]]))
    done = run(MAIN, "run", "net.prototxt", "--inputs", "in.npz", "--check-finite", "--quiet", cwd=tmp_path)
    assert done.returncode == 9
    with np.load(tmp_path / "replay_it.npz") as file:
        arrays = dict(file)
    change(arrays)
    np.savez(tmp_path / "replay_it.npz", **arrays)
    one_line(
        run(MAIN, "replay", "replay_it.npz", cwd=tmp_path), 7, "replay_it.npz: error: the file is damaged ("
    )


def test_a_recording_and_a_log(tmp_path):
    (tmp_path / "net.prototxt").write_text(
        'force_backward: true layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }\n'
        'layer { name: "it" type: "Log" bottom: "x" top: "y" }'
    )
    x = np.ones((2, 3), np.float32)
    np.savez(tmp_path / "r.npz", **{"in:x": x, "data:y": x * 0, "seed:y": x[:, :2], "diff:x": x})
    done = run(MAIN, "diff", "net.prototxt", "--against", "r.npz", "--quiet", cwd=tmp_path)
    one_line(done, 7, "the gradient given at output 'y' has the shape (2, 2), the net's (2, 3)")
    np.savez(tmp_path / "r.npz", **{"in:x": x, "data:y": x * 0, "param:it:w": x})
    done = run(MAIN, "diff", "net.prototxt", "--against", "r.npz", "--quiet", cwd=tmp_path)
    one_line(done, 7, "r.npz: error: this is no recording: param:it:w")
    (tmp_path / "c.log").write_text("[Forward] Layer it, top blob y data: 0.5[Forward]\n")
    np.savez(tmp_path / "in.npz", x=x)
    done = run(
        MAIN, "diff", "net.prototxt", "--against", "c.log", "--inputs", "in.npz", "--quiet", cwd=tmp_path
    )
    one_line(done, 7, "c.log: error: its line '[Forward]", "ends with no number")


def test_states_of_random_numbers():
    words, used = Rng(3).get_state()
    for state in ((words[:-1], used), (words, 625), (words, -1), (words.astype(np.int64), used)):
        with pytest.raises(ValueError, match="624 words of uint32"):
            Rng(1).set_state(state)
        with pytest.raises(ValueError, match="624 words of uint32"):
            set_numpy_state(*state)


def test_an_npy_that_is_none(tmp_path):
    np.save(tmp_path / "m.npy", np.ones((3, 2, 2)))
    content = (tmp_path / "m.npy").read_bytes()
    (tmp_path / "m.npy").write_bytes(content.replace(b"{'descr'", b"{'de(((("))
    with pytest.raises(caffe.DataError, match=r"m\.npy: cannot read the mean"):
        read_mean(str(tmp_path / "m.npy"))


def test_an_image_of_too_many_pixels(tmp_path):
    def chunk(kind, content):
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    png = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">2I5B", 60000, 60000, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", b"")
    )
    with pytest.raises(cv2.error):
        cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    (tmp_path / "a.png").write_bytes(png)
    (tmp_path / "list").write_text("a.png 0\n")
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "d" type: "ImageData" top: "x" top: "t" image_data_param { source: "list" batch_size: 1 } }'
    )
    one_line(
        run(MAIN, "run", "net.prototxt", "--quiet", cwd=tmp_path), 5, "is no image that OpenCV can decode"
    )


def test_damaged_hdf5_is_one_kind_of_error(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        for name in ("a", "b"):
            file.create_dataset(f"data/{name}/0", data=np.ones((3, 4), np.float32))
    whole, refused = (tmp_path / "w.h5").read_bytes(), 0
    for at in range(8, len(whole), 9):
        (tmp_path / "w.h5").write_bytes(whole[:at] + b"\xff\x7f" + whole[at + 2 :])
        try:
            weights.read(str(tmp_path / "w.h5"))
        except caffe.WeightsError:
            refused += 1
    assert refused > 20


@pytest.mark.parametrize("key", ["TRAIN.BATCH_SIZE", "TRAIN.FG_THRESH", "PIXEL_MEANS"])
def test_a_number_of_the_configuration_that_no_float_holds(key):
    digits = "9" * 400
    with pytest.raises(caffe.DataError, match=f"'{key}' is .*; expected finite numbers"):
        cfg_from_list([key, f"({digits}, 1, 1)" if key == "PIXEL_MEANS" else digits])


def test_json_without_end(tmp_path):
    with pytest.raises(ValueError, match="nested too deep"):
        parse_json("[" * 100_000)
    content = {"images": [{"id": 1, "file_name": "a.jpg", "width": 10**400, "height": 3}]}
    (tmp_path / "a.json").write_text(
        json.dumps({**content, "annotations": [], "categories": [{"id": 1, "name": "a"}]})
    )
    assert CocoFile(tmp_path / "a.json", tmp_path).image_ids
