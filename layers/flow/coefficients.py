"""The numbers that say how FlowNet2's layers change an image: how they are called, kept in a blob, added up."""

from __future__ import annotations

import numpy as np

F = np.float32

NAMES = (
    *("mirror", "dx", "dy", "angle", "zoom_x", "zoom_y"),
    *("gamma", "brightness", "contrast", "color1", "color2", "color3"),
    *(
        f"{what}_{mean}{i}"
        for mean in ("nomean", "withmean")
        for what in ("pow", "add", "mult")
        for i in range(3)
    ),
    *("lmult_pow", "lmult_add", "lmult_mult", "col_angle"),
    *("fog_amount", "fog_size", "motion_blur_angle", "motion_blur_size"),
    *("shadow_angle", "shadow_distance", "shadow_strength", "noise"),
)
COUNT = len(NAMES)
SPATIAL = NAMES[:6]
CONTRAST = NAMES[6:12]
EIGEN = NAMES[12:34]

_FACTORS = np.array(
    [
        name.startswith(("zoom", "gamma", "contrast", "color", "pow", "mult", "lmult_pow", "lmult_mult"))
        for name in NAMES
    ]
)
Coefficients = dict[str, np.float32]
UNCHANGED: Coefficients = {name: F(is_factor) for name, is_factor in zip(NAMES, _FACTORS, strict=True)}


def to_row(coefficients: Coefficients) -> np.ndarray:
    """COUNT numbers: the logarithms of factors and powers, the others as they are; so that rows add up.

    Source: AugmentationLayerBase of lmb-freiburg/flownet2, and its message AugmentationCoeff, whose order this is.
    """
    values = np.array([coefficients[name] for name in NAMES], F)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(_FACTORS, np.log(values), values)


def from_row(row: np.ndarray) -> Coefficients:
    """What `to_row` made a row of."""
    with np.errstate(over="ignore"):
        values = np.where(_FACTORS, np.exp(row.astype(F)), row.astype(F))
    return dict(zip(NAMES, values, strict=True))


def without_traces(coefficients: Coefficients) -> Coefficients:
    """Those that change an image by less than 0.001 are to change nothing."""
    return {
        name: UNCHANGED[name] if abs(UNCHANGED[name] - value) < 1e-3 else value
        for name, value in coefficients.items()
    }


def differ(coefficients: Coefficients, names: tuple[str, ...]) -> bool:
    """Whether one of these changes an image."""
    return any(coefficients[name] != UNCHANGED[name] for name in names)
