"""ImageTransformer: what SSD's data layers do to every image besides."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.rng_state import rng_state, set_rng_state
from caffe_compat.layers.data.noise import Noise
from caffe_compat.layers.data.refused import HONOURED, others
from caffe_compat.layers.data.resizing import Resizing
from caffe_compat.layers.data.transformer import DataTransformer
from caffe_compat.layers.data.weighted_die import roll
from caffe_compat.rng import Rng, caffe_rng

OF_IMAGES = (*HONOURED, "resize_param", "noise_param", "crop_h", "crop_w")
OF_ANNOTATED = ("emit_constraint", "distort_param", "expand_param")
WITHOUT_EFFECT = tuple(
    f"transform_param.{name}" for name in OF_ANNOTATED
)  # for Data and ImageData, as in SSD
REFUSED = {name: way_out for name, way_out in others(*OF_IMAGES).items() if name not in WITHOUT_EFFECT}
BATCHES_OF_A_SIZE = 10


class ImageTransformer(DataTransformer):
    """Resizes images and adds noise, before they are cropped; a crop may be crop_h x crop_w.

    Of several resize_param one is drawn, by their `prob`, for each ten batches; the layer says when one begins.
    What is drawn for it and for the interp_mode comes from the stream of Caffe's prefetch thread, thread_rng.
    Source: the DataTransformer of the SSD fork of Caffe; several resize_param are eric612's.
    """

    def __init__(self, layer: Layer):
        super().__init__(layer)
        if bool(self.param.crop_h) != bool(self.param.crop_w):
            raise layer.error("crop_h and crop_w go together; give both or none")
        self.resizings = [Resizing(layer, param) for param in self.param.resize_param]
        self.resizing = self.resizings[0] if self.resizings else None
        self.noise = Noise(layer, self.param.noise_param) if self.param.HasField("noise_param") else None
        self.batches = 0
        self.thread_rng = Rng(0)

    @property
    def crop(self) -> tuple[int, int] | None:
        """Height and width of a crop."""
        return super().crop or ((self.param.crop_h, self.param.crop_w) if self.param.crop_h else None)

    def start_thread(self) -> None:
        """Start the stream of the prefetch thread, with one number of the global one."""
        self.thread_rng = Rng(caffe_rng().draw())

    def new_batch(self) -> None:
        """A batch begins: choose its resize_param, where there are several."""
        if len(self.resizings) > 1 and self.batches % BATCHES_OF_A_SIZE == 0:
            chances = [one.param.prob for one in self.resizings]
            if not (min(chances) >= 0 and 0 < sum(chances) < np.inf):
                raise self.layer.error(
                    f"the prob of resize_param are {chances}; expected some above 0, none below"
                )
            self.resizing = self.resizings[roll(self.thread_rng, chances)]
        self.batches += 1

    @property
    def draws_alike(self) -> bool:
        return not (self.resizings or self.noise)

    def shape(self, image: np.ndarray) -> tuple[int, ...]:
        if self.resizing and not self.crop:
            return len(image), *self.resizing.size(*image.shape[1:])
        return super().shape(image)

    def changed(self, image: np.ndarray) -> np.ndarray:
        if not (self.resizing or self.noise):
            return image
        image = np.ascontiguousarray(image.transpose(1, 2, 0))
        if self.resizing:
            image = self.resizing.image(image, self.thread_rng)
        if self.noise:
            image = self.noise.image(image, self.thread_rng)
        return image.transpose(2, 0, 1)

    def get_state(self) -> dict[str, np.ndarray]:
        state = super().get_state()
        if self.resizings or self.noise:
            state |= rng_state("thread", self.thread_rng)
        if len(self.resizings) > 1 and self.resizing:
            state |= {
                "batches": np.array(self.batches),
                "resizing": np.array(self.resizings.index(self.resizing)),
            }
        return state

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        super().set_state(state)
        if self.resizings or self.noise:
            set_rng_state("thread", self.thread_rng, state)
        if len(self.resizings) > 1:
            self.batches, self.resizing = int(state["batches"]), self.resizings[int(state["resizing"])]
