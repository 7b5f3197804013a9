"""The data set of a command line (--devkit, --data, --classes), and the names of a net's classes."""

from __future__ import annotations

import argparse
import importlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from caffe_compat.fast_rcnn.dataset import Dataset
    from caffe_compat.fast_rcnn.voc import Devkit


def open_dataset(args: argparse.Namespace, known: Sequence[str] | None = None) -> Dataset | None:
    """The data set that the arguments name; None where they name none. Raises CaffeCompatError.

    known: the classes, the background's first, where --classes does not give them: those that a net was trained on.
    """
    from caffe_compat.errors import CaffeCompatError

    if args.devkit and args.data:
        raise CaffeCompatError("data can come from one place only, not from --devkit and --data")
    classes = given_classes(args) or known
    if args.skip_other_classes and classes is None:
        raise CaffeCompatError("--skip-other-classes leaves out what --classes does not name; give --classes")
    if args.devkit:
        return _devkit(args, classes)
    return _other(args, classes) if args.data else None


def needed_dataset(args: argparse.Namespace, known: Sequence[str] | None = None) -> Dataset:
    """As `open_dataset`, for commands that do nothing without one. Raises CaffeCompatError where there is none."""
    from caffe_compat.errors import CaffeCompatError

    dataset = open_dataset(args, known)
    if dataset is None:
        raise CaffeCompatError("give the data set: --devkit, or --data")
    return dataset


def given_classes(args: argparse.Namespace) -> Sequence[str] | None:
    """The classes of --classes, the background's first; None without it. Raises DataError."""
    from caffe_compat.fast_rcnn.classes import read_classes

    return None if args.classes is None else read_classes(args.classes)


def trained_classes(weights: str | None) -> Sequence[str] | None:
    """The classes beside weights or a solver's state; None where there are none. Raises DataError."""
    from caffe_compat.fast_rcnn.classes import classes_beside

    return classes_beside(weights) if weights else None


def net_classes(args: argparse.Namespace, num_classes: int) -> Sequence[str]:
    """The names of a net's classes: of --classes, else beside its weights, else what their number stands for.

    Raises DataError where there are more or fewer.
    """
    from caffe_compat.errors import DataError
    from caffe_compat.fast_rcnn.classes import beside
    from caffe_compat.fast_rcnn.voc import class_names

    names = given_classes(args) or trained_classes(args.weights)
    if names is None:
        return class_names(num_classes)
    if len(names) != num_classes:
        source = "--classes" if args.classes is not None else str(beside(args.weights))
        raise DataError(
            f"{source} names {len(names) - 1} class(es), the net has {num_classes - 1} besides the background; name "
            "all of them with --classes, in the order of its training"
        )
    return names


def image_set(dataset: Dataset) -> str:
    """What the image set is called in the names of result files."""
    from caffe_compat.fast_rcnn.evaluate import file_name

    if hasattr(dataset, "image_set"):
        return file_name(dataset.image_set)
    return re.sub(r"\W+", "_", dataset.name)


def label(dataset: Dataset) -> str:
    """What the data set is called in the names of folders."""
    name = image_set(dataset)
    if hasattr(dataset, "image_set") and hasattr(dataset, "folder"):
        return f"{dataset.folder.resolve().name}_{name}"
    return name


def _devkit(args: argparse.Namespace, classes: Sequence[str] | None) -> Devkit:
    from caffe_compat.fast_rcnn.voc import Devkit, find_folder, has_image_sets

    there = has_image_sets(find_folder(Path(args.devkit), args.year))
    image_set = args.image_set or (args.default_image_set if there else None)
    return Devkit(
        args.devkit, args.year, image_set, classes, args.skip_other_classes, 0 if args.zero_based else 1
    )


def _other(args: argparse.Namespace, classes: Sequence[str] | None) -> Dataset:
    from caffe_compat.errors import CaffeCompatError
    from caffe_compat.fast_rcnn.coco import CocoFile

    kind, _, rest = args.data.partition(":")
    first, *more = rest.split(":")
    if not first or len(more) > 1:
        raise CaffeCompatError(
            f"--data is '{args.data}'; expected coco:ANNOTATIONS.json:FOLDER, or MODULE:CLASS:ARGUMENT"
        )
    if kind == "coco":
        return CocoFile(first, more[0] if more else None, classes, args.skip_other_classes)
    dataset = _of_the_user(kind, first, more)
    if classes is not None and list(classes) != list(dataset.classes):
        raise CaffeCompatError(
            f"{kind}.{first} has the classes {', '.join(dataset.classes[1:])}; those of the net, or of --classes, are "
            f"{', '.join(classes[1:])}: they have to be the same"
        )
    return dataset


def _of_the_user(module: str, name: str, arguments: Sequence[str]) -> Dataset:
    """A reader of the user's own: MODULE.NAME(*arguments)."""
    from caffe_compat.cli import console
    from caffe_compat.errors import CaffeCompatError

    console.import_from_here()
    try:
        reader = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise
        raise CaffeCompatError(
            f"--data: there is no module '{module}' (looked for in the working directory, too), and the kinds built in "
            "are coco alone; --devkit takes data in VOC's form"
        ) from error
    except AttributeError as error:
        raise CaffeCompatError(f"--data: the module '{module}' has no '{name}'") from error
    return reader(*arguments)
