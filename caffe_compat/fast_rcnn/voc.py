"""Reads data in VOC's form: an XML file a photo, in the folders of a VOC devkit or in one's own."""

from __future__ import annotations

import math
import os
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path, PureWindowsPath

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.classes import BACKGROUND, ClassIndex, unknown_class
from caffe_compat.fast_rcnn.dataset import Objects, UnknownClass
from caffe_compat.fast_rcnn.images import SUFFIXES
from caffe_compat.files import read_text

CLASSES = (
    BACKGROUND,
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)
_ANNOTATIONS, _PHOTOS = ("annotations",), ("jpegimages", "images")  # folders, be their letters small or not
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def class_names(num_classes: int) -> Sequence[str]:
    """The names of a net's classes where no data set gives them: VOC's if it has as many, else "class 1" and so on."""
    if num_classes == len(CLASSES):
        return CLASSES
    return CLASSES[0], *(f"class {label}" for label in range(1, num_classes))


class Devkit:
    """One image set of a folder in VOC's form, as a Dataset; `image_ids` are in the order of its file.

    The folder holds Annotations (ID.xml) and JPEGImages or images (ID.jpg, or another suffix of a photo), and
    ImageSets/Main/SET.txt, with an id a line; a suffix and a label behind it are passed over. Photos and annotations
    may lie in the folder itself, an image set in ImageSets or in the folder too.

    path: the folder, or one that holds it: as VOC`year`, or, without a year, as VOC2007 or under whatever name is the
    only one. image_set: None takes all photos that have an annotation, sorted (a2 before a10). classes: their names,
    the background's first; default: VOC's. skip_other_classes: leave out the objects of all other classes.
    counts_from: the number of the first pixel in the annotations: 1 in VOC's own, 0 in those of many tools.

    Attributes: `folder`; `image_set`, "all" for None.

    Raises DataError, which names the file, where a folder or the image set is missing, or the image set is empty.

    Source: the VOC devkit's documentation; the reference's datasets/pascal_voc.py.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        year: int | str | None = None,
        image_set: str | None = "trainval",
        classes: Sequence[str] | None = None,
        skip_other_classes: bool = False,
        counts_from: int = 1,
    ):
        self.folder = find_folder(Path(path), year)
        self.image_set = image_set or "all"
        here = "" if self.folder == Path(path) else f"{self.folder.name} "
        self.name = f"{here}{image_set or 'all photos'} of {path}"
        self.classes = CLASSES if classes is None else tuple(classes)
        self.skip_other_classes, self.counts_from = skip_other_classes, counts_from
        self._given, self._index = classes is not None, ClassIndex(self.classes)
        self._annotations = _subfolder(self.folder, _ANNOTATIONS) or self.folder
        self._photos = _subfolder(self.folder, _PHOTOS) or self.folder
        self.image_ids = self._all() if image_set is None else self._read_image_set(image_set)

    def photo(self, image_id: str) -> Path:
        """The path of the photo; the file may be missing."""
        path = self._photos / f"{image_id}.jpg"
        return path if path.is_file() else self._other_photos.get(image_id, path)

    def objects(self, image_id: str) -> Objects:
        """The objects of a photo, in the order of the file; fractions of pixels are cut off.

        Raises DataError, which names the file, where it is missing or malformed, and for a class that is none.
        """
        path = self.annotation_file(image_id)
        root = read_annotation(path)
        try:
            found = [(self._class(one), one) for one in root.findall("object")]
            kept = [(label, one) for label, one in found if label is not None]
            return Objects(
                [[math.trunc(corner - self.counts_from) for corner in _corners_of(one)] for _, one in kept],
                [label for label, _ in kept],
                [_is_difficult(one) for _, one in kept],
                file=str(path),
                counts_from=self.counts_from,
                size=_size(root),
            )
        except ValueError as error:
            raise _unreadable(path, str(error)) from error
        except DataError as error:
            raise error.at(str(path)) from None

    def annotation_file(self, image_id: str) -> Path:
        """The file with the objects of a photo; it may be missing."""
        return self._annotations / f"{image_id}.xml"

    @cached_property
    def annotated_names(self) -> Counter[str]:
        """How often each name of a class stands in the annotations of the image set, be it one of `classes` or not.

        Files that cannot be read, and objects without a name, count nothing.
        """
        counts: Counter[str] = Counter()
        for image_id in self.image_ids:
            with suppress(DataError):
                root = read_annotation(self.annotation_file(image_id))
                counts.update(filter(None, map(_name, root.findall("object"))))
        return counts

    def _class(self, element: ElementTree.Element) -> int | None:
        name = _name(element)
        if not name:
            raise DataError("an object has no name; mend it")
        label = self._index.get(name)
        if label is None and not self.skip_other_classes:
            raise UnknownClass(unknown_class(name, self.classes, self._given, self.annotated_names))
        return label

    @cached_property
    def _other_photos(self) -> dict[str, Path]:
        """Photos by their ids; of several of one id that with the most usual suffix."""
        paths = [Path(name) for name in _files(self._photos) if Path(name).suffix.lower() in SUFFIXES]
        paths.sort(key=lambda path: (SUFFIXES.index(path.suffix.lower()), path.suffix), reverse=True)
        return {str(path.with_suffix("")): self._photos / path for path in paths}

    def _annotated(self) -> list[str]:
        names = [name[:-4] for name in _files(self._annotations) if name.endswith(".xml")]
        return sorted(names, key=_by_number)

    def _all(self) -> list[str]:
        image_ids = self._annotated()
        if not image_ids:
            raise DataError("there is no annotation (ID.xml) there", file=str(self._annotations))
        return image_ids

    def _read_image_set(self, name: str) -> list[str]:
        folders = image_set_folders(self.folder)
        path = next((one / f"{name}.txt" for one in folders if (one / f"{name}.txt").is_file()), None)
        if path is None:
            raise DataError(
                f"there is no image set '{name}' ({name}.txt); give another --image-set"
                + _there_are(folders, "*.txt"),
                file=str(folders[0]),
            )
        known = set(self._annotated())
        lines = read_text(path, "the image set").splitlines()
        image_ids = [_image_id(line.strip(), known) for line in lines if line.strip()]
        if not image_ids:
            raise DataError("the image set is empty; it should have an image id a line", file=str(path))
        return image_ids


def image_set_folders(folder: Path) -> list[Path]:
    """Where the image sets of a folder in VOC's form may lie."""
    return [folder / "ImageSets" / "Main", folder / "ImageSets", folder]


