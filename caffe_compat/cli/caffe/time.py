"""caffe-compat time: the caffe binary's action that times a net."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from caffe_compat.cli import check_finite, console, options
from caffe_compat.cli.caffe.flags import add_flag, add_model_flags, comma_list, help_of, say_no_gpu
from caffe_compat.cli.phases import read_in_phase

if TYPE_CHECKING:
    from caffe_compat.tools.timing import Timing

HELP = help_of(
    """\
Run a net forward and backward so many times and print the mean time of each layer, in the log lines of the caffe
binary (on stderr). Inputs get noise, a RoI data layer a drawn sample.""",
    """\
  caffe-compat time -model train.prototxt -iterations 10
  caffe-compat time -model deploy.prototxt -weights F.caffemodel --table
  caffe-compat time -model train.prototxt --json""",
)


def add_arguments(result: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    result.set_defaults(body=_time)
    add_model_flags(result)
    add_flag(
        result,
        "weights",
        type=comma_list,
        metavar="F[,F]",
        help=".caffemodel files, or HDF5; default: fillers",
    )
    add_flag(result, "phase", choices=["TRAIN", "TEST"], help=f"default: {options.USUAL_PHASE}")
    result.add_argument("--table", action="store_true", help="print a table instead of the log")
    options.add_dialect(result)
    options.add_no_python_layers(result)
    options.add_check_finite(result)
    options.add_computing(result)
    options.add_output(result)


def _time(args: argparse.Namespace) -> None:
    import caffe_compat as caffe
    from caffe_compat.cli import show
    from caffe_compat.cli.stderr_log import log
    from caffe_compat.fast_rcnn import feed
    from caffe_compat.tools.timing import time_net

    say_no_gpu(args.gpu)
    console.set_computing(args)
    with log(args.quiet or args.json or args.table):
        net = caffe.Net.from_param(
            *read_in_phase(args.model, args.phase, args.level, args.stage),
            dialect=args.dialect,
            python_layers=console.may_import(args),
        )
        for path in args.weights or []:
            show.weights(net.copy_from(path), args.quiet or args.json)
        notes = feed.feed_sample(net)
        if not (args.quiet or args.json):
            show.notes(notes)
        with check_finite.checking(args, net):
            timing = time_net(net, args.iterations)
    if args.json:
        print(json.dumps({"file": args.model, "data": notes, **timing.as_dict()}, indent=2))
    elif args.table or args.quiet:
        _print(timing)


def _print(timing: Timing) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("layer", max_width=30, overflow="fold")
    table.add_column("type", max_width=20, overflow="fold")
    for name in ("forward ms", "backward ms", "share"):
        table.add_column(name, justify="right", no_wrap=True)
    whole = timing.forward_ms + timing.backward_ms
    rows = [(layer.name, layer.type, layer.forward_ms, layer.backward_ms) for layer in timing.layers]
    rows.append(("all", "", timing.forward_ms, timing.backward_ms))
    if timing.python_layers:
        rows.append(("of these Python layers", "", timing.python_forward_ms, timing.python_backward_ms))
    for name, type, forward, backward in rows:
        share = f"{100 * (forward + backward) / whole:.1f} %"
        table.add_row(name, type, f"{forward:.3f}", f"{backward:.3f}" if backward else "", share)
    console.out().print(table)
    console.out().print(
        f"{timing.forward_backward_ms:.3f} ms an iteration, {timing.iterations} iteration(s), "
        f"{timing.total_ms:.0f} ms in all"
    )
