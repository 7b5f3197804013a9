"""The caffe binary's actions and tools, run on a database made here."""

import gc
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from commands import run
from processes import started

from caffe_compat.prototxt.caffe_pb2 import BlobProto, Datum
from caffe_compat.prototxt.reader import read_binary_net, read_net, read_solver

lmdb = pytest.importorskip("lmdb")
MAIN = "caffe_compat.cli.main"
LEGACY = Path(__file__).resolve().parent.parent / "golden/legacy"
PREFIX = r"I\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ \w+\.py:\d+\] "
NET = """
name: "small"
layer { name: "data" type: "Data" top: "data" top: "label" data_param { source: "db" backend: LMDB batch_size: 3 }
        transform_param { mean_file: "mean.binaryproto" scale: 0.01 } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
        inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" include { phase: TEST } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" loss_weight: 2 }
"""
SOLVER = """
net: "net.prototxt"
base_lr: 0.01
lr_policy: "fixed"
max_iter: 8
display: 2
test_iter: 2
test_interval: 4
snapshot_prefix: "small"
"""


def tool(folder, *args):
    done = run(MAIN, *args, cwd=folder)
    gc.collect()  # a net keeps its database open, and a process cannot open one twice
    return done


def lines(done):
    return [re.sub(PREFIX, "", line) for line in done.stderr.splitlines() if re.match(PREFIX, line)]


