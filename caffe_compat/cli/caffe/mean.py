"""caffe-compat mean: Caffe's compute_image_mean."""

from __future__ import annotations

import argparse
import json

from caffe_compat.cli import options
from caffe_compat.cli.caffe.flags import add_flag, add_switch, help_of

HELP = help_of(
    """\
Compute the mean image of an LMDB, or of the image files of a list (a path, a blank and a label a line), print the
mean of each channel, and write the mean image to OUT, a .binaryproto.""",
    """\
  caffe-compat mean train_lmdb mean.binaryproto
  caffe-compat mean train.txt mean.binaryproto --root photos -resize_height 256 -resize_width 256""",
)


def add_arguments(result: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    result.set_defaults(body=_mean)
    result.add_argument("input", metavar="IN", help="an LMDB, or a list of image files")
    result.add_argument("output", metavar="OUT", nargs="?", help="a .binaryproto to write")
    add_backend(result)
    result.add_argument("--root", default="", metavar="DIR", help="of a list: the images' folder")
    add_reading(result)
    options.add_output(result)


def add_backend(result: argparse.ArgumentParser) -> None:
    add_flag(result, "backend", default="lmdb", metavar="lmdb", help="of a database; there is no leveldb")


def check_backend(backend: str) -> None:
    from caffe_compat.errors import DataError

    if backend != "lmdb":
        raise DataError(f"backend '{backend}' is neither read nor written; only lmdb is")


def add_reading(result: argparse.ArgumentParser) -> None:
    """Add how image files are read."""
    add_switch(result, "gray", "read image files as grey ones")
    for side in ("width", "height"):
        add_flag(
            result, f"resize_{side}", type=int, default=0, metavar="N", help="of image files; 0: as it is"
        )


def _mean(args: argparse.Namespace) -> None:
    from caffe_compat.cli.stderr_log import log
    from caffe_compat.files import check_writable
    from caffe_compat.tools.image_mean import image_mean, write_mean
    from caffe_compat.tools.images import Reading, images

    check_backend(args.backend)
    if args.output:
        check_writable(args.output)
    reading = Reading(not args.gray, args.resize_height, args.resize_width)
    with log(args.quiet or args.json):
        mean, count = image_mean(images(args.input, args.root, reading), args.input)
    if args.output:
        write_mean(mean, args.output)
    channels = [float(channel.mean(dtype=float)) for channel in mean]
    if args.json:
        print(
            json.dumps({"images": count, "shape": mean.shape, "mean_value": channels, "written": args.output})
        )
        return
    if args.output and not args.quiet:
        print(f"Write to {args.output}")
    print(f"Number of channels: {len(channels)}")
    for i, value in enumerate(channels):
        print(f"mean_value channel [{i}]: {value:g}")
