"""Which rows are of which branch, as ROISplit says it."""

from __future__ import annotations

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer


def read_branch_num(layer: Layer, branches: int) -> int:
    """Raises LayerError unless there are two or three branches."""
    if branches not in (2, 3):
        raise layer.error(f"branch_num is {branches}; expected 2 or 3")
    return branches


def check_tables(layer: Layer, counts: Blob, table: Blob, rows: int, branches: int) -> None:
    """Raises LayerError unless there is a number for each branch, and two for each row."""
    if counts.count < branches or table.count != 2 * rows:
        raise layer.error(
            f"ROISplit's tops have the shapes {counts.shape} and {table.shape}; expected a number for each of "
            f"{branches} branches, and {rows} x 2 numbers for as many rows"
        )


def rows_of_branches(layer: Layer, table: Blob, branches: int) -> list[np.ndarray]:
    """The rows of each branch in its order. Raises LayerError where table has no such orders."""
    number, branch = table.data.reshape(-1, 2).T
    found = []
    for which in range(1, branches + 1):
        rows = np.flatnonzero(branch == which)
        rows = rows[np.argsort(number[rows], kind="stable")]
        if not np.array_equal(number[rows], np.arange(len(rows))):
            raise layer.error(
                f"the RoIs of branch {which} are not numbered from 0; is this ROISplit's top[1]?"
            )
        found.append(rows)
    if sum(len(rows) for rows in found) != len(branch):
        raise layer.error(f"a RoI is of none of the {branches} branches; is this ROISplit's top[1]?")
    return found


def branch_is_empty(layer: Layer, counts: Blob, branch: int) -> bool:
    """Whether ROISplit's top[0] has no RoI for a branch, from 1."""
    return abs(float(counts.data.flat[branch - 1])) < 1


def check_branch(layer: Layer, counts: Blob, branch: int) -> None:
    """Raises LayerError unless there is a number for this branch."""
    if not 1 <= branch <= counts.count:
        raise layer.error(
            f"branch_id is {branch}; the last bottom, of shape {counts.shape}, has the branches 1 to {counts.count}"
        )
