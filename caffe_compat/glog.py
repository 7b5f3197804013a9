"""Caffe's log lines: how they are written, with the prefix of glog that tools go by, and how they are read."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterator

from caffe_compat.errors import DataError

logger = logging.getLogger("caffe_compat")

PREFIX = re.compile(  # newer versions of glog write the year too
    r"[IWEF](?P<year>\d{4})?(?P<month>\d\d)(?P<day>\d\d) "
    r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)\.(?P<micro>\d{1,6})\s+\d+ [^\]]*\] ?"
)
CREATING = "] Creating Layer"
NET = "Initializing net from parameters:"  # its prototxt follows, without prefixes
ITERATION = re.compile(r"Iteration (\d+)")
RATE = re.compile(r"lr = (\S+)")
TESTING = re.compile(r"Testing net \(#(\d+)\)")
OUTPUT = re.compile(r"(Train|Test) net output #(\d+): (\S+) = ([-+\w.]+)")
DEBUG_INFO = re.compile(
    r"\[(?P<way>Forward|Backward)\] Layer (?P<layer>.+), (?P<what>top|bottom|param) blob (?P<name>.+) "
    r"(?:data|diff): (?P<mean>\S+)$"
)


class GlogFormatter(logging.Formatter):
    """I1231 23:59:59.123456 PID file:line] text."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%m%d %H:%M:%S", time.localtime(record.created))
        micros = int(record.created % 1 * 1e6)
        level = record.levelname[0]
        place = f"{record.filename}:{record.lineno}"
        return f"{level}{stamp}.{micros:06d} {os.getpid():5d} {place}] {record.getMessage()}"


def init_log(level: int | None = None, stderr: bool = True) -> None:
    """Print the log to stderr, as Caffe does. level: 0 info, 1 warnings, 2 errors, 3 nothing but fatal errors;
    without, that of the environment's GLOG_minloglevel, or 0. Log files are not written, whatever `stderr` says.
    """
    if level is None:
        level = int(os.environ.get("GLOG_minloglevel") or 0)  # noqa: SIM112
    logger.setLevel([logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL][min(max(level, 0), 3)])
    if not any(isinstance(handler.formatter, GlogFormatter) for handler in logger.handlers):
        handler = logging.StreamHandler()
        handler.setFormatter(GlogFormatter())
        logger.addHandler(handler)
        logger.propagate = False


def log(message: str) -> None:
    """Write a line to the log."""
    logger.info(message, stacklevel=2)


def log_lines(path: str) -> Iterator[str]:
    """The lines of a log, without their ends. Raises DataError where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            yield from (line.rstrip("\n") for line in file)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", file=path) from error
