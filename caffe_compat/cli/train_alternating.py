"""caffe-compat train-alternating: trains an RPN and a detector in turn."""

from __future__ import annotations

import argparse
import json
import os
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from caffe_compat.cli import check_finite, configuration, console, options
from caffe_compat.cli.parser import positive
from caffe_compat.text import finite

if TYPE_CHECKING:
    from rich.console import Console

    from caffe_compat.fast_rcnn.alternating.training import AlternatingTraining, Step
    from caffe_compat.solvers import Iteration, Solver

DESCRIPTION = """\
Train a region proposal network (RPN) and a detector in turn, in the four stages of Faster R-CNN: an RPN; Fast R-CNN on
its proposals; an RPN again, on the convolutions that this one has learned; Fast R-CNN again, on the same convolutions.
R-FCN has a fifth, an RPN. MODELS is a folder with a solver for each, as py-faster-rcnn and py-R-FCN publish them:
stageN_rpn_solver*.pt, stageN_fast_rcnn_solver*.pt (or _rfcn_), and rpn_test.pt, the RPN's test net.

Each stage leaves its weights and its proposals in the folder of --output; in the end OUTPUT/final.caffemodel has the
weights of both. Started again after any end, the same command goes on: what is done stays, a stage that was interrupted
goes on from its last snapshot. Snapshots are taken every TRAIN.SNAPSHOT_ITERS iterations (10,000) where a solver says
nothing, and by Ctrl-C."""

EXAMPLES = """\
examples:
  caffe-compat train-alternating models/pascal_voc/ZF/faster_rcnn_alt_opt --output zf \\
               --weights ZF.v2.caffemodel --cfg faster_rcnn_alt_opt.yml --devkit VOCdevkit2007
  caffe-compat train-alternating models/... --output run --devkit screws --classes bolt,gear \\
               --iterations 4000,2000,4000,2000
  caffe-compat evaluate faster_rcnn_test.pt --weights zf/final.caffemodel --devkit VOCdevkit2007"""

HELP: dict[str, Any] = {
    "description": DESCRIPTION,
    "epilog": EXAMPLES,
}


def add_arguments(result: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    result.set_defaults(body=_train)
    result.add_argument("models", metavar="MODELS", help="a folder with the solvers of the stages")
    options.add_weights(result, told="the fillers'")
    result.add_argument(
        "--iterations",
        type=_numbers,
        default=(),
        metavar="N[,N...]",
        help="default: max_iter of the solvers, or what their names say (60k80k: 80000); one number is for all stages",
    )
    options.add_run(result)
    data = result.add_argument_group("data")
    options.add_dataset(data, image_set="trainval")
    options.add_configuration(data)
    options.add_skip_bad_images(data)
    output = result.add_argument_group("output")
    output.add_argument(
        "--output", metavar="FOLDER", required=True, help="for results and snapshots, where it goes on, too"
    )
    options.add_output(output)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(positive(part) for part in text.split(","))


def _train(args: argparse.Namespace) -> None:
    from caffe_compat.cli.stderr_log import log

    quiet = args.quiet or args.json
    if not quiet:  # before the slow imports: whoever waits sees that something happens
        print(f"caffe-compat train-alternating: {args.models}", flush=True)
    console.set_computing(args)
    training = _training(args)
    if not quiet:
        from caffe_compat.fast_rcnn.feed import described

        console.out().print(f"data: {described(training.dataset)}", markup=False)
    reports: list[dict[str, Any]] = []
    with console.compiling(quiet), log(quiet) as stderr:
        for i, step in enumerate(training.steps):
            report = _Report(f"step {i + 1} of {len(training.steps)}", step, quiet)
            if training.is_done(step):
                report.say("done before")
            else:
                _do(args, training, step, report, stderr)
            reports.append(report.as_dict(training))
            if not training.is_done(step):
                break
    final = str(training.folder / training.steps[-1].result)
    if args.json:
        done = reports[-1]["done"]
        print(
            json.dumps(
                finite({"models": args.models, "steps": reports, "final": final if done else None}), indent=2
            )
        )
    elif not reports[-1]["done"]:
        print("stopped; the same command goes on from there")
    else:
        print(f"wrote {final}")


def _training(args: argparse.Namespace) -> AlternatingTraining:
    from caffe_compat.cli.dataset import open_dataset
    from caffe_compat.errors import CaffeCompatError
    from caffe_compat.fast_rcnn.alternating.training import AlternatingTraining
    from caffe_compat.fast_rcnn.config import ALTERNATING

    dataset = open_dataset(args)
    if dataset is None:
        raise CaffeCompatError("there is no data to learn from; give --devkit or --data")
    return AlternatingTraining(
        args.models,
        dataset,
        configuration.read(args, ALTERNATING),
        args.output,
        args.weights,
        args.iterations,
        args.seed,
        args.skip_bad_images,
        args.propagate_down,
        args.dialect,
        console.may_import(args),
    )


class _Report:
    """What is said of a step."""

    def __init__(self, number: str, step: Step, quiet: bool):
        self.step, self._quiet, self._title = step, quiet, f"{number}, {step.title}"
        self.last: Iteration | None = None
        self._start = time.perf_counter()

    def say(self, text: str) -> None:
        if not self._quiet:
            console.out().print(f"{self._title}{text and ': '}{text}", markup=False, soft_wrap=True)

    def note(self, done: Iteration) -> None:
        self.last = done

    def as_dict(self, training: AlternatingTraining) -> dict[str, Any]:
        done = training.is_done(self.step)
        return {
            "step": self.step.title,
            "done": done,
            "file": str(training.folder / self.step.result) if done else None,
            "iter": self.last.iter + 1 if self.last else None,
            "smoothed_loss": self.last.smoothed_loss if self.last else None,
            "seconds": time.perf_counter() - self._start,
        }


def _what(training: AlternatingTraining, step: Step) -> str:
    """What is to be done, besides the step's title."""
    if step.kind != "train" or step.stage is None:
        return ""
    state = training.folder.newest_state(step.stage)
    goes_on = f", going on from {os.path.basename(state)}" if state else ""
    return f"{training.iterations[step.stage]} iterations{goes_on}"


def _do(
    args: argparse.Namespace, training: AlternatingTraining, step: Step, report: _Report, stderr: Console
) -> None:
    from caffe_compat.cli import show
    from caffe_compat.cli.train import EFFECTS, progress, signals

    quiet = args.quiet or args.json
    with ExitStack() as bars:

        def solve(solver: Solver, state: str | None) -> None:
            bars.close()  # one at a time
            solver.on_iteration(report.note)
            with (
                check_finite.checking(args, solver),
                progress(solver, stderr, quiet),
                signals(solver, EFFECTS),
            ):
                solver.solve(state)

        report.say(_what(training, step))
        bar = bars.enter_context(console.progress(0, quiet))
        training.do(step, bar, lambda loaded: show.weights(loaded, quiet), solve)
    if report.last:
        report.say(f"loss = {report.last.smoothed_loss:.4g} at iteration {report.last.iter + 1}")
