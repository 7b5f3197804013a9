"""caffe-compat convert-imageset: makes an LMDB of image files, as Caffe's tool does."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from caffe_compat.cli import options
from caffe_compat.cli.caffe.flags import add_flag, add_switch, help_of
from caffe_compat.cli.caffe.mean import add_backend, add_reading, check_backend

if TYPE_CHECKING:
    from caffe_compat.tools.imageset import Converted

HELP = help_of(
    """\
Store the image files that LIST names (a path below ROOT, a blank and a label a line) in a new LMDB, in the order
of the list. An image that cannot be read is left out and reported; the exit code is 7 then.""",
    """\
  caffe-compat convert-imageset photos/ train.txt train_lmdb -resize_height 256 -resize_width 256
  caffe-compat convert-imageset photos/ train.txt train_lmdb -encoded -encode_type png""",
)


def add_arguments(result: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    result.set_defaults(body=_convert)
    add_set(result)


def add_set(result: argparse.ArgumentParser) -> None:
    """Add a list, the LMDB, and how images are read and stored."""
    result.add_argument("root", metavar="ROOT", help="the images' folder")
    result.add_argument("list", metavar="LIST", help="the list")
    result.add_argument("output", metavar="DB", help="the LMDB to make")
    add_reading(result)
    add_switch(result, "shuffle", "store them in a random order")
    add_switch(result, "check_size", "stop at an image of another size")
    add_switch(result, "encoded", "store image files instead of pixels")
    add_flag(result, "encode_type", default="", metavar="T", help="of the image files stored: png, jpg, ...")
    add_backend(result)
    options.add_seed(result, default=0, told="0")
    options.add_output(result)


def _convert(args: argparse.Namespace) -> None:
    from caffe_compat.cli.stderr_log import log
    from caffe_compat.rng import set_random_seed
    from caffe_compat.tools.images import Reading
    from caffe_compat.tools.imageset import Storing, convert

    check_backend(args.backend)
    set_random_seed(args.seed)
    reading = Reading(not args.gray, args.resize_height, args.resize_width)
    storing = Storing(args.encoded, args.encode_type, args.check_size, args.shuffle)
    with log(args.quiet or args.json):
        done = convert(args.root, args.list, args.output, reading, storing)
    tell(args, done)


def tell(args: argparse.Namespace, done: Converted) -> None:
    """Print what --json wants. Raises DataError where images were left out."""
    from caffe_compat.errors import DataError

    if args.json:
        print(json.dumps({"written": args.output, "images": done.count, "left_out": done.left_out}))
    if done.left_out:
        raise DataError(f"{len(done.left_out)} image(s) left out, {done.count} stored", file=args.list)
