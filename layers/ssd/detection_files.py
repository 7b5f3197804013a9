"""The files that DetectionOutput writes: detections as VOC, COCO and ILSVRC take them."""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Sequence

import numpy as np

from caffe_compat.errors import CaffeCompatError
from caffe_compat.files import check_writable, replacing
from caffe_compat.layers.base import Layer
from caffe_compat.layers.ssd.detection_names import class_names, image_sizes
from caffe_compat.layers.ssd.resized_boxes import boxes_in_pixels
from caffe_compat.prototxt.caffe_pb2 import SaveOutputParameter

WAY_OUT = "correct it, or remove save_output_param to run without files"
FORMATS = ("VOC", "COCO", "ILSVRC")


def detection_files(
    layer: Layer, param: SaveOutputParameter, classes: Sequence[int]
) -> DetectionFiles | None:
    """What writes the detections of these classes; None without output_directory.

    Warns where label_map_file or name_size_file is missing, without which nothing is written: not given, as in Caffe,
    or not there, as on other machines than the author's.
    """
    if not param.output_directory:
        return None
    needed = {name: getattr(param, name) for name in ("label_map_file", "name_size_file")}
    gone = [
        f"there is no {name} '{path}'" for name, path in needed.items() if path and not os.path.exists(path)
    ]
    if gone or not all(needed.values()):
        warnings.warn(
            f"layer '{layer.name}' ({layer.type}): no files are written to '{param.output_directory}'; "
            + (gone[0] if gone else "that needs both label_map_file and name_size_file"),
            stacklevel=3,
        )
        return None
    return DetectionFiles(layer, param, classes)


class DetectionFiles:
    """Collects the detections of num_test_image images (all of name_size_file), then writes, and starts again.

    output_directory is made with the first image. In it, after output_name_prefix: VOC, CLASS.txt for each class,
    lines of image, score, x1 y1 x2 y2 in whole pixels; ILSVRC, `.txt`, lines of image, number of the class, score,
    box; COCO, `.json`, a list of objects with image_id, category_id (the name of the class; both as a number where
    they are one), bbox (x, y, width, height) and score. Names of classes are from label_map_file; images come in the
    order of name_size_file, which has lines of name, height and width. Boxes are clipped to the image, from what
    resize_param has made of it. Images of a round that is not complete are in no file.
    Raises LayerError for a param or file that does not fit, CaffeCompatError where a file cannot be written.
    Source: DetectionOutputLayer of the SSD fork of Caffe.
    """

    def __init__(self, layer: Layer, param: SaveOutputParameter, classes: Sequence[int]):
        self.layer, self.param = layer, param
        if param.output_format not in FORMATS:
            raise self.error(
                f"output_format is '{param.output_format}'; expected one of {', '.join(FORMATS)}"
            )
        self.names = class_names(self, param.label_map_file, classes)
        self.images = image_sizes(self, param.name_size_file)
        self.count = param.num_test_image if param.HasField("num_test_image") else len(self.images)
        if not 0 < self.count <= len(self.images):
            raise self.error(
                f"num_test_image is {self.count}; expected 1 to {len(self.images)}, the images of "
                f"'{param.name_size_file}'"
            )
        resize = param.resize_param
        if param.HasField("resize_param") and not (resize.height and resize.width):
            raise self.error("resize_param needs a height and a width")
        self.is_made = False
        self._start()

    def error(self, message: str) -> CaffeCompatError:
        """The layer's error about its save_output_param."""
        return self.layer.error(f"save_output_param: {message}; {WAY_OUT}")

    def add(self, rows: np.ndarray) -> None:
        """Take the next image's rows, D x 7 as in the top of DetectionOutput; write after the last image."""
        if not self.is_made:
            self._make_folder()
        name, height, width = self.images[self.done]
        low, high = np.split(boxes_in_pixels(rows[:, 3:], height, width, self.param.resize_param), 2, axis=1)
        corner, size = _two_decimals(low), _two_decimals(high - low)
        for row, (x, y), (w, h) in zip(rows, corner.tolist(), size.tolist(), strict=True):
            self._take(name, int(row[1]), float(row[2]), [x, y, w, h])
        self.done += 1
        if self.done == self.count:
            self._write()
            self._start()

    def _make_folder(self) -> None:
        """Make output_directory with the first image, and see whether files can be written there."""
        try:
            os.makedirs(self.param.output_directory, exist_ok=True)
        except OSError as error:
            raise self.error(
                f"output_directory '{self.param.output_directory}' cannot be made: {error.strerror}"
            ) from error
        for path in self._paths().values():
            check_writable(path)
        self.is_made = True

    def _start(self) -> None:
        self.done = 0
        self.lines: dict[int, list[str]] = {label: [] for label in self._paths()}
        self.objects: list[dict[str, object]] = []

    def _take(self, image: str, label: int, score: float, box: list[float]) -> None:
        if self.param.output_format == "COCO":
            self.objects.append(
                {
                    "image_id": _number(image),
                    "category_id": _number(self.names[label]),
                    "bbox": [round(value, 2) for value in box],
                    "score": float(f"{score:.9g}"),
                }
            )
            return
        x, y, w, h = (int(value) for value in box)
        text = f"{score:.6g} {x} {y} {x + w} {y + h}\n"
        if self.param.output_format == "VOC":
            self.lines[label].append(f"{image} {text}")
        else:
            self.lines[0].append(f"{image} {label} {text}")

    def _write(self) -> None:
        for label, path in self._paths().items():
            with (
                replacing(path) as temporary,
                open(temporary, "w", encoding="utf-8", errors="surrogateescape") as file,
            ):
                if self.param.output_format == "COCO":
                    json.dump(self.objects, file)
                else:
                    file.writelines(self.lines[label])

    def _paths(self) -> dict[int, str]:
        """The file of each class, or with the key 0 the one of all."""
        start = os.path.join(self.param.output_directory, self.param.output_name_prefix)
        if self.param.output_format == "VOC":
            return {label: f"{start}{name.replace('/', '_')}.txt" for label, name in self.names.items()}
        return {0: start + (".json" if self.param.output_format == "COCO" else ".txt")}


def _two_decimals(values: np.ndarray) -> np.ndarray:
    hundredths = (values * np.float32(100)).astype(np.float64)
    return (np.copysign(np.floor(np.abs(hundredths) + 0.5), hundredths) / 100).astype(np.float32)


def _number(text: str) -> int | str:
    return int(text) if re.fullmatch(r"-?[0-9]+", text) else text
