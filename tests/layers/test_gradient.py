"""Every layer's backward pass is the derivative of its forward pass."""

from layers.cases import CASES
from layers.gradient import check_gradient
from layers.sweep import check_each, each_type


@each_type((case.type, case) for case in CASES if case.gradient)
def test_gradient(type, items):
    check_each(check_gradient, items)


def test_cases_without_a_gradient_check_say_why():
    assert all(case.note for case in CASES if not case.gradient)
