"""A made-up data set of two classes, bolts and gears, in VOC's form, in COCO's, and as a table; and a net for it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np

CLASSES = ("bolt", "gear")
CATEGORIES = {"bolt": 17, "gear": 4}  # COCO's numbers are neither contiguous nor in the order of the classes
WIDTH, HEIGHT = 96, 72
Object = tuple[str, int, int, int, int]  # class, x1 y1 x2 y2 from 0

_LAYERS = """\
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 8 kernel_size: 5 stride: 2 pad: 2 weight_filler { type: "xavier" } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "conv2" type: "Convolution" bottom: "conv1" top: "conv2"
        convolution_param { num_output: 12 kernel_size: 3 stride: 2 pad: 1 weight_filler { type: "msra" } } }
layer { name: "relu2" type: "ReLU" bottom: "conv2" top: "conv2" }
layer { name: "pool" type: "ROIPooling" bottom: "conv2" bottom: "rois" top: "pool"
        propagate_down: true propagate_down: false
        roi_pooling_param { pooled_w: 4 pooled_h: 4 spatial_scale: 0.25 } }
layer { name: "fc" type: "InnerProduct" bottom: "pool" top: "fc"
        inner_product_param { num_output: 48 weight_filler { type: "msra" } } }
layer { name: "relu" type: "ReLU" bottom: "fc" top: "fc" }
layer { name: "cls_score" type: "InnerProduct" bottom: "fc" top: "cls_score"
        inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "bbox_pred" type: "InnerProduct" bottom: "fc" top: "bbox_pred"
        inner_product_param { num_output: 12 weight_filler { type: "gaussian" std: 0.001 } } }
"""
TRAIN = f"""\
layer {{ name: "data" type: "Python"
        top: "data" top: "rois" top: "labels"
        top: "bbox_targets" top: "bbox_inside_weights" top: "bbox_outside_weights"
        python_param {{ module: "roi_data_layer.layer" layer: "RoIDataLayer" param_str: "'num_classes': 3" }} }}
{_LAYERS}
layer {{ name: "loss_cls" type: "SoftmaxWithLoss" bottom: "cls_score" bottom: "labels" top: "loss_cls" }}
layer {{ name: "loss_bbox" type: "SmoothL1Loss" bottom: "bbox_pred" bottom: "bbox_targets"
        bottom: "bbox_inside_weights" bottom: "bbox_outside_weights" top: "loss_bbox" loss_weight: 1 }}
"""
TEST = f"""\
input: "data" input_shape {{ dim: 1 dim: 3 dim: {HEIGHT} dim: {WIDTH} }}
input: "rois" input_shape {{ dim: 1 dim: 5 }}
{_LAYERS}
layer {{ name: "cls_prob" type: "Softmax" bottom: "cls_score" top: "cls_prob" }}
"""
SOLVER = """\
train_net: "train.prototxt" type: "Adam" base_lr: 0.003 lr_policy: "fixed" max_iter: 60 snapshot: 20
momentum: 0.9 momentum2: 0.999 display: 0 snapshot_prefix: "own" random_seed: 5
"""


def write_all(folder: Path, photos: int = 6) -> None:
    """Write screws/ (in VOC's form), coco.json and boxes.csv, all of the photos in screws/JPEGImages, and the net."""
    for name in ("JPEGImages", "Annotations"):
        (folder / "screws" / name).mkdir(parents=True)
    found = {f"screw {i}": draw(folder / f"screws/JPEGImages/screw {i}.png", i) for i in range(photos)}
    for name, objects in found.items():
        (folder / f"screws/Annotations/{name}.xml").write_text(as_xml(objects))
    (folder / "coco.json").write_text(json.dumps(as_coco(found)))
    with open(folder / "boxes.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["photo", "class", "x1", "y1", "x2", "y2"])
        rows.writerows([f"{name}.png", *one] for name, objects in found.items() for one in objects)
    (folder / "train.prototxt").write_text(TRAIN)
    (folder / "test.prototxt").write_text(TEST)
    (folder / "solver.prototxt").write_text(SOLVER)


def draw(path: Path, seed: int) -> list[Object]:
    """Draw a bolt (upright, bright) and a gear (round, dark) on grained ground; returns them."""
    rng = np.random.RandomState(seed)
    image = rng.randint(100, 130, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    objects: list[Object] = []
    for name, left in zip(CLASSES if seed % 2 else CLASSES[::-1], (2, WIDTH // 2 + 2), strict=True):
        x1, y1 = left + int(rng.randint(0, 12)), int(rng.randint(2, 16))
        x2, y2 = (x1 + 13, y1 + 45) if name == "bolt" else (x1 + 28, y1 + 28)
        if name == "bolt":
            cv2.rectangle(image, (x1, y1), (x2, y2), (230, 235, 240), -1)
        else:
            cv2.circle(image, (x1 + 14, y1 + 14), 14, (30, 25, 20), -1)
        objects.append((name, x1, y1, x2, y2))
    cv2.imwrite(str(path), image)
    return objects


def as_xml(objects: list[Object]) -> str:
    """An annotation as labelling tools write it: no `difficult`, no `pose`."""
    lines = [
        f"<object><name>{name}</name><bndbox><xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin><xmax>{x2 + 1}</xmax>"
        f"<ymax>{y2 + 1}</ymax></bndbox></object>"
        for name, x1, y1, x2, y2 in objects
    ]
    return f"<annotation>{''.join(lines)}</annotation>"


def as_coco(found: dict[str, list[Object]]) -> dict:
    """The same in COCO's form."""
    return {
        "images": [
            {"id": 7 * i + 3, "file_name": f"{name}.png", "width": WIDTH, "height": HEIGHT}
            for i, name in enumerate(found)
        ],
        "categories": [{"id": number, "name": name} for name, number in CATEGORIES.items()],
        "annotations": [
            {
                "id": 10 * i + j,
                "image_id": 7 * i + 3,
                "category_id": CATEGORIES[name],
                "bbox": [x1, y1, x2 - x1 + 1, y2 - y1 + 1],
                "area": (x2 - x1 + 1) * (y2 - y1 + 1),
                "iscrowd": 0,
            }
            for i, objects in enumerate(found.values())
            for j, (name, x1, y1, x2, y2) in enumerate(objects)
        ],
    }
