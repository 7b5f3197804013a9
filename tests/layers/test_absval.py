"""AbsVal against plain Python."""

import numpy as np

from layers.harness import Runner


def test_against_plain_python():
    x = np.array([[-1.5, 0, 2], [3, -0.25, -7]], np.float32)
    diff = np.array([[2, 3, 4], [-5, 6, 7]], np.float32)
    runner = Runner('type: "AbsVal"', [x])
    assert runner.forward()[0].tolist() == [[1.5, 0, 2], [3, 0.25, 7]]
    assert runner.backward([diff])[0].tolist() == [[-2, 0, 4], [-5, -6, -7]]
