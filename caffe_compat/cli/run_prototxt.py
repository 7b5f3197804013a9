"""run-prototxt: runs a net, forward and backward, and shows what each layer did."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from caffe_compat.cli import check_finite, configuration, console, html, options, photos
from caffe_compat.cli.parser import Parser, positive
from caffe_compat.cli.phases import read_in_phase
from caffe_compat.version import __version__

if TYPE_CHECKING:
    from caffe_compat.fast_rcnn.config import Config
    from caffe_compat.fast_rcnn.dataset import Dataset
    from caffe_compat.net import Net

DESCRIPTION = """\
Run a Caffe net, forward and backward, on the CPU, and print for each layer its shapes, its time and whether
gradient flows through it (and if not, why not), then the losses. Given a solver, train its net.

A net with a RoI data layer takes its data from --devkit, --data, --photo (one an iteration) or --inputs; without, from
a drawn sample. A net with Input layers takes --inputs; one with a single image for its input --photo too, all as one
batch, made as by caffe-compat classify; without, noise."""

EXAMPLES = """\
examples:
  run-prototxt train.prototxt --devkit VOCdevkit2007 --weights VGG_CNN_M_1024.v2.caffemodel
  run-prototxt train.prototxt --photo dog.jpg --iterations 3 --seed 1
  run-prototxt deploy.prototxt --phase test --inputs inputs.npz --dump blobs.npz --json
  run-prototxt deploy.prototxt --weights F.caffemodel --photo photos/ --mean 104,117,123
  run-prototxt train.prototxt --photo dog.jpg --html page.html
  run-prototxt solver.prototxt --cfg fast_rcnn_ohem.yml --devkit VOCdevkit2007 --metrics loss.csv
  run-prototxt solver.prototxt --devkit VOCdevkit2007 --resume vgg_iter_10000.solverstate
  run-prototxt solver.prototxt --devkit screws --classes bolt,gear
  run-prototxt solver.prototxt --data coco:annotations.json:photos"""


HELP: dict[str, Any] = {
    "description": DESCRIPTION,
    "epilog": EXAMPLES,
}


def parser() -> argparse.ArgumentParser:
    result = Parser(prog="run-prototxt", **HELP)
    result.add_argument("--version", action="version", version=f"caffe-compat {__version__}")
    add_arguments(result)
    options.add_traceback(result)
    return result


def add_arguments(result: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    result.set_defaults(body=_run)
    result.add_argument("net", metavar="FILE", help="a net or a solver, a prototxt of any generation")
    options.add_weights(result)
    result.add_argument(
        "--iterations", type=positive, metavar="N", help="default: 1 for a net, max_iter for a solver"
    )
    options.add_state(result)
    options.add_run(result)
    net = result.add_argument_group("of a net")
    options.add_phase(net)
    net.add_argument("--dump", metavar="OUT.npz", help="write all blobs, params and gradients there")
    options.add_photo(net)
    solver = result.add_argument_group("of a solver")
    solver.add_argument("--resume", metavar="F.solverstate", help="go on from a snapshot")
    options.add_training(solver)
    data = result.add_argument_group("data")
    options.add_data(data)
    options.add_configuration(data)
    output = result.add_argument_group("output")
    options.add_html(output)
    options.add_output(output)


OF_A_NET = ("dump", "photo", *photos.OPTIONS)
OF_A_SOLVER = ("resume", "metrics", "plot", "proposals", "skip_bad_images")


def _check(args: argparse.Namespace, is_solver: bool) -> None:
    """Raise CaffeCompatError for arguments that do not go together, or not with the file."""
    from caffe_compat.errors import CaffeCompatError

    sources = [f"--{name}" for name in ("inputs", "devkit", "data", "photo") if getattr(args, name)]
    if len(sources) > 1:
        raise CaffeCompatError(f"data can come from one place only, not from {' and '.join(sources)}")
    for name in OF_A_NET if is_solver else OF_A_SOLVER:
        if getattr(args, name):
            option, kind = name.replace("_", "-"), ("net", "solver") if is_solver else ("solver", "net")
            raise CaffeCompatError(f"--{option} is for a {kind[0]}, and this is a {kind[1]}", file=args.net)
    photos.check_options(args)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    args = parser().parse_args(argv)
    return console.run_command(lambda: _run(args), args)


def _run(args: argparse.Namespace) -> None:
    verbose = not (args.quiet or args.json)
    if verbose:  # before the slow imports: whoever waits sees that something happens
        print(f"caffe-compat {__version__}: {args.net}", flush=True)
    from caffe_compat.prototxt.reader import is_solver

    console.set_computing(args)
    solver = is_solver(args.net)
    _check(args, solver)
    with console.compiling(not verbose):
        if solver:
            from caffe_compat.cli.train import train

            train(args)
        else:
            _run_net(args, verbose)


def _run_net(args: argparse.Namespace, verbose: bool) -> None:
    import numpy as np

    import caffe_compat as caffe
    from caffe_compat.cli import show
    from caffe_compat.cli.dataset import open_dataset, trained_classes
    from caffe_compat.files import check_writable
    from caffe_compat.tools.run import dump, run_net, steps
    from caffe_compat.weights import copy_trained

    html.check(args)
    if args.dump:
        check_writable(args.dump)
    if args.seed is not None:
        caffe.set_random_seed(args.seed)
        np.random.seed(args.seed)  # of the sampling of RoIs
    cfg = configuration.read(args) if args.cfg or args.set else None
    net = caffe.Net.from_param(
        *read_in_phase(args.net, args.phase, args.level, args.stage),
        propagate_down=args.propagate_down,
        layer_settings=cfg.layer_settings() if cfg else None,
        dialect=args.dialect,
        python_layers=console.may_import(args),
    )
    cfg = cfg and configuration.for_nets(args, cfg, [net])
    params = net.copy_from(args.weights) if args.weights else copy_trained(net, (), "")
    show.weights(params, not verbose)
    dataset = open_dataset(args, trained_classes(args.weights))
    classes = dataset.classes if dataset else _classes(net, args)
    notes = _feed(net, args, dataset, cfg)
    if verbose:
        show.notes(notes)
    iterations = args.iterations or 1
    with (
        html.looking(args, net, iterations) as look,
        check_finite.checking(args, net),
        console.progress(steps(net, iterations), not verbose) as bar,
    ):
        report = run_net(net, iterations, bar)
    if args.dump:
        dump(net, args.dump)
    show.warnings(report)
    if args.json:
        json.dump(show.as_json(args.net, notes, params, report), sys.stdout, indent=2, allow_nan=False)
        print()
    else:
        show.report(report, classes, table=not args.quiet)
        if args.dump and verbose:
            print(f"wrote {args.dump}")
    if look is not None:
        html.write_run(args, net, report, look, notes, classes or None)


def _classes(net: Net, args: argparse.Namespace) -> Sequence[str]:
    """The names of the net's classes where no data set gives them."""
    from caffe_compat.cli.dataset import net_classes
    from caffe_compat.layers.fast_rcnn.hard_roi_mining import HardRoIMining
    from caffe_compat.layers.fast_rcnn.roi_data import RoIDataLayer

    numbers = [layer.num_classes for layer in net.layers if isinstance(layer, RoIDataLayer | HardRoIMining)]
    return net_classes(args, numbers[0]) if numbers else ()


