"""Errors with their place in a solver's prototxt."""

from __future__ import annotations

from caffe_compat.errors import SolverError
from caffe_compat.prototxt.source import Source


def solver_error(message: str, source: Source | None, *path: str | int) -> SolverError:
    """A SolverError with the file, where there is one, and the place of the field, where the file states it."""
    error = SolverError(message)
    if source is not None:
        error.at(source.name, *((source.where(*path) if path else None) or ()))
    return error
