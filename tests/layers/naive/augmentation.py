"""Layers of FlowNet2 that transform its images at random."""

from __future__ import annotations

import math

import numpy as np

from caffe_compat.layers.base import TRAIN
from caffe_compat.rng import Rng
from layers.naive.given import Given, taken

# each with what it is where nothing changes
DEFAULTS = {
    **{"mirror": 0.0, "dx": 0.0, "dy": 0.0, "angle": 0.0, "zoom_x": 1.0, "zoom_y": 1.0},
    **{"gamma": 1.0, "brightness": 0.0, "contrast": 1.0, "color1": 1.0, "color2": 1.0, "color3": 1.0},
    **{"pow_nomean0": 1.0, "pow_nomean1": 1.0, "pow_nomean2": 1.0},
    **{"add_nomean0": 0.0, "add_nomean1": 0.0, "add_nomean2": 0.0},
    **{"mult_nomean0": 1.0, "mult_nomean1": 1.0, "mult_nomean2": 1.0},
    **{"pow_withmean0": 1.0, "pow_withmean1": 1.0, "pow_withmean2": 1.0},
    **{"add_withmean0": 0.0, "add_withmean1": 0.0, "add_withmean2": 0.0},
    **{"mult_withmean0": 1.0, "mult_withmean1": 1.0, "mult_withmean2": 1.0},
    **{"lmult_pow": 1.0, "lmult_add": 0.0, "lmult_mult": 1.0, "col_angle": 0.0},
    **{"fog_amount": 0.0, "fog_size": 0.0, "motion_blur_angle": 0.0, "motion_blur_size": 0.0},
    **{"shadow_angle": 0.0, "shadow_distance": 0.0, "shadow_strength": 0.0, "noise": 0.0},
}


def to_row(c: dict) -> list[float]:
    return [math.log(c[name]) if default else c[name] for name, default in DEFAULTS.items()]


def from_row(row) -> dict:
    return {
        name: math.exp(x) if default else float(x)
        for (name, default), x in zip(DEFAULTS.items(), row, strict=True)
    }


