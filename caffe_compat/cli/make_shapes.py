"""caffe-compat make-shapes: draws a data set to train on."""

from __future__ import annotations

import argparse
import json
from typing import Any

from caffe_compat.cli import console, options

HELP: dict[str, Any] = {
    "description": "Draw a data set of shapes in VOC's format: 20 classes, on textured ground, partly hidden.",
    "epilog": "example:\n  caffe-compat make-shapes shapes\n"
    "  run-prototxt shapes_ohem_solver.prototxt --cfg shapes_ohem.yml --devkit shapes",
}


def add_arguments(result: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    result.set_defaults(body=_make)
    result.add_argument("folder", metavar="DIR", help="gets a folder VOC2007")
    result.add_argument(
        "--images", type=int, default=500, metavar="N", help="every fifth is for tests; default: 500"
    )
    options.add_seed(result, default=0, told="0")
    options.add_output(result)


def _make(args: argparse.Namespace) -> None:
    from caffe_compat.fast_rcnn.shapes import make_shapes

    with console.progress(args.images, args.quiet or args.json) as bar:
        root = make_shapes(args.folder, args.images, args.seed, bar)
    if args.json:
        print(json.dumps({"folder": str(root), "images": args.images}))
    elif not args.quiet:
        print(f"drew {args.images} images into {root}")
