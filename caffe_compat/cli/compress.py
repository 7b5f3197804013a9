"""caffe-compat compress: makes a net's fully connected layers thin, by truncated SVD."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from caffe_compat.cli import console, options
from caffe_compat.cli.parser import positive

if TYPE_CHECKING:
    from caffe_compat.fast_rcnn.compress import Compressed

DESCRIPTION = """\
Replace the layers fc6 and fc7 of a net by two thin layers each (truncated SVD), which compute about the same
with fewer multiply-adds; write OUTPREFIX.prototxt and OUTPREFIX.caffemodel, and print what that saves and costs.
A layer that its rank would not make smaller stays as it is."""

EXAMPLES = """\
examples:
  caffe-compat compress test.prototxt --weights F.caffemodel -o F_svd
  caffe-compat compress test.prototxt --weights F.caffemodel -o F_svd --fc6 512 --fc7 128 --json"""

HELP: dict[str, Any] = {
    "description": DESCRIPTION,
    "epilog": EXAMPLES,
}


def add_arguments(result: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    result.set_defaults(body=_compress)
    result.add_argument("net", metavar="NET", help="a net, such as a Fast R-CNN test.prototxt")
    options.add_weights(result, required=True)
    result.add_argument("-o", "--output", metavar="OUTPREFIX", required=True, help="names of what is written")
    result.add_argument(
        "--fc6", type=positive, default=1024, metavar="RANK", help="default: 1024, as in the paper"
    )
    result.add_argument(
        "--fc7", type=positive, default=256, metavar="RANK", help="default: 256, as in the paper"
    )
    options.add_python_layers(result)
    options.add_output(result)


def _compress(args: argparse.Namespace) -> None:
    quiet = args.quiet or args.json
    if not quiet:  # before the slow imports: whoever waits sees that something happens
        print(f"caffe-compat compress: {args.net}; the decomposition may take a minute", flush=True)
    from caffe_compat.cli import show
    from caffe_compat.errors import CaffeCompatError
    from caffe_compat.fast_rcnn.classes import as_text, beside, classes_beside
    from caffe_compat.fast_rcnn.compress import compress
    from caffe_compat.files import check_writable
    from caffe_compat.files import write_text as write_file
    from caffe_compat.prototxt.writer import write_text

    files = [f"{args.output}.prototxt", f"{args.output}.caffemodel"]
    for file in files:
        check_writable(file)
    param, net, layers, report = compress(
        args.net, args.weights, {"fc6": args.fc6, "fc7": args.fc7}, console.may_import(args)
    )
    show.weights(report, quiet)
    if all(one.rank is None for one in layers):
        sizes = ", ".join(f"{one.layer} has {one.outputs} x {one.inputs}" for one in layers)
        raise CaffeCompatError(f"these ranks save nothing: {sizes} weights; give lower ones", file=args.net)
    write_text(param, files[0])
    net.save(files[1])
    classes = classes_beside(args.weights)
    if classes is not None:
        files.append(str(beside(files[1])))
        write_file(files[-1], as_text(classes))
    if args.json:
        print(json.dumps(_as_json(args, layers, files), indent=2))
    else:
        _print(layers, files, args.quiet)


def _as_json(args: argparse.Namespace, layers: list[Compressed], files: list[str]) -> dict[str, Any]:
    rows = [
        {**asdict(one), "weights_before": one.inputs * one.outputs, "weights": one.weights} for one in layers
    ]
    return {"net": args.net, "layers": rows, "written": files}


def _print(layers: list[Compressed], files: list[str], quiet: bool) -> None:
    from rich.table import Table

    out = console.out()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("layer", no_wrap=True)
    for name in ("outputs x inputs", "rank", "weights before", "now", "times", "error of weights"):
        table.add_column(name, justify="right", no_wrap=True)
    before = sum(one.inputs * one.outputs for one in layers)
    now = sum(one.weights for one in layers)
    for one in layers:
        whole = one.inputs * one.outputs
        table.add_row(
            one.layer,
            f"{one.outputs} x {one.inputs}",
            "stays" if one.rank is None else str(one.rank),
            f"{whole:,}",
            f"{one.weights:,}",
            f"{whole / one.weights:.2f}",
            f"{100 * one.error:.1f} %",
        )
    out.print(table)
    if not quiet:
        out.print(
            f"saves {before - now:,} params and as many multiply-adds a RoI, of {before:,} ({before / now:.2f} times "
            "fewer); costs what the error of the weights does to the mAP: see evaluate",
            soft_wrap=True,
        )
        for file in files:
            out.print(f"wrote {file}", markup=False, soft_wrap=True)
