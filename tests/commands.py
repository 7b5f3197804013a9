"""Runs the project's commands in this process, as if each were started anew: without the second that a start takes."""

from __future__ import annotations

import importlib
import logging
import os
import random
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import cv2
import numba
import numpy as np

import caffe_compat as caffe
from caffe_compat import rng
from caffe_compat.engine import choose


def run_prototxt(*args: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run run-prototxt with these arguments."""
    return run("caffe_compat.cli.run_prototxt", *args, cwd=cwd)


def run(module: str, *args: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Call a module's `main` in this process; what it leaves behind is undone.

    `processes.run_process` starts a process, for tests of what only a process has: signals, pipes, threads, caches.
    """
    argv = list(map(str, args))
    with _written_on(1, "stdout") as out, _written_on(2, "stderr") as err:
        with _as_in_a_new_process(cwd or Path.cwd(), [module, *argv]):
            code = _exit_code(module, argv)
        sys.stdout.flush()
        sys.stderr.flush()
        texts = [_text(file) for file in (out, err)]
    return subprocess.CompletedProcess([module, *argv], code, *texts)


def _exit_code(module: str, argv: list[str]) -> int:
    """The code that a process ends with which does `sys.exit(main(argv))`."""
    try:
        sys.exit(importlib.import_module(module).main(argv))
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
    except Exception as error:
        sys.__excepthook__(type(error), error, error.__traceback__)
    return 1


@contextmanager
def _written_on(number: int, name: str) -> Iterator[BinaryIO]:
    """The file to which a stream goes, sys.stdout or sys.stderr; what C libraries and processes write on it, too."""
    before, kept = getattr(sys, name), os.dup(number)
    before.flush()
    with tempfile.TemporaryFile() as file, open(number, "w", closefd=False) as stream:
        os.dup2(file.fileno(), number)
        stream.reconfigure(line_buffering=name == "stderr")
        setattr(sys, name, stream)
        try:
            yield file
        finally:
            setattr(sys, name, before)
            stream.flush()
            os.dup2(kept, number)
            os.close(kept)


def _text(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n")  # as subprocess does


@contextmanager
def _as_in_a_new_process(folder: Path, argv: list[str]) -> Iterator[None]:
    with ExitStack() as stack:
        for context in (_imports(folder), _place(folder, argv), _random_numbers(), _computing(), _warnings()):
            stack.enter_context(context)
        for name in ("caffe_compat", None):
            stack.enter_context(_logger(logging.getLogger(name)))
        yield


@contextmanager
def _place(folder: Path, argv: list[str]) -> Iterator[None]:
    before = os.getcwd(), sys.argv, dict(os.environ)
    os.chdir(folder)
    sys.argv = argv
    try:
        yield
    finally:
        os.chdir(before[0])
        sys.argv = before[1]
        os.environ.clear()
        os.environ.update(before[2])


@contextmanager
def _imports(folder: Path) -> Iterator[None]:
    """Forget the modules that were imported from a folder: the next command may find others of their names there.

    What is installed stays, though its folder may lie in there.
    """
    path, finders, modules = list(sys.path), list(sys.meta_path), set(sys.modules)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:], sys.meta_path[:] = path, finders
        for name in set(sys.modules) - modules:
            file = getattr(sys.modules[name], "__file__", None)
            parents = Path(file).parents if file else ()
            if folder in parents and Path(sys.prefix) not in parents and not name.startswith("caffe_compat"):
                del sys.modules[name]


@contextmanager
def _random_numbers() -> Iterator[None]:
    """Global random numbers that nobody has seeded."""
    before = np.random.get_state(), random.getstate(), rng._global
    np.random.seed()
    random.seed()
    rng._global = None
    try:
        yield
    finally:
        np.random.set_state(before[0])
        random.setstate(before[1])
        rng._global = before[2]


@contextmanager
def _computing() -> Iterator[None]:
    before = choose(), numba.get_num_threads(), cv2.getNumThreads()
    torch_threads = sys.modules["torch"].get_num_threads() if "torch" in sys.modules else None
    caffe.set_engine("fast")
    try:
        yield
    finally:
        caffe.set_engine(before[0].name, before[0].device, before[0].precision, before[0].compiled)
        numba.set_num_threads(before[1])
        cv2.setNumThreads(before[2])
        if torch_threads:
            sys.modules["torch"].set_num_threads(torch_threads)


@contextmanager
def _warnings() -> Iterator[None]:
    """Python's own filters, and warnings on stderr; pytest keeps those of its tests for itself."""

    def show(message, category, filename, lineno, file=None, line=None):
        sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, line))

    with warnings.catch_warnings():
        warnings.resetwarnings()
        for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", category)
        warnings.filterwarnings("default", category=DeprecationWarning, module="__main__")
        warnings.showwarning = show
        yield


@contextmanager
def _logger(logger: logging.Logger) -> Iterator[None]:
    """A logger to which nobody has done anything."""
    before = logger.handlers, logger.level, logger.propagate
    logger.handlers, logger.propagate = [], True
    logger.setLevel(logging.WARNING if logger is logging.root else logging.NOTSET)
    try:
        yield
    finally:
        logger.handlers, logger.propagate = before[0], before[2]
        logger.setLevel(before[1])
