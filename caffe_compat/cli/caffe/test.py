"""caffe-compat test: the caffe binary's action that scores a net."""

from __future__ import annotations

import argparse
import json

from caffe_compat.cli import check_finite, console, options
from caffe_compat.cli.caffe.flags import add_flag, add_model_flags, help_of, say_no_gpu
from caffe_compat.text import finite

HELP = help_of(
    """\
Run a net of phase TEST forward so many times and print the mean of each output and of the loss, in the log lines
of the caffe binary (on stderr).""",
    """\
  caffe-compat test -model train_test.prototxt -weights lenet_iter_10000.caffemodel -iterations 100
  caffe-compat test -model train_test.prototxt -weights lenet_iter_10000.caffemodel --json""",
)


def add_arguments(result: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    result.set_defaults(body=_test)
    add_model_flags(result)
    add_flag(result, "weights", required=True, metavar="F[,F]", help=".caffemodel files, or HDF5")
    options.add_dialect(result)
    options.add_no_python_layers(result)
    options.add_check_finite(result)
    options.add_computing(result)
    options.add_output(result)


def _test(args: argparse.Namespace) -> None:
    import caffe_compat as caffe
    from caffe_compat.cli import show
    from caffe_compat.cli.stderr_log import log
    from caffe_compat.tools.score import score

    say_no_gpu(args.gpu)
    console.set_computing(args)
    quiet = args.quiet or args.json
    with log(quiet):
        net = caffe.Net(
            args.model,
            caffe.TEST,
            args.level,
            args.stage,
            dialect=args.dialect,
            python_layers=console.may_import(args),
        )
        for path in args.weights.split(","):
            show.weights(net.copy_from(path), quiet)
        with check_finite.checking(args, net):
            means = score(net, args.iterations)
    if args.json:
        outputs = {name: values.tolist() for name, values in means.scores.items()}
        result = {"file": args.model, "iterations": args.iterations, "loss": means.loss, "outputs": outputs}
        print(json.dumps(finite(result), indent=2))
    elif args.quiet:
        for name, values in means.scores.items():
            for value in values:
                print(f"{name} = {value:g}")
