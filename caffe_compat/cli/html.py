"""--html, of all commands that make a page: run-prototxt of nets and of solvers, and diff."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from caffe_compat.compare.diff import OnRow
    from caffe_compat.compare.result import Diff
    from caffe_compat.net import Net
    from caffe_compat.report import BlobHistograms, MiningLog
    from caffe_compat.solvers import Iteration, Solver
    from caffe_compat.tools.run import RunReport


def check(args: argparse.Namespace) -> None:
    """Raise CaffeCompatError where no page can be written: to know before the work, not after."""
    from caffe_compat.files import check_writable

    if args.html:
        check_writable(args.html)


@contextmanager
def looking(args: argparse.Namespace, net: Net, passes: int) -> Iterator[BlobHistograms | None]:
    """Take histograms of what the layers of a net give while it runs `passes` times, where a page is wanted."""
    if not args.html:
        yield None
        return
    from caffe_compat.report import BlobHistograms

    look = BlobHistograms(net, passes)
    yield look
    look.stop()


def write_run(
    args: argparse.Namespace,
    net: Net,
    run: RunReport,
    look: BlobHistograms,
    notes: Sequence[str],
    classes: Sequence[str] | None,
) -> None:
    """Write the page of a run. classes: the names of the data set's, if there is one."""
    from caffe_compat.report import of_run, write

    page = of_run(args.net, net, run, look, notes, classes=classes)
    write(page, args.html)
    _say(args)


def mining(
    args: argparse.Namespace, solver: Solver, pixel_means: Sequence[float], classes: Sequence[str] | None
) -> MiningLog | None:
    """Look at what a solver's net mines in each iteration, where a page is wanted."""
    if not args.html:
        return None
    from caffe_compat.report import MiningLog

    log = MiningLog(solver.net, solver.param.max_iter, pixel_means, classes)
    solver.on_iteration(log)
    return log


def write_training(
    args: argparse.Namespace,
    net: Net,
    iterations: Sequence[Iteration],
    notes: Sequence[str],
    pixel_means: Sequence[float],
    classes: Sequence[str] | None,
    mined: MiningLog,
) -> None:
    """Write the page of a training; runs its net once more for the numbers of the layers."""
    from caffe_compat.report import of_run, of_training, write
    from caffe_compat.tools.run import run_net

    with looking(args, net, 1) as look:
        run = run_net(net)
    assert look is not None
    page = of_run(args.net, net, run, look, notes, pixel_means, classes)
    write(of_training(page, iterations, mined.periods), args.html)
    _say(args)


def comparing(args: argparse.Namespace) -> tuple[OnRow, Callable[[Net, Diff], None]]:
    """What `diff` is to tell of each row, and what writes the page afterwards; both do nothing without --html."""
    if not args.html:
        return lambda array, value: None, lambda net, result: None
    from caffe_compat.report import Compared, of_diff, write

    compared: list[Compared] = []

    def write_page(net: Net, result: Diff) -> None:
        write(of_diff(net, result, compared), args.html)
        _say(args)

    return lambda array, value: compared.append(Compared.of(array, value)), write_page


def _say(args: argparse.Namespace) -> None:
    if not (args.quiet or args.json):
        print(f"wrote {args.html}")
