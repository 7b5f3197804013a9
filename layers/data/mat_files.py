"""The names of the .mat files that MatRead and MatWrite are about, and blobs in such files."""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe_compat.errors import ErrorFactory
from caffe_compat.layers.common.list_file import read_lines
from caffe_compat.layers.common.optional_import import optional_import
from caffe_compat.layers.data.mat5 import MatError, read_mat
from caffe_compat.prototxt.caffe_pb2 import MatReadParameter, MatWriteParameter


def scipy_io(owner: ErrorFactory) -> Any:
    """scipy.io. Raises owner's error that names the extra where it is not there."""
    return optional_import(owner.error, "scipy.io", "mat")


def stems(owner: ErrorFactory, param: MatReadParameter | MatWriteParameter) -> list[str] | None:
    """The first word of each line of param.source, less `strip` characters at its end; None without a source.

    Raises owner's error for a list that cannot be read, and for a word that is not longer than that.
    """
    if not param.source:
        return None
    if param.strip < 0:
        raise owner.error(f"strip is {param.strip}; it must be at least 0")
    words = [
        (line.split()[0], place) for line, place in read_lines(owner, param.source, "list") if line.strip()
    ]
    for word, place in words:
        if len(word) <= param.strip:
            raise owner.error(f"{place}: strip {param.strip} leaves nothing of '{word}'")
    return [word[: len(word) - param.strip] for word, _ in words]


def read_blob(owner: ErrorFactory, path: str) -> np.ndarray:
    """The array "data" of a .mat file, W x H x C x N there, as N x C x H x W; axes that are not there count 1.

    Raises owner's error for a file that cannot be read or has no such array.
    """
    try:
        file = read_mat(path)
    except (OSError, MatError) as error:
        raise owner.error(f"'{path}' cannot be read as .mat: {error}") from error
    array = file.get("data")
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub" or array.ndim > 4:
        raise owner.error(
            f"'{path}' has no array of numbers 'data' with up to 4 axes, as a blob is written there"
        )
    return array.T.reshape((1,) * (4 - array.ndim) + array.T.shape)
