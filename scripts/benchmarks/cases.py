"""What can be measured, by name, and which programs there are for it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ZOO = {
    "vgg16": "vgg16_deploy",
    "alexnet": "alexnet_deploy",
    "googlenet": "googlenet_deploy",
    "resnet50": "resnet50_deploy",
    "lenet": "lenet",
    "cifar10_quick": "cifar10_quick",
}
TRAINED = {"lenet": 64, "cifar10_quick": 100, "alexnet": 16, "googlenet": 8, "resnet50": 4}  # net -> batch
OHEM_NET = "vgg_cnn_m_1024_fast_rcnn_ohem_train"
TEST_NET = "vgg_cnn_m_1024_fast_rcnn_test"

PARAMS = (75_497_472, 4096, 4_194_304, 4_000_000, 1_304_128)  # of the update: 85 M, most of them in fc6


@dataclass(frozen=True)
class Case:
    """kind: train, step, test, update, forward or learn (forward and backward of a classifier). net: in the zoo, a
    file, or a folder with net.prototxt, net.caffemodel and input.npy. batch: of forward and learn.

    needs_bench: whether it takes photo and weights from --bench.
    """

    title: str
    kind: str
    rois: int = 0
    net: str = ""
    batch: int = 1

    @property
    def needs_bench(self) -> bool:
        return self.kind in ("train", "step", "test")


CASES = {
    "W": Case("OHEM iteration, 2000 RoIs", "train", 2000, OHEM_NET),
    "W300": Case("OHEM iteration, 300 RoIs", "train", 300, OHEM_NET),
    "step": Case("OHEM iteration and SGD update, 2000 RoIs", "step", 2000, OHEM_NET),
    "test": Case("TEST net forward, 2000 RoIs", "test", 2000, TEST_NET),
    "update": Case("SGD update of 85 M params", "update"),
    **{name: Case(f"{name} forward, batch 1", "forward", net=net) for name, net in ZOO.items()},
    **{
        f"{name}-training": Case(f"{name} forward and backward, batch {batch}", "learn", 0, ZOO[name], batch)
        for name, batch in TRAINED.items()
    },
}


def case(name: str) -> Case:
    """The case of a name; a file NAME.prototxt, a net with one Input, is one too, and a folder with a model.

    NAME@8 is a forward case with batch 8. Raises KeyError.
    """
    if name in CASES:
        return CASES[name]
    name, _, batch = name.partition("@")
    if (name.endswith(".prototxt") and Path(name).is_file()) or Path(name, "net.prototxt").is_file():
        net, title = str(Path(name).resolve()), Path(name).stem
    elif name in ZOO:
        net, title = ZOO[name], name
    else:
        raise KeyError(name)
    return Case(f"{title} forward, batch {batch or 1}", "forward", net=net, batch=int(batch or 1))


def _has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _reads_caffe() -> bool:
    import cv2

    return int(cv2.__version__.split(".")[0]) < 5 and hasattr(cv2.dnn, "readNetFromCaffe")


OURS = ("fast", "strict", "engine-torch")
# program -> whether it is installed; the last three run the kind "forward" only
PROGRAMS: dict[str, Callable[[], bool]] = {
    "fast": lambda: True,
    "strict": lambda: True,
    "engine-torch": lambda: _has("torch"),
    "torch": lambda: _has("torch"),
    "onnxruntime": lambda: _has("onnxruntime") and _has("onnx"),
    "opencv": _reads_caffe,
    "pycaffe": lambda: _has("caffe"),
}
RUNTIMES = ("onnxruntime", "opencv", "pycaffe")


def runs(program: str, case: Case) -> bool:
    """Whether a program has this case. The update is measured of one engine; torch's is part of the case "step"."""
    if program in RUNTIMES:
        return case.kind == "forward"
    if program == "torch" and Path(case.net).is_dir():  # its program knows the layers of the zoo's nets
        return False
    return not (program in OURS[1:] and case.kind == "update")
