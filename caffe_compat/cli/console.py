"""What all commands share: errors as one line with an exit code, a progress bar."""

from __future__ import annotations

import argparse
import atexit
import gc
import logging
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from caffe_compat.cli.parser import WIDTH
from caffe_compat.errors import CaffeCompatError

INTERRUPTED = 130
UNEXPECTED = 2
COMPILING = "compiling kernels (once, a minute or two; caffe-compat warm does it ahead) ..."

# Python looks for garbage when it ends, a third of a second with all that numba has made; frozen, that is no candidate
atexit.register(gc.freeze)


class _Out(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # rich would end the process with 1; see run_command


def out() -> Console:
    """Where results go."""
    return _Out(width=None if sys.stdout.isatty() else WIDTH, highlight=False)


def run_command(body: Callable[[], int | None], args: argparse.Namespace) -> int:
    """Run a command's body; returns its exit code, 0 unless the body returns one.

    An error is one line `file:line:col: error: ...` on stderr, a layer's warning one `warning: ...`; so is a module
    that a file names, where it is imported, unless the arguments say quiet.
    """
    plainly = warnings.formatwarning
    warnings.formatwarning = lambda text, kind, *place: (
        f"warning: {text}\n" if kind is UserWarning else plainly(text, kind, *place)
    )
    try:
        if sys.stdout is None:  # closed by the caller
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        with _imports_told(getattr(args, "quiet", False)):
            code = body()
        sys.stdout.flush()
        return code or 0
    except BrokenPipeError:  # the reader of a pipe went away
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except CaffeCompatError as error:
        if args.traceback:
            traceback.print_exc()
        place = ":".join(str(part) for part in (error.file, error.line, error.column) if part is not None)
        print(f"{place}: error: {error.message}" if place else f"error: {error.message}", file=sys.stderr)
        return error.exit_code
    except Exception as error:  # a user layer's own exception, or a bug of ours: both deserve a place
        if args.traceback:
            traceback.print_exc()
        print(f"{_place(error)}: error: {_in_one_line(error)} (--traceback shows more)", file=sys.stderr)
        return UNEXPECTED
    finally:
        warnings.formatwarning = plainly


def set_computing(args: argparse.Namespace) -> None:
    """Do what the arguments of `options.add_computing` say. Raises CaffeCompatError for too many threads."""
    from caffe_compat.engine import set_engine
    from caffe_compat.threads import set_num_threads

    set_engine(args.engine, args.device, args.precision, args.compile)
    if args.threads:
        set_num_threads(args.threads)


@contextmanager
def _imports_told(quiet: bool) -> Iterator[None]:
    """Say on stderr which modules are imported because a file names them."""
    logger, handler = logging.getLogger("caffe_compat.imports"), logging.StreamHandler()
    logger.propagate = False
    if not quiet:
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
        logger.propagate = True


def may_import(args: argparse.Namespace) -> bool:
    """Whether the modules of Python layers may be imported, from the working directory too, where users keep them."""
    if args.python_layers:
        import_from_here()
    return args.python_layers


def import_from_here() -> None:
    """Find modules in the working directory, where users keep their own."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())


def _place(error: Exception) -> str:
    """File and line of the last frame that is the user's, or of the last one."""
    frames = traceback.extract_tb(error.__traceback__)
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep
    users = [frame for frame in frames if not os.path.abspath(frame.filename).startswith(package)]
    frame = (users or frames)[-1]
    return f"{frame.filename}:{frame.lineno}"


def _in_one_line(error: Exception) -> str:
    notes = "".join(f", {note}" for note in getattr(error, "__notes__", []))
    return " ".join(f"{type(error).__name__}: {error}{notes}".split())


@contextmanager
def progress(total: int, quiet: bool) -> Iterator[Callable[..., None]]:
    """A bar on stderr that appears when the block takes longer than a second; yields `advance(description)`.

    Who knows only later how many there are in all says so with `advance(description, total)`.
    Not shown with `quiet` or where stderr is no terminal.
    """
    bar = Progress(
        TextColumn("{task.description:<28.28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=quiet or not sys.stderr.isatty(),
    )
    task = bar.add_task("", total=total)
    timer = threading.Timer(1.0, bar.start)
    timer.daemon = True

    def advance(description: str, total: int | None = None) -> None:
        bar.update(task, advance=1, description=description, total=total)

    timer.start()
    try:
        yield advance
    finally:
        timer.cancel()
        timer.join()
        bar.stop()


@contextmanager
def compiling(quiet: bool) -> Iterator[None]:
    """One line on stderr when the block has to compile kernels, which takes a while; not shown with `quiet`."""
    from caffe_compat.compiling import noticed

    told = quiet

    def tell(name: str) -> None:
        nonlocal told
        if not told:
            print(COMPILING, file=sys.stderr, flush=True)
        told = True

    with noticed(tell):
        yield
