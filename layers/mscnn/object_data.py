"""What DetectionData and ImageGtData share: images, each with its maps of ground truth, and the objects themselves."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.order import is_order
from caffe_compat.layers.common.rng_state import rng_state, set_rng_state
from caffe_compat.layers.data.image_files import decode, read_image_file
from caffe_compat.layers.data.refused import others
from caffe_compat.layers.data.transformer import DataTransformer
from caffe_compat.layers.mscnn.ground_truth import CHANNELS
from caffe_compat.layers.mscnn.object_list import Listed, read_objects, warn_of_missing
from caffe_compat.layers.mscnn.object_maps import Field, Objects, Rule, write_maps
from caffe_compat.layers.mscnn.scene import Scene
from caffe_compat.prototxt.caffe_pb2 import DetectionDataParameter, ImageGtDataParameter
from caffe_compat.rng import Rng, caffe_rng

NOISE = 20  # images are moved by up to half of it


class ObjectData(Layer):
    """top[0]: N x 3 x height x width, images less mean_value, times scale; then N x 6 x H x W maps, one for each field
    (see ground_truth.py), H and W being height and width by its stride, rounded; then, with output_gt_boxes, the
    objects, G x columns x 1 x 1.

    An image is mirrored every second time, if transform_param says so; resized; zoomed at random around an object, if
    the params say so; cut to height x width around that object, or padded by zeros. Objects whose centre is outside
    then, and those smaller than min_gt_width x min_gt_height, are ignored. Subclasses say the sizes, the zoom, and
    which places are whose. A list that is not there is a warning; the first forward is the error.
    """

    bottom_count = (0, 0)
    top_count = (2, None)
    has_backward = False
    columns: int  # of the rows of objects
    has_difficult: bool
    param: DetectionDataParameter | ImageGtDataParameter
    rule: Rule
    scale: np.float32

    def fields(self) -> list[Field]:
        raise NotImplementedError

    def start_size(self) -> tuple[int, int] | None:
        """Width and height before the first image; None where the list says them."""
        raise NotImplementedError

    def prepare(self, scene: Scene) -> None:
        """Resize the image."""
        raise NotImplementedError

    def size_of_batch(self, scene: Scene) -> tuple[int, int]:
        """Width and height for the batch whose first image this is."""
        raise NotImplementedError

    def zoom(self, scene: Scene, chosen: int | None) -> np.ndarray:
        """The factors by which width and height are to be multiplied; chosen: the object around which they are."""
        raise NotImplementedError

    def arrange(self, images: list[Listed]) -> None:
        """The list has been read: set `order`, the indices of the images for a round."""
        raise NotImplementedError

    def shuffle(self) -> None:
        """A round is over: change `order` for the next."""
        raise NotImplementedError

    def no_object(self) -> np.ndarray:
        """The row of objects of a batch that has none."""
        raise NotImplementedError

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param
        if param.batch_size < 1:
            raise self.error("batch_size is 0; give a positive one")
        if param.coord_num != 4:
            raise self.error(f"coord_num is {param.coord_num}; expected 4")
        self.maps = self.fields()
        tops = 1 + len(self.maps) + param.output_gt_boxes
        if len(top) != tops:
            raise self.error(
                f"there are {len(top)} tops; the images, {len(self.maps)} fields and the objects need {tops}"
            )
        transformer = DataTransformer(self)
        self.mean = np.float32(0) if transformer.mean is None else transformer.mean
        if np.size(self.mean) not in (1, 3):
            raise self.error(f"there are {np.size(self.mean)} mean_values for 3 channels; give one, or 3")
        self.rng = Rng(caffe_rng().draw())
        self.images: list[Listed] = []
        self.order, self.position = np.zeros(0, np.int64), 0
        self.files: dict[str, bytes] = {}
        size = self.start_size()
        if size is None or not warn_of_missing(self, param.source):
            self._read_list()
        transformer.init_rand()
        self.thread_rng = Rng(caffe_rng().draw())
        self._shape(top, *(size or self.images[-1].size[:0:-1]))
        if param.output_gt_boxes:
            top[-1].reshape(1, self.columns, 1, 1)

    def get_state(self) -> dict[str, np.ndarray]:
        place = {"order": self.order.copy(), "position": np.array(self.position)}
        return place | rng_state("sampling", self.rng) | rng_state("thread", self.thread_rng)

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        if not self.images:
            self._read_list()
        if not is_order(state["order"], len(self.order)):
            raise self.error(f"'{self.param.source}' is not the list that the state was kept with")
        self.order, self.position = state["order"].copy(), int(state["position"])
        set_rng_state("sampling", self.rng, state)
        set_rng_state("thread", self.thread_rng, state)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not self.images:
            self._read_list()
        self.begin_batch()
        rows: list[np.ndarray] = []
        for item in range(self.param.batch_size):
            listed = self.images[self.order[self.position]]
            scene = self._scene(listed)
            if item == 0:
                self._shape(top, *self.size_of_batch(scene))
            rows.append(self._serve(item, scene, listed, top))
            self.position += 1
            if self.position == len(self.order):
                self.position = 0
                self.shuffle()
        if self.param.output_gt_boxes:
            found = np.concatenate(rows)
            found = found if len(found) else self.no_object()
            top[-1].reshape(len(found), self.columns, 1, 1)
            top[-1].data[..., 0, 0] = found

    def begin_batch(self) -> None:
        """Draw what is drawn once a batch."""

    def distort(self, image: np.ndarray) -> np.ndarray:
        """Change the image's colours."""
        return image

    def draw(self, count: int) -> int:
        """A number below count."""
        return self.rng.draw() % count

    def _read_list(self) -> None:
        images = read_objects(self, self.param.source, self.param.root_folder, self.has_difficult)
        self.arrange(images)
        self.images = images

    def _scene(self, listed: Listed) -> Scene:
        content = self.files.get(listed.path) or read_image_file(self, listed.path, listed.place)
        if self.param.cache_images:
            self.files[listed.path] = content
        image = decode(self, content, cv2.IMREAD_COLOR, f"{listed.place}: '{listed.path}'")
        scene = Scene(self.distort(image), listed.boxes, listed.regions)
        if self.layer_param.transform_param.mirror and self.draw(2):
            scene.mirror()
        self.prepare(scene)
        return scene

    def _serve(self, item: int, scene: Scene, listed: Listed, top: Sequence[Blob]) -> np.ndarray:
        """Write image and maps of one item; returns the rows of its objects."""
        chosen = self._choose(scene, top[0].shape[:1:-1])
        scene.zoom(self.zoom(scene, chosen))
        noise = self.draw(NOISE) - NOISE // 2, self.draw(NOISE) - NOISE // 2
        area = scene.place(top[0].data[item], noise, self.mean, self.scale)
        ignored = listed.ignored | self._lost(scene.boxes, top[0].shape[:1:-1])
        objects = Objects(scene.boxes, listed.labels, ignored, scene.regions)
        write_maps(
            self.rule, objects, area, self.maps, [blob.data[item] for blob in top[1 : 1 + len(self.maps)]]
        )
        rows = [np.full(len(ignored), item), *scene.boxes.T, listed.labels, ignored, listed.difficult]
        return np.column_stack(rows)[:, : self.columns]

    def _choose(self, scene: Scene, room: Sequence[int]) -> int | None:
        """Draw the object around which the image is cut, or else the middle of the cut; returns the object."""
        if len(scene.boxes):
            chosen = self.draw(len(scene.boxes))
            scene.centre = (scene.boxes[chosen, :2] + scene.boxes[chosen, 2:]) / np.float32(2)
            return chosen
        sides = zip(scene.size, room, strict=True)
        scene.centre = np.array(
            [side / 2 if space > side else self.draw(side - space + 1) + space / 2 for side, space in sides],
            np.float32,
        )
        return None

    def _lost(self, boxes: np.ndarray, room: Sequence[int]) -> np.ndarray:
        """Which objects are outside, or too small."""
        middle, size = (
            (boxes[:, :2] + boxes[:, 2:]) / np.float32(2),
            boxes[:, 2:] - boxes[:, :2] + np.float32(1),
        )
        least = np.array([self.param.min_gt_width, self.param.min_gt_height], np.float32)
        return ((middle < 0) | (middle >= np.array(room, np.float32)) | (size < least)).any(axis=1)

    def _shape(self, top: Sequence[Blob], width: int, height: int) -> None:
        num = self.param.batch_size
        top[0].reshape(num, 3, height, width)
        for field, blob in zip(self.maps, top[1:], strict=False):
            blob.reshape(num, CHANNELS, field.cells(height), field.cells(width))

    def make_fields(
        self, widths: Sequence[int], heights: Sequence[int], strides: Sequence[int]
    ) -> list[Field]:
        """Raises LayerError unless there are as many of each, all above 0."""
        sizes = list(zip(widths, heights, strides, strict=False))
        if not len(widths) == len(heights) == len(strides) or any(min(size) < 1 for size in sizes):
            raise self.error(
                f"there are the fields field_w {list(widths)} and field_h {list(heights)}, and strides "
                f"{list(strides)}; give as many of each, and all above 0"
            )
        return [Field(*size) for size in sizes]


def refused(message: str, *more: str) -> dict[str, str]:
    """Fields of transform_param that have no effect, and `more` of the layer's message."""
    way_out = "images are read in colour, and sized as the layer's own message says"
    return {name: way_out for name in others("scale", "mirror", "mean_value")} | {
        f"{message}.{name}": "it belongs into transform_param" for name in more
    }
