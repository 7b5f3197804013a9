"""GenerateAugmentationParameters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.flow.augmenting import all_but, check_rows
from caffe_compat.layers.flow.coefficients import COUNT, UNCHANGED, Coefficients, from_row, to_row
from caffe_compat.layers.flow.drawing import GENERATORS, Augmentation, schedule, without_places
from caffe_compat.layers.registry import register

MODES = ("add", "replace", "regenerate")


@register("GenerateAugmentationParameters")
class GenerateAugmentationParameters(Layer):
    """Draws how images are to be transformed: N rows of 42 coefficients, for DataAugmentation and FlowAugmentation.

    bottoms: rows of another such layer, N x 42 x 1 x 1, the images (their height and width count), and those that were
    made of them (theirs are the crop's). Or one: images, N x C x H x W, or rows, with bottomheight and bottomwidth;
    the crop is crop_height x crop_width then. top: N x 42 x 1 x 1: mirror, dx, dy, angle, zoom_x, zoom_y, contrast's,
    colours' and effects' coefficients, factors and powers as logarithms.

    What augmentation_param has a generator for is drawn in phase TRAIN, or with augment_during_test. mode add: added to
    the bottom's rows; replace: in their place; regenerate, and always of images: rows of what is drawn alone. Where an
    image lies is drawn anew until the corners of the crop are in the image; if 49 times they were not, it lies as the
    bottom's row says. coeff_schedule_param: spreads grow from initial_coeff to final_coeff times their own, halfway
    after half_life iterations. Forward only. Raises LayerError for other bottoms, where a size is missing, for an
    unknown mode, and for a generator that cannot be.

    Source: GenerateAugmentationParametersLayer of lmb-freiburg/flownet2; its order of draws.
    """

    reads = ("coeff_schedule_param", "augmentation_param")
    without_effect = all_but(
        *("mode", "augment_during_test", "crop_width", "crop_height", "bottomwidth", "bottomheight"),
        *GENERATORS,
    )
    bottom_count = (1, 3)
    has_backward = False
    origin = "FlowNet2"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.param = self.layer_param.augmentation_param
        if len(bottom) == 2:
            raise self.error("there are 2 bottoms; expected 1 or 3: rows, images, images made of them")
        if self.param.mode not in MODES:
            raise self.error(f"mode is '{self.param.mode}'; there is {', '.join(MODES)}")
        self.augmentation = Augmentation(self)
        self.iteration = 0

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shapes = [blob.shape for blob in bottom]
        if len(shapes[-1]) != 4 or len(shapes[len(shapes) // 2]) != 4:
            raise self.error(f"the bottoms have the shapes {shapes}; expected four axes each")
        of_images = len(bottom) == 1 and max(shapes[0][2:]) > 1
        self.mode = "regenerate" if of_images else self.param.mode
        if not of_images:
            check_rows(self, shapes[0], shapes[-1][0], "bottom[0]")
        param = self.param
        if len(bottom) == 3:
            self.size, self.crop = (shape[2:] for shape in shapes[1:])
        else:
            self.crop = param.crop_height, param.crop_width
            self.size = shapes[0][2:] if of_images else (param.bottomheight, param.bottomwidth)
        if min(*self.crop, *self.size) < 1:
            raise self.error(
                f"the crop is {self.crop[0]} x {self.crop[1]}, the image {self.size[0]} x {self.size[1]}; give "
                "crop_height and crop_width, and bottomheight and bottomwidth where the bottom is no image"
            )
        top[0].reshape(shapes[0][0], COUNT, 1, 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.iteration += 1
        spread_by = schedule(self.layer_param.coeff_schedule_param, self.iteration)
        for n, row in enumerate(top[0].data[:, :, 0, 0]):
            row[...] = self._row(self._before(bottom[0], n), spread_by)

    def _before(self, rows: Blob, n: int) -> Coefficients:
        return UNCHANGED if self.mode == "regenerate" else from_row(rows.data[n].ravel())

    def _row(self, before: Coefficients, spread_by: np.float32) -> np.ndarray:
        if self.mode == "replace" and self.augmentation.moves:
            before = without_places(before)
        found = self.augmentation.placed(before, spread_by, self.crop, self.size)
        parts = self.augmentation.coloured(spread_by)
        if self.mode == "add":
            row = to_row(found)
            for part in parts:
                row = row + to_row(UNCHANGED | part)
            return row
        for part in parts:
            found = found | part
        return to_row(found)

    def get_state(self) -> dict[str, np.ndarray]:
        return {"iteration": np.array(self.iteration)}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self.iteration = int(state["iteration"])
