"""What an upgrade raises."""

from __future__ import annotations

from caffe_compat.errors import PrototxtError
from caffe_compat.prototxt.scanner import Path


class UpgradeError(PrototxtError):
    """An old form that cannot be turned into today's. `path` leads to the field that stops it."""

    def __init__(self, message: str, path: Path):
        super().__init__(message)
        self.path = path
