"""DetectionData."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.data.distortion import check_distortion, distorted
from caffe_compat.layers.mscnn.object_data import ObjectData, refused
from caffe_compat.layers.mscnn.object_list import Listed
from caffe_compat.layers.mscnn.object_maps import Field, Rule
from caffe_compat.layers.mscnn.rounding import whole
from caffe_compat.layers.mscnn.scene import Scene
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import DetectionDataParameter

MULTIPLE = 32  # of what sizes after short_size and long_size are
SHUFFLES = ("random", "random_aspect", "random_mix_aspect")


@register("DetectionData")
class DetectionData(ObjectData):
    """Cascade R-CNN's data: images and their ground truth from a list (detection_data_param).

    For the list see object_list.py, for the tops and what happens to an image object_data.py.

    Images are resized to resize_width x resize_height, or by resize_ratio, or so that the shorter side is short_size;
    and cut or padded to crop_width x crop_height, or crop_short_size and crop_long_size (the longer side of the batch's
    first image gets the longer one), or else short_size and long_size in the same way, or else to the size of the
    first image. short_size and long_size are times one of template_ratio, drawn for each batch, and multiples of 32.
    With multiscale_prob an image is zoomed, by a factor from low_scale_ratio to high_scale_ratio, or so that an
    object's scale is from min_scale to max_scale (by 2 where there is no object, as in the original), evenly in
    octaves; and stretched, so that the ratio of width to height changes by a factor from min_whaspect to max_whaspect.

    Places: see Rule, with fg_threshold, ignore_fg_threshold, pickup_iou_thr, anchor_ignore_margin_ratio and
    anchor_ignore_iou_thr. Rows of objects: image, x1, y1, x2, y2, class, ignored, difficult; without any, all -1.
    shuffle brings the list into a new order for each round: "random"; "random_aspect", tall images behind wide ones or
    before them; "random_mix_aspect", mix_group_size tall ones and as many wide ones in turn. scale, mirror and
    mean_value are transform_param's, distort_param is the layer's own.

    Source: DetectionDataLayer of zhaoweicai/cascade-rcnn, with its random numbers.
    """

    reads = ("transform_param", "detection_data_param")
    origin = "Cascade R-CNN"
    without_effect = ("detection_data_param.cache_images", "detection_data_param.resize_param")
    refused = refused("detection_data_param", "scale")
    columns = 8
    has_difficult = True
    param: DetectionDataParameter

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param = self.layer_param.detection_data_param
        self.scale = np.float32(self.layer_param.transform_param.scale)
        if param.HasField("shuffle") and param.shuffle not in SHUFFLES:
            raise self.error(f"shuffle is '{param.shuffle}'; expected one of {', '.join(SHUFFLES)}")
        if not param.fg_threshold > 0 or param.mix_group_size < 1:
            raise self.error(
                f"fg_threshold is {param.fg_threshold:g} and mix_group_size {param.mix_group_size}; both must be "
                "above 0"
            )
        margin, inside = (
            getattr(param, name) if param.HasField(name) else None
            for name in ("anchor_ignore_margin_ratio", "anchor_ignore_iou_thr")
        )
        thresholds = param.fg_threshold, param.ignore_fg_threshold, param.pickup_iou_thr
        self.rule = Rule(1, *thresholds, margin, inside)
        self.template_ratio = np.float32(1)
        self._check_sizes()
        check_distortion(self, param.distort_param)
        super().setup(bottom, top)

    def _check_sizes(self) -> None:
        param = self.param
        ways = [
            bool(self._pair("resize_width", "resize_height")),
            param.HasField("resize_ratio"),
            bool(self._pair("short_size", "long_size")),
        ]
        if sum(ways) > 1:
            raise self.error(
                "give one of resize_width and resize_height, resize_ratio, short_size and long_size"
            )
        if self._pair("crop_width", "crop_height") and self._pair("crop_short_size", "crop_long_size"):
            raise self.error("give either crop_width and crop_height, or crop_short_size and crop_long_size")
        if param.HasField("resize_ratio") and not param.resize_ratio > 0:
            raise self.error(f"resize_ratio is {param.resize_ratio:g}; it must be above 0")
        for low, high in (("short_size", "long_size"), ("crop_short_size", "crop_long_size")):
            pair = self._pair(low, high)
            if pair and pair[0] >= pair[1]:
                raise self.error(
                    f"{low} is {pair[0]} and {high} {pair[1]}; the first must be below the second"
                )
        if any(
            not whole(param.short_size * np.float32(ratio) / MULTIPLE) for ratio in self._ratios() if ways[2]
        ):
            raise self.error("short_size times template_ratio is less than half of 32 pixels")
        self.octaves = (
            self._range("min_scale", "max_scale"),
            self._range("low_scale_ratio", "high_scale_ratio"),
        )
        self.stretch = self._range("min_whaspect", "max_whaspect")
        if all(self.octaves):
            raise self.error("give either min_scale and max_scale, or low_scale_ratio and high_scale_ratio")

    def _ratios(self) -> Sequence[float]:
        return self.param.template_ratio or [1.0]

    def _pair(self, first: str, second: str) -> tuple[int, int] | None:
        given = self.param.HasField(first) and self.param.HasField(second)
        pair = getattr(self.param, first), getattr(self.param, second)
        if given and min(pair) < 1:
            raise self.error(f"{first} is {pair[0]} and {second} {pair[1]}; both must be above 0")
        return pair if given else None

    def _range(self, low: str, high: str) -> tuple[np.float32, np.float32] | None:
        """From one number to the other, if both are given."""
        if not (self.param.HasField(low) and self.param.HasField(high)):
            return None
        ends = np.float32(getattr(self.param, low)), np.float32(getattr(self.param, high))
        if not 0 < ends[0] <= ends[1] < np.inf:
            raise self.error(f"{low} is {ends[0]:g} and {high} {ends[1]:g}; expected 0 < {low} <= {high}")
        return ends

    def fields(self) -> list[Field]:
        return self.make_fields(self.param.field_w, self.param.field_h, self.param.stride)

    def start_size(self) -> tuple[int, int] | None:
        for names in (
            ("crop_width", "crop_height"),
            ("crop_short_size", "crop_long_size"),
            ("resize_width", "resize_height"),
            ("short_size", "long_size"),
        ):
            pair = self._pair(*names)
            if pair:
                return pair
        return None

    def arrange(self, images: list[Listed]) -> None:
        index = np.array([image.index for image in images])
        is_tall = np.array([image.size[1] >= image.size[2] for image in images])
        self.order, self.tall, self.wide = index, index[is_tall], index[~is_tall]
        self.shuffle()

    def get_state(self) -> dict[str, np.ndarray]:
        if not self.images:
            return super().get_state()
        return super().get_state() | {"tall": self.tall.copy(), "wide": self.wide.copy()}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        super().set_state(state)
        if "tall" in state:
            self.tall, self.wide = state["tall"].copy(), state["wide"].copy()

    def shuffle(self) -> None:
        if not self.param.HasField("shuffle"):
            return
        if self.param.shuffle == "random":
            self.rng.shuffle(self.order)
            return
        self.rng.shuffle(self.tall)
        self.rng.shuffle(self.wide)
        first, second = (self.tall, self.wide) if self.draw(2) else (self.wide, self.tall)
        if self.param.shuffle == "random_mix_aspect":
            self.order = _mixed(first, second, self.param.mix_group_size)
        else:
            self.order = np.concatenate([first, second])

    def begin_batch(self) -> None:
        if self.param.template_ratio:
            self.template_ratio = np.float32(
                self.param.template_ratio[self.draw(len(self.param.template_ratio))]
            )

    def distort(self, image: np.ndarray) -> np.ndarray:
        if not self.param.HasField("distort_param"):
            return image
        return distorted(image, self.param.distort_param, self.thread_rng)

    def prepare(self, scene: Scene) -> None:
        width, height = scene.size
        resize, short = self._pair("resize_width", "resize_height"), self._pair("short_size", "long_size")
        if resize:
            scene.resize(*resize)
            return
        if self.param.HasField("resize_ratio"):
            factor = np.float32(self.param.resize_ratio)
        elif short:
            factor = np.float32(self._multiple(short[0])) / np.float32(min(width, height))
        else:
            return
        scene.resize(max(whole(width * factor), 1), max(whole(height * factor), 1))

    def _multiple(self, size: int) -> int:
        return whole(size * self.template_ratio / MULTIPLE) * MULTIPLE

    def size_of_batch(self, scene: Scene) -> tuple[int, int]:
        fixed = self._pair("crop_width", "crop_height") or (
            self._pair("resize_width", "resize_height")
            if not self._pair("crop_short_size", "crop_long_size")
            else None
        )
        if fixed:
            return fixed
        pair, short = self._pair("crop_short_size", "crop_long_size"), self._pair("short_size", "long_size")
        if not pair and short:
            pair = self._multiple(short[0]), self._multiple(short[1])
        if not pair:
            return scene.size
        return pair if scene.size[1] >= scene.size[0] else pair[::-1]

    def no_object(self) -> np.ndarray:
        return np.full((1, 8), -1, np.float32)

    def zoom(self, scene: Scene, chosen: int | None) -> np.ndarray:
        happens = np.zeros(1, bool)
        self.thread_rng.bernoulli(np.float32(self.param.multiscale_prob), happens)
        factors = np.ones(2, np.float32)
        if not happens[0] or not any(self.octaves):
            return factors
        factors *= self._between(*self._octaves(scene, chosen))
        if self.stretch:
            root = np.sqrt(self._between(*(_log2(end) for end in self.stretch)))
            factors *= [root, 1 / root]
        return factors

    def _octaves(self, scene: Scene, chosen: int | None) -> tuple[np.float32, np.float32]:
        scales, ratios = self.octaves
        if ratios:
            return _log2(ratios[0]), _log2(ratios[1])
        assert scales
        if chosen is None:
            return np.float32(1), np.float32(1)
        size = scene.boxes[chosen, 2:] - scene.boxes[chosen, :2] + np.float32(1)
        scale = np.sqrt(np.maximum(size.prod(), np.finfo(np.float32).tiny))
        return _log2(scales[0] / scale), _log2(scales[1] / scale)

    def _between(self, low: np.float32, high: np.float32) -> np.float32:
        """Two to the power of a number drawn from low to high."""
        return np.exp2(self.thread_rng.number(float(low), float(high)))


def _log2(value: np.float32) -> np.float32:
    return np.float32(np.log2(float(value)))


def _mixed(first: np.ndarray, second: np.ndarray, group: int) -> np.ndarray:
    """Groups of both in turn, until one has no more; then the rest of the other."""
    lists, taken = (first, second), [0, 0]
    order: list[int] = []
    while taken[0] < len(first) and taken[1] < len(second):
        side = len(order) // group % 2
        order.append(lists[side][taken[side]])
        taken[side] += 1
    rest = [of[count:] for of, count in zip(lists, taken, strict=True)]
    return np.concatenate([np.array(order, first.dtype), *rest])
