"""Photos into nets of one image: classify, run-prototxt --photo and extract --photo, against pycaffe's Classifier."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from commands import run, run_prototxt
from fast_rcnn.cell_nets import CELL_NETS, cell_net
from fast_rcnn.drawn import picture
from fast_rcnn.nets import TINY_TEST, tiny_test_net
from recordings import net_of

import caffe_compat as caffe
from caffe_compat.fast_rcnn.single_shot import SingleShotDetector
from caffe_compat.tools.image_mean import write_mean

DEPLOY = """
input: "data" input_shape { dim: 2 dim: 3 dim: 8 dim: 10 }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "drop1" type: "Dropout" bottom: "conv1" top: "conv1" }
layer { name: "ip" type: "InnerProduct" bottom: "conv1" top: "ip" inner_product_param { num_output: 7 } }
layer { name: "prob" type: "Softmax" bottom: "ip" top: "prob" }
"""
NAMES = [f"animal {i}, of legs {i}" for i in range(7)]


def command(folder: Path, *args: object):
    return run("caffe_compat.cli.main", *args, cwd=folder)


def random_net(text: str = DEPLOY) -> caffe.Net:
    net = net_of(text, caffe.TEST)
    rng = np.random.RandomState(7)
    for blobs in net.params.values():
        for blob in blobs:
            blob.data[...] = rng.standard_normal(blob.shape) * 0.01
    return net


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("classify")
    (folder / "net.prototxt").write_text(DEPLOY)
    random_net().save(folder / "w.caffemodel")
    (folder / "photos").mkdir()
    for seed, size in enumerate([(30, 21), (12, 19), (40, 40)]):
        cv2.imwrite(str(folder / f"photos/{seed}.png"), picture(seed, *size))
    cv2.imwrite(str(folder / "photos/grey.png"), picture(9, 14, 15)[:, :, 0])
    (folder / "synsets.txt").write_text("".join(f"n0144000{i} {name}\n" for i, name in enumerate(NAMES)))
    return folder


NET = ("classify", "net.prototxt", "--weights", "w.caffemodel", "--threads", 1)
PHOTOS = ("0.png", "1.png", "2.png", "grey.png")


def classifier(folder: Path, **options) -> caffe.Classifier:
    return caffe.Classifier(
        str(folder / "net.prototxt"), str(folder / "w.caffemodel"), raw_scale=255, **options
    )


def scores(report: str) -> np.ndarray:
    """Photos x classes, of a report as JSON with all classes."""
    photos = json.loads(report)["photos"]
    return np.array(
        [[by["score"] for by in sorted(one["classes"], key=lambda by: by["label"])] for one in photos]
    )


MEAN = np.random.RandomState(3).uniform(90, 130, (3, 12, 13)).astype(np.float32)


@pytest.mark.parametrize("oversample", [True, False])
@pytest.mark.parametrize(
    ("given", "mean"),
    [
        ("104,117,123", np.array([104, 117, 123])),
        ("m.npy", MEAN),
        ("m.binaryproto", MEAN),
        ("90", [90, 90, 90]),
    ],
)
def test_the_numbers_are_those_of_pycaffe(folder, given, mean, oversample):
    np.save(folder / "m.npy", MEAN)
    write_mean(MEAN, str(folder / "m.binaryproto"))
    options = (
        "--mean",
        given,
        "--scale",
        0.5,
        "--image-dims",
        "12,13",
        "--top",
        7,
        "--json",
        "--swap",
        "1,2,0",
    )
    done = command(folder, *NET, "photos", *options, *(["--oversample"] if oversample else []))
    assert (done.returncode, done.stderr) == (0, "")
    net = classifier(
        folder, mean=np.asarray(mean), input_scale=0.5, channel_swap=(1, 2, 0), image_dims=(12, 13)
    )
    images = [caffe.io.load_image(folder / "photos" / name) for name in PHOTOS]
    want = net.predict(images, oversample)
    assert np.ptp(want, axis=0).max() > 0.01
    np.testing.assert_allclose(scores(done.stdout), want, rtol=1e-5)


def test_a_table_with_names_from_a_folder_with_a_photo_that_is_none(folder):
    (folder / "all").mkdir()
    for path in (folder / "photos").iterdir():
        (folder / "all" / path.name).write_bytes(path.read_bytes())
    (folder / "all/1a.png").write_text("no photo")
    done = command(folder, *NET, "all", "--labels", "synsets.txt", "--top", 2, "--batch", 3)
    assert done.returncode == 7
    first, last = done.stderr.splitlines()
    assert first.startswith("all/1a.png: error: not a photo that OpenCV can decode (8 bytes)")
    assert last == "error: 1 of 5 photos could not be done, see above"
    images = [caffe.io.load_image(folder / "photos" / name) for name in PHOTOS]
    want = classifier(folder, channel_swap=(2, 1, 0)).predict(images, oversample=False)
    lines = done.stdout.splitlines()
    assert lines[2] == ("photos: stretched to 10 x 8, BGR, no mean, times 1 (--mean, --scale, --swap)")
    assert lines[3].split() == ["photo", "label", "class", "score"]
    rows = [line.split(maxsplit=2) for line in lines[4:]]
    for i, row in enumerate(rows):
        of_photo = want[i // 2]
        label = np.argsort(-of_photo)[i % 2]
        assert row[:2] == [PHOTOS[i // 2], str(label)]
        assert row[2] == f"{NAMES[label]}  {of_photo[label]:.4f}"
    (folder / "plain.txt").write_text("\ufeff" + "\r\n".join(NAMES) + "\n\n", encoding="utf-8")
    done = command(folder, *NET, "photos/0.png", "--labels", "plain.txt", "--top", 1, "--json")
    best = int(want[0].argmax())
    (found,) = json.loads(done.stdout)["photos"][0]["classes"]
    assert (found["label"], found["class"]) == (best, NAMES[best]) and "synset" not in found
    for wrong in ("a,b", "none.txt"):
        assert command(folder, *NET, "photos/0.png", "--labels", wrong).returncode == 7
    done = command(folder, *NET, "photos/0.png", "--labels", "a, b,c,d,e,f,g", "--top", 1, "--quiet")
    assert done.stdout.splitlines()[1].split()[:3] == ["0.png", str(best), "abcdefg"[best]]
    named = json.loads(command(folder, *NET, "photos/0.png", "--labels", "synsets.txt", "--json").stdout)
    assert named["photos"][0]["classes"][0]["synset"] == f"n0144000{best}"


def test_classify_says_what_is_wrong(folder):
    def refused(*options: object, net: tuple = NET) -> str:
        done = command(folder, *net, "photos/0.png", *options)
        assert done.returncode == 7, done.stderr
        return done.stderr

    (folder / "six.txt").write_text("\n".join("abcdef"))
    assert refused("--labels", "six.txt") == "six.txt: error: there are 6 names, and the net has 7 classes\n"
    (folder / "gap.txt").write_text("a\n\nb")
    assert "gap.txt: error: line 2 is empty" in refused("--labels", "gap.txt")
    assert "none.txt: error: cannot read the names of the classes: No such" in refused("--labels", "none.txt")
    assert "--image-dims 7,10 is smaller than the net's input, 8 x 10" in refused("--image-dims", "7,10")
    assert "--mean 1,2 has 2 channels, input 'data' 3" in refused("--mean", "1,2")
    np.save(folder / "text.npy", np.array(["a"]))
    assert "text.npy: error: holds <U1 of the shape (1,)" in refused("--mean", "text.npy")
    assert "there is no blob 'pro'; the outputs are prob" in refused("--blob", "pro")
    assert "output 'conv1' has the shape 2x4x6x8 for 2 photo(s)" in refused("--blob", "conv1")
    (folder / "two.prototxt").write_text(
        DEPLOY.replace('"prob" type: "Softmax"', '"a" type: "Sigmoid"')
        + ('layer { name: "b" type: "TanH" bottom: "ip" top: "b" }')
    )
    two = ("classify", "two.prototxt", *NET[2:])
    assert "the net has 2 outputs, b, prob; say which with --blob" in refused(net=two)
    assert command(folder, *two, "photos/0.png", "--blob", "b").returncode == 0
    (folder / "label.prototxt").write_text('input: "label" input_shape { dim: 2 }' + DEPLOY)
    assert "this one's inputs are label 2, data 2x3x8x10: use the deploy.prototxt" in refused(
        net=("classify", "label.prototxt", *NET[2:])
    )


def test_grey_nets_and_the_mean_of_imagenet(folder):
    text = DEPLOY.replace("dim: 3 dim: 8", "dim: 1 dim: 8").replace("num_output: 7", "num_output: 1000")
    (folder / "grey.prototxt").write_text(text)
    random_net(text).save(folder / "grey.caffemodel")
    grey = ("classify", "grey.prototxt", "--weights", "grey.caffemodel", "photos/2.png", "--top", 1000)
    done = command(folder, *grey)
    assert "photos: stretched to 10 x 8, grey, no mean, times 1" in done.stdout
    assert "most nets for ImageNet's 1000 classes want --mean 104,117,123" in done.stdout
    net = caffe.Classifier(str(folder / "grey.prototxt"), str(folder / "grey.caffemodel"), raw_scale=255)
    want = net.predict([caffe.io.load_image(folder / "photos/2.png", color=False)], oversample=False)
    np.testing.assert_allclose(scores(command(folder, *grey, "--json").stdout), want, rtol=1e-5)
    done = command(folder, *grey, "--swap", "2,1,0")
    assert done.returncode == 7 and "--swap is for three channels" in done.stderr


def test_run_prototxt_feeds_photos(folder):
    options = (
        "--photo",
        "photos/0.png",
        "--photo",
        "photos/[12].png",
        "--mean",
        "104,117,123",
        "--dump",
        "o.npz",
    )
    done = run_prototxt("net.prototxt", "--weights", "w.caffemodel", *options, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert "data: 3 photo(s) in one batch" in done.stdout
    assert "photos: stretched to 10 x 8, BGR, minus 104 117 123, times 1" in done.stdout
    net = classifier(folder, channel_swap=(2, 1, 0), mean=np.array([104, 117, 123]))
    images = [caffe.io.load_image(folder / "photos" / name) for name in PHOTOS[:3]]
    dumped = np.load(folder / "o.npz")
    for got, image in zip(dumped["data:data"], images, strict=True):
        np.testing.assert_allclose(got, net.transformer.preprocess("data", image), rtol=1e-5)
    np.testing.assert_allclose(dumped["data:prob"], net.predict(images, oversample=False), rtol=1e-5)


def test_run_prototxt_feeds_a_photo_to_ssd_as_detect_does(folder):
    (folder / "ssd.prototxt").write_text(CELL_NETS["ssd"])
    done = run_prototxt("ssd.prototxt", "--photo", "photos/0.png", "--dump", "ssd.npz", cwd=folder)
    assert "BGR, minus 104 117 123, times 1, as SSD's" in done.stdout
    want = SingleShotDetector(cell_net("ssd")).input(picture(0, 30, 21))
    np.testing.assert_array_equal(np.load(folder / "ssd.npz")["data:data"], want)


def test_photos_and_their_options_go_together(folder):
    done = run_prototxt("net.prototxt", "--mean", "1", cwd=folder)
    assert done.returncode == 1 and "--mean goes with --photo" in done.stderr
    (folder / "test.prototxt").write_text(TINY_TEST)
    tiny_test_net().save(folder / "fast_rcnn.caffemodel")
    fast_rcnn = ("test.prototxt", "--weights", "fast_rcnn.caffemodel")
    done = run_prototxt(*fast_rcnn, "--photo", "photos/0.png", "--scale", "2", cwd=folder)
    assert done.returncode == 1 and "--scale is for nets with one image for their input" in done.stderr
    done = command(folder, "detect", *fast_rcnn, "photos/0.png", "--swap", "0,1,2")
    assert done.returncode == 1
    assert (
        "--swap is for SSD and YOLO nets, and this is one of Fast R-CNN, whose mean is --set" in done.stderr
    )


def test_extract_writes_features_of_photos(folder):
    extract = ("extract", "w.caffemodel", "net.prototxt")
    options = ("--photo", "photos", "--mean", "104,117,123", "--json")
    done = command(folder, *extract, "conv1,prob", "conv1.npz,prob.npz", *options)
    assert (done.returncode, done.stderr) == (0, "")
    conv1, prob = json.loads(done.stdout)
    assert (conv1["items"], prob["written"]) == (4, "prob.npz")
    assert [Path(path).name for path in conv1["photos"]] == list(PHOTOS)
    net = classifier(folder, channel_swap=(2, 1, 0), mean=np.array([104, 117, 123]))
    want = net.predict([caffe.io.load_image(folder / "photos" / name) for name in PHOTOS], oversample=False)
    np.testing.assert_allclose(np.load(folder / "prob.npz")["prob"], want, rtol=1e-5)
    assert np.load(folder / "conv1.npz")["conv1"].shape == (4, 4, 6, 8)
    for wrong in (("5", "--photo", "photos"), ()):
        done = command(folder, *extract, "prob", "prob.npz", *wrong)
        assert done.returncode == 1 and "give N, the number of batches" in done.stderr
    done = command(folder, *extract, "ip,prob", "a.npz,b_lmdb", "--photo", "photos")
    assert done.returncode == 1 and "say the form, lmdb, npz, h5" in done.stderr


def test_a_deploy_net_runs_in_phase_test(folder):
    """Its Dropout draws nothing, whatever command runs it."""
    dumps = []
    for name in ("a.npz", "b.npz"):
        run_prototxt(
            "net.prototxt", "--weights", "w.caffemodel", "--photo", "photos", "--dump", name, cwd=folder
        )
        dumps.append(np.load(folder / name)["data:prob"])
    np.testing.assert_array_equal(*dumps)
    assert ", phase TEST" in command(folder, "explain", "net.prototxt").stdout
    assert "phase TEST" in command(folder, "draw", "net.prototxt", "-o", "net.svg").stdout
    assert ", phase TRAIN" in command(folder, "explain", "net.prototxt", "--phase", "train").stdout
    against = (
        "diff",
        "net.prototxt",
        "--against",
        "net.prototxt",
        "--weights",
        "w.caffemodel",
        "--all",
        "--json",
    )
    assert json.loads(command(folder, *against).stdout)["phase"] == "TEST"
    (folder / "timed.prototxt").write_text(
        DEPLOY + 'layer { name: "train" type: "Silence" bottom: "prob" include { phase: TRAIN } }'
    )
    timed = ("time", "-model", "timed.prototxt", "-iterations", 1)
    for phase, names in (((), {"prob"}), (("-phase", "TRAIN"), {"prob", "train"})):
        layers = json.loads(command(folder, *timed, *phase, "--json").stdout)["layers"]
        assert {layer["name"] for layer in layers} & {"prob", "train"} == names
    done = command(folder, *timed, "-weights", "w.caffemodel")
    assert done.returncode == 0 and "params loaded from w.caffemodel: conv1, ip" in done.stdout
    done = command(folder, *timed, "--weights=nothing.caffemodel")
    assert done.returncode == 6 and "nothing.caffemodel" in done.stderr
