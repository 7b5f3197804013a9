"""Compares SPP-net's pyramid with ROIPooling: where the levels match, they are the same.

    .venv/bin/python scripts/measure_spp.py [--repeats 20]

ROIPooling is a pyramid of one level (Girshick 2015, section 2.1). Here its RoI is the whole map, of 512 channels.
Caffe's SPP layer has levels of 1, 2, 4, 8 ... bins a side, so its levels 4 and 8 are compared as they are. A level of 7
bins is a Pooling layer with the window that SPP would give it. Where 7 (4, 8) divides the map's sides, the windows are
the same; elsewhere SPP's windows all have one size and reach into padding, and ROIPooling's differ by a pixel.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from measuring import alternate, median, table

import caffe_compat as caffe

CHANNELS = 512
CASES = [(7, (14, 14)), (7, (21, 28)), (7, (36, 50)), (4, (36, 48)), (8, (40, 56)), (8, (36, 50))]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=20)
    args = parser.parse_args()
    rows = []
    for bins, (height, width) in CASES:
        data = np.random.RandomState(bins).standard_normal((1, CHANNELS, height, width)).astype(np.float32)
        pyramid, roi = make_net(spp_level(bins, height, width), data), make_net(roi_pooling(bins), data)
        one, other = level(pyramid, bins), roi.blobs["pool"].data[0]
        same = f"{100 * np.mean(one == other):.1f} %"
        seconds = alternate(args.repeats, pyramid=pyramid.forward, roi=roi.forward)
        times = [1000 * median(seconds[name]) for name in ("pyramid", "roi")]
        name = f"{height} x {width}, {bins} x {bins} bins ({'SPP' if bins in (4, 8) else 'its rule'})"
        rows.append((name, same, f"{times[0]:.2f}", f"{times[1]:.2f}", f"{times[1] / times[0]:.2f}"))
    table(
        f"one level of the pyramid against ROIPooling of the whole map, {CHANNELS} channels, median of {args.repeats}",
        ("map, level", "bins alike", "SPP ms", "ROIPooling ms", "ratio"),
        rows,
    )


def spp_level(bins: int, height: int, width: int) -> str:
    """An SPP layer that has this level, or the Pooling layer that SPP would make for it."""
    if bins & (bins - 1) == 0:
        return f"type: 'SPP' bottom: 'data' spp_param {{ pyramid_height: {bins.bit_length()} }}"
    kernels = [-(-side // bins) for side in (height, width)]
    pads = [(kernel * bins - side + 1) // 2 for kernel, side in zip(kernels, (height, width), strict=True)]
    return (
        f"type: 'Pooling' bottom: 'data' pooling_param {{ pool: MAX kernel_h: {kernels[0]} kernel_w: {kernels[1]} "
        f"stride_h: {kernels[0]} stride_w: {kernels[1]} pad_h: {pads[0]} pad_w: {pads[1]} }}"
    )


def roi_pooling(bins: int) -> str:
    return (
        "type: 'ROIPooling' bottom: 'data' bottom: 'rois' "
        f"roi_pooling_param {{ pooled_h: {bins} pooled_w: {bins} spatial_scale: 1 }}"
    )


def make_net(layer: str, data: np.ndarray) -> caffe.Net:
    shape = " ".join(f"dim: {size}" for size in data.shape)
    text = f"input: 'data' input_shape {{ {shape} }} input: 'rois' input_shape {{ dim: 1 dim: 5 }}\n"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.prototxt"
        path.write_text(f"{text}layer {{ name: 'pool' top: 'pool' {layer} }}\n")
        net = caffe.Net(str(path), caffe.TEST)
    net.blobs["data"].data[...] = data
    net.blobs["rois"].data[...] = [[0, 0, 0, data.shape[3] - 1, data.shape[2] - 1]]
    net.forward()
    return net


def level(net: caffe.Net, bins: int) -> np.ndarray:
    """The finest level of what was pooled: channels x bins x bins."""
    pooled = net.blobs["pool"].data[0]
    return pooled.reshape(-1)[-CHANNELS * bins * bins :].reshape(CHANNELS, bins, bins)


if __name__ == "__main__":
    main()
