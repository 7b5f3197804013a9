"""Log lines as Caffe prints them: with the prefix of glog, which tools that read Caffe's logs go by."""

from __future__ import annotations

import logging
import os
import time

logger = logging.getLogger("caffe_compat")


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
