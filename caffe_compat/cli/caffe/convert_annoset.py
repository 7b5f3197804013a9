"""caffe-compat convert-annoset: makes an LMDB of images with their objects, as the tool of SSD's Caffe does."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from caffe_compat.cli.caffe.convert_imageset import add_set, tell
from caffe_compat.cli.caffe.flags import add_flag, add_switch, help_of
from caffe_compat.cli.caffe.mean import check_backend

if TYPE_CHECKING:
    from caffe_compat.tools.annoset import Annotations

HELP = help_of(
    """\
Store the image files that LIST names in a new LMDB, for AnnotatedData, in the order of the list. For detection a
line is two paths below ROOT, an image and its annotation: VOC's XML, a JSON file an image in COCO's words, or a text
of lines "label xmin ymin xmax ymax". For classification it is a path, a blank and a label. An image that cannot be
read, or whose annotation cannot, is left out and reported; the exit code is 7 then.""",
    """\
  caffe-compat convert-annoset VOCdevkit/ trainval.txt trainval_lmdb -anno_type detection \\
      -label_map_file labelmap_voc.prototxt -check_label -encoded -encode_type jpg
  caffe-compat convert-annoset photos/ list.txt lmdb -anno_type detection -label_type txt -redo""",
)


def add_arguments(result: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    add_set(result)
    result.set_defaults(body=_convert)
    kinds = ["classification", "detection"]
    add_flag(result, "anno_type", choices=kinds, default=kinds[0], help=f"default: {kinds[0]}")
    add_flag(result, "label_type", choices=["xml", "json", "txt"], default="xml", help="default: xml")
    add_flag(result, "label_map_file", default="", metavar="F", help="the label of each name, a prototxt")
    add_switch(result, "check_label", "stop at a name that the label map has twice")
    for side, bound in (("min", "the shorter side is at least"), ("max", "the longer side is at most")):
        add_flag(
            result, f"{side}_dim", type=int, default=0, metavar="N", help=f"{bound} N, in the image's ratio"
        )
    add_switch(result, "redo", "replace an LMDB that exists")


def _convert(args: argparse.Namespace) -> None:
    from caffe_compat.cli.stderr_log import log
    from caffe_compat.rng import set_random_seed
    from caffe_compat.tools.annoset import convert_labels, convert_objects
    from caffe_compat.tools.images import Reading
    from caffe_compat.tools.imageset import Storing

    check_backend(args.backend)
    set_random_seed(args.seed)
    reading = Reading(not args.gray, args.resize_height, args.resize_width, args.min_dim, args.max_dim)
    storing = Storing(args.encoded, args.encode_type, args.check_size, args.shuffle, args.redo)
    places = args.root, args.list, args.output, reading, storing
    with log(args.quiet or args.json):
        if args.anno_type == "detection":
            done = convert_objects(*places, _annotations(args))
        else:
            done = convert_labels(*places)
    tell(args, done)


def _annotations(args: argparse.Namespace) -> Annotations:
    from caffe_compat.errors import DataError
    from caffe_compat.tools.annoset import Annotations, read_labels

    if args.label_type == "txt":  # has labels, not names
        return Annotations("txt")
    if not args.label_map_file:
        raise DataError(
            f"annotations of type {args.label_type} have names; give their labels: -label_map_file F"
        )
    return Annotations(args.label_type, read_labels(args.label_map_file, args.check_label))
