"""What is fuzzed: for each kind of file a corpus, and what a user's program or command does with such a file.

A target works in an empty folder of its own, the working directory.
"""

from __future__ import annotations

import io
import json
import os
import signal
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from fuzzing import mutations

ROOT = Path(__file__).resolve().parent.parent.parent
TESTS = ROOT / "tests"
SMALL = 200_000  # numbers in the blobs of a net that is run

TINY = """\
name: "tiny"
layer { name: "in" type: "Input" top: "x" top: "t"
  input_param { shape { dim: 2 dim: 3 dim: 5 dim: 7 } shape { dim: 2 } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "bn" }
layer { name: "drop" type: "Dropout" bottom: "bn" top: "drop" }
layer { name: "ip" type: "InnerProduct" bottom: "drop" top: "ip" inner_product_param { num_output: 6 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "t" top: "loss" }
"""
SOLVER = """\
net: "net.prototxt"
type: "Adam"
base_lr: 0.01
momentum: 0.9
lr_policy: "step"
gamma: 0.5
stepsize: 2
max_iter: 3
display: 1
average_loss: 2
snapshot: 3
snapshot_prefix: "s"
"""


@dataclass
class Target:
    """corpus: whole files. run: what is done with one. mutate: how it is changed. prepare: what has to be there."""

    corpus: Callable[[], list[bytes]]
    run: Callable[[bytes], object]
    mutate: mutations.Mutation
    prepare: Callable[[], object] = lambda: None
    of_tests: bool = False


def preload() -> None:
    """Import what most targets need, so that the processes which are forked need not."""
    import cv2  # noqa: F401
    import h5py  # noqa: F401
    import layers.cases  # noqa: F401
    import lmdb  # noqa: F401
    import scipy.io  # noqa: F401

    import caffe_compat.fast_rcnn.check
    import caffe_compat.solvers  # noqa: F401

    _parser()


def _command(*argv: str) -> int:
    """Run a command of caffe-compat; its exceptions pass."""
    args = _parser().parse_args(argv)
    return args.body(args) or 0


@cache
def _parser() -> Any:
    from caffe_compat.cli.main import parser

    return parser()


def _files(*patterns: str) -> list[bytes]:
    found = sorted(path for pattern in patterns for path in ROOT.glob(pattern))
    return [path.read_bytes() for path in found]


