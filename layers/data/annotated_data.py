"""Images with their objects from an LMDB: what SSD is trained on."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.rng_state import rng_state, set_rng_state
from caffe_compat.layers.data import polygons
from caffe_compat.layers.data.annotations import (
    BOX,
    CLASS,
    DIFFICULT,
    POLYGON,
    emitted,
    mirrored,
    projected,
    read_objects,
    read_polygons,
)
from caffe_compat.layers.data.batch_sampler import check_sampler, sample
from caffe_compat.layers.data.data import Data
from caffe_compat.layers.data.datums import read_annotated
from caffe_compat.layers.data.distortion import check_distortion, distorted
from caffe_compat.layers.data.image_files import decode
from caffe_compat.layers.data.image_transformer import OF_ANNOTATED, OF_IMAGES
from caffe_compat.layers.data.refused import OF_BOX_DATA, OF_CUSTOM_DATA, moved, others
from caffe_compat.layers.data.weighted_die import roll
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import AnnotatedDatum, ResizeParameter
from caffe_compat.rng import caffe_rng

WHOLE = np.array([0, 0, 1, 1], np.float32)
NO_OBJECT = -1
RAW_FILL = ord(" ")  # what Caffe expands images of raw pixels with
JITTERS = (0.2, 0.2, 0.6)  # how often there is none, half of it, all of it
YOLO_ROWS = 300
MOST_EXPANSION = 16  # times the width and the height; SSD has 4


@register("AnnotatedData")
class AnnotatedData(Data):
    """The AnnotatedDatums of the LMDB data_param.source, in the order of their keys: images, and their objects.

    top[0]: batch_size images, N x channels x height x width. top[1], if any: 1 x 1 x G x 8, a row an object of the
    batch: image, class, instance, x1 y1 x2 y2 in parts of the image, difficult; one row of -1 where there is none.
    (polygons: 1 x 1 x G x 16, and the object's polygon, x1 y1 to x4 y4. yolo_data_type: 1: N x 1 x 300 x 5; rows of
    class less one, centre, width, height, and then zeros.) Records without an annotation type, and no anno_type: N,
    their labels.
    Each image is distorted (distort_param), put on a larger canvas of the mean_values (expand_param), cropped to one
    of the windows that batch_sampler find (or yolo_data_jitter does), resized (resize_param), and then goes the way of
    Data's; objects go with it, as far as emit_constraint lets them. Between the first three steps an encoded image is
    stored as JPEG, as in Caffe. Numbers are drawn in its order, from its prefetch thread's stream.
    Raises LayerError for LevelDB, a database that cannot be opened, is empty or has other records, params that do not
    fit, images that differ in size (without resize_param), and with polygons for objects without one.
    Source: AnnotatedDataLayer of the SSD fork of Caffe; yolo_* and several resize_param are those of eric612's,
    polygons those of TextBoxes++, which mirrors and pads images, but not their polygons: that is refused.
    """

    leaves_out = False
    reads = ("transform_param", "data_param", "annotated_data_param")
    origin = "SSD"
    without_effect = (
        "data_param.prefetch",
        "data_param.rand_skip",
        "annotated_data_param.label_map_file",
        *(
            f"annotated_data_param.{name}" for name in ("single_class", "seg_scales")
        ),  # of a third top, a segmentation
        *(f"annotated_data_param.seg_resize_{side}" for side in ("width", "height")),
    )
    refused = {
        **others(*OF_IMAGES, *OF_ANNOTATED),
        **moved("data_param", "scale", "mean_file", "crop_size", "mirror"),
        **OF_CUSTOM_DATA,
        **OF_BOX_DATA,
        "data_param.shuffle": Data.refused["data_param.shuffle"],
        "data_param.force_encoded_color": "write it as transform_param { force_color: true }",
        "annotated_data_param.difficult_label_warmup": "it follows the solver's iterations; set train_diffcult instead",
    }

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        caffe_rng().draw()  # Caffe seeds the thread that reads the database
        super().setup(bottom, top)

    def open(self) -> None:
        self.param, self.transform = self.layer_param.annotated_data_param, self.layer_param.transform_param
        for sampler in self.param.batch_sampler:
            check_sampler(self, sampler)
        if self.transform.HasField("distort_param"):
            check_distortion(self, self.transform.distort_param)
        if self.transform.HasField("expand_param"):
            self._check_expansion()
        if not 0 <= self.param.yolo_data_jitter < 1:
            raise self.error(
                f"yolo_data_jitter is {self.param.yolo_data_jitter:g}; expected at least 0, below 1"
            )
        modes = {one.resize_mode for one in self.transform.resize_param}
        if ResizeParameter.FIT_SMALL_SIZE in modes and self.batch_size != 1:
            raise self.error("FIT_SMALL_SIZE makes images of different sizes; set batch_size: 1")
        record, _ = self._record()
        self.has_objects = record.HasField("type") or self.param.HasField("anno_type")
        if self.param.polygons:
            self._check_polygons(modes)

    def shape_tops(self, top: Sequence[Blob]) -> None:
        record, name = self._record()
        top[0].reshape(self.batch_size, *self.transformer.shape(self._pixels(record.datum, name)))
        for labels in top[1:]:
            if not self.has_objects:
                labels.reshape(self.batch_size)
            elif self.param.yolo_data_type == 1:
                labels.reshape(self.batch_size, 1, YOLO_ROWS, 5)
            else:
                labels.reshape(1, 1, max(1, len(read_objects(record))), 16 if self.param.polygons else 8)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        with self.records:
            of_images, labels = self._batch(top[0])
        for blob in top[1:]:
            if not self.has_objects:
                blob.data[...] = labels
            elif self.param.yolo_data_type == 1:
                blob.reshape(self.batch_size, 1, YOLO_ROWS, 5)
                self._write_yolo_rows(of_images, blob.data)
            else:
                rows = _rows(of_images, blob.width)
                blob.reshape(1, 1, *rows.shape)
                blob.data[...] = rows

    def _batch(self, top: Blob) -> tuple[list[np.ndarray], list[int]]:
        """Fill a top with the next images; returns their objects and their labels."""
        self.transformer.new_batch()
        of_images, labels = [], []
        for i in range(self.batch_size):
            record, name = self._record()
            image, objects = self._augmented(record, name)
            image = image.transpose(2, 0, 1)
            if i == 0:
                top.reshape(self.batch_size, *self.transformer.shape(image))
            of_images.append(self._transformed(image, objects, top.data[i], name))
            labels.append(record.datum.label)
            self.advance()
        return of_images, labels

    def get_state(self) -> dict[str, np.ndarray]:
        return super().get_state() | rng_state("thread", self.transformer.thread_rng)

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        super().set_state(state)
        set_rng_state("thread", self.transformer.thread_rng, state)

    def _check_expansion(self) -> None:
        ratio = self.transform.expand_param.max_expand_ratio
        if not 1 < ratio <= MOST_EXPANSION:
            raise self.error(f"max_expand_ratio is {ratio:g}; it must be above 1, up to {MOST_EXPANSION}")
        if self.transform.HasField("mean_file"):
            raise self.error("expand_param fills with a mean_value, not with a mean_file; give one a channel")

    def _check_polygons(self, modes: set[ResizeParameter.Resize_mode]) -> None:
        if not self.has_objects or self.param.yolo_data_type:
            raise self.error("polygons are those of annotated objects, without yolo_data_type")
        if self.transform.mirror or modes - {ResizeParameter.WARP}:
            raise self.error(
                "polygons do not go with mirror, nor with a resize_mode other than WARP; remove it"
            )

    def _record(self) -> tuple[AnnotatedDatum, str]:
        """The current record, and its name for errors."""
        return read_annotated(self, self.source, *self.records.item())

    def _augmented(self, record: AnnotatedDatum, name: str) -> tuple[np.ndarray, np.ndarray]:
        """The image (height x width x channels), distorted, expanded and cropped at random, and its objects."""
        image = np.ascontiguousarray(self._pixels(record.datum, name).transpose(1, 2, 0))
        objects, encoded, rng = self._objects(record, name), record.datum.encoded, self.transformer.thread_rng
        if self.transform.HasField("distort_param") and encoded:
            if image.shape[2] != 3:
                raise self.error(
                    f"{name} has {image.shape[2]} channels; distort_param wants 3 (force_color: true)"
                )
            image = self._stored(distorted(image, self.transform.distort_param, rng), name)
        if self.transform.HasField("expand_param"):
            image, objects = self._expanded(image, objects, encoded, name)
        windows = sample(list(self.param.batch_sampler), objects[:, BOX], rng)
        if self.param.yolo_data_jitter and not self.param.batch_sampler:
            windows = [self._jittered()]
        if windows:
            window = np.clip(windows[rng.draw() % len(windows)], 0, 1)
            image = _cropped(image, window)
            image = self._stored(image, name) if encoded else image
            objects = self._moved(objects, window)
        return image, objects

    def _objects(self, record: AnnotatedDatum, name: str) -> np.ndarray:
        if self.has_objects:
            if not (record.HasField("type") or self.param.HasField("anno_type")):
                raise self.error(f"{name} has no annotation type, those before it have; give anno_type: BBOX")
            kind = self.param.anno_type if self.param.HasField("anno_type") else record.type
            if kind == AnnotatedDatum.LANE:
                raise self.error(f"{name} has annotations of type LANE; only BBOX is read")
        objects = read_objects(record)
        if not self.param.polygons:
            return objects
        found = read_polygons(record)
        if not np.isfinite(found).all():
            raise self.error(f"{name} has an object without a polygon; make the LMDB of files that have them")
        return np.hstack([objects, found])

    def _expanded(
        self, image: np.ndarray, objects: np.ndarray, encoded: bool, name: str
    ) -> tuple[np.ndarray, np.ndarray]:
        param, rng = self.transform.expand_param, self.transformer.thread_rng
        if rng.number(0, 1) > np.float32(param.prob) or abs(param.max_expand_ratio - 1) < 1e-2:
            return image, objects
        ratio = rng.number(1, param.max_expand_ratio)
        height, width = image.shape[:2]
        rows, columns = int(np.float32(height) * ratio), int(np.float32(width) * ratio)
        y, x = int(rng.number(0, rows - height)), int(rng.number(0, columns - width))
        canvas = np.full((rows, columns, image.shape[2]), RAW_FILL, image.dtype)
        if encoded:
            canvas[...] = self._fill(image.shape[2], name)
        canvas[y : y + height, x : x + width] = image
        size = np.array([width, height] * 2, np.float32)
        window = np.array([-x, -y, columns - x, rows - y], np.float32) / size
        return self._stored(canvas, name) if encoded else canvas, self._moved(objects, window)

    def _fill(self, channels: int, name: str) -> np.ndarray:
        """What expand_param fills with: the mean_values as bytes."""
        values = np.array(self.transform.mean_value or [0.0])
        if len(values) not in (1, channels):
            raise self.error(
                f"there are {len(values)} mean_values, {name} has {channels} channels; give one, or one a channel"
            )
        return np.clip(np.rint(values), 0, 255)

    def _jittered(self) -> np.ndarray:
        """Source: GenerateJitterSamples of eric612's Caffe."""
        rng = self.transformer.thread_rng
        jitter = np.float32((0, 0.5, 1)[roll(rng, JITTERS)]) * np.float32(self.param.yolo_data_jitter)
        if not jitter:
            return WHOLE
        width = height = rng.number(1 - jitter, 1)
        resizing = self.transformer.resizing
        if resizing is None or resizing.param.resize_mode != ResizeParameter.FIT_LARGE_SIZE_AND_PAD:
            height = rng.number(1 - jitter, 1)
        x, y = rng.number(0, 1 - width), rng.number(0, 1 - height)
        return np.array([x, y, x + width, y + height], np.float32)

    def _moved(self, objects: np.ndarray, window: np.ndarray) -> np.ndarray:
        """The objects that emit_constraint leaves, in parts of a window."""
        if self.transform.HasField("emit_constraint"):
            objects = emitted(objects, window, self.transform.emit_constraint)
        return projected(objects, window)

    def _stored(self, image: np.ndarray, name: str) -> np.ndarray:
        """An image as it comes back from a JPEG."""
        try:
            _, content = cv2.imencode(".jpg", image)
        except cv2.error as error:
            raise self.error(
                f"{name} cannot be stored as JPEG, {image.shape} (height, width, channels)"
            ) from error
        return decode(self, content.tobytes(), self.flag, name)

    def _transformed(self, image: np.ndarray, objects: np.ndarray, out: np.ndarray, name: str) -> np.ndarray:
        """Write the transformed image to `out`; returns its objects."""
        _, height, width = image.shape
        placed = self.transformer.transform(image, out, name)
        resizing = self.transformer.resizing
        if resizing:
            objects = objects.copy()
            objects[:, BOX] = resizing.boxes(objects[:, BOX], height, width)
            if self.param.polygons:
                objects[:, POLYGON] = polygons.begun_top_left(objects[:, POLYGON], height, width)
        corners = placed.x, placed.y, placed.x + out.shape[2], placed.y + out.shape[1]
        crop = np.array(corners, np.float32) / np.array([placed.width, placed.height] * 2, np.float32)
        objects = self._moved(objects, crop)
        if placed.mirrored:
            objects = mirrored(objects)
        if resizing:
            objects[:, BOX] = resizing.extrapolated(objects[:, BOX], height, width, crop)
        return objects

    def _write_yolo_rows(self, of_images: list[np.ndarray], out: np.ndarray) -> None:
        out[...] = 0
        for objects, rows in zip(of_images, out[:, 0], strict=True):
            if not self.param.train_diffcult:
                objects = objects[objects[:, DIFFICULT] == 0]
            low, high = objects[:, 2:4], objects[:, 4:6]
            found = np.column_stack([objects[:, CLASS] - 1, (low + high) / 2, high - low])[:YOLO_ROWS]
            rows[: len(found)] = found


def _cropped(image: np.ndarray, window: np.ndarray) -> np.ndarray:
    """The part of an image in a window; at least a pixel."""
    height, width = image.shape[:2]
    x1, y1, x2, y2 = window * np.array([width, height] * 2, np.float32)
    x, y = min(int(x1), width - 1), min(int(y1), height - 1)
    return np.ascontiguousarray(image[y : y + max(1, int(y2 - y1)), x : x + max(1, int(x2 - x1))])


def _rows(of_images: list[np.ndarray], width: int) -> np.ndarray:
    """The objects of all images, with the number of the image in front: G x width."""
    numbers = np.repeat(np.arange(len(of_images), dtype=np.float32), [len(objects) for objects in of_images])
    rows = np.column_stack([numbers, np.concatenate(of_images)])
    return rows if len(rows) else np.full((1, width), NO_OBJECT, np.float32)
