"""Training, of run-prototxt with a solver and of caffe-compat train, with Caffe's log on stderr."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from caffe_compat.cli import check_finite, configuration, console, html, metrics, show, workers
from caffe_compat.cli.console import INTERRUPTED
from caffe_compat.cli.stderr_log import log
from caffe_compat.engines.group import Group, are_several
from caffe_compat.errors import CaffeCompatError
from caffe_compat.solvers import Iteration, Solver
from caffe_compat.solvers.chance_level import ChanceLevel
from caffe_compat.text import finite

if TYPE_CHECKING:
    from caffe_compat.fast_rcnn.config import Config
    from caffe_compat.fast_rcnn.dataset import Dataset
    from caffe_compat.weights import Report

EFFECTS = {signal.SIGINT: "stop", signal.SIGTERM: "stop"}  # of signals: stop, snapshot or none


def train(args: argparse.Namespace, effects: Mapping[signal.Signals, str] = EFFECTS) -> None:
    """Train as the arguments say."""
    if are_several() and args.engine != "torch":
        raise CaffeCompatError("several workers train with --engine torch only")
    with workers.first_talks(args, int(os.environ["RANK"]) if are_several() else 0):
        _train(args, effects)


def _train(args: argparse.Namespace, effects: Mapping[signal.Signals, str]) -> None:
    import numpy as np

    import caffe_compat as caffe
    from caffe_compat.cli.dataset import given_classes, open_dataset, trained_classes
    from caffe_compat.fast_rcnn.config import Config
    from caffe_compat.prototxt.reader import read_solver
    from caffe_compat.solvers import create_solver

    quiet = args.quiet or args.json
    if args.metrics:
        metrics.check(args.metrics)
    if args.plot:
        metrics.check_plot(args.plot)
    html.check(args)
    cfg = configuration.read(args) if args.cfg or args.set else None
    seed = args.seed if args.seed is not None else (cfg or Config()).RNG_SEED
    caffe.set_random_seed(seed)
    np.random.seed(seed)
    param, source = read_solver(args.net)
    if args.iterations:
        param.max_iter = args.iterations
    if args.level:
        param.train_state.level = args.level
    param.train_state.stage.extend(args.stage)
    if args.weights or args.resume:
        param.ClearField("weights")
    with log(quiet) as stderr:
        solver = create_solver(
            param,
            source,
            args.propagate_down,
            cfg.layer_settings() if cfg else None,
            dialect=args.dialect,
            python_layers=console.may_import(args),
        )
        cfg = cfg and configuration.for_nets(args, cfg, [solver.net, *solver.test_nets])
        loaded: list[Report] = []
        for path in args.weights.split(",") if args.weights else ():
            loaded.append(solver.net.copy_from(path).after(loaded))
            show.weights(loaded[-1], quiet)
        dataset = open_dataset(args, trained_classes(args.resume))
        group = solver.workers.group if solver.workers else Group()
        with workers.one_says_why(group):
            notes = _feed(solver, args, cfg, dataset)
        if not quiet:
            show.notes(notes)
        done: list[Iteration] = []
        solver.on_iteration(done.append)
        solver.on_iteration(ChanceLevel(solver.net))
        if args.metrics:
            first = _iteration_of(args.resume) if args.resume else 0
            solver.on_iteration(metrics.Metrics(args.metrics, first))
        pixel_means = (cfg or Config()).PIXEL_MEANS
        classes = dataset.classes if dataset else given_classes(args)
        mined = html.mining(args, solver, pixel_means, classes)
        with (
            workers.one_says_why(group),
            check_finite.checking(args, solver),
            progress(solver, stderr, quiet),
            signals(solver, effects),
        ):
            solver.solve(args.resume)
    if args.plot and done:
        metrics.plot(done, args.plot)
    _report(args, solver, notes, done)
    if mined is not None:
        html.write_training(args, solver.net, done, notes, pixel_means, classes, mined)


def _feed(solver: Solver, args: argparse.Namespace, cfg: Config | None, dataset: Dataset | None) -> list[str]:
    from caffe_compat.fast_rcnn import feed
    from caffe_compat.fast_rcnn.train import train_on_dataset

    nets = [solver.net, *solver.test_nets]
    if args.inputs:
        return [note for net in nets for note in feed.feed_inputs(net, args.inputs)]
    if dataset is None:
        return [note for net in nets for note in feed.feed_sample(net, args.seed or 0)]
    with console.progress(0, args.quiet or args.json) as bar:
        roidb = train_on_dataset(solver, dataset, cfg, args.proposals, bar, args.skip_bad_images)
    return [
        f"data: {feed.described(dataset)}; {len(roidb)} entries with those flipped",
        *feed.skipped_notes(roidb),
        *feed.unlearned_notes(roidb),
    ]


def _iteration_of(state: str) -> int:
    from caffe_compat.solvers.state import read

    return read(state).iter


# ---- while it runs --------------------------------------------------------------------------------------------


@contextmanager
def progress(solver: Solver, stderr: Console, quiet: bool) -> Iterator[None]:
    """A bar on stderr with the smoothed loss, the learning rate and images a second."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=stderr,
        transient=True,
        disable=quiet or not sys.stderr.isatty(),
    )
    task = bar.add_task("starting", total=solver.param.max_iter)

    def advance(done: Iteration) -> None:
        images = solver.net.blob_list[0].num * solver.param.iter_size
        text = f"loss {done.smoothed_loss:.4g}  lr {done.lr:.3g}  {images / done.seconds:.2f} images/s"
        bar.update(task, completed=done.iter + 1, description=text)

    solver.on_iteration(advance)
    with bar:
        yield


@contextmanager
def signals(solver: Solver, effects: Mapping[signal.Signals, str]) -> Iterator[None]:
    """Let signals have these effects. A second one that stops ends at once."""
    asked = False

    def stop(number: int, frame: object) -> None:
        nonlocal asked
        if asked:
            os._exit(INTERRUPTED)
        asked = True
        solver.request_stop()
        _say("stopping after this iteration, with a snapshot; once more stops at once")

    def snapshot(number: int, frame: object) -> None:
        solver.request_snapshot()

    handlers: dict[str, Any] = {"stop": stop, "snapshot": snapshot, "none": signal.SIG_IGN}
    before = {number: signal.signal(number, handlers[effect]) for number, effect in effects.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(text: str) -> None:
    """Print a line on stderr from a handler of signals.

    Where the signal came while a line waits for a full pipe, Python refuses to print another one.
    """
    try:
        print(text, file=sys.stderr)
    except RuntimeError:
        os.write(sys.stderr.fileno(), f"\n{text}\n".encode())


def _report(args: argparse.Namespace, solver: Solver, notes: list[str], done: list[Iteration]) -> None:
    last = done[-1] if done else None
    if args.json:
        result = {
            "file": args.net,
            "data": notes,
            "iter": solver.iter,
            "stopped": solver.stopped,
            "loss": last.loss if last else None,
            "smoothed_loss": last.smoothed_loss if last else None,
        }
        print(json.dumps(finite(result), indent=2))
    else:
        loss = f", loss = {last.loss:.6g}, averaged {last.smoothed_loss:.6g}" if last else ""
        print(f"{'stopped' if solver.stopped else 'done'} at iteration {solver.iter}{loss}")
