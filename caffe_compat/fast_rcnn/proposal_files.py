"""Proposals from a file: an .npz, or a .mat as MATLAB's selective search leaves it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.boxes import inside_photo
from caffe_compat.files import read_npz
from caffe_compat.layers.data.mat5 import MatError, read_mat
from caffe_compat.text import some

_BOXES = "boxes", "all_boxes"  # the second is what selective_search_rcnn.m, and tutorials after it, write


@dataclass(frozen=True)
class Form:
    """How boxes are written: the columns of x1, y1, x2 and y2, and the number that pixels and rows count from."""

    columns: tuple[int, int, int, int]
    first: int

    def __str__(self) -> str:
        order = sorted(zip(self.columns, ("x1", "y1", "x2", "y2"), strict=True))
        return " ".join(name for _, name in order)

    @property
    def rule(self) -> str:
        return f"counts from {self.first} and has {str(self)[0]} first"

    def read(self, boxes: np.ndarray) -> np.ndarray:
        """x1 y1 x2 y2, counted from 0: float32."""
        return (boxes[:, self.columns].astype(np.float64) - self.first).astype(np.float32)


NUMPY = Form((0, 1, 2, 3), 0)
MATLAB = Form((1, 0, 3, 2), 1)
_FORMS = NUMPY, MATLAB, Form((0, 1, 2, 3), 1), Form((1, 0, 3, 2), 0)


@dataclass(frozen=True)
class ProposalFile:
    """The boxes of a file as they stand there, P x 4 of each image, by its names of the images."""

    path: str
    arrays: Mapping[str, np.ndarray]
    form: Form

    def boxes(self, image_id: str, height: int, width: int, may_stick_out: bool = False) -> np.ndarray:
        """The boxes of an image of this size: P x 4 float32, x1 y1 x2 y2, 0-based.

        may_stick_out: whether it is enough that a box touches the image. Raises DataError, which names the file, the
        image and the row, where there are none of this image, or they are no boxes in it.
        """
        found = self.arrays[self._name(image_id)]
        if found.size == 0:  # MATLAB's [] is 0 x 0
            return np.zeros((0, 4), np.float32)
        if found.ndim != 2 or found.shape[1] != 4 or found.dtype.kind not in "iuf":
            raise self._error(
                f"the proposals of '{image_id}' are {found.shape} {found.dtype}; expected P x 4 numbers, "
                f"{self.form}, without scores"
            )
        boxes = self.form.read(found)
        inside = _inside(boxes, height, width, may_stick_out)
        if not inside.all():
            row = int(np.argmin(inside))
            raise self._error(
                f"image '{image_id}', row {row + self.form.first}: {self.form} = "
                f"{' '.join(f'{x:g}' for x in found[row])} is not inside the photo of {width} x {height} pixels; "
                f"such a file {self.form.rule}{_advice(found, self.form, height, width)}"
            )
        return boxes

    def _name(self, image_id: str) -> str:
        """The file's name of an image: its id, or the one path or file name whose stem is the id."""
        if image_id in self.arrays:
            return image_id
        near = self._by_stem.get(image_id, [])
        if len(near) == 1:
            return near[0]
        here = f"{some(near)} may be it" if near else f"there are {some(list(self.arrays)) or 'none at all'}"
        raise self._error(f"no proposals for the image '{image_id}' there; {here}")

    @cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        result: dict[str, list[str]] = {}
        for name in self.arrays:
            result.setdefault(PurePosixPath(name).stem, []).append(name)
        return result

    def _error(self, message: str) -> DataError:
        return DataError(message, file=self.path)


def read_proposals(path: str | os.PathLike[str], image_ids: Sequence[str]) -> ProposalFile:
    """A file of proposals: an .npz with an array P x 4 (x1 y1 x2 y2, 0-based) for each image id; or a .mat.

    A .mat has a cell array `boxes`, or `all_boxes`, of P x 4 (y1 x1 y2 x2, 1-based) and the ids of its images in
    `images`; without these, it is in the order of image_ids. A plain P x 4 is of the one image that image_ids names,
    in the form of the reference's demo (x1 y1 x2 y2, 0-based). In both, an id may have a folder and a suffix.

    Raises DataError where the file cannot be read, or has not as many images as ids.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".mat":
        return _read_mat(path, image_ids)
    if suffix in (".pkl", ".pickle"):
        raise DataError(
            "a pickle can run any program, so none is read; write the boxes by numpy.savez(FILE, **{image_id: boxes})",
            file=str(path),
        )
    return ProposalFile(str(path), read_npz(path, ".npz of proposals"), NUMPY)


def _read_mat(path: str | os.PathLike[str], image_ids: Sequence[str]) -> ProposalFile:
    file = _load_mat(path)
    name = next((one for one in _BOXES if one in file), None)
    if name is None:
        there = some([one for one in file if not one.startswith("__")]) or "none"
        raise DataError(
            f"there is no variable 'boxes' or 'all_boxes' in it; its variables: {there}", str(path)
        )
    boxes = np.asarray(file[name])
    if boxes.dtype != object:
        return _of_one_image(path, boxes, name, image_ids)
    cells = [np.asarray(cell) for cell in boxes.ravel()]
    names = _names(file["images"]) if "images" in file else list(image_ids)
    if len(cells) != len(names):
        of = "its 'images' are" if "images" in file else "and without 'images' in it they have to be of"
        raise DataError(f"'{name}' has boxes of {len(cells)} images, {of} {len(names)}", file=str(path))
    return ProposalFile(str(path), dict(zip(names, cells, strict=True)), MATLAB)


def _load_mat(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    try:
        return read_mat(path)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", str(path)) from error
    except MatError as error:
        raise DataError(f"this is no .mat of proposals: {error}", str(path)) from error


def _of_one_image(
    path: str | os.PathLike[str], boxes: np.ndarray, name: str, image_ids: Sequence[str]
) -> ProposalFile:
    if len(image_ids) != 1:
        raise DataError(
            f"'{name}' is an array {boxes.shape}, the boxes of one image, and there are {len(image_ids)} images; "
            "expected a cell array with a P x 4 for each",
            file=str(path),
        )
    return ProposalFile(str(path), {image_ids[0]: boxes}, NUMPY)


def _names(images: np.ndarray) -> list[str]:
    """The names in a cell array of texts, or in a matrix of characters, whose rows MATLAB fills up with spaces."""
    return [str(np.asarray(cell).item() if np.size(cell) == 1 else cell).strip() for cell in images.ravel()]


def _inside(boxes: np.ndarray, height: int, width: int, may_stick_out: bool = False) -> np.ndarray:
    """Which of P x 4 boxes lie in an image; may_stick_out: which touch it."""
    if not may_stick_out:
        return inside_photo(boxes, width, height)
    low, high = boxes[:, :2], boxes[:, 2:]
    return np.all((low <= high) & (high >= 0) & (low < (width, height)), axis=1)


def _advice(found: np.ndarray, form: Form, height: int, width: int) -> str:
    """In which form all boxes of the image would lie in it, if there is one."""
    for other in _FORMS:
        if other != form and _inside(other.read(found), height, width).all():
            return f", and all boxes of this image would fit in one that {other.rule}"
    return ""
