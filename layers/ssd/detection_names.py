"""The two files that tell DetectionOutput names: of classes, and of images with their sizes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from caffe_compat.errors import CaffeCompatError, ErrorFactory
from caffe_compat.layers.common.list_file import read_lines
from caffe_compat.prototxt.reader import read_label_map


def class_names(owner: ErrorFactory, path: str, classes: Sequence[int]) -> dict[int, str]:
    """The name of each of these classes, from a label map. Raises owner's error."""
    try:
        items = read_label_map(path).item
    except CaffeCompatError as cause:
        raise owner.error(f"label_map_file: {cause}") from cause
    names = {item.label: item.name for item in items}
    if len(names) < len(items) or len(set(names.values())) < len(items):
        raise owner.error(f"'{path}' has a label or a name twice")
    for label in classes:
        if label not in names:
            raise owner.error(f"'{path}' has no name for class {label}")
    return {label: names[label] for label in classes}


def image_sizes(owner: ErrorFactory, path: str) -> list[tuple[str, int, int]]:
    """Name, height and width of the images, in the order of the lines. Raises owner's error."""
    images = []
    for line, place in read_lines(owner, path, "name_size_file"):
        match = re.fullmatch(r"(\S+)\s+([0-9]+)\s+([0-9]+)", line.strip())
        if match:
            images.append((match[1], int(match[2]), int(match[3])))
        elif line.strip():
            raise owner.error(f"{place}: expected name, height and width, found '{line.strip()}'")
    return images
