"""Every error that the project raises on purpose.

All derive from `CaffeCompatError`; the command line prints such an error as one line and exits with its
`exit_code`. Anything else that reaches the user is a bug, or a user layer's own exception.
"""

from __future__ import annotations

from typing import Any, Protocol


class CaffeCompatError(RuntimeError):
    """Something is wrong with what the user gave: says what was found, what was expected, what to do.

    A RuntimeError, because pycaffe raises that (for files that are not there, arrays that do not fit).

    `file`, `line` and `column` (1-based) tell where it stands, as far as known; whoever knows more than the
    raiser adds it with `at`.
    """

    exit_code = 1

    def __init__(
        self, message: str, file: str | None = None, line: int | None = None, column: int | None = None
    ):
        super().__init__(message)
        self.message = message
        self.file = file
        self.line = line
        self.column = column

    def at(self, file: str | None, line: int | None = None, column: int | None = None) -> CaffeCompatError:
        """Fill in the place where the error does not name one yet; returns the error itself."""
        if self.file is None:
            self.file, self.line, self.column = file, line, column
        return self

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        return f"{place}: {self.message}" if place else self.message


class ErrorFactory(Protocol):
    """What errors are about, a layer or a file: it makes the error to raise from a message."""

    def error(self, message: str) -> CaffeCompatError: ...


class PrototxtError(CaffeCompatError):
    """A prototxt (or another text or binary message) cannot be read: bad syntax, unknown field, truncated."""

    exit_code = 3


class GraphError(CaffeCompatError):
    """The layers do not make a net: unknown type, missing bottom, top produced twice, conflicting shares."""

    exit_code = 4

    def __init__(self, message: str, layer: str = "", **place):
        super().__init__(f"layer '{layer}': {message}" if layer else message, **place)
        self.layer = layer


class LayerError(CaffeCompatError):
    """A layer cannot work with what it got: wrong shapes, params or values. Names the layer and its type."""

    exit_code = 5

    def __init__(self, message: str, layer: str = "", type: str = "", **place):
        super().__init__(f"layer '{layer}' ({type}): {message}" if layer or type else message, **place)
        self.layer = layer
        self.type = type


class WeightsError(CaffeCompatError):
    """Weights cannot be read, or do not fit the net: names the layer and both shapes."""

    exit_code = 6


class DataError(CaffeCompatError):
    """Data cannot be read or does not fit: a photo, an annotation, an .npz of inputs."""

    exit_code = 7


class SolverError(CaffeCompatError):
    """A solver cannot be made, or cannot go on: unknown type or policy, no net, a state that does not fit."""

    exit_code = 8


class NotFiniteError(LayerError):
    """A value is not finite where somebody asked to stop at the first one; `finding` says all about it."""

    exit_code = 9

    def __init__(self, message: str, layer: str = "", type: str = "", finding: Any = None, **place):
        super().__init__(message, layer, type, **place)
        self.finding = finding
