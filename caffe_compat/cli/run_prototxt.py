"""run-prototxt: runs a net, forward and backward, and shows what each layer did."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from caffe_compat.cli import console
from caffe_compat.version import __version__

DESCRIPTION = """\
Run a Caffe net, forward and backward, on the CPU, and print for each layer its shapes, its time and whether
gradient flows through it (and if not, why not), then the losses.

A net with a RoI data layer takes its data from --devkit, --photo or --inputs; without, from a drawn sample."""

EXAMPLES = """\
examples:
  run-prototxt train.prototxt --devkit VOCdevkit2007 --weights VGG_CNN_M_1024.v2.caffemodel
  run-prototxt train.prototxt --photo dog.jpg --iterations 3 --seed 1
  run-prototxt deploy.prototxt --phase test --inputs inputs.npz --dump blobs.npz --json"""


HELP: dict[str, Any] = {
    "description": DESCRIPTION,
    "epilog": EXAMPLES,
    "formatter_class": argparse.RawDescriptionHelpFormatter,
}


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(prog="run-prototxt", **HELP)
    result.add_argument("--version", action="version", version=f"caffe-compat {__version__}")
    add_arguments(result)
    return result


def add_arguments(result: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    result.set_defaults(body=_run)
    result.add_argument("net", metavar="FILE", help="the net, a prototxt of any generation")
    result.add_argument("--weights", metavar="F", help="a .caffemodel, or an HDF5 file of weights")
    result.add_argument("--phase", choices=["train", "test"], default="train", help="default: train")
    result.add_argument("--level", type=int, default=0, help="level of the net's state, for include rules")
    result.add_argument(
        "--stage", action="append", default=[], help="a stage of the net's state; may be repeated"
    )
    result.add_argument(
        "--propagate-down",
        choices=["replaces", "restricts"],
        default="replaces",
        help="what a propagate_down flag means: it replaces what the net derives (Caffe since April 2016, the "
        "default), or it can only switch a gradient off (before, and in the Fast R-CNN forks)",
    )
    result.add_argument("--iterations", type=_positive, default=1, metavar="N", help="default: 1")
    result.add_argument(
        "--seed", type=int, metavar="N", help="of the random numbers (fillers, dropout, sampling)"
    )
    result.add_argument("--threads", type=_positive, metavar="N", help="default: all cores")
    data = result.add_argument_group("data")
    source = data.add_mutually_exclusive_group()
    source.add_argument(
        "--inputs", metavar="F.npz", help="arrays by blob name, for input blobs or the RoI data layer"
    )
    source.add_argument("--devkit", metavar="DIR", help="a VOC devkit (holds VOC2007/JPEGImages ...)")
    source.add_argument("--photo", action="append", default=[], metavar="F", help="a photo; may be repeated")
    data.add_argument("--year", default="2007", help="of the devkit, default: 2007")
    data.add_argument("--image-set", default="trainval", help="of the devkit, default: trainval")
    output = result.add_argument_group("output")
    output.add_argument("--dump", metavar="OUT.npz", help="write all blobs, params and gradients there")
    output.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    output.add_argument("--quiet", action="store_true", help="only the losses and errors")
    output.add_argument("--traceback", action="store_true", help="show where in the program an error arose")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    args = parser().parse_args(argv)
    return console.run_command(lambda: _run(args), args.traceback)


def _run(args: argparse.Namespace) -> None:
    talk = not (args.quiet or args.json)
    if talk:  # before the slow imports: whoever waits sees that something happens
        print(f"caffe-compat {__version__}: {args.net}, phase {args.phase.upper()}", flush=True)
    import numpy as np

    import caffe_compat as caffe
    from caffe_compat.cli import show
    from caffe_compat.run import dump, run_net, steps
    from caffe_compat.weights import copy_trained

    if args.threads:
        caffe.set_num_threads(args.threads)
    if args.seed is not None:
        caffe.set_random_seed(args.seed)
        np.random.seed(args.seed)  # of the sampling of RoIs
    if os.getcwd() not in sys.path:  # where users keep the modules of their Python layers
        sys.path.insert(0, os.getcwd())
    net = caffe.Net(
        args.net,
        phase=caffe.TRAIN if args.phase == "train" else caffe.TEST,
        level=args.level,
        stages=args.stage,
        propagate_down=args.propagate_down,
    )
    params = net.copy_from(args.weights) if args.weights else copy_trained(net, (), "")
    if talk:
        show.weights(params)
    notes = _feed(net, args)
    if talk:
        show.notes(notes)
    with console.progress(steps(net, args.iterations), args.quiet or args.json) as bar:
        report = run_net(net, args.iterations, bar)
    if args.dump:
        dump(net, args.dump)
    if args.json:
        json.dump({"file": args.net, "data": notes, **report.as_dict()}, sys.stdout, indent=2)
        print()
    else:
        show.report(report, table=not args.quiet)
        if args.dump and talk:
            print(f"wrote {args.dump}")


def _feed(net, args: argparse.Namespace) -> list[str]:
    """Feed the net from where the arguments say; returns lines that tell what it got."""
    from caffe_compat.fast_rcnn import feed

    if args.inputs:
        return feed.feed_inputs(net, args.inputs)
    if args.devkit or args.photo:
        with console.progress(0, args.quiet or args.json) as bar:  # the first search takes a second a photo
            if args.devkit:
                return feed.feed_devkit(net, args.devkit, args.year, args.image_set, args.iterations, bar)
            return feed.feed_photos(net, args.photo, bar)
    return feed.feed_sample(net, args.seed or 0)


if __name__ == "__main__":
    sys.exit(main())
