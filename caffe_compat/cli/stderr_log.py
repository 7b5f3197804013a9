"""The log on stderr while a command runs, in glog's form, above a progress bar where there is one."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from caffe_compat.glog import GlogFormatter


class _AboveTheBar(logging.Handler):
    def __init__(self, stderr: Console):
        super().__init__()
        self.stderr = stderr

    def emit(self, record: logging.LogRecord) -> None:
        self.stderr.print(self.format(record), markup=False, highlight=False, soft_wrap=True)


@contextmanager
def log(quiet: bool = False) -> Iterator[Console]:
    """Show the log; with `quiet` only its warnings. Yields the console it goes to."""
    stderr = Console(stderr=True)
    logger = logging.getLogger("caffe_compat")
    handler = _AboveTheBar(stderr) if sys.stderr.isatty() else logging.StreamHandler()  # rich expands tabs
    handler.setFormatter(GlogFormatter())
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING if quiet else logging.INFO)
    logger.propagate = False
    try:
        yield stderr
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]