class Draws:
    """What an augmentation_param draws from a stream of random numbers."""

    def __init__(self, given: Given, iteration: int):
        self.rng, self.param = Rng(given.seed), given.param.augmentation_param
        self.on = given.phase == TRAIN or self.param.augment_during_test
        plan = given.param.coeff_schedule_param
        part = 2 / (1 + math.exp(-1.0986 * iteration / plan.half_life)) - 1
        self.part = plan.initial_coeff + (plan.final_coeff - plan.initial_coeff) * part

    def happens(self, p: float) -> bool:
        if p <= 0:
            return False
        return float(np.float32(self.rng.draw())) <= float(np.float32(p) * np.float32(2**32 - 1))

    def number(self, field: str, otherwise: float | None, part: float | None = None) -> float:
        g = getattr(self.param, field)
        spread = g.spread * ((self.part if part is None else part) if g.apply_schedule else 1)
        if g.rand_type == "bernoulli":
            return g.multiplier * self.happens(g.prob)
        value = g.mean
        if g.rand_type.endswith("_bernoulli") and not self.happens(g.prob):
            if otherwise is not None:
                return otherwise
            value, spread = 0.0, 0.0
        if spread > 0:
            out = np.empty(1, np.float32)
            if g.rand_type.startswith("uniform"):
                self.rng.uniform(value - spread, value + spread, out)
            else:
                self.rng.gaussian(value, spread, out)
            value = float(out[0])
        value = math.exp(value) if g.exp else value
        if g.discretize:
            value = math.copysign(math.floor(abs(value) + 0.5), value)
        return g.multiplier * value

    def wants(self, *fields: str) -> bool:
        return self.on and any(self.param.HasField(field) for field in fields)

    def space(self) -> dict:
        c = dict(DEFAULTS)
        if self.wants("mirror"):
            c["mirror"] = float(self.number("mirror", None, part=0) != 0)
        if self.wants("translate"):
            c["dx"] = self.number("translate", 0)
            c["dy"] = self.number("translate", 0)
        if self.wants("translate_x"):
            c["dx"] = self.number("translate_x", 0)
        if self.wants("translate_y"):
            c["dy"] = self.number("translate_y", 0)
        if self.wants("rotate"):
            c["angle"] = self.number("rotate", 0)
        if self.wants("zoom"):
            c["zoom_x"] = c["zoom_y"] = self.number("zoom", 1)
        if self.wants("squeeze"):
            by = self.number("squeeze", 1)
            c["zoom_x"] *= by
            c["zoom_y"] /= by
        return c

    def valid(self, before: dict, crop, size) -> dict:
        if not self.wants(
            *("mirror", "translate", "translate_x", "translate_y", "rotate", "zoom", "squeeze")
        ):
            return before
        for _ in range(49):
            c = from_row([a + b for a, b in zip(to_row(self.space()), to_row(before), strict=True)])
            corners = [place(c, x, y, crop, size) for x in (0, crop[1] - 1) for y in (0, crop[0] - 1)]
            if all(0 <= x < size[1] - 1 and 0 <= y < size[0] - 1 for x, y in corners):
                return c
        self.space()
        return before

    def groups(self) -> list[dict]:
        """Contrast, colours, effects: of each group that draws, what it draws."""
        found = []
        if self.wants("gamma", "brightness", "contrast", "color"):
            found.append(
                {
                    name: self.number(name, None)
                    for name in ("gamma", "brightness", "contrast")
                    if self.wants(name)
                }
            )
            if self.wants("color"):
                found[-1] |= {f"color{i}": self.number("color", None) for i in (1, 2, 3)}
        if self.wants("col_rotate", "lmult_pow"):
            found.append(self.eigen())
        if self.wants("noise", "fog_amount"):
            c = {}
            for names in (
                ("fog_amount", "fog_size"),
                ("motion_blur_angle", "motion_blur_size"),
                ("shadow_angle", "shadow_distance", "shadow_strength"),
            ):
                if self.wants(*names):
                    for name in names:
                        c[name] = self.number(name, 0)
            if self.wants("noise"):
                c["noise"] = self.number("noise", None)
            found.append(c)
        return found

    def eigen(self) -> dict:
        c = {}
        for how in ("pow", "add", "mult"):
            for field, axes in ((f"ladd_{how}", (0,)), (f"col_{how}", (1, 2))):
                for axis in axes:
                    if self.wants(field):
                        c[f"{how}_nomean{axis}"] = self.number(field, None)
        for how in ("pow", "add", "mult"):
            if self.wants(f"sat_{how}"):
                c[f"{how}_withmean1"] = c[f"{how}_withmean2"] = self.number(f"sat_{how}", None)
        for how in ("pow", "mult", "add"):
            if self.wants(f"lmult_{how}"):
                c[f"lmult_{how}"] = self.number(f"lmult_{how}", None)
        if self.wants("col_rotate"):
            c["col_angle"] = self.number("col_rotate", None)
        return c


def place(c: dict, x: float, y: float, crop, size) -> tuple[float, float]:
    """Where in the image a pixel of the crop comes from."""
    x, y = x - crop[1] / 2, y - crop[0] / 2
    if c["mirror"]:
        x = -x
    cos, sin = math.cos(c["angle"]), math.sin(c["angle"])
    x, y = cos * x - sin * y, sin * x + cos * y
    x, y = (x + c["dx"] * crop[1]) / c["zoom_x"], (y + c["dy"] * crop[0]) / c["zoom_y"]
    return x + size[1] / 2, y + size[0] / 2


def back(c: dict, x: float, y: float, crop, size) -> tuple[float, float]:
    """The pixel of the crop that comes from a place in the image."""
    x, y = (
        (x - size[1] / 2) * c["zoom_x"] - c["dx"] * crop[1],
        (y - size[0] / 2) * c["zoom_y"] - c["dy"] * crop[0],
    )
    cos, sin = math.cos(c["angle"]), math.sin(c["angle"])
    x, y = cos * x + sin * y, -sin * x + cos * y
    return (-x if c["mirror"] else x) + crop[1] / 2, y + crop[0] / 2


