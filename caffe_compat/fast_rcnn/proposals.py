"""Proposals: boxes that may hold an object, from OpenCV's selective search, kept in a cache on disk, or from a file."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.proposal_files import read_proposals
from caffe_compat.files import replacing

MAX_PROPOSALS = 2000
MIN_PROPOSAL_SIZE = 2  # pixels; smaller ones are left out
Proposals = Callable[[str, np.ndarray], np.ndarray]  # of an image id and its photo, P x 4
_LONGER_SIDE = 500  # pixels; larger photos are searched at this size. VOC's are no larger
_K = 100  # segments at k = 100, 200 and 300: about 2000 boxes a photo, OpenCV's own 150 gives 1400
_PARAMETERS = (
    f"{cv2.__version__} {_LONGER_SIDE} {_K} {MIN_PROPOSAL_SIZE} {MAX_PROPOSALS}"  # part of the cache's key
)


def propose(image: np.ndarray) -> np.ndarray:
    """Boxes for a photo (height x width x 3 uint8, BGR): P x 4 float32, P at most 2000, no two alike.

    x1 y1 x2 y2 in the photo's pixels, whole numbers, 0-based, both corners inside. The same photo gives the
    same boxes in the same order. The search takes about a second; its boxes are kept under `cache_folder()`,
    by the photo's pixels, and read from there the next time. Where the cache cannot be written, a warning
    says so.

    Source: Uijlings et al. 2013, in its fast mode.
    """
    file = cache_folder() / f"{_key(image)}.npz"
    boxes = _load(file)
    if boxes is None:
        boxes = selective_search(image)
        _store(file, boxes)
    return boxes


def cache_folder() -> Path:
    """Where proposals are kept: caffe-compat/proposals under $XDG_CACHE_HOME, or else under ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "caffe-compat" / "proposals"


def proposals_from(
    path: str | os.PathLike[str] | None, image_ids: Sequence[str], may_stick_out: bool = False
) -> Proposals:
    """A function that returns the proposals of a photo: from a file (see proposal_files.read_proposals), or by
    selective search (`propose`) where path is None.

    Duplicates and small boxes of a file are left out (`usable`). may_stick_out: its boxes need only touch the photo.
    Raises DataError, which names the file, where it cannot be read, lacks an image id, or does not fit the photo.
    """
    if path is None:
        return lambda image_id, image: propose(image)
    file = read_proposals(path, image_ids)

    def proposals(image_id: str, image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        boxes = file.boxes(image_id, height, width, may_stick_out)
        return boxes[usable(boxes)]

    return proposals


def selective_search(image: np.ndarray) -> np.ndarray:
    """The boxes that `propose` returns, from a new search.

    Raises DataError where the installed OpenCV has no selective search.
    """
    try:
        search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
    except AttributeError as error:
        raise DataError(
            f"OpenCV {cv2.__version__} as installed has no selective search; uninstall it, and install "
            "opencv-contrib-python-headless"
        ) from error
    longer = max(image.shape[:2])
    small = image if longer <= _LONGER_SIDE else _shrink(image, _LONGER_SIDE / longer)
    search.setBaseImage(small)
    search.switchToSelectiveSearchFast(_K, _K)
    boxes = _enlarge(np.asarray(search.process()), small.shape, image.shape)
    return _first(boxes[usable(boxes)])


def usable(boxes: np.ndarray) -> np.ndarray:
    """Which of N x 4 boxes to keep, as ascending indices: of equal boxes the first one, and no small ones.

    A box is too small where x2 - x1 is below 2, or y2 - y1 is 2 or below.
    Source: the reference's datasets/ds_utils.py.
    """
    _, first = np.unique(boxes, axis=0, return_index=True)
    first.sort()
    sizes = boxes[first, 2:4] - boxes[first, 0:2]
    return first[(sizes[:, 0] >= MIN_PROPOSAL_SIZE) & (sizes[:, 1] > MIN_PROPOSAL_SIZE)]


def _shrink(image: np.ndarray, scale: float) -> np.ndarray:
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _enlarge(found: np.ndarray, small: tuple[int, ...], shape: tuple[int, ...]) -> np.ndarray:
    """Boxes x y w h in the shrunk photo as x1 y1 x2 y2 in the photo, with every pixel that they touch there."""
    size = np.array(shape[1::-1])
    scale = size / small[1::-1]
    found = found.astype(np.float64)
    low = np.floor(found[:, :2] * scale)
    high = np.minimum(np.ceil((found[:, :2] + found[:, 2:]) * scale), size) - 1
    return np.hstack((low, high)).astype(np.float32)


def _first(boxes: np.ndarray) -> np.ndarray:
    # OpenCV orders its boxes by rand(), which none of its seeds reaches, but the set is always the same. If there are
    # too many, a fair pick of them needs an order that depends on neither position nor size.
    boxes = boxes[np.lexsort(boxes.T)]
    return boxes[np.random.RandomState(0).permutation(len(boxes))[:MAX_PROPOSALS]]


def _key(image: np.ndarray) -> str:
    content = hashlib.sha256(f"{_PARAMETERS} {image.shape} ".encode())
    content.update(image.tobytes())
    return content.hexdigest()


def _load(file: Path) -> np.ndarray | None:
    """The boxes of a cache file; None where there is none, or a damaged one."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            boxes = stored["boxes"]
    except Exception:  # over a damaged file numpy and zipfile raise a dozen kinds of errors
        return None
    return boxes if boxes.dtype == np.float32 and boxes.ndim == 2 and boxes.shape[1] == 4 else None


def _store(file: Path, boxes: np.ndarray) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as temporary, open(temporary, "wb") as stream:
            np.savez_compressed(stream, boxes=boxes)
    except OSError as error:
        warnings.warn(f"cannot keep the proposals in {file.parent}: {error.strerror}", stacklevel=3)
