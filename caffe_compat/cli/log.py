"""The log on stderr while a command runs, in glog's form, above a progress bar where there is one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from caffe_compat.glog import GlogFormatter


class _Lines(logging.Handler):
    """Prints log lines whole."""

    def __init__(self, stderr: Console):
        super().__init__()
        self.stderr = stderr
        self.setFormatter(GlogFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        self.stderr.print(self.format(record), markup=False, highlight=False, soft_wrap=True)


@contextmanager
def log(quiet: bool = False) -> Iterator[Console]:
    """Show the log; with `quiet` only its warnings. Yields the console it goes to."""
    stderr = Console(stderr=True)
    logger = logging.getLogger("caffe_compat")
    handler = _Lines(stderr)
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING if quiet else logging.INFO)
    logger.propagate = False
    try:
        yield stderr
    finally:
        logger.removeHandler(handler)