def generate_augmentation_parameters(given: Given) -> list[np.ndarray]:
    draws, param, first = Draws(given, 1), given.param.augmentation_param, given.bottom[0]
    crop, size = (param.crop_height, param.crop_width), (param.bottomheight, param.bottomwidth)
    mode = param.mode
    if len(given.bottom) == 3:
        size, crop = (x.shape[2:] for x in given.bottom[1:])
    elif first.shape[2] > 1:
        mode, size = "regenerate", first.shape[2:]
    assert min(*crop, *size) > 0
    rows = []
    for item in first:
        c = dict(DEFAULTS) if mode == "regenerate" else from_row(item.ravel())
        if mode == "replace" and draws.wants("mirror"):
            c |= {name: DEFAULTS[name] for name in ("mirror", "dx", "dy", "angle", "zoom_x", "zoom_y")}
        c = draws.valid(c, crop, size)
        row = to_row(c)
        for group in draws.groups():
            if mode == "add":
                row = [a + b for a, b in zip(row, to_row(DEFAULTS | group), strict=True)]
            else:
                c |= group
                row = to_row(c)
        rows.append(row)
    return [np.array(rows)[:, :, None, None]]


def data_augmentation(given: Given) -> list[np.ndarray]:
    x, param = given.bottom[0], given.param.augmentation_param
    crops = param.HasField("crop_height") and param.HasField("crop_width")
    size = x.shape[2:]
    crop = (param.crop_height, param.crop_width) if crops else size
    forwards = int(given.blobs[0].item()) + 1
    draws = Draws(given, forwards)
    rows = []
    for n in range(len(x)):
        if len(given.bottom) > 1:
            rows.append(list(given.bottom[1][n].ravel()))
            continue
        c = dict(DEFAULTS)
        if crops:
            c = draws.valid(c, crop, size)
            for group in draws.groups():
                c |= group
        rows.append(to_row(c))
    top = x.copy()
    if crops:
        changed = [
            {
                name: DEFAULTS[name] if abs(v - DEFAULTS[name]) < 1e-3 else v
                for name, v in from_row(row).items()
            }
            for row in rows
        ]

        def value(at):
            n, channel, i, j = at
            column, row = place(changed[n], j, i, crop, size)
            column, row = (max(min(v, end - 1.05), 0) for v, end in ((column, size[1]), (row, size[0])))
            return sum(
                x[n, channel, r, c] * max(0, 1 - abs(row - r)) * max(0, 1 - abs(column - c))
                for r in range(size[0])
                for c in range(size[1])
            )

        top = coloured(taken((*x.shape[:2], *crop), value), x, changed, param, draws.rng)
    if param.recompute_mean:
        _, image, channels = given.blobs
        if forwards <= param.recompute_mean:
            image = (image * (forwards - 1) + sum(top) / len(top)) / forwards
            channels = np.array([plane.sum() / plane.size for plane in image[0]])
        top = top - (image if param.mean_per_pixel else channels.reshape(-1, 1, 1))
    elif len(param.mean) == 3 and not param.mean_per_pixel:
        top = top - np.array(param.mean).reshape(3, 1, 1)
    return [top, np.array(rows)[:, :, None, None]][: given.tops]


