"""Commands that several workers share out, as torchrun starts them: the first one talks, and one says what is wrong."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from caffe_compat.cli.console import UNEXPECTED
from caffe_compat.engines import group_of_this_run
from caffe_compat.engines.group import Group, WorkerLost, read_by_each


@contextmanager
def sharing(args: argparse.Namespace) -> Iterator[Group]:
    """The workers that share a command out; at the end it says how many photos each has read."""
    group = group_of_this_run()
    if group.count == 1:
        yield group
        return
    with first_talks(args, group.rank), one_says_why(group), _until_sigterm():
        yield group
        counts = group.gather(group.photos_read)
        if not args.quiet:
            print(read_by_each(counts), file=sys.stderr)
        group.close()


class _Ended(BaseException):
    """SIGTERM has come."""


@contextmanager
def _until_sigterm() -> Iterator[None]:
    """torchrun sends SIGTERM to the workers that are left when one is gone: raises WorkerLost then."""

    def end(number: int, frame: object) -> None:
        raise _Ended

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except _Ended:
        raise WorkerLost("a worker is gone, or somebody ends the run (SIGTERM)") from None
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def first_talks(args: argparse.Namespace, rank: int) -> Iterator[None]:
    """Let only the first worker print, warn and write what the arguments name."""
    if rank == 0:
        yield
        return
    args.quiet, args.json = True, False
    for name in {"metrics", "plot", "html"} & set(vars(args)):
        setattr(args, name, None)
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def one_says_why(group: Group) -> Iterator[None]:
    """Where workers end with an error, let the first of them say it, and the others end with its exit code."""
    try:
        yield
    except Exception as error:
        if group.is_first_to_end():
            raise
        raise SystemExit(getattr(error, "exit_code", UNEXPECTED)) from None
