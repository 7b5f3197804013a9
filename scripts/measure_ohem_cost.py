"""Measures what hard example mining costs: time an iteration and peak memory, against plain Fast R-CNN.

    .venv/bin/python scripts/measure_ohem_cost.py [--rois 2000] [--repeats 5] [--rounds 3]

Both nets are VGG_CNN_M_1024 as shipped, with random weights, on drawn pictures of 600 x 800; an iteration sees 2 images
and learns from 128 RoIs: plain Fast R-CNN samples 64 an image, OHEM scores all RoIs of each image and keeps the 64
hardest. Forward and backward are timed, making the minibatch and the update are not. The programs run in turn, each
in a process of its own.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import time

import numpy as np
from measuring import in_process, median, table

import caffe_compat as caffe
from caffe_compat.fast_rcnn.synthetic import synthetic_sample
from caffe_compat.prototxt import zoo

NETS = {"Fast R-CNN": "vgg_cnn_m_1024_fast_rcnn_train", "OHEM": "vgg_cnn_m_1024_fast_rcnn_ohem_train"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rois", type=int, default=2000, help="of an image, all of which OHEM scores")
    parser.add_argument("--repeats", type=int, default=5, help="iterations in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=NETS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        print(json.dumps(measure(args)))
        return
    found: dict[str, list[dict]] = {method: [] for method in NETS}
    for _ in range(args.rounds):
        for method, results in found.items():
            options = ("--rois", str(args.rois), "--repeats", str(args.repeats))
            results.append(json.loads(in_process(__file__, "--only", method, *options)))
    rows = []
    for method, results in found.items():
        seconds = median([s for result in results for s in result["seconds"]])
        rows.append((method, seconds, max(result["peak_mb"] for result in results)))
    (_, plain_s, plain_mb), (_, ohem_s, ohem_mb) = rows
    table(
        f"an iteration of 2 images, 128 RoIs learnt from, {args.rois} RoIs an image; {args.rounds} x {args.repeats}",
        ("", "seconds, median", "peak MB"),
        [
            *((method, f"{seconds:.2f}", f"{peak:.0f}") for method, seconds, peak in rows),
            ("ratio", f"{ohem_s / plain_s:.2f}", f"{ohem_mb / plain_mb:.2f}"),
        ],
    )


def measure(args: argparse.Namespace) -> dict:
    """Seconds of each iteration, and the peak memory of this process."""
    net = caffe.Net(zoo.path(NETS[args.only]), caffe.TRAIN)
    rng = np.random.RandomState(1)
    for blob in itertools.chain(*net.params.values()):
        blob.data[...] = rng.standard_normal(blob.shape) * 0.01
    mining = args.only == "OHEM"
    rois, images = (args.rois, 1) if mining else (64, 2)
    net.layer_dict["data"].set_blobs(
        [synthetic_sample(21, seed, rois=rois, images=images) for seed in range(2)]
    )
    seconds = []
    for _ in range(args.repeats + 1):
        start = time.perf_counter()
        net.clear_param_diffs()
        for _ in range(2 // images):
            net.forward()
            net.backward()
        seconds.append(time.perf_counter() - start)
    return {
        "seconds": seconds[1:],
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    main()