def _npz(arrays: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def _write(name: str, data: bytes | str) -> str:
    if isinstance(data, str):
        data = data.encode()
    Path(name).write_bytes(data)
    return name


def _numbers(shape: Sequence[int], seed: int) -> np.ndarray:
    """Noise, or small whole numbers, as classes are."""
    rng = np.random.RandomState(seed % 2**32)
    return rng.standard_normal(shape) if seed % 3 else rng.randint(0, 3, shape).astype(float)


# ---- texts of nets and solvers ------------------------------------------------------------------------------------


def _nets() -> list[bytes]:
    """Nets of all families, the legacy ones, and one of each layer's case in the tests."""
    from layers.cases import CASES

    nets = _files(
        "tests/families/*.prototxt", "tests/golden/legacy/v?_*.prototxt", "tests/compare/small.prototxt"
    )
    return [*nets, *(_net_of(case) for case in CASES)]


def _net_of(case: Any) -> bytes:
    shapes = " ".join(f"shape {{ {' '.join(f'dim: {dim}' for dim in shape)} }}" for shape in case.shapes)
    bottoms = [f'"b{i}"' for i in range(len(case.shapes))]
    tops = " ".join(f'top: "t{i}"' for i in range(case.tops))
    layer = case.layer.replace(" { ", " {\n  ")
    inputs = f'layer {{ name: "in" type: "Input" {" ".join(f"top: {b}" for b in bottoms)} input_param {{ {shapes} }} }}'
    text = f'layer {{ name: "it" {" ".join(f"bottom: {b}" for b in bottoms)} {tops}\n{layer} }}\n'
    return f"force_backward: true\n{inputs if bottoms else ''}\n{text}".encode()


def _run_net(data: bytes) -> None:
    from caffe_compat.explain.explanation import explain
    from caffe_compat.graph import with_state
    from caffe_compat.net import Net
    from caffe_compat.prototxt.reader import read_net
    from caffe_compat.prototxt.writer import net_text

    seed = zlib.crc32(data)
    param, source = read_net(_write("net.prototxt", data))
    net_text(param)
    net = Net.from_param(with_state(param, seed & 1), source, python_layers=False)
    explain(net)
    sizes = [blob.count for blob in net.blob_list] + [
        blob.count for layer in net.layers for blob in layer.blobs
    ]
    if sum(sizes) > SMALL:
        return
    for i, name in enumerate(net.inputs):
        blob = net.blobs[name]
        blob.data[...] = _numbers(blob.shape, seed + i)
    with np.errstate(all="ignore"):
        net.forward()
        net.backward()


def _solvers() -> list[bytes]:
    inline = TINY.replace("\n", "\n  ")
    policies = (
        'lr_policy: "fixed"',
        'lr_policy: "exp" gamma: 0.9',
        'lr_policy: "inv" gamma: 0.1 power: 0.75',
        'lr_policy: "multistep" gamma: 0.5 stepvalue: 1\nstepvalue: 2',
        'lr_policy: "poly" power: 2',
        'lr_policy: "sigmoid" gamma: 0.1 stepsize: 2',
    )
    types = ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam")
    own = [
        f'net_param {{\n  {inline}}}\ntype: "{kind}"\nbase_lr: 0.01\n{policy}\nmax_iter: 2\n'
        "momentum: 0\nweight_decay: 0.001\niter_size: 2\nclip_gradients: 3\nregularization_type: 'L1'\nrandom_seed: 3\n"
        "rms_decay: 0.9\ndelta: 1e-6\ntest_iter: 1\ntest_interval: 1\ntest_initialization: true\ndebug_info: true\n"
        for kind, policy in zip(types, policies, strict=True)
    ]
    return [text.encode() for text in own] + _files("tests/golden/legacy/solver_*.prototxt")


def _run_solver(data: bytes) -> None:
    from caffe_compat.prototxt.reader import read_solver
    from caffe_compat.solvers import create_solver

    _write("net.prototxt", TINY)
    param, source = read_solver(_write("solver.prototxt", data))
    param.iter_size = min(param.iter_size, 3)
    del param.test_iter[3:]
    param.test_iter[:] = [min(count, 3) for count in param.test_iter]
    solver = create_solver(param, source, python_layers=False)
    with np.errstate(all="ignore"):
        solver.step(2)


# ---- weights, states and the files beside them -----------------------------------------------------------------------


def _tiny_net() -> Any:
    import caffe_compat as caffe

    _write("net.prototxt", TINY)
    return caffe.Net("net.prototxt", caffe.TRAIN)


def _binary_weights() -> list[bytes]:
    from caffe_compat.prototxt.caffe_pb2 import BlobProto, NetParameter

    net = _tiny_net()
    net.save("w.caffemodel")
    old = NetParameter(name="old")
    for name, blobs in net.params.items():
        layer = old.layer.add(name=name, type="InnerProduct")
        for kind, blob in enumerate(blobs):
            values = blob.data.reshape(-1)
            proto = BlobProto(num=1, channels=1, height=1, width=blob.count)
            if kind % 2:
                proto.double_data.extend(values.tolist())
            else:
                proto.data.extend(values.tolist())
            layer.blobs.append(proto)
    models = _files("tests/golden/legacy/*.caffemodel", "tests/golden/snapshot/*.caffemodel")
    return [Path("w.caffemodel").read_bytes(), old.SerializeToString(), *models]


def _run_weights(data: bytes) -> None:
    import caffe_compat as caffe

    path = _write("in.caffemodel", data)
    if zlib.crc32(data) % 4 == 0:
        _command("upgrade", path, "out.caffemodel")
    else:
        caffe.Net("net.prototxt", caffe.TEST).copy_from(path)


def _train() -> Any:
    """A solver with a snapshot in the working directory; of data that is shuffled, and with dropout."""
    import h5py

    import caffe_compat as caffe

    with h5py.File("data.h5", "w") as file:
        file["x"] = np.random.RandomState(0).standard_normal((4, 3, 5, 7)).astype(np.float32)
        file["t"] = np.array([1, 0, 3, 5], np.float32)
    _write("list.txt", "data.h5\n")
    data = 'layer { name: "in" type: "HDF5Data" top: "x" top: "t"\n hdf5_data_param { source: "list.txt" batch_size: 3 '
    _write(
        "net.prototxt",
        TINY.replace(
            TINY[TINY.index("layer") : TINY.index('layer { name: "conv')], data + "shuffle: true } }\n"
        ),
    )
    _write("solver.prototxt", SOLVER)
    _write("solver_h5.prototxt", SOLVER.replace('"s"', '"h"') + "snapshot_format: HDF5")
    solver = caffe.get_solver("solver.prototxt")
    solver.step(3)
    caffe.get_solver("solver_h5.prototxt").step(3)
    return solver


_solver: list[Any] = []


def _prepare_solver() -> None:
    _solver[:] = [_train()]


def _states() -> list[bytes]:
    return [Path("s_iter_3.solverstate").read_bytes(), *_files("tests/golden/snapshot/*.solverstate")]


def _restore(state: str) -> None:
    solver = _solver[0]
    solver.restore(state)
    with np.errstate(all="ignore"):
        solver.step(1)


def _run_state(data: bytes) -> None:
    _write("in.solverstate", data)
    _restore("in.solverstate")


def _run_extra(data: bytes) -> None:
    _write("s_iter_3.extra.npz", data)
    _restore("s_iter_3.solverstate")


def _hdf5() -> list[bytes]:
    _tiny_net().save("w.h5")
    golden = _files("tests/golden/snapshot/*.h5")
    return [*(Path(name).read_bytes() for name in ("w.h5", "data.h5", "h_iter_3.solverstate.h5")), *golden]


def _prepare_hdf5() -> None:
    _prepare_solver()
    Path("net.prototxt").rename("hdf5.prototxt")
    Path("data.h5").rename("whole.h5")
    os.link("whole.h5", "data.h5")


def _run_hdf5(data: bytes) -> None:
    import caffe_compat as caffe

    if b"conv" in data:
        _write("net.prototxt", TINY)
        caffe.Net("net.prototxt", caffe.TEST).copy_from(_write("in.caffemodel.h5", data))
    elif b"history" not in data:
        os.unlink("data.h5")
        _write("data.h5", data)
        net = caffe.Net("hdf5.prototxt", caffe.TRAIN)
        net.forward()
    else:
        _write("in.solverstate.h5", data)
        _restore("in.solverstate.h5")


# ---- databases ----------------------------------------------------------------------------------------------------


def _databases() -> list[bytes]:
    import cv2
    import lmdb

    from caffe_compat.prototxt.caffe_pb2 import Datum

    pixels = np.random.RandomState(3).randint(0, 256, (40, 3, 6, 7)).astype(np.uint8)
    result = []
    for kind in ("raw", "encoded", "large"):
        os.makedirs(kind)
        with lmdb.open(kind, map_size=2**22) as environment, environment.begin(write=True) as transaction:
            for i, image in enumerate(pixels):
                if kind == "encoded":
                    content = cv2.imencode(".png", image.transpose(1, 2, 0))[1].tobytes()
                    datum = Datum(encoded=True, data=content, label=i)
                else:
                    image = np.tile(image, (1, 12, 12)) if kind == "large" else image
                    channels, height, width = image.shape
                    datum = Datum(
                        channels=channels, height=height, width=width, data=image.tobytes(), label=i
                    )
                transaction.put(f"{i:08d}_photo".encode(), datum.SerializeToString())
        result.append(Path(kind, "data.mdb").read_bytes())
    return result


def _run_database(data: bytes) -> None:
    import caffe_compat as caffe

    os.makedirs("db", exist_ok=True)
    _write("db/data.mdb", data)
    _write(
        "data.prototxt",
        'layer { name: "d" type: "Data" top: "x" top: "t" data_param { source: "db" batch_size: 5 backend: LMDB } }',
    )
    net = caffe.Net("data.prototxt", caffe.TEST)
    for _ in range(9):
        net.forward()


# ---- files of arrays ----------------------------------------------------------------------------------------------


def _inputs() -> list[bytes]:
    rng = np.random.RandomState(1)
    return [_npz({"x": rng.standard_normal((2, 3, 5, 7)), "t": np.array([1, 5])})]


def _run_inputs(data: bytes) -> None:
    _command("run", "net.prototxt", "--inputs", _write("in.npz", data), "--quiet")


def _recordings() -> list[bytes]:
    names = ("batch_norm_train", "convolution_basic", "eltwise_sum", "accuracy_top1", "dropout_test_phase")
    return _files(*(f"tests/golden/layers/{name}.npz" for name in names))


def _run_recording(data: bytes) -> None:
    path = _write("in.npz", data)
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            text = str(file["prototxt"])
    except Exception:  # no recording any more: it meets another net
        text = TINY
    _write("alone.prototxt", text)
    _command("diff", "alone.prototxt", "--against", path, "--quiet", "--all", "--no-python-layers")


def _replays() -> list[bytes]:
    import caffe_compat as caffe

    nets = {
        "forward": ('layer { name: "it" bottom: "x" top: "y" type: "Log" }', 0.0),
        "in place": ('layer { name: "it" bottom: "x" top: "x" type: "Exp" }', 1e3),
        "params": (
            'layer { name: "it" bottom: "x" top: "y" type: "InnerProduct" inner_product_param { num_output: 3 } }',
            np.inf,
        ),
    }
    result = []
    for text, value in nets.values():
        _write(
            "one.prototxt",
            'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 4 } } }\n'
            + text,
        )
        net = caffe.Net("one.prototxt", caffe.TEST)
        net.blobs["x"].data[...] = 1
        net.blobs["x"].data[1, 2, 3] = value
        try:
            with caffe.check_finite(net, "."), np.errstate(all="ignore"):
                net.forward()
        except caffe.NotFiniteError as error:
            result.append(Path(error.finding.replay).read_bytes())
    return result


def _run_replay(data: bytes) -> None:
    _command("replay", _write("replay.npz", data))


def _proposals(as_mat: bool) -> list[bytes]:
    from scipy.io import savemat

    boxes = [np.array([[5, 6, 60, 70], [1, 1, 30, 40], [10, 20, 100, 90]], np.float32) + i for i in range(5)]
    names = sorted(path.stem for path in Path("shapes/VOC2007/Annotations").iterdir())
    if not as_mat:
        return [_npz(dict(zip(names, boxes, strict=True)))]
    result = []
    cells = np.empty((1, 5), object)
    cells[0, :] = [box + 1 for box in boxes]
    images = np.array([[name] for name in names], object)
    for values in ({"boxes": cells, "images": images}, {"all_boxes": cells}):
        for compressed in (False, True):
            file = io.BytesIO()
            savemat(file, values, do_compression=compressed)
            result.append(file.getvalue())
    blob = io.BytesIO()
    savemat(blob, {"data": np.arange(24.0).reshape(4, 3, 2)})
    return [*result, blob.getvalue()]


def _shapes() -> None:
    from caffe_compat.fast_rcnn.shapes import make_shapes

    make_shapes("shapes", 5)
    _write("shapes/VOC2007/ImageSets/Main/all.txt", "".join(f"{i:06d}\n" for i in range(1, 6)))


def _check_data(*more: str) -> None:
    _command("check-data", "--devkit", "shapes", "--image-set", "all", "--quiet", *more)


def _run_mat(data: bytes) -> None:
    if zlib.crc32(data) % 2:
        _check_data("--proposals", _write("in.mat", data))
        return
    import caffe_compat as caffe

    _write("m_iter_0_blob_0.mat", data)
    _write(
        "mat.prototxt",
        'layer { name: "m" type: "MatRead" top: "x" mat_read_param { prefix: "m_" batch_size: 1 } }',
    )
    caffe.Net("mat.prototxt", caffe.TEST).forward()


def _means() -> list[bytes]:
    from caffe_compat.prototxt.caffe_pb2 import BlobProto
    from caffe_compat.tools.image_mean import write_mean

    write_mean(np.arange(60, dtype=np.float32).reshape(3, 4, 5), "mean.binaryproto")
    np.save("mean.npy", np.arange(60, dtype=np.float32).reshape(3, 4, 5))
    double = BlobProto(double_data=[1, 2, 3, 4, 5, 6])
    double.shape.dim.extend([2, 3])
    return [Path("mean.binaryproto").read_bytes(), double.SerializeToString(), Path("mean.npy").read_bytes()]


def _run_mean(data: bytes) -> None:
    from caffe_compat.tools.image_mean import read_mean

    read_mean(_write("in.npy" if data[:6] == b"\x93NUMPY" else "in.binaryproto", data))


# ---- photos and annotations ---------------------------------------------------------------------------------------


def _photos() -> list[bytes]:
    import cv2

    image = cv2.imread("shapes/VOC2007/JPEGImages/000001.jpg")[:60, :80]
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    alpha = np.dstack([image, grey])
    forms = [
        (".jpg", image),
        (".jpg", grey),
        (".png", image),
        (".png", grey),
        (".png", alpha),
        (".bmp", image),
    ]
    forms += [(".webp", image), (".tiff", image)]
    found = [cv2.imencode(ending, pixels)[1].tobytes() for ending, pixels in forms]
    exif = b"\xff\xe1\x00\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    return [*found, found[0][:2] + exif + found[0][2:]]


def _run_photo(data: bytes) -> None:
    import caffe_compat as caffe
    from caffe_compat.fast_rcnn.images import read_photo
    from caffe_compat.fast_rcnn.photo_header import read_header

    path = _write("in.jpg", data)
    kind = zlib.crc32(data) % 3
    if kind == 0:
        read_header(path)
    elif kind == 1:
        read_photo(path)
    else:
        _write("images.txt", "in.jpg 3\n")
        _write(
            "images.prototxt",
            'layer { name: "i" type: "ImageData" top: "x" top: "t"'
            ' image_data_param { source: "images.txt" batch_size: 1 } }',
        )
        caffe.Net("images.prototxt", caffe.TEST).forward()


def _annotations() -> list[bytes]:
    return [path.read_bytes() for path in sorted(Path("shapes/VOC2007/Annotations").iterdir())]


def _run_annotation(data: bytes) -> None:
    from caffe_compat.fast_rcnn.build import dataset_roidb
    from caffe_compat.fast_rcnn.config import OHEM, cfg_from_list
    from caffe_compat.fast_rcnn.voc import Devkit

    _write("shapes/VOC2007/Annotations/000002.xml", data)
    if zlib.crc32(data) % 2:
        _check_data()
    else:
        dataset_roidb(Devkit("shapes", image_set="all"), cfg_from_list(["TRAIN.PROPOSAL_METHOD", "gt"], OHEM))


def _coco() -> list[bytes]:
    images = [{"id": i, "file_name": f"{i:06d}.jpg", "width": 300, "height": 220} for i in range(1, 6)]
    boxes = [
        {
            "id": i,
            "image_id": i,
            "category_id": 3 + i % 2,
            "bbox": [10, 20, 50.5, 60],
            "area": 3000.5,
            "iscrowd": i == 4,
        }
        for i in range(1, 6)
    ]
    whole = {
        "images": images,
        "annotations": boxes,
        "categories": [{"id": 3, "name": "a"}, {"id": 4, "name": "b"}],
    }
    return [json.dumps(whole, indent=1).encode(), json.dumps(whole).encode()]


def _run_coco(data: bytes) -> None:
    path = _write("in.json", data)
    _command("check-data", "--data", f"coco:{path}:shapes/VOC2007/JPEGImages", "--quiet")


def _annoset() -> list[bytes]:
    one = {"category_id": "aeroplane", "bbox": [10, 20, 50.5, 60], "iscrowd": 0}
    content = {
        "image": {"height": 220, "width": 300},
        "annotation": [one, {**one, "category_id": "boat", "iscrowd": 1}],
    }
    return [json.dumps(content, indent=1).encode(), b"1 10 20 60 70\n4 5 6.5 50 60\n", *_annotations()]


def _run_annoset(data: bytes) -> None:
    from caffe_compat.fast_rcnn.voc import CLASSES
    from caffe_compat.prototxt.caffe_pb2 import AnnotatedDatum
    from caffe_compat.tools import annotation_files

    labels, size = {name: label for label, name in enumerate(CLASSES)}, annotation_files.Size(220, 300)
    path, record = Path(_write("in.txt", data)), AnnotatedDatum()
    if data.lstrip().startswith(b"<"):
        annotation_files.add_xml(path, size, labels, record)
    elif data.lstrip().startswith(b"{"):
        annotation_files.add_json(path, size, labels, record)
    else:
        annotation_files.add_text(path, size, record)


# ---- texts --------------------------------------------------------------------------------------------------------


def _configurations() -> list[bytes]:
    from dataclasses import asdict

    import yaml

    from caffe_compat import safe_yaml
    from caffe_compat.fast_rcnn.config import Config

    whole = yaml.dump(asdict(Config()), Dumper=safe_yaml.Dumper).encode()
    return [whole, *_files("prototxt/zoo/*.yml", "prototxt/zoo/*/*.yml")]


def _run_configuration(data: bytes) -> None:
    from caffe_compat.fast_rcnn.config import cfg_from_file, in_order

    in_order(cfg_from_file(_write("in.yml", data))).layer_settings()


def _logs() -> list[bytes]:
    """Caffe's log with debug_info, and the log of a training here."""
    import logging

    import caffe_compat as caffe
    from caffe_compat.glog import GlogFormatter

    stream = io.StringIO()
    handler, logger = logging.StreamHandler(stream), logging.getLogger("caffe_compat")
    handler.setFormatter(GlogFormatter())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    _write("log.prototxt", SOLVER + "test_iter: 1 test_interval: 1 debug_info: true")
    caffe.get_solver("log.prototxt").solve()
    logger.removeHandler(handler)
    logger.setLevel(logging.WARNING)
    log = _files("tests/golden/logs/*.log")[0].splitlines(keepends=True)
    return [stream.getvalue().encode(), b"".join(log[:60]), b"".join(log[-60:])]


def _run_log(data: bytes) -> None:
    path = _write("in.log", data)
    if zlib.crc32(data) % 2:
        _command("parse-log", path, ".", "--quiet")
    else:
        _command("diff", "net.prototxt", "--against", path, "--inputs", "in.npz", "--quiet", "--all")


def _prepare_log() -> None:
    _write("net.prototxt", TINY)
    _write("in.npz", _inputs()[0])


_LISTS = {
    "classes": "bolt\ngear\nscrew nut\n",
    "labels": "n01440764 tench, Tinca tinca\nn01443537 goldfish\n",
    "label map": 'item { name: "none" label: 0 display_name: "background" }\nitem { name: "a" label: 1 }\n',
    "images": "in.jpg 3\nother.jpg 0\n",
    "windows": "# 0\nin.jpg\n3\n220\n300\n2\n1 0.9 10 20 60 70\n0 0.1 5 6 50 60\n",
    "metrics": "iter,loss,smoothed_loss,lr,seconds\n0,1.5,1.5,0.01,0.1\n1,1.4,1.45,0.01,0.1\n",
    "metrics of lines": '{"iter": 0, "loss": 1.5, "smoothed_loss": 1.5, "lr": 0.01, "seconds": 0.1}\n',
    "detections": '{"net": "a", "classes": ["a", "b"]}\n{"image": "1", "detections": [[1, 2, 3, 40, 50, 0.9]]}\n',
    "run folder": '{"models": "a", "seed": 3, "iterations": [1, 2]}',
}


def _lists() -> list[bytes]:
    """Each begins with a line that says what it is."""
    return [f"{kind}\n{text}".encode() for kind, text in _LISTS.items()]


def _run_list(data: bytes) -> None:
    from caffe_compat.fast_rcnn.classes import read_classes
    from caffe_compat.prototxt.reader import read_label_map
    from caffe_compat.tools.labels import read_labels

    kind, _, content = data.partition(b"\n")
    path = _write("in.txt", content)
    if kind == b"classes":
        read_classes(path)
    elif kind == b"labels":
        read_labels(path)
    elif kind == b"label map":
        read_label_map(path)
    elif kind in (b"images", b"windows"):
        _run_list_of_images(kind.decode(), path)
    elif kind.startswith(b"metrics"):
        from caffe_compat.cli.metrics import Metrics

        ending = "jsonl" if b"lines" in kind else "csv"
        Metrics(_write(f"in.{ending}", content), 1)._file.close()
    elif kind == b"detections":
        from caffe_compat.fast_rcnn.detections import DetectionsFile

        with DetectionsFile(path, {"net": "a", "classes": ["a", "b"]}):
            pass
    else:
        from caffe_compat.fast_rcnn.alternating.run_folder import RunFolder

        os.makedirs("folder", exist_ok=True)
        _write("folder/run.json", content)
        _write("folder/x.npz", b"")
        RunFolder("folder", {"models": "a", "seed": 3, "iterations": [1, 2]})


def _run_list_of_images(kind: str, path: str) -> None:
    import caffe_compat as caffe

    text = {
        "images": f'type: "ImageData" image_data_param {{ source: "{path}" batch_size: 2 new_height: 9 new_width: 9 }}',
        "windows": f'type: "WindowData" window_data_param {{ source: "{path}" batch_size: 4 }} '
        "transform_param { crop_size: 9 }",
    }[kind]
    _write("list.prototxt", f'layer {{ name: "d" top: "x" top: "t" {text} }}')
    caffe.Net("list.prototxt", caffe.TEST).forward()


def _prepare_lists() -> None:
    import cv2

    image = np.random.RandomState(0).randint(0, 256, (220, 300, 3)).astype(np.uint8)
    cv2.imwrite("in.jpg", image)
    cv2.imwrite("other.jpg", image)


# ---- the fuzzer itself --------------------------------------------------------------------------------------------


def _fail(data: bytes) -> None:
    """A fault of each kind, by the first byte."""
    kind = data[:1]
    if kind == b"r":
        raise KeyError("raw")
    if kind == b"s":
        os.kill(os.getpid(), signal.SIGSEGV)
    while kind == b"h":
        pass
    if kind == b"m":
        np.ones(2**40 // 8)


def _keep(rng: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    return data


TARGETS = {
    "prototxt": Target(_nets, _run_net, mutations.text),
    "solver": Target(_solvers, _run_solver, mutations.text),
    "caffemodel": Target(_binary_weights, _run_weights, mutations.binary),
    "solverstate": Target(_states, _run_state, mutations.binary, _prepare_solver),
    "extra": Target(
        lambda: [Path("s_iter_3.extra.npz").read_bytes()], _run_extra, mutations.arrays, _prepare_solver
    ),
    "hdf5": Target(_hdf5, _run_hdf5, mutations.binary, _prepare_hdf5),
    "lmdb": Target(_databases, _run_database, mutations.binary),
    "mat": Target(lambda: _proposals(True), _run_mat, mutations.binary, _shapes),
    "npz": Target(_inputs, _run_inputs, mutations.arrays, lambda: _write("net.prototxt", TINY)),
    "recording": Target(_recordings, _run_recording, mutations.arrays),
    "replay": Target(_replays, _run_replay, mutations.arrays),
    "proposals": Target(
        lambda: _proposals(False),
        lambda data: _check_data("--proposals", _write("in.npz", data)),
        mutations.arrays,
        _shapes,
    ),
    "mean": Target(_means, _run_mean, mutations.binary),
    "photo": Target(_photos, _run_photo, mutations.binary, _shapes),
    "xml": Target(_annotations, _run_annotation, mutations.text, _shapes),
    "coco": Target(_coco, _run_coco, mutations.text, _shapes),
    "annoset": Target(_annoset, _run_annoset, mutations.text, _shapes),
    "yaml": Target(_configurations, _run_configuration, mutations.text),
    "log": Target(_logs, _run_log, mutations.text, _prepare_log),
    "list": Target(_lists, _run_list, mutations.text, _prepare_lists),
    "faults": Target(
        lambda: [b"nothing", b"raw", b"signal", b"hang", b"memory"], _fail, _keep, of_tests=True
    ),
}