def has_image_sets(folder: Path) -> bool:
    """Whether a folder in VOC's form has image sets."""
    return any(any(one.glob("*.txt")) for one in image_set_folders(folder)[:2])


def find_folder(path: Path, year: int | str | None = None) -> Path:
    """The folder in VOC's form: `path`, or one in it (see Devkit). Raises DataError where there is none, or several."""
    there = [one for one in _subfolders(path) if _subfolder(one, _ANNOTATIONS)]
    named = path / f"VOC{year or 2007}"
    if named in there:
        return named
    if year is None:
        if _subfolder(path, _ANNOTATIONS) or (not there and any(path.glob("*.xml"))):
            return path
        if len(there) == 1:
            return there[0]
    names = f" (there: {', '.join(one.name for one in there[:8])})" if there else ""
    wanted = "with Annotations" if year is None else f"VOC{year}"
    raise DataError(
        f"no folder {wanted} there; give the folder that holds Annotations, or one that holds VOC2007, or another "
        f"--year{names}",
        file=str(path),
    )


def _subfolder(folder: Path, names: Sequence[str]) -> Path | None:
    """The folder in a folder that has one of these names, in small letters; the first name wins."""
    there = {one.name.lower(): one for one in _subfolders(folder)}
    return next((there[name] for name in names if name in there), None)


def _subfolders(folder: Path) -> list[Path]:
    return sorted(one for one in folder.iterdir() if one.is_dir()) if folder.is_dir() else []