def items(path):
    with lmdb.open(str(path), readonly=True, lock=False) as environment, environment.begin() as transaction:
        return [(key.decode(), Datum.FromString(value)) for key, value in transaction.cursor()]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder with seven photos of 6 x 8 in it, a list, an LMDB, a mean, a net, a solver and weights."""
    folder = tmp_path_factory.mktemp("tools")
    (folder / "photos").mkdir()
    pixels = np.random.RandomState(2).randint(0, 256, (7, 6, 8, 3)).astype(np.uint8)
    for i, image in enumerate(pixels):
        cv2.imwrite(str(folder / f"photos/a {i}.png"), image)
    (folder / "list.txt").write_text("".join(f"a {i}.png {i % 5}\n" for i in range(7)))
    (folder / "net.prototxt").write_text(NET)
    (folder / "solver.prototxt").write_text(SOLVER)
    done = tool(folder, "convert-imageset", "photos/", "list.txt", "db")
    assert done.returncode == 0 and "Processed 7 files." in lines(done), done.stderr
    done = tool(folder, "mean", "db", "mean.binaryproto", "--json")
    assert json.loads(done.stdout)["images"] == 7, done.stderr
    done = tool(folder, "train", "--solver=solver.prototxt", "-gpu", "0")
    assert done.returncode == 0 and done.stderr.startswith("warning: -gpu 0: GPUs are not used"), done.stderr
    (folder / "train.log").write_text(done.stderr)
    return folder, pixels.transpose(0, 3, 1, 2)


def test_a_database_and_its_mean(photos):
    folder, pixels = photos
    stored = items(folder / "db")
    assert [key for key, _ in stored] == [f"{i:08d}_a {i}.png" for i in range(7)]
    for i, (_, datum) in enumerate(stored):
        assert (datum.channels, datum.height, datum.width, datum.label) == (3, 6, 8, i % 5)
        assert datum.data == pixels[i].tobytes()
    blob = BlobProto.FromString((folder / "mean.binaryproto").read_bytes())
    assert (blob.num, blob.channels, blob.height, blob.width) == (1, 3, 6, 8)
    np.testing.assert_allclose(blob.data, pixels.mean(0).reshape(-1), rtol=1e-6)
    done = tool(folder, "mean", "list.txt", "--root", "photos", "--quiet")
    want = [f"mean_value channel [{c}]: {pixels[:, c].mean():g}" for c in range(3)]
    assert done.stdout.splitlines() == ["Number of channels: 3", *want]


def test_encoded_resized_shuffled(photos, tmp_path):
    folder, _ = photos
    args = (folder / "photos", folder / "list.txt")
    assert tool(tmp_path, "convert-imageset", "-encoded=true", *args, "own").returncode == 0
    assert items(tmp_path / "own")[3][1].data == (folder / "photos/a 3.png").read_bytes()
    done = tool(tmp_path, "convert-imageset", *args, "b", "-shuffle", "-gray", "-resize_height=4",
                "-resize_width", "5", "-noencoded")  # fmt: skip
    assert done.returncode == 0, done.stderr
    stored = items(tmp_path / "b")
    names = [key[9:] for key, _ in stored]
    assert names != sorted(names) == [f"a {i}.png" for i in range(7)]
    for name, (_, datum) in zip(names, stored, strict=True):
        grey = cv2.imread(str(folder / "photos" / name), cv2.IMREAD_GRAYSCALE)
        assert (datum.channels, datum.height, datum.width) == (1, 4, 5)
        assert datum.data == cv2.resize(grey, (5, 4)).tobytes()


def test_an_image_that_cannot_be_read_is_reported(photos, tmp_path):
    folder, _ = photos
    (tmp_path / "list.txt").write_text("a 0.png 1\nnone.png 2\na 2.png 3\n")
    done = tool(tmp_path, "convert-imageset", folder / "photos", "list.txt", "db", "--quiet")
    assert done.returncode == 7 and "list.txt:2: cannot read the image" in done.stderr
    assert done.stderr.splitlines()[-1] == "list.txt: error: 1 image(s) left out, 2 stored"
    assert [datum.label for _, datum in items(tmp_path / "db")] == [1, 3]
    done = tool(tmp_path, "convert-imageset", folder / "photos", "list.txt", "db", "--quiet")
    assert done.returncode == 7 and done.stderr.startswith("db: error: exists already")


def test_score(photos):
    folder, _ = photos
    args = ("test", "-model", "net.prototxt", "-weights=small_iter_8.caffemodel", "--iterations", "2")
    log = lines(tool(folder, *args))
    batches = [float(line.split(" = ")[1]) for line in log if re.match(r"Batch \d, loss = ", line)]
    assert len(batches) == 2
    mean = np.mean(batches)
    loss = next(line for line in log if line.startswith("loss = "))
    got = re.fullmatch(r"loss = (\S+) \(\* 2 = (\S+) loss\)", loss)
    assert [float(x) for x in got.groups()] == pytest.approx([mean, 2 * mean], rel=1e-5)
    assert float(next(line for line in log if line.startswith("Loss: "))[6:]) == pytest.approx(
        2 * mean, rel=1e-5
    )
    report = json.loads(tool(folder, *args, "--json").stdout)
    assert report["outputs"]["loss"] == pytest.approx([mean], rel=1e-5)


def test_time(photos):
    folder, _ = photos
    done = tool(folder, "time", "-model", "net.prototxt", "-phase=TEST", "-iterations", "2")
    log = lines(done)
    assert any(re.fullmatch(r"        ip\tforward: \S+ ms\.", line) for line in log)
    for start in ("Average Forward pass", "Average Backward pass", "Average Forward-Backward", "Total Time"):
        assert sum(bool(re.fullmatch(rf"{start}: \S+ ms\.", line)) for line in log) == 1
    done = tool(folder, "time", "-model", "net.prototxt", "-iterations", "2", "--json")
    layers = {layer["name"]: layer for layer in json.loads(done.stdout)["layers"]}
    assert layers["ip"]["backward_ms"] > 0 == layers["data"]["backward_ms"] and "accuracy" not in layers
    done = tool(folder, "time", "-model", "net.prototxt", "-iterations", "2", "--table")
    assert done.stdout.startswith("layer") and max(map(len, done.stdout.splitlines())) <= 100


def test_features(photos, tmp_path):
    folder, _ = photos
    args = ("extract", "small_iter_8.caffemodel", "net.prototxt", "ip,data")
    done = tool(folder, *args, f"{tmp_path}/ip,{tmp_path}/data", 3, "lmdb", "CPU")
    assert done.returncode == 0, done.stderr
    done = tool(folder, *args, f"{tmp_path}/ip.npz,{tmp_path}/data.npz", 3, "npz")
    assert done.returncode == 0, done.stderr
    for name, shape in (("ip", (5, 1, 1)), ("data", (3, 6, 8))):
        stored = items(tmp_path / name)
        assert [key for key, _ in stored] == [f"{i:010d}" for i in range(9)]
        assert all((datum.channels, datum.height, datum.width) == shape for _, datum in stored)
        with np.load(tmp_path / f"{name}.npz") as file:
            want = file[name].reshape(9, -1)
        np.testing.assert_array_equal(np.array([d.float_data for _, d in stored], np.float32), want)
    assert not np.array_equal(want[0], want[1]) and np.array_equal(
        want[0], want[7]
    )  # seven images, in a circle


@pytest.mark.parametrize("old", sorted(LEGACY.glob("*.upgraded.prototxt")), ids=lambda path: path.name)
def test_upgrade_text(old, tmp_path):
    source = LEGACY / old.name.replace(".upgraded", "")
    done = tool(tmp_path, "upgrade", source, "new.prototxt", "--json")
    report = json.loads(done.stdout)
    read = read_solver if "solver" in old.name else read_net
    assert report["kind"] == ("solver" if "solver" in old.name else "net") and report["changed"]
    assert read(tmp_path / "new.prototxt")[0] == read(old)[0]
    assert "layers {" not in (tmp_path / "new.prototxt").read_text()
    done = tool(tmp_path, "upgrade", "new.prototxt", "again.prototxt")
    assert done.stdout.startswith("File already in latest proto format: new.prototxt")


def test_upgrade_binary(tmp_path):
    done = tool(tmp_path, "upgrade", LEGACY / "legacy_v1.caffemodel", "new.caffemodel", "--json")
    assert json.loads(done.stdout)["kind"] == "caffemodel"
    net = read_binary_net(tmp_path / "new.caffemodel")
    assert net == read_binary_net(LEGACY / "legacy_v1.caffemodel") and not net.layers
    assert sum(len(layer.blobs) for layer in net.layer) > 0


def test_the_tables_of_our_own_log(photos, tmp_path):
    folder, _ = photos
    done = tool(folder, "parse-log", "train.log", tmp_path)
    assert done.returncode == 0, done.stderr
    rows = [row.split(",") for row in (tmp_path / "train.log.test").read_text().splitlines()]
    assert rows[0] == ["NumIters", "Seconds", "LearningRate", "accuracy", "loss"]
    assert [row[0] for row in rows[1:]] == ["0.0", "4.0", "8.0"] and {row[2] for row in rows[1:]} == {"0.01"}
    report = json.loads(tool(folder, "parse-log", "train.log", "--json").stdout)
    assert [row["NumIters"] for row in report["train"]] == [0, 2, 4, 6]


@pytest.mark.parametrize("effect, number", [("stop", 1), ("snapshot", 2), ("none", 2)])
def test_effects_of_signals(effect, number, photos, tmp_path):
    folder, _ = photos
    text = SOLVER.replace("max_iter: 8", "max_iter: 1000000000").replace("test_iter: 2", "")
    text = text.replace("test_interval: 4", "").replace("net.pro", f"{folder}/net.pro")
    (tmp_path / "solver.prototxt").write_text(text.replace("display: 2", "display: 100"))
    command = [sys.executable, "-m", MAIN, "train", "-solver", tmp_path / "solver.prototxt"]
    command += ["-sighup_effect", effect, "-sigint_effect", "stop"]
    (tmp_path / "small").mkdir()
    with started(command, folder, stderr=subprocess.PIPE) as process:

        def wait(start):
            for line in process.stderr:
                if start in line:
                    return

        wait("Iteration 100,")
        process.send_signal(signal.SIGHUP)
        if effect == "snapshot":
            wait("Snapshotting to binary proto file")
        if effect != "stop":
            wait("Iteration ")
            process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait() == 0
    assert rest.count("Snapshotting to binary proto file") == 1 and "stopped early" in rest


BAD = {
    "both": (["train", "-solver", "solver.prototxt", "-weights", "a", "-snapshot", "b"], 1, "error: give -snapshot"),
    "no blob": (["extract", "small_iter_8.caffemodel", "net.prototxt", "fc", "x", "1"], 4, "net.prototxt: error: "),
    "leveldb": (["mean", "-backend=leveldb", "db"], 7, "error: backend 'leveldb' is neither read"),
    "no log": (["parse-log", "list.txt", "."], 7, "list.txt: error: there is no line 'Iteration N'"),
    "no file": (["upgrade", "none.prototxt", "x"], 7, "none.prototxt: error: cannot be read: No such"),
}  # fmt: skip


@pytest.mark.parametrize("args, code, start", BAD.values(), ids=BAD)
def test_bad_input(args, code, start, photos):
    done = tool(photos[0], *args, "--quiet")
    assert (done.returncode, done.stderr[: len(start)], done.stderr.count("\n")) == (code, start, 1)


def test_inputs_that_nothing_feeds(photos):
    net = (
        'layer { name: "x" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 6 dim: 8 } } }'
    )
    (photos[0] / "deploy.prototxt").write_text(
        net + NET[NET.index('layer { name: "ip"') : NET.index('layer { name: "acc')]
    )
    done = tool(
        photos[0], "test", "-model", "deploy.prototxt", "-weights", "small_iter_8.caffemodel", "--quiet"
    )
    assert done.returncode == 4 and "nothing feeds the inputs 'data'" in done.stderr


@pytest.mark.parametrize(
    "name",
    [
        "train",
        "test",
        "time",
        "upgrade",
        "mean",
        "convert-imageset",
        "convert-annoset",
        "extract",
        "parse-log",
    ],
)
def test_help(name, tmp_path):
    assert f"caffe-compat {name} " in tool(tmp_path, name, "--help").stdout.split("examples:")[1]
