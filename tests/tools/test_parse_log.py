"""The tables of logs as the original Caffe writes them."""

import math

import pytest

from caffe_compat.errors import DataError
from caffe_compat.tools.parse_log import parse_log, write_csv

LOG = """\
WARNING: Logging before InitGoogleLogging() is written to STDERR
I1231 23:59:50.000000  4242 caffe.cpp:218] Using GPUs 0
I1231 23:59:58.500000  4242 solver.cpp:279] Solving LeNet
I1231 23:59:58.600000  4242 solver.cpp:280] Learning Rate Policy: inv
I1231 23:59:58.700000  4242 solver.cpp:337] Iteration 0, Testing net (#0)
I1231 23:59:59.000000  4242 solver.cpp:404]     Test net output #0: accuracy = 0.1059
I1231 23:59:59.000000  4242 solver.cpp:404]     Test net output #1: loss = 2.30 (* 1 = 2.30 loss)
I1231 23:59:59.250000  4242 solver.cpp:228] Iteration 0 (0 iter/s, 0.5s/100 iters), loss = 2.29
I1231 23:59:59.250000  4242 solver.cpp:244]     Train net output #0: loss = 2.29 (* 1 = 2.29 loss)
I1231 23:59:59.250000  4242 sgd_solver.cpp:106] Iteration 0, lr = 0.01
 a line of something else, Iteration 7
I0101 00:00:03.500000  4242 solver.cpp:228] Iteration 100, loss = 0.2
I0101 00:00:03.500000  4242 solver.cpp:244]     Train net output #0: loss = 2.1e-01 (* 1 = 0.21 loss)
I0101 00:00:03.500000  4242 sgd_solver.cpp:106] Iteration 100, lr = 0.00992565
I0101 00:00:04.500000  4242 solver.cpp:337] Iteration 200, Testing net (#0)
I0101 00:00:05.500000  4242 solver.cpp:404]     Test net output #0: accuracy = 0.97
I0101 00:00:05.500000  4242 solver.cpp:404]     Test net output #1: loss = nan (* 1 = nan loss)
"""


@pytest.fixture
def log(tmp_path):
    (tmp_path / "caffe.log").write_text(LOG)
    return tmp_path / "caffe.log"


def test_rows_over_new_year(log, tmp_path):
    tables = parse_log(str(log))
    assert tables.train == [
        {"NumIters": 0, "Seconds": 0.75, "LearningRate": 0.01, "loss": 2.29},
        {"NumIters": 100, "Seconds": 5.0, "LearningRate": 0.01, "loss": 0.21},
    ]
    first, second = tables.test
    assert first == {
        "NumIters": 0,
        "Seconds": 0.5,
        "LearningRate": 0.00992565,
        "accuracy": 0.1059,
        "loss": 2.3,
    }
    assert math.isnan(second.pop("loss")) and second["Seconds"] == 7.0
    write_csv(tables.train, str(tmp_path / "t"), ";")
    assert (
        (tmp_path / "t")
        .read_bytes()
        .startswith(b"NumIters;Seconds;LearningRate;loss\r\n0.0;0.75;0.01;2.29\r\n")
    )


def test_the_year_in_newer_prefixes_and_several_test_nets(tmp_path):
    lines = [
        "I20261120 13:16:46.000000 1 s.cpp:1] Solving x",
        *(
            f"I20261120 13:16:4{7 + net}.000000 1 s.cpp:1] {text}"
            for net in (0, 1)
            for text in (
                f"Iteration 5, Testing net (#{net})",
                f"    Test net output #0: p = {net}.5",
                "    Test net output #1: p = 3",
            )
        ),
    ]
    (tmp_path / "log").write_text("\n".join(lines))
    rows = parse_log(str(tmp_path / "log")).test
    assert [(row["TestNet"], row["Seconds"], row["p"], row["p#1"]) for row in rows] == [
        (0, 1, 0.5, 3),
        (1, 2, 1.5, 3),
    ]


def test_no_log(tmp_path):
    (tmp_path / "log").write_text("Iteration 5, loss = 3\n")
    with pytest.raises(DataError, match="expected a log of training"):
        parse_log(str(tmp_path / "log"))
