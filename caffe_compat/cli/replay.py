"""caffe-compat replay: runs the one layer that --check-finite stopped at."""

from __future__ import annotations

import argparse
import json
from typing import Any

from caffe_compat.cli import console, options

DESCRIPTION = """\
Run one layer again, from the replay_LAYER.npz that --check-finite wrote when it stopped there: on the same bottoms,
params, gradients and random numbers. Prints what the layer reads and makes, and the value that is not finite.

The exit code is 0 where it is not finite again in the same places, 1 where it is not (another version, another
machine, a Python layer that was changed). The file has the keys of a recording: prototxt, in:, param:, data:."""

EXAMPLES = """\
examples:
  run-prototxt train.prototxt --weights F.caffemodel --check-finite
  caffe-compat replay replay_fc6.npz
  caffe-compat replay replay_fc6.npz --json"""

HELP: dict[str, Any] = {
    "description": DESCRIPTION,
    "epilog": EXAMPLES,
}


def add_arguments(result: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    result.set_defaults(body=_replay)
    result.add_argument("file", metavar="FILE.npz", help="what --check-finite wrote")
    options.add_python_layers(result)
    options.add_output(result)


def _replay(args: argparse.Namespace) -> int:
    from caffe_compat.cli.check_finite import report
    from caffe_compat.debug import replay
    from caffe_compat.debug.check_finite import NotFinite

    done = replay.run(args.file, console.may_import(args))
    with replay.damaged(args.file):
        finding = NotFinite.from_dict(done.finding)
    if args.json:
        result = {"same": done.same, "value": f"{done.value:g}", "others_within": done.most}
        print(json.dumps({**result, "not_finite": done.finding}, indent=2))
        return 0 if done.same else 1
    if not args.quiet:
        with replay.damaged(args.file):
            report(finding)
    where = "the only value" if not finding.index else f"{finding.index}: {finding.place}"
    print(f"{finding.what} {finding.name} was {finding.value}, is {done.value:g} at {where}")
    same = "the same values are not finite" if done.same else "other values are not finite than were"
    print(f"{same}; finite ones differ by {done.most:g} at most")
    return 0 if done.same else 1
