"""Random numbers that FlowNet2's layers change images by, in its Caffe's order."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import TRAIN, Layer
from caffe_compat.layers.flow.coefficients import SPATIAL, UNCHANGED, Coefficients, from_row, to_row
from caffe_compat.layers.flow.generators import check_generator, drawn
from caffe_compat.layers.flow.transformation import fits
from caffe_compat.prototxt.caffe_pb2 import AugmentationParameter, CoeffScheduleParameter

F = np.float32
TRIES = 50
OF_SPACE = ("mirror", "translate", "rotate", "zoom", "squeeze", "translate_x", "translate_y")
OF_CONTRAST = ("gamma", "brightness", "contrast", "color")
OF_EIGEN = (
    *(f"{what}_{how}" for what in ("lmult", "sat", "col", "ladd") for how in ("pow", "mult", "add")),
    "col_rotate",
)
OF_EFFECTS = (
    *("fog_amount", "fog_size", "motion_blur_angle", "motion_blur_size"),
    *("shadow_angle", "shadow_distance", "shadow_strength", "noise"),
)
GENERATORS = (*OF_SPACE, *OF_CONTRAST, *OF_EIGEN, *OF_EFFECTS)


def schedule(param: CoeffScheduleParameter, iteration: float) -> np.float32:
    """How much of each spread counts in the iteration of this number, counted from 1."""
    first, last = F(param.initial_coeff), F(param.final_coeff)
    with np.errstate(divide="ignore", over="ignore"):
        passed = np.exp(F(-1.0986) * F(iteration) / F(param.half_life))
    return first + (last - first) * (F(2) / (F(1) + passed) - F(1))


class Augmentation:
    """What the augmentation_param of a layer draws. Raises its LayerError for a generator that cannot be."""

    def __init__(self, layer: Layer):
        self.param: AugmentationParameter = layer.layer_param.augmentation_param
        for name in GENERATORS:
            if self.param.HasField(name):
                check_generator(layer, name, getattr(self.param, name))
        draws = layer.phase == TRAIN or self.param.augment_during_test
        self._groups = [
            draws and any(map(self.param.HasField, names))
            for names in (OF_SPACE, OF_CONTRAST, OF_EIGEN, OF_EFFECTS)
        ]
        self.moves = self._groups[0]  # whether it draws where an image lies

    def placed(
        self, before: Coefficients, spread_by: np.float32, crop: tuple[int, ...], size: tuple[int, ...]
    ) -> Coefficients:
        """`before`, and what is drawn for where the image lies; `before` alone where 49 times a corner of the crop lies
        outside. crop, size: of the top and of the image, height and width."""
        if not self.moves:
            return before
        row = to_row(before)
        for attempt in range(TRIES):
            found = from_row(to_row(UNCHANGED | self._spatial(spread_by)) + row)
            if fits(found, crop, size) and attempt < TRIES - 1:
                return found
        return from_row(row)

    def coloured(self, spread_by: np.float32) -> list[Coefficients]:
        """What is drawn for contrast, colours and effects, in each a part of all coefficients."""
        draws = (self._contrast, self._eigen, self._effects)
        return [draw(spread_by) for draw, wanted in zip(draws, self._groups[1:], strict=True) if wanted]

    def _draw(self, name: str, spread_by: np.float32, otherwise: float | None = None) -> np.float32:
        return drawn(getattr(self.param, name), spread_by, otherwise)

    def _spatial(self, spread_by: np.float32) -> Coefficients:
        found: Coefficients = {}
        has = self.param.HasField
        if has("mirror"):  # the original hands it 0 in the place of the schedule
            found["mirror"] = F(bool(drawn(self.param.mirror, F(0), kind=bool)))
        if has("translate"):
            found["dx"] = self._draw("translate", spread_by, 0)
            found["dy"] = self._draw("translate", spread_by, 0)
        for name, field in (("dx", "translate_x"), ("dy", "translate_y"), ("angle", "rotate")):
            if has(field):
                found[name] = self._draw(field, spread_by, 0)
        if has("zoom"):
            found["zoom_x"] = found["zoom_y"] = self._draw("zoom", spread_by, 1)
        if has("squeeze"):
            squeeze = self._draw("squeeze", spread_by, 1)
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                found["zoom_x"] = found.get("zoom_x", F(1)) * squeeze
                found["zoom_y"] = found.get("zoom_y", F(1)) / squeeze
        return found

    def _drawn_for(self, fields: dict[str, tuple[str, ...]], spread_by: np.float32) -> Coefficients:
        """A number for each coefficient of each field that is there."""
        return {
            name: self._draw(field, spread_by)
            for field, names in fields.items()
            if self.param.HasField(field)
            for name in names
        }

    def _contrast(self, spread_by: np.float32) -> Coefficients:
        fields: dict[str, tuple[str, ...]] = {name: (name,) for name in OF_CONTRAST[:3]}
        return self._drawn_for(fields | {"color": ("color1", "color2", "color3")}, spread_by)

    def _eigen(self, spread_by: np.float32) -> Coefficients:
        order = ("pow", "add", "mult")
        fields: dict[str, tuple[str, ...]] = {}
        for how in order:
            fields[f"ladd_{how}"] = (f"{how}_nomean0",)
            fields[f"col_{how}"] = (f"{how}_nomean1", f"{how}_nomean2")
        fields |= {f"sat_{how}": (f"{how}_withmean1",) for how in order}
        fields |= {f"lmult_{how}": (f"lmult_{how}",) for how in ("pow", "mult", "add")}
        found = self._drawn_for(fields | {"col_rotate": ("col_angle",)}, spread_by)
        both = {f"{how}_withmean2": f"{how}_withmean1" for how in order}
        return found | {second: found[first] for second, first in both.items() if first in found}

    def _effects(self, spread_by: np.float32) -> Coefficients:
        found: Coefficients = {}
        for names in (OF_EFFECTS[:2], OF_EFFECTS[2:4], OF_EFFECTS[4:7]):
            if any(map(self.param.HasField, names)):
                found |= {name: self._draw(name, spread_by, 0) for name in names}
        if self.param.HasField("noise"):
            found["noise"] = self._draw("noise", spread_by)
        return found


def without_places(coefficients: Coefficients) -> Coefficients:
    """The coefficients, the image where it was."""
    return coefficients | {name: UNCHANGED[name] for name in SPATIAL}
