"""caffe-compat train: the caffe binary's action, a front for the training of run-prototxt."""

from __future__ import annotations

import argparse
import signal

from caffe_compat.cli import console, options
from caffe_compat.cli.caffe.flags import add_flag, add_state_flags, help_of, say_no_gpu

HELP = help_of(
    """\
Train as a solver says, with the flags, the log and the snapshots of the caffe binary; what run-prototxt takes for
a solver may be given too. Where a signal stops training, a snapshot is taken; a second one ends at once.""",
    """\
  caffe-compat train -solver solver.prototxt 2> train.log
  caffe-compat train -solver solver.prototxt -weights a.caffemodel,b.caffemodel
  caffe-compat train -solver solver.prototxt -snapshot net_iter_500.solverstate -sighup_effect stop
  torchrun --nproc-per-node 2 -m caffe_compat train -solver solver.prototxt --engine torch""",
)


def add_arguments(result: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    result.set_defaults(body=_train, iterations=None)
    add_flag(result, "solver", dest="net", required=True, metavar="F", help="the solver, a prototxt")
    add_flag(result, "weights", metavar="F[,F]", help="weights to begin from; not with -snapshot")
    add_flag(result, "snapshot", dest="resume", metavar="F", help="a .solverstate to go on from")
    add_state_flags(result)
    effects = {"choices": ["stop", "snapshot", "none"], "help": "what the signal does; default: %(default)s"}
    add_flag(result, "sigint_effect", default="stop", **effects)
    add_flag(result, "sighup_effect", default="snapshot", **effects)
    more = result.add_argument_group("as with run-prototxt")
    options.add_run(more)
    options.add_training(more)
    options.add_configuration(more)
    options.add_data(more)
    options.add_html(more)
    options.add_output(more)


def _train(args: argparse.Namespace) -> None:
    from caffe_compat.cli.train import EFFECTS, train
    from caffe_compat.errors import CaffeCompatError

    say_no_gpu(args.gpu)
    if args.weights and args.resume:
        raise CaffeCompatError("give -snapshot to go on, or -weights to begin from, not both")
    console.set_computing(args)
    train(args, {**EFFECTS, signal.SIGINT: args.sigint_effect, signal.SIGHUP: args.sighup_effect})
