"""caffe-compat diff: holds a net against a run of the original Caffe, or of another net, layer by layer."""

from __future__ import annotations

import argparse
import json
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from caffe_compat.cli import console, html, options
from caffe_compat.cli.phases import read_in_phase

if TYPE_CHECKING:
    import caffe_compat as caffe
    from caffe_compat.compare.reference import Reference

DESCRIPTION = """\
Run a net, forward and backward, and compare every blob, gradient and param gradient with a reference, layer by
layer. Each layer is fed with the reference's own bottoms, so that a difference shows at the layer that makes it.
Ends at the first difference, with its causes: each has been checked by computing the layer so.

REF is one of
  F.npz       a recording that scripts/record_in_caffe.py made inside the original Caffe
  F.log       what Caffe logs with debug_info: true (mean absolute values only); needs --inputs
  F.prototxt  another net, run here on the same inputs, weights and seed

With --engine torch the net is run by PyTorch, on a device and in a precision; REF may then be left out, and is the net
itself as the strict engine runs it.

The exit code is 0 where all agrees, 1 where something differs."""

EXAMPLES = """\
examples:
  caffe-compat diff train.prototxt --against recording.npz
  caffe-compat diff train.prototxt --against caffe.log --inputs inputs.npz --weights F.caffemodel
  caffe-compat diff new.prototxt --against old.prototxt --weights F.h5 --against-weights G.h5
  caffe-compat diff deploy.prototxt --against recording.npz --phase test --all --json
  caffe-compat diff train.prototxt --against recording.npz --all --html page.html
  caffe-compat diff train.prototxt --engine torch --precision bf16 --all"""

HELP: dict[str, Any] = {
    "description": DESCRIPTION,
    "epilog": EXAMPLES,
}


def add_arguments(result: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    result.set_defaults(body=_diff)
    options.add_net(result)
    result.add_argument("--against", metavar="REF", help="what to compare with, see above")
    options.add_weights(result, told="the params of the reference")
    result.add_argument("--against-weights", metavar="F", help="weights of REF, where that is a prototxt")
    options.add_inputs(result, told="those of the recording, or noise")
    result.add_argument("--tolerance", type=_tolerance, default=1e-4, metavar="X", help=TOLERANCE)
    result.add_argument("--all", action="store_true", help="go on after the first difference")
    options.add_phase(result, told=f"the reference's, else {options.USUAL_PHASE}")
    options.add_state(result)
    options.add_seed(result, told="the reference's, or 0")
    options.add_meaning(result)
    options.add_no_python_layers(result)
    options.add_engine(result, ["strict", "torch"], "strict")
    options.add_html(result)
    options.add_output(result)


TOLERANCE = "largest error, relative to the largest value of a blob or to 1e-3; default: 1e-4"


def _tolerance(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError("must be at least 0 and below 1")
    return value


def _diff(args: argparse.Namespace) -> int:
    _check(args)
    if not (args.quiet or args.json):  # before the slow imports: whoever waits sees that something happens
        print(f"caffe-compat diff: {args.net} against {args.against}", flush=True)
    from caffe_compat.cli import diff_report
    from caffe_compat.compare.diff import diff
    from caffe_compat.compare.layer_runner import LayerRunner
    from caffe_compat.compare.read_reference import load_params, own_inputs, weights_by_name

    html.check(args)
    reference = _reference(args)
    seed = _seed(args, reference)
    net = _net(args, args.net, reference.phase, seed, args.engine)
    if args.weights:
        net.copy_from(args.weights)
    else:
        load_params(net, reference)
    inputs = reference.arrays("in")
    if args.inputs or not inputs:
        inputs = own_inputs(net, _inputs(args, reference), seed)
    runner = LayerRunner(net, inputs, reference.arrays("seed"), seed)
    weights = cache(partial(weights_by_name, reference, args.weights))
    on_row, write_page = html.comparing(args)
    result = diff(runner, reference, weights, args.tolerance, args.all, on_row)
    if args.json:
        print(json.dumps(result.as_dict(), indent=2, allow_nan=False))
    else:
        diff_report.report(result, console.out(), args.quiet)
    write_page(net, result)
    return 0 if result.same else 1


def _check(args: argparse.Namespace) -> None:
    from caffe_compat.errors import CaffeCompatError

    if not args.against and args.engine != "torch":
        raise CaffeCompatError("there is nothing to compare with; give --against REF")
    args.against = args.against or args.net


def _reference(args: argparse.Namespace) -> Reference:
    from caffe_compat.compare.read_reference import kind_of, own_inputs, read_reference, record_net
    from caffe_compat.errors import CaffeCompatError

    if kind_of(args.against) != "net":
        if args.against_weights:
            raise CaffeCompatError(
                "--against-weights is for a REF that is a prototxt; this one has its own", file=args.against
            )
        return read_reference(args.against)
    seed = args.seed or 0
    net = _net(args, args.against, "", seed)
    if args.against_weights or args.weights:
        net.copy_from(args.against_weights or args.weights)
    return record_net(net, own_inputs(net, args.inputs, seed), seed)


def _net(args: argparse.Namespace, file: str, recorded: str, seed: int, engine: str = "") -> caffe.Net:
    """A net of which each layer can be run by itself, on the reference's bottoms; in the phase that is said, or was
    `recorded`."""
    import numpy as np

    import caffe_compat as caffe
    from caffe_compat.engine import choose

    caffe.set_random_seed(seed)
    np.random.seed(seed)
    strict = choose("strict")  # of a reference
    net = caffe.Net.from_param(
        *read_in_phase(file, args.phase or recorded, args.level, args.stage),
        propagate_down=args.propagate_down,
        dialect=args.dialect,
        python_layers=console.may_import(args),
        engine=choose(engine, args.device, args.precision) if engine else strict,
    )
    if engine == "torch":
        net.engine.masks.as_caffe = True
    return net


def _seed(args: argparse.Namespace, reference: Reference) -> int:
    return args.seed if args.seed is not None else reference.seed or 0


def _inputs(args: argparse.Namespace, reference: Reference) -> str:
    from caffe_compat.errors import DataError

    if not args.inputs:
        raise DataError("it has no inputs; give those of its run with --inputs F.npz", file=reference.name)
    return args.inputs
