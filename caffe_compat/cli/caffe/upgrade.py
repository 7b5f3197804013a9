"""caffe-compat upgrade: Caffe's three upgrade tools in one."""

from __future__ import annotations

import argparse
import json

from caffe_compat.cli import options
from caffe_compat.cli.caffe.flags import help_of

HELP = help_of(
    "Write a net, a solver or a .caffemodel of any generation in today's form. What IN is, its content says.",
    """\
  caffe-compat upgrade v0_train.prototxt train.prototxt
  caffe-compat upgrade old.caffemodel new.caffemodel
  caffe-compat upgrade old_solver.prototxt solver.prototxt --json""",
)


def add_arguments(result: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    result.set_defaults(body=_upgrade)
    result.add_argument("input", metavar="IN", help="a .prototxt or .caffemodel")
    result.add_argument("output", metavar="OUT", help="what to write")
    options.add_output(result)


def _upgrade(args: argparse.Namespace) -> None:
    from dataclasses import asdict

    from caffe_compat.tools.upgrade import upgrade

    done = upgrade(args.input, args.output)
    if args.json:
        print(json.dumps(asdict(done)))
    elif not args.quiet:
        if not done.changed:
            print(f"File already in latest proto format: {done.file}")
        print(f"Wrote upgraded {done.kind} to {done.written}")
