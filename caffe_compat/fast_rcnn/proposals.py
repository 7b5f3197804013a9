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
from caffe_compat.files import read_npz, replacing

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


def proposals_from(path: str | os.PathLike[str] | None, image_ids: Sequence[str]) -> Proposals:
    """A function that returns the proposals of a photo: from a file, or by selective search (`propose`) where path is
    None.

    A file is an .npz with an array P x 4 (x1 y1 x2 y2, 0-based) for each image id; or a .mat as the authors of
    selective search publish them, with a cell array `boxes` of P x 4 (y1 x1 y2 x2, 1-based) in the order of the image
    set, and its ids in `images`. Duplicates and small boxes are left out (`usable`).

    Raises DataError, which names the file, where it cannot be read or lacks an image id.
    """
    if path is None:
        return lambda image_id, image: propose(image)
    arrays = (
        _read_mat(path, image_ids) if Path(path).suffix == ".mat" else read_npz(path, ".npz of proposals")
    )

    def proposals(image_id: str, image: np.ndarray) -> np.ndarray:
        if image_id not in arrays:
            raise DataError(f"no proposals for the image '{image_id}' there", file=str(path))
        boxes = arrays[image_id]
        if boxes.ndim != 2 or boxes.shape[1] != 4 or boxes.dtype.kind not in "iuf":
            raise DataError(
                f"the proposals of '{image_id}' are {boxes.shape} {boxes.dtype}; expected P x 4 numbers",
                file=str(path),
            )
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


def _read_mat(path: str | os.PathLike[str], image_ids: Sequence[str]) -> dict[str, np.ndarray]:
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise DataError(
            "reading .mat needs scipy; pip install 'caffe-compat[mat]', or give the proposals as .npz",
            str(path),
        ) from error
    try:
        file = loadmat(path)
        boxes = [np.asarray(cell) for cell in file["boxes"].ravel()]
        names = [str(cell.item()) for cell in file["images"].ravel()] if "images" in file else list(image_ids)
    except Exception as error:  # scipy raises whatever its parts raise over a damaged file
        raise DataError(
            f"this is no .mat of proposals ({type(error).__name__}: {error})", str(path)
        ) from error
    if len(boxes) != len(names):
        raise DataError(f"there are boxes for {len(boxes)} images, but {len(names)} images", file=str(path))
    return {name: _from_matlab(cell) for name, cell in zip(names, boxes, strict=True)}


def _from_matlab(boxes: np.ndarray) -> np.ndarray:
    """P x 4 boxes from y1 x1 y2 x2, counted from 1. Other shapes are returned as they are: the caller refuses them."""
    return boxes[:, (1, 0, 3, 2)] - boxes.dtype.type(1) if boxes.ndim == 2 and boxes.shape[1] == 4 else boxes


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