def _files(folder: Path) -> Iterator[str]:
    """The names of all files in a folder and the folders in it, relative to it."""
    for root, folders, files in os.walk(folder, followlinks=True):
        folders.sort()
        yield from (os.path.normpath(os.path.join(os.path.relpath(root, folder), name)) for name in files)


def _image_id(line: str, known: set[str]) -> str:
    """The image id that stands in a line of an image set, with whatever else stands there."""
    texts = [line, re.sub(r"\s+[-+]?\d+$", "", line), line.split()[0]]
    texts += [PureWindowsPath(text).name for text in texts]  # without a folder, be it after / or \\
    guesses = (one for text in texts for one in (text, _without_suffix(text)))
    unlabelled = re.sub(r"\s+([-+]?1|0)$", "", line)  # VOC's labels
    return next((one for one in guesses if one in known), _without_suffix(unlabelled))


def _by_number(name: str) -> tuple[list[str | int], str]:
    """Sorts a2 before a10, as whoever numbered the photos means it, and as files in COCO's form mostly have them."""
    words = re.split(r"([0-9]+)", name)  # text and digits in turn
    return [int(word) if i % 2 else word for i, word in enumerate(words)], name


def _without_suffix(name: str) -> str:
    root, suffix = os.path.splitext(name)
    return root if suffix.lower() in (*SUFFIXES, ".xml") else name


def read_annotation(path: Path) -> ElementTree.Element:
    """The root of an annotation. Raises DataError, which names the file, where it is missing or malformed."""
    try:
        return _parsed(path.read_bytes())
    except ElementTree.ParseError as error:
        line, column = error.position
        raise DataError(f"malformed XML: {error}; mend it", str(path), line, column + 1) from error
    except (OSError, ValueError, LookupError) as error:  # LookupError: an encoding that nobody knows
        raise _unreadable(path, error.strerror if isinstance(error, OSError) else str(error)) from error


def _parsed(content: bytes) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(content)
    except ValueError:  # the parser knows no encoding of several bytes a letter, such as GBK, but takes text
        encoding = re.match(rb"<\?xml[^>]+encoding=[\"']([\w.-]+)", content)
        if not encoding:
            raise
        return ElementTree.fromstring(content.decode(encoding[1].decode()))


def _unreadable(path: Path, reason: str | None) -> DataError:
    return DataError(
        f"cannot read the annotation: {reason}; mend it, or leave {path.stem} out of the image set",
        file=str(path),
    )


def _there_are(folders: Sequence[Path], pattern: str) -> str:
    names = sorted(path.stem for folder in folders for path in folder.glob(pattern))
    return f" (there: {', '.join(names[:8])}{', ...' if len(names) > 8 else ''})" if names else ""


def _name(element: ElementTree.Element) -> str:
    return element.findtext("name", "").strip()


def _is_difficult(element: ElementTree.Element) -> bool:
    return int(element.findtext("difficult", "").strip() or "0") != 0


def _size(root: ElementTree.Element) -> tuple[int, int] | None:
    """The width and height that an annotation gives; None where it does not, or gives 0."""
    try:
        width, height = (int(float(root.findtext(f"size/{side}", "0"))) for side in ("width", "height"))
    except (ValueError, OverflowError):
        return None
    return (width, height) if width > 0 and height > 0 else None


def _corners_of(element: ElementTree.Element) -> list[float]:
    try:
        corners = [float(text) for text in _texts(element)]
    except ValueError:
        corners = [math.nan]
    if not all(map(math.isfinite, corners)):
        raise DataError(f"an object's box is {_as_found(element)}; four numbers are expected")
    return corners


def _as_found(element: ElementTree.Element) -> str:
    return " ".join(
        f"{corner}={text.strip()}" for corner, text in zip(_CORNERS, _texts(element), strict=True)
    )


def _texts(element: ElementTree.Element) -> list[str]:
    return [element.findtext(f"bndbox/{corner}", "nothing") for corner in _CORNERS]
