"""Errors about a file."""

from __future__ import annotations

from dataclasses import dataclass

from caffe_compat.errors import DataError


@dataclass(frozen=True)
class FileErrors:
    """Makes the errors about a file of data."""

    file: str

    def error(self, message: str) -> DataError:
        return DataError(message, file=self.file)
