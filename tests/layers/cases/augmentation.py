"""Layers of FlowNet2 that transform its images at random."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import TEST, TRAIN
from layers.cases.flow import flow
from layers.harness import Case, unit


def rows(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Coefficients of images: the first is mirrored, the last is not; small, so that all corners lie inside."""
    values = 0.1 * rng.uniform(-1, 1, shape)
    values[:, :3] *= 0.2
    values[:, 4:6] = rng.uniform(0.1, 0.3, values[:, 4:6].shape)
    values[0, 0], values[-1, 0] = 1, 0
    values[:, -1] = 0  # no noise, or the numbers behind would be others
    return values


def generator(name: str, kind: str, mean: float, spread: float, others: str = "") -> str:
    return f'{name} {{ rand_type: "{kind}" mean: {mean} spread: {spread} {others} }} '


SPACE = (
    'mirror { rand_type: "bernoulli" prob: 0.5 } '
    + generator("translate", "uniform_bernoulli", 0, 0.05, "prob: 0.9")
    + generator("translate_x", "gaussian", 0, 0.03, "apply_schedule: false")
    + generator("translate_y", "gaussian_bernoulli", 0, 0.03, "prob: 0.7")
    + generator("rotate", "uniform", 0, 0.2, "multiplier: 0.5")
    + generator("zoom", "uniform_bernoulli", 0.3, 0.1, "exp: true prob: 0.9")
    + generator("squeeze", "gaussian_bernoulli", 0, 0.05, "exp: true prob: 0.8")
)
CONTRAST = (
    generator("gamma", "uniform_bernoulli", 0, 0.4, "exp: true prob: 0.6")
    + generator("brightness", "gaussian", 0, 0.1)
    + generator("contrast", "gaussian_bernoulli", 0.1, 0.2, "exp: true prob: 0.7")
    + generator("color", "uniform", 0, 0.3, "exp: true")
)
EIGEN = "".join(
    generator(name, "uniform_bernoulli" if i % 2 else "gaussian", 0.05, 0.1, f"exp: {how} prob: 0.9")
    for i, (name, how) in enumerate(
        (f"{what}_{how}", str(how != "add").lower())
        for what in ("lmult", "sat", "col", "ladd")
        for how in ("pow", "mult", "add")
    )
) + generator("col_rotate", "uniform", 0, 1)
EFFECTS = (
    generator("fog_amount", "uniform", 2, 1, "discretize: true")
    + generator("fog_size", "uniform_bernoulli", 2, 1, "prob: 0.9")
    + generator("motion_blur_angle", "gaussian", 0, 1)
    + generator("motion_blur_size", "uniform", 2, 1)
    + generator("shadow_angle", "uniform", 0, 3)
    + generator("shadow_distance", "uniform", 0, 1)
    + generator("shadow_strength", "uniform", 0.3, 0.1)
    + generator("noise", "uniform_bernoulli", 0.05, 0.02, "prob: 0.9")
)
AXES = "".join(f"chromatic_eigvec: {x} " for x in (0.51, 0.56, 0.65, 0.79, 0.01, -0.62, 0.35, -0.83, 0.44))
SCHEDULE = "coeff_schedule_param { half_life: 3 initial_coeff: 0.5 final_coeff: 1.5 }"
CROP = "crop_height: 4 crop_width: 6 "
IMAGES, OTHERS = (2, 3, 9, 13), (3, 3, 8, 11)


def _case(type: str, params: str, shapes, others=(), tops: int = 1, phase: int = TRAIN, fixed=()) -> Case:
    return Case(
        f'type: "{type}" {"" if type.startswith("Flow") else SCHEDULE} augmentation_param {{ {params} }}',
        shapes,
        others,
        fills=[flow if shape[1:2] == (2,) else rows if 42 in shape else unit for shape in shapes],
        tops=tops,
        phase=phase,
        gradient=False,
        note="forward only",
        fixed_params=fixed,
        id=f"{type} {params[:60]} {list(shapes)}",
    )


CASES = [
    *(
        _case(
            "DataAugmentation",
            params,
            [(2, 3, 7, 6)],
            [(3, 3, 9, 8)] if "height" in params else (),
            phase=TEST,
            fixed=[0, 1, 2] if "recompute" in params else [0],
        )
        for params in (
            "crop_height: 4 crop_width: 6",
            "crop_height: 4 crop_width: 6 recompute_mean: 3",
            "recompute_mean: 1 mean_per_pixel: false",
            "mean: 1 mean: 2 mean: 4 mean_per_pixel: false",
        )
    ),
    *(
        _case("DataAugmentation", CROP + params, [IMAGES], [OTHERS], tops, phase, [0])
        for params, tops, phase in (
            (SPACE, 2, TRAIN),
            (CONTRAST + "max_multiplier: 0.7", 1, TRAIN),
            (SPACE + EIGEN + AXES + "max_multiplier: 0.9", 2, TRAIN),
            (EFFECTS, 2, TRAIN),
            (SPACE + CONTRAST + EIGEN + EFFECTS + AXES + "augment_during_test: true", 1, TEST),
        )
    ),
    _case(
        "DataAugmentation",
        CROP + AXES,
        [IMAGES, (2, 42, 1, 1)],
        [OTHERS, (3, 42, 1, 1)],
        tops=2,
        phase=TEST,
        fixed=[0],
    ),
    *(
        _case("GenerateAugmentationParameters", params, shapes, others, phase=phase)
        for params, shapes, others, phase in (
            (
                SPACE + CONTRAST,
                [(2, 42, 1, 1), IMAGES, (2, 3, 4, 6)],
                [(3, 42, 1, 1), OTHERS, (3, 3, 4, 5)],
                TRAIN,
            ),
            (
                SPACE + EIGEN + EFFECTS + CROP + 'mode: "replace" bottomheight: 9 bottomwidth: 13',
                [(2, 42, 1, 1)],
                [(3, 42, 1, 1)],
                TRAIN,
            ),
            (CONTRAST + CROP + 'mode: "replace" bottomheight: 9 bottomwidth: 13', [(2, 42, 1, 1)], (), TRAIN),
            (SPACE + EIGEN + CROP + "augment_during_test: true", [IMAGES], [OTHERS], TEST),
            (SPACE + CROP, [IMAGES], [OTHERS], TEST),
        )
    ),
    *(
        Case(
            'type: "BlackAugmentation" black_augmentation_param { '
            f'black {{ rand_type: "bernoulli" prob: {black} }} '
            'border { rand_type: "uniform_bernoulli" mean: 0.2 spread: 0.1 prob: 0.8 } }',
            [(6, 3, 5, 7), (6, 3, 5, 7), (6, 2, 5, 7)],
            [(4, 3, 8, 4), (4, 3, 8, 4), (4, 2, 8, 4)],
            tops=3,
            gradient=False,
            note="forward only",
        )
        for black in (0.4, 0.1)
    ),
    _case(
        "FlowAugmentation",
        CROP,
        [(2, 2, 9, 13), (2, 42, 1, 1), (2, 42, 1, 1)],
        [(3, 2, 8, 11), (3, 42, 1, 1), (3, 42, 1, 1)],
    ),
]
