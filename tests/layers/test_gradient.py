"""Every layer's backward pass is the derivative of its forward pass."""

import pytest

from layers.cases import CASES
from layers.gradient import check_gradient


@pytest.mark.parametrize("case", [case for case in CASES if case.gradient], ids=lambda case: case.id)
def test_gradient(case):
    check_gradient(case)


def test_cases_without_a_gradient_check_say_why():
    assert all(case.note for case in CASES if not case.gradient)
