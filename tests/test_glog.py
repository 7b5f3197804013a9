"""A line that is written is one that is read."""

import logging
import os
import time

import pytest

from caffe_compat.errors import DataError
from caffe_compat.glog import PREFIX, GlogFormatter, log_lines


def test_the_prefix_that_is_written_is_read():
    record = logging.LogRecord(
        "caffe_compat", logging.WARNING, "/a/solver.py", 42, "Iteration %d", (7,), None
    )
    record.created = time.mktime((2026, 11, 29, 8, 5, 3, 0, 0, -1)) + 0.25
    line = GlogFormatter().format(record)
    assert line == f"W1129 08:05:03.250000 {os.getpid():5d} solver.py:42] Iteration 7"
    match = PREFIX.match(line)
    assert match and line[match.end() :] == "Iteration 7"
    assert match.groups() == (None, "11", "29", "08", "05", "03", "250000")


def test_lines_end_at_line_ends_only(tmp_path):
    (tmp_path / "a.log").write_bytes(b"a\x0cb\r\n\xff\n\nc")
    assert list(log_lines(str(tmp_path / "a.log"))) == ["a\x0cb", "\ufffd", "", "c"]
    with pytest.raises(DataError, match="cannot be read: No such file") as error:
        list(log_lines(str(tmp_path / "none.log")))
    assert error.value.file == str(tmp_path / "none.log")
