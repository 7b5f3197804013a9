"""caffe-compat parse-log: Caffe's parse_log.py."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict

from caffe_compat.cli import options
from caffe_compat.cli.caffe.flags import help_of
from caffe_compat.text import finite

HELP = help_of(
    """\
Write the tables LOG.train and LOG.test of a training log, of Caffe's or ours, into the folder OUTDIR: NumIters,
Seconds, LearningRate, and each output. The columns and numbers are those of Caffe's parse_log.py. A table without
rows is not written.""",
    """\
  caffe-compat train -solver solver.prototxt 2> train.log
  caffe-compat parse-log train.log .
  caffe-compat parse-log train.log --json""",
)


def add_arguments(result: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    result.set_defaults(body=_parse)
    result.add_argument("log", metavar="LOG", help="what a training wrote to stderr")
    result.add_argument("folder", metavar="OUTDIR", nargs="?", help="a folder; not needed with --json")
    result.add_argument("--delimiter", default=",", metavar="C", help="between columns; default: a comma")
    result.add_argument("--verbose", action="store_true", help="taken, and without effect: see --quiet")
    options.add_output(result)


def _parse(args: argparse.Namespace) -> None:
    from caffe_compat.errors import CaffeCompatError
    from caffe_compat.tools.parse_log import parse_log, write_csv

    if args.folder is None and not args.json:
        raise CaffeCompatError("name a folder for the tables, or give --json")
    if len(args.delimiter) != 1:
        raise CaffeCompatError(f"the delimiter is one character, not '{args.delimiter}'")
    log = parse_log(args.log)
    for kind, rows in (("train", log.train), ("test", log.test)) if args.folder else ():
        path = os.path.join(args.folder, f"{os.path.basename(args.log)}.{kind}")
        if rows:
            write_csv(rows, path, args.delimiter)
        if not (args.quiet or args.json):
            print(f"Wrote {path}" if rows else f"Not writing {path}; no lines to write")

    if args.json:
        print(json.dumps(finite(asdict(log)), indent=2))
