"""What Fast R-CNN's descendants import and few have built: their Cython and CUDA parts, and easydict.

`find` gives a module of the same name in its place, with our kernels, where there is none that Python can load. One
warning a module says so.
"""

from __future__ import annotations

import os
import site
import sysconfig
import warnings
from collections.abc import Callable
from importlib.abc import Loader
from importlib.machinery import ExtensionFileLoader, ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

import numpy as np

from caffe_compat.layers.kernels import boxes as box_kernels
from caffe_compat.layers.kernels import nms as nms_kernels


def gpu_nms(dets: np.ndarray, thresh: float, device_id: int = 0) -> list[int]:
    """The rows of N boxes (N x 5: x1 y1 x2 y2, score) that stay, the best first: greedy non-maximum suppression.

    A box goes whose intersection over union with a better one that stays is above thresh, in float32. Of two equal
    scores the later row is the better one. device_id is not used.
    Source: nms/gpu_nms.pyx and py_cpu_nms.py of py-faster-rcnn.
    """
    return _nms(dets, np.float32(thresh))


def cpu_nms(dets: np.ndarray, thresh: float) -> list[int]:
    """As `gpu_nms`, but a box goes from thresh on, in float64. Source: nms/cpu_nms.pyx of py-faster-rcnn."""
    near = np.float32(thresh)
    # not below thresh is the same as above the last float32 that is below it
    return _nms(dets, near if float(near) < thresh else np.nextafter(near, np.float32(-np.inf)))


def _nms(dets: np.ndarray, limit: np.float32) -> list[int]:
    order = np.argsort(dets[:, 4], kind="stable")[::-1]
    keep = np.empty(len(dets), bool)
    nms_kernels.nms(np.ascontiguousarray(dets[order, :4], np.float32), limit, keep)
    return order[keep].tolist()


def bbox_overlaps(boxes: np.ndarray, query_boxes: np.ndarray) -> np.ndarray:
    """Intersection over union of N boxes (N x 4) with K boxes (K x 4): N x K float64.

    Source: utils/bbox.pyx of py-faster-rcnn.
    """
    result = np.empty((len(boxes), len(query_boxes)))
    first, second = (np.ascontiguousarray(part, np.float64)[:, :4] for part in (boxes, query_boxes))
    box_kernels.overlaps(first, second, result)
    return result


class EasyDict(dict):
    """A dict whose items are attributes too, with dicts in it made such ones.

    Tuples become lists, as in the easydict of 2015: the reference compares types of its own values with YAML's, which
    has no tuples.
    """

    def __init__(self, values: Any = (), **named: Any):
        super().__init__()
        self.update(values, **named)

    def update(self, values: Any = (), **named: Any) -> None:  # type: ignore[override]
        for name, value in dict(values, **named).items():
            self[name] = value

    def __setitem__(self, name: Any, value: Any) -> None:
        super().__setitem__(name, _easy(value))

    def __getattr__(self, name: str) -> Any:
        if name not in self:
            raise AttributeError(name)
        return self[name]

    __setattr__ = __setitem__

    def __delattr__(self, name: str) -> None:
        del self[name]


def _easy(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_easy(item) if isinstance(item, dict) else item for item in value]
    return EasyDict(value) if isinstance(value, dict) and not isinstance(value, EasyDict) else value


# of the functions of pycocotools/_mask.pyx, which its mask.py reads when it is imported
MASK_FUNCTIONS = "iou", "merge", "frPyObjects", "encode", "decode", "area", "toBbox"
NO_MASKS = "COCO's masks and its measure are not to be had; pip install pycocotools"


def _no_masks(*args: Any, **named: Any) -> Any:
    raise ImportError(NO_MASKS)


# by the last part of a module's name: what it holds
PARTS: dict[str, dict[str, Callable]] = {
    "cpu_nms": {"cpu_nms": cpu_nms},
    "gpu_nms": {"gpu_nms": gpu_nms},
    "cython_nms": {"nms": cpu_nms},
    "cython_bbox": {"bbox_overlaps": bbox_overlaps},
    "_mask": dict.fromkeys(MASK_FUNCTIONS, _no_masks),
    "easydict": {"EasyDict": EasyDict},
}

# what is installed under another name than it is imported by
PACKAGES = {
    "PIL": "pillow", "skimage": "scikit-image", "sklearn": "scikit-learn", "google": "protobuf", "Cython": "cython"
}  # fmt: skip
INSTALLABLE = {*PACKAGES, "scipy", "matplotlib", "pandas", "h5py", "lmdb", "pydot", "pycocotools", "shapely"}


def hint(error: BaseException) -> str:
    """What to do about a module that is not there, to be put after the error's text; empty where that is not known."""
    if isinstance(error, ModuleNotFoundError) and error.name in INSTALLABLE:
        return f"; pip install {PACKAGES.get(error.name, error.name)}"
    return ""


# ---- importing ------------------------------------------------------------------------------------------------


def find(fullname: str, found: ModuleSpec | None) -> ModuleSpec | None:
    """What to import instead of a module that was not found, or was, and cannot be loaded; None where there is none."""
    package, _, name = fullname.rpartition(".")
    if name not in PARTS or (package == "") != (name == "easydict") or (found is not None and _loads(found)):
        return None
    if name != "_mask":
        return ModuleSpec(fullname, _StandIn(), origin=__file__)
    if package != "pycocotools":
        return None
    return PathFinder.find_spec(fullname, _installed(package)) or ModuleSpec(fullname, _StandIn())


def _loads(found: ModuleSpec) -> bool:
    """Whether a module is none that was compiled, or was for this Python."""
    if isinstance(found.loader, ExtensionFileLoader):
        try:
            found.loader.create_module(found)
        except ImportError:
            return False
    return True


def _installed(package: str) -> list[str]:
    folders = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()]
    return [os.path.join(folder, package) for folder in folders]


class _StandIn(Loader):
    def exec_module(self, module: ModuleType) -> None:
        names = PARTS[module.__name__.rpartition(".")[2]]
        vars(module).update(names)
        instead = f"caffe_compat's own {' and '.join(names)} takes its place"
        warnings.warn(
            f"{module.__name__} is not built or not installed: {NO_MASKS if _no_masks in names.values() else instead}",
            stacklevel=2,
        )
