"""Measures what sharing the convolutions over all RoIs of an image saves against R-CNN's way.

    .venv/bin/python scripts/measure_shared_conv.py [--rois 2000] [--warped 64] [--repeats 3]

Fast R-CNN runs the convolutions once for the image and pools each RoI from their output; R-CNN (Girshick et al. 2014)
warps each RoI to 224 x 224 and runs the whole net on it. Both ways use the test net VGG_CNN_M_1024 with the same
random weights on a drawn picture of 600 x 800 (R-CNN's way: each warped RoI is a picture with one RoI, all of it).
R-CNN's way is timed on some of the RoIs, in batches, and scaled to all.
"""

from __future__ import annotations

import argparse
import itertools

import cv2
import numpy as np
from measuring import alternate, median, table

import caffe_compat as caffe
from caffe_compat.fast_rcnn.synthetic import synthetic_sample
from caffe_compat.prototxt import zoo

SIDE = 224  # pixels of a warped RoI, what the classification net was made for
BATCH = 16


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rois", type=int, default=2000)
    parser.add_argument(
        "--warped", type=int, default=64, help=f"RoIs timed in R-CNN's way, a multiple of {BATCH}"
    )
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    sample = synthetic_sample(21, rois=args.rois)
    image, rois = sample["data"], sample["rois"]
    warped = warp(image[0], rois[: args.warped])
    shared_net, warped_net = make_net(), make_net()
    seconds = alternate(
        args.repeats,
        shared=lambda: forward(shared_net, image, rois),
        warped=lambda: [
            forward(warped_net, warped[i : i + BATCH], whole(BATCH)) for i in range(0, len(warped), BATCH)
        ],
    )
    shared = median(seconds["shared"])
    alone = median(seconds["warped"]) * len(rois) / len(warped)
    table(
        f"{len(rois)} RoIs of an image of 600 x 800 through VGG_CNN_M_1024, forward, median of {args.repeats}",
        ("", "seconds", "ms a RoI"),
        [
            ("one trunk for all (Fast R-CNN)", f"{shared:.2f}", f"{1000 * shared / len(rois):.2f}"),
            (
                f"each warped (R-CNN; of {len(warped)}, scaled)",
                f"{alone:.2f}",
                f"{1000 * alone / len(rois):.2f}",
            ),
            ("ratio", f"{alone / shared:.1f}", ""),
        ],
    )


def make_net() -> caffe.Net:
    net = caffe.Net(zoo.path("vgg_cnn_m_1024_fast_rcnn_test"), caffe.TEST)
    rng = np.random.RandomState(1)
    for blob in itertools.chain(*net.params.values()):
        blob.data[...] = rng.standard_normal(blob.shape) * 0.01
    return net


def warp(image: np.ndarray, rois: np.ndarray) -> np.ndarray:
    """The RoIs of an image (3 x h x w), each resized to SIDE x SIDE: R x 3 x SIDE x SIDE float32."""
    picture = image.transpose(1, 2, 0)
    crops = []
    for x1, y1, x2, y2 in rois[:, 1:].astype(int):
        crops.append(cv2.resize(picture[y1 : y2 + 1, x1 : x2 + 1], (SIDE, SIDE)).transpose(2, 0, 1))
    return np.ascontiguousarray(crops)


def whole(count: int) -> np.ndarray:
    """One RoI for each of `count` pictures of SIDE x SIDE, all of it."""
    return np.array([[i, 0, 0, SIDE - 1, SIDE - 1] for i in range(count)], np.float32)


def forward(net: caffe.Net, data: np.ndarray, rois: np.ndarray) -> None:
    for name, value in (("data", data), ("rois", rois)):
        net.blobs[name].reshape(*value.shape)
        net.blobs[name].data[...] = value
    net.forward()


if __name__ == "__main__":
    main()
