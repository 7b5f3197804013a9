"""Kernels that take addresses of their own arrays: numba gives an array back after the last use of its name."""

import ast
from pathlib import Path

import pytest
from processes import python

KERNELS = sorted((Path(__file__).parents[3] / "layers" / "kernels").glob("*.py"))


def addresses_that_outlive(function: ast.FunctionDef) -> list[str]:
    """The function's own arrays whose address is taken for good: in no loop, which would keep the name till its end,
    and before the last statement that names the array."""
    own = {
        name.id
        for one in ast.walk(function)
        if isinstance(one, ast.Assign) and "np." in ast.unparse(one.value)
        for target in one.targets
        for name in ast.walk(target)
        if isinstance(name, ast.Name)
    }
    found = []
    for statement in function.body:
        if isinstance(statement, (ast.For, ast.While)):
            continue
        for one in ast.walk(statement):
            if isinstance(one, ast.Attribute) and ast.unparse(one).endswith(".ctypes.data"):
                names = [name.id for name in ast.walk(one) if isinstance(name, ast.Name) and name.id in own]
                found += [name for name in names if _last(function, name) <= statement.end_lineno]
    return found


def _last(function: ast.FunctionDef, name: str) -> int:
    return max(one.lineno for one in ast.walk(function) if isinstance(one, ast.Name) and one.id == name)


@pytest.mark.parametrize("path", KERNELS, ids=lambda path: path.stem)
def test_no_address_outlives_its_array(path):
    functions = [one for one in ast.walk(ast.parse(path.read_text())) if isinstance(one, ast.FunctionDef)]
    assert {one.name: names for one in functions if (names := addresses_that_outlive(one))} == {}


def test_an_address_that_outlives_its_array_is_seen():
    text = """
def kernel(x):
    gone, kept, looped = np.empty(3), np.empty(3), np.empty(3)
    a, b = gone[1:].ctypes.data, kept.ctypes.data
    for i in range(3):
        call(a, b, looped.ctypes.data, x.ctypes.data)
    kept[0] = 1
    """
    (function,) = ast.parse(text).body
    assert addresses_that_outlive(function) == ["gone"]


def test_gradients_of_pooling_where_memory_that_is_given_back_is_gone(monkeypatch):
    """glibc maps and unmaps arrays of this size: to read one that was given back ends the process."""
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "1024")
    done = python(
        """
        import numpy as np

        from caffe_compat.layers.kernels.pool_gradients import pool_gradients

        x, window = np.arange(2 * 900 * 7, dtype=np.float32).reshape(2, 900, 7), np.array([[3, 1, 1], [3, 1, 1]])
        out = np.full(x.shape, np.nan, np.float32)
        pool_gradients(x, window, True, np.ones(x.shape, np.float32), out)
        print(out.sum(), out[1, 899, 6])
        """
    )
    assert (done.returncode, done.stdout) == (0, "12600.0 4.0\n"), done.stderr
