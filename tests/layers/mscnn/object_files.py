"""Images and lists of their objects for DetectionData, EvalData and ImageGtData, and cases of their params."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from layers.harness import Case

SIZES = (40, 64), (64, 48), (56, 40), (32, 80)  # height, width
# class, ignored, difficult, x1, y1, x2, y2
OBJECTS = (
    [(2, 0, 0, 10, 8, 29, 27), (1, 0, 1, 30, 5, 55, 36), (1, 1, 0, 2, 2, 12, 18)],
    [(1, 0, 0, 5, 20, 40, 55)],
    [],
    [(2, 0, 0, 10, 3, 49, 22), (1, 1, 0, 50, 10, 60, 20)],
)
REGIONS = [(40, 0, 63, 20)], [], [(0, 0, 20, 30)], [(60, 0, 79, 31)]
PIXELS = [
    np.random.RandomState(i).randint(0, 256, (*size, 3)).astype(np.uint8) for i, size in enumerate(SIZES)
]


def write(folder: Path) -> None:
    """The images, and `list8` and `list7`: with `difficult`, and without."""
    for i, image in enumerate(PIXELS):
        cv2.imwrite(f"{folder}/object{i}.png", image)
    for columns in (8, 7):
        text = ""
        for i, (height, width) in enumerate(SIZES):
            text += f"# {i}\nobject{i}.png\n3\n{height}\n{width}\n{len(OBJECTS[i])}\n"
            for row in OBJECTS[i]:
                text += " ".join(str(v) for k, v in enumerate(row) if columns == 8 or k != 2) + "\n"
            text += f"{len(REGIONS[i])}\n" + "".join(" ".join(map(str, row)) + "\n" for row in REGIONS[i])
        (folder / f"list{columns}").write_text(text)


FIELDS = "field_w: 16 field_w: 30 field_h: 20 field_h: 24"


def detection_data(folder: Path, params: str, transform: str = "", tops: int = 4) -> Case:
    text = f'source: "{folder}/list8" root_folder: "{folder}/" batch_size: 2 {FIELDS} stride: 8 stride: 16'
    text = f'type: "DetectionData" detection_data_param {{ {text} output_gt_boxes: true {params} }}'
    return Case(f"{text} transform_param {{ {transform} }}", [], tops=tops)


def image_gt_data(folder: Path, params: str, transform: str = "", tops: int = 4) -> Case:
    text = f'source: "{folder}/list7" root_folder: "{folder}/" batch_size: 2 {FIELDS}'
    text = f"{text} downsample_rate: 8 downsample_rate: 16 output_gt_boxes: true {params}"
    return Case(
        f'type: "ImageGtData" image_gt_data_param {{ {text} }} transform_param {{ {transform} }}',
        [],
        tops=tops,
    )


def eval_data(folder: Path, params: str, transform: str = "", tops: int = 3) -> Case:
    text = f'source: "{folder}/list8" root_folder: "{folder}/" {params}'
    return Case(
        f'type: "EvalData" eval_data_param {{ {text} }} transform_param {{ {transform} }}', [], tops=tops
    )


MEANS = "mean_value: 3 mean_value: 5 mean_value: 7"
DISTORTION = """distort_param { brightness_prob: 0.5 brightness_delta: 32 contrast_prob: 0.5 contrast_lower: 0.5
contrast_upper: 1.5 hue_prob: 0.5 hue_delta: 18 saturation_prob: 0.5 saturation_lower: 0.5 saturation_upper: 1.5 }"""


def object_cases(folder: Path) -> list[Case]:
    write(folder)
    crop = "crop_width: 64 crop_height: 48"
    return [
        *(
            detection_data(folder, params, transform)
            for params, transform in (
                ("resize_width: 64 resize_height: 48", "mirror: true scale: 0.5"),
                (f"resize_ratio: 1.5 {crop} shuffle: 'random'", MEANS),
                (
                    "short_size: 30 long_size: 90 shuffle: 'random_aspect' template_ratio: 1 template_ratio: 2",
                    "",
                ),
                ("crop_short_size: 40 crop_long_size: 56 shuffle: 'random_mix_aspect' mix_group_size: 1", ""),
                (f"{crop} min_gt_width: 30 min_gt_height: 21 fg_threshold: 0.3 ignore_fg_threshold: 0.9", ""),
                (f"{crop} fg_threshold: 0.9 pickup_iou_thr: 0.7 anchor_ignore_margin_ratio: 0.5", ""),
                (f"{crop} anchor_ignore_iou_thr: 0.8 multiscale_prob: 1 min_scale: 20 max_scale: 40", ""),
                (
                    f"{crop} low_scale_ratio: 0.7 high_scale_ratio: 2.5 min_whaspect: 0.6 max_whaspect: 1.8 "
                    f"{DISTORTION}",
                    "",
                ),
            )
        ),
        *(
            image_gt_data(folder, params, transform)
            for params, transform in (
                ("resize_width: 64 resize_height: 48", "mirror: true"),
                (f"{crop} scale: 0.5 shuffle: true", MEANS),
                (f"{crop} min_gt_width: 30 min_gt_height: 21 fg_threshold: 0.3 fg_img_multiple: 2", ""),
                (
                    f"{crop} do_multiple_scale: true min_scale: 10 max_scale: 40 min_whaspect: 0.5 max_whaspect: 2",
                    "",
                ),
            )
        ),
        eval_data(folder, "batch_size: 2 resize_width: 64 resize_height: 32", "scale: 0.5"),
        eval_data(folder, "batch_size: 1 short_size: 60 long_size: 80", MEANS),
    ]
