"""Measures Fast R-CNN's hierarchical sampling: 2 images with 64 RoIs each against 128 images with one RoI each.

    .venv/bin/python scripts/measure_sampling.py [--repeats 3] [--images 128]

One step of stochastic gradient descent sees 128 RoIs either way, on the training net VGG_CNN_M_1024 of Fast R-CNN at
600 x 800. R-CNN and SPP-net sampled RoIs from all images, so that nearly each came from another one; Girshick (2015,
section 2.3) takes few images and says that this is about 64 times faster. Drawn pictures; forward and backward
are timed, making the minibatch is not. The 128 images go through the net one after the other, as they would not fit
into memory together; their gradients add up.
"""

from __future__ import annotations

import argparse
import itertools

import numpy as np
from measuring import alternate, median, table

import caffe_compat as caffe
from caffe_compat.fast_rcnn.synthetic import synthetic_sample
from caffe_compat.prototxt import zoo

ROIS = 128
CLASSES = 21


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--images", type=int, default=ROIS, help="of the way with one RoI an image")
    args = parser.parse_args()
    few, many = make_net(images=2, rois=ROIS // 2), make_net(images=1, rois=1)
    seconds = alternate(
        args.repeats, few=lambda: step(few, times=1), many=lambda: step(many, times=args.images)
    )
    one, other = median(seconds["few"]), median(seconds["many"])
    table(
        f"a step of SGD on the net VGG_CNN_M_1024, 600 x 800, median of {args.repeats}",
        ("", "seconds", "images/s", "RoIs/s"),
        [
            (f"2 images, {ROIS // 2} RoIs each", f"{one:.2f}", f"{2 / one:.1f}", f"{ROIS / one:.1f}"),
            (
                f"{args.images} images, 1 RoI each",
                f"{other:.2f}",
                f"{args.images / other:.1f}",
                f"{args.images / other:.1f}",
            ),
            ("RoIs a second, ratio", "", "", f"{ROIS / one / (args.images / other):.1f}"),
        ],
    )


def make_net(images: int, rois: int) -> caffe.Net:
    """The plain training net with random weights, serving a few minibatches in turn."""
    net = caffe.Net(zoo.path("vgg_cnn_m_1024_fast_rcnn_train"), caffe.TRAIN)
    rng = np.random.RandomState(1)
    for blob in itertools.chain(*net.params.values()):
        blob.data[...] = rng.standard_normal(blob.shape) * 0.01
    net.layer_dict["data"].set_blobs(
        [synthetic_sample(CLASSES, seed, rois=rois, images=images) for seed in range(2)]
    )
    return net


def step(net: caffe.Net, times: int) -> None:
    net.clear_param_diffs()
    for _ in range(times):
        net.forward()
        net.backward()


if __name__ == "__main__":
    main()
