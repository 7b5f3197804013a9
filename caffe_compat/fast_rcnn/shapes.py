"""A data set of drawn shapes in VOC's format: small, not too easy to learn, and the same for the same seed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.hard_scene import HardScene
from caffe_compat.fast_rcnn.scene import Scene
from caffe_compat.files import new_folder


def make_shapes(
    folder: str | os.PathLike[str],
    images: int = 500,
    seed: int = 0,
    on_image: Callable[[str], None] = lambda name: None,
    hard: bool = False,
) -> Path:
    """Draw a devkit: `folder`/VOC2007 with JPEGImages, Annotations and the image sets trainval and test.

    Every fifth image belongs to the test set. Images have 260 to 320 by 200 to 240 pixels; a third of them are upright.
    What is in them, `scene.Scene` says; with `hard`, `hard_scene.HardScene`. The same seed gives the same images,
    whatever their number. `on_image` is told the name of each.

    Returns the folder VOC2007. Raises DataError where it exists or cannot be written, and for fewer than five images.
    """
    if images < 5:
        raise DataError(f"{images} image(s) are asked for; every fifth is for tests, so five are the fewest")
    root = Path(folder) / "VOC2007"
    try:
        with new_folder(root) as temporary:
            _draw(Path(temporary), images, seed, HardScene if hard else Scene, on_image)
    except FileExistsError as error:
        raise DataError(
            "there is a data set already; remove it, or give another folder", file=str(root)
        ) from error
    except OSError as error:
        raise DataError(f"cannot write the data set: {error.strerror}", file=str(root)) from error
    return root


def _draw(root: Path, images: int, seed: int, kind: type[Scene], on_image: Callable[[str], None]) -> None:
    for part in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / part).mkdir(parents=True)
    names = [f"{i:06d}" for i in range(1, images + 1)]
    for i, name in enumerate(names):
        scene = kind(np.random.RandomState([seed, i]))
        jpeg = cv2.imencode(".jpg", scene.image, [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
        (root / "JPEGImages" / f"{name}.jpg").write_bytes(jpeg.tobytes())
        (root / "Annotations" / f"{name}.xml").write_text(_annotation(name, scene))
        on_image(name)
    test = names[4::5]
    trainval = [name for name in names if name not in test]
    for image_set, members in (("trainval", trainval), ("test", test)):
        (root / "ImageSets/Main" / f"{image_set}.txt").write_text("".join(f"{name}\n" for name in members))


def _annotation(name: str, scene: Scene) -> str:
    height, width = scene.owner.shape
    lines = [
        "<annotation>",
        f"  <folder>VOC2007</folder>\n  <filename>{name}.jpg</filename>",
        f"  <size><width>{width}</width><height>{height}</height><depth>3</depth></size>",
        "  <segmented>0</segmented>",
    ]
    for one in scene.objects:
        y, x = np.nonzero(one.mask)
        corners = {"xmin": x.min(), "ymin": y.min(), "xmax": x.max(), "ymax": y.max()}
        box = "".join(f"<{corner}>{value + 1}</{corner}>" for corner, value in corners.items())
        lines.append(
            f"  <object>\n    <name>{one.name}</name><pose>Unspecified</pose>"
            f"<truncated>{int(one.truncated)}</truncated><difficult>0</difficult>\n"
            f"    <bndbox>{box}</bndbox>\n  </object>"
        )
    return "\n".join([*lines, "</annotation>", ""])