def coloured(top: np.ndarray, x: np.ndarray, changed: list[dict], param, rng: Rng) -> np.ndarray:
    names = list(DEFAULTS)
    every, most = list(enumerate(changed)), param.max_multiplier

    def differs(group) -> bool:
        return any(c[name] != DEFAULTS[name] for c in changed for name in group)

    def each(change) -> None:
        for n, c in every:
            for i in range(top.shape[2]):
                for j in range(top.shape[3]):
                    top[n, :, i, j] = change(list(top[n, :, i, j]), c, i, j)

    if differs(names[12:34]):
        axes = np.array(param.chromatic_eigvec).reshape(3, 3)
        pixels = [x[n, :, i, j] for n in range(len(x)) for i in range(x.shape[2]) for j in range(x.shape[3])]
        mean = sum(pixels) / len(pixels)
        extent = [max(abs(sum(axis * pixel)) for pixel in pixels) for axis in axes]
        each(lambda rgb, c, i, j: along_axes(rgb, c, axes, mean, extent, most))
    if differs(names[6:12]):
        each(lambda rgb, c, i, j: with_contrast(rgb, c, most))
    if any(
        c["noise"] > 0
        or c["shadow_strength"] > 0
        or c["motion_blur_size"] > 0
        or (c["fog_amount"] and c["fog_size"])
        for c in changed
    ):
        each(lambda rgb, c, i, j: with_shadow(rgb, c, i - top.shape[2] // 2, j - top.shape[3] // 2, most))
        for n, c in every:
            if c["noise"] > 0:
                noise = np.empty(top.shape[1:], np.float32)
                rng.gaussian(0, c["noise"], noise)
                top[n] += noise
    return top


def with_contrast(rgb: list[float], c: dict, most: float) -> list[float]:
    other = [v * c[f"color{k}"] for k, v in enumerate(rgb, 1)]
    factor = sum(rgb) / (sum(other) + 0.01)
    other = [min(max(v * factor, 0), 1) ** c["gamma"] + c["brightness"] for v in other]
    return [min(max(0.5 + (v - 0.5) * c["contrast"], 0), most) for v in other]


def with_shadow(rgb: list[float], c: dict, y: int, x: int, most: float) -> list[float]:
    angle = c["shadow_angle"]
    dark = x * math.cos(angle) + y * math.sin(angle) > c["shadow_distance"]
    return [min(max(v - dark * c["shadow_strength"], 0), most) for v in rgb]


def along_axes(rgb: list[float], c: dict, axes, mean, extent: list[float], most: float) -> list[float]:
    def bent(v: float, which: str) -> float:
        power = math.copysign(abs(v) ** c[f"pow_{which}"], v)
        return (power + c[f"add_{which}"]) * c[f"mult_{which}"]

    def length(values) -> float:
        return math.sqrt(sum(v * v for v in values))

    e = []
    for k in range(3):
        assert extent[k] > 1e-2
        middle = sum(axes[k] * mean) / extent[k]
        e.append(bent(sum(axes[k] * (np.array(rgb) - mean)) / extent[k], f"nomean{k}") + middle)
    e[0] = bent(e[0], "withmean0")
    s = length(e[1:])
    wanted_s = max(s ** c["pow_withmean1"] + c["add_withmean1"], 0) * c["mult_withmean1"]
    cos, sin = math.cos(c["col_angle"]), math.sin(c["col_angle"])
    e[1:] = [cos * e[1] - sin * e[2], sin * e[1] + cos * e[2]]
    e = [v * extent[k] for k, v in enumerate(e)]
    longest = length(extent)
    part = length(e) / longest
    if s > 1e-2:
        e[1], e[2] = e[1] / s * wanted_s, e[2] / s * wanted_s
    now = length(e)
    wanted = max(part ** c["lmult_pow"] + c["lmult_add"], 0) * c["lmult_mult"] * longest
    if now > 1e-2:
        e = [min(v / now * wanted, extent[k]) for k, v in enumerate(e)]
    return [min(max(sum(axes[k][channel] * e[k] for k in range(3)), 0), most) for channel in range(3)]


def flow_augmentation(given: Given) -> list[np.ndarray]:
    (flow, first, second), param = given.bottom, given.param.augmentation_param
    crop, size = (param.crop_height, param.crop_width), flow.shape[2:]

    def value(at):
        n, axis, i, j = at
        x, y = place(from_row(first[n].ravel()), j, i, crop, size)
        row, column = (min(max(int(v + 0.5), 0), end - 1) for v, end in ((y, size[0]), (x, size[1])))
        right, down = flow[n, :, row, column]
        end = back(from_row(second[n].ravel()), x + right, y + down, crop, size)
        return end[axis] - (i if axis else j)

    return [taken((len(flow), 2, *crop), value)]


def black_augmentation(given: Given) -> list[np.ndarray]:
    rng, tops = Rng(given.seed), [np.zeros_like(x) for x in given.bottom]
    draws = Draws.__new__(Draws)
    draws.rng, draws.param, draws.part = rng, given.param.black_augmentation_param, 1
    for n in range(len(given.bottom[0])):
        if draws.param.HasField("black") and draws.number("black", 0):
            for top in tops:
                if top.shape[1] == 3:
                    top[n] = given.bottom[1][n]
            continue
        border = draws.number("border", 0) if draws.param.HasField("border") else 0
        kind = rng.draw() % 3 if border else None
        for x, top in zip(given.bottom, tops, strict=True):
            height, width = x.shape[2:]
            left = 0 if kind in (1, None) else int(border * width)
            above = 0 if kind in (0, None) else int(border * height)
            for i in range(above, height - above):
                for j in range(left, width - left):
                    top[n, :, i, j] = x[n, :, i, j]
    return tops


NAIVE = {
    "BlackAugmentation": black_augmentation,
    "DataAugmentation": data_augmentation,
    "FlowAugmentation": flow_augmentation,
    "GenerateAugmentationParameters": generate_augmentation_parameters,
}