def _feed(net: Net, args: argparse.Namespace, dataset: Dataset | None, cfg: Config | None) -> list[str]:
    """Feed the net from where the arguments say; returns lines that tell what it got."""
    from caffe_compat.errors import CaffeCompatError
    from caffe_compat.fast_rcnn import feed
    from caffe_compat.fast_rcnn.images import photo_paths

    if args.inputs:
        return feed.feed_inputs(net, args.inputs)
    paths = photo_paths(args.photo)
    if paths and not feed.takes_rois(net):
        photo_input = photos.PhotoInput(args, net)
        feed.set_inputs(net, {photo_input.name: photo_input.read(paths)})
        return [f"data: {len(paths)} photo(s) in one batch", photo_input.told]
    if dataset or paths:
        for name in photos.OPTIONS:
            if getattr(args, name) is not None:
                raise CaffeCompatError(
                    f"--{name} is for nets with one image for their input; of Fast R-CNN nets the configuration has it",
                    file=args.net,
                )
        with console.progress(0, args.quiet or args.json) as bar:  # the first search takes a second a photo
            if dataset:
                return feed.feed_dataset(net, dataset, args.iterations or 1, bar, cfg)
            return feed.feed_photos(net, paths, bar)
    return feed.feed_sample(net, args.seed or 0)


if __name__ == "__main__":
    sys.exit(main())
