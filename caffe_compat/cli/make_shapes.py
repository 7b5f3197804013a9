"""caffe-compat make-shapes: draws a data set to train on."""

from __future__ import annotations

import argparse
import json
from typing import Any

from caffe_compat.cli import console, options

HELP: dict[str, Any] = {
    "description": "Draw a data set of shapes in VOC's format: 20 classes, on textured ground, partly hidden.",
    "epilog": "examples:\n  caffe-compat make-shapes shapes\n  caffe-compat make-shapes hard --hard\n"
    "  run-prototxt shapes_ohem_solver.prototxt --cfg shapes_ohem.yml --devkit shapes",
}


def add_arguments(result: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    result.set_defaults(body=_make)
    result.add_argument("folder", metavar="DIR", help="gets a folder VOC2007")
    result.add_argument(
        "--images", type=int, default=500, metavar="N", help="every fifth is for tests; default: 500"
    )
    result.add_argument(
        "--hard",
        action="store_true",
        help="small, crowded and rare objects among many look-alikes that are no class",
    )
    options.add_seed(result, default=0, told="0")
    options.add_output(result)


def _make(args: argparse.Namespace) -> None:
    from caffe_compat.fast_rcnn.shapes import make_shapes

    with console.progress(args.images, args.quiet or args.json) as bar:
        root = make_shapes(args.folder, args.images, args.seed, bar, args.hard)
    if args.json:
        print(json.dumps({"folder": str(root), "images": args.images, "hard": args.hard}))
    elif not args.quiet:
        print(f"drew {args.images} images into {root}")
