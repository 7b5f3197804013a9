"""Errors that name the file, the line and the column in a solver's prototxt."""

from __future__ import annotations

from caffe_compat.errors import SolverError
from caffe_compat.prototxt.source import Source


def solver_error(message: str, source: Source | None, *path: str | int) -> SolverError:
    """A SolverError with the name of the file, if there is one, and the position of the field, if the file has it."""
    error = SolverError(message)
    if source is not None:
        error.at(source.name, *((source.where(*path) if path else None) or ()))
    return error
