"""caffe-compat: the project's commands under one name."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from caffe_compat.cli import (
    check_data,
    classify,
    compress,
    console,
    detect,
    diff,
    draw,
    evaluate,
    explain,
    export,
    layers,
    make_shapes,
    options,
    propose,
    replay,
    run_prototxt,
    train_alternating,
    warm,
)
from caffe_compat.cli.caffe import (
    convert_annoset,
    convert_imageset,
    extract,
    mean,
    parse_log,
    test,
    time,
    train,
    upgrade,
)
from caffe_compat.cli.parser import Parser
from caffe_compat.version import __version__

COMMANDS = {  # in the order of the help
    "run": (run_prototxt, "run a net, forward and backward (also: run-prototxt)"),
    "classify": (classify, "say of what class photos are"),
    "detect": (detect, "find objects in photos"),
    "evaluate": (evaluate, "find objects in a data set, and how well"),
    "train-alternating": (train_alternating, "train Faster R-CNN or R-FCN in alternating stages"),
    "propose": (propose, "write the boxes that an RPN proposes"),
    "compress": (compress, "make fc6 and fc7 of a net thin"),
    "check-data": (check_data, "look for all faults of a data set"),
    "make-shapes": (make_shapes, "draw a data set to train on"),
    "diff": (diff, "compare with the original Caffe, layer by layer"),
    "replay": (replay, "run the layer again that --check-finite stopped at"),
    "explain": (explain, "say where gradient flows, and why not elsewhere"),
    "draw": (draw, "draw a net: its graph, its gradient"),
    "export": (export, "write a net as ONNX"),
    # the actions of the caffe binary, and its tools
    "train": (train, "train a net"),
    "test": (test, "score a net"),
    "time": (time, "time a net, layer by layer"),
    "upgrade": (upgrade, "write an old net, solver or .caffemodel in today's form"),
    "mean": (mean, "compute the mean of images"),
    "convert-imageset": (convert_imageset, "make an LMDB of image files"),
    "convert-annoset": (convert_annoset, "make an LMDB of image files with their objects, for SSD"),
    "extract": (extract, "write what blobs hold: features of images"),
    "parse-log": (parse_log, "make tables of a training log"),
    "warm": (warm, "compile the kernels ahead"),
    "layers": (layers, "list the layer types that can be run"),
}

EXAMPLES = """\
examples:
  caffe-compat run train.prototxt --photo dog.jpg
  caffe-compat detect test.prototxt --weights F.caffemodel dog.jpg --draw found
  caffe-compat evaluate test.prototxt --weights F.caffemodel --devkit VOCdevkit2007
  caffe-compat diff train.prototxt --against recording.npz
  caffe-compat explain train.prototxt fc6
  caffe-compat draw train.prototxt -o net.svg
  caffe-compat export deploy.prototxt --weights F.caffemodel -o net.onnx
  caffe-compat layers --json"""


def parser() -> argparse.ArgumentParser:
    result = Parser(
        prog="caffe-compat",
        description="Runs Caffe nets on the CPU, with the numbers of the original Caffe.",
        epilog=EXAMPLES,
    )
    result.add_argument("--version", action="version", version=f"caffe-compat {__version__}")
    commands = result.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (command, text) in COMMANDS.items():
        one = commands.add_parser(name, help=text, **command.HELP)
        command.add_arguments(one)
        options.add_traceback(one)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    args = parser().parse_args(argv)
    return console.run_command(lambda: args.body(args), args)


if __name__ == "__main__":
    sys.exit(main())
