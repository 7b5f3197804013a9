"""PREFIX_iter_N.extra.npz: what an exact resume needs and neither a .caffemodel nor a .solverstate holds.

An .npz without pickles, with these keys:

    version, type, iter, checksum     1, the solver's type, the iteration; CRC-32 of the params and the history
    rng/words, rng/position           the stream of caffe_rng()
    numpy/keys, numpy/position, numpy/has_gauss, numpy/gauss     numpy's global RandomState
    window, smoothed_loss             the last average_loss losses, the oldest first, and their running mean
    layer/NET/LAYER/KEY               what the layer's get_state returned; NET is train, test0, test1, ...
    extra/NAME/KEY                    what the get_state of an object in Solver.extra_state, or of the engine, returned
    param/LAYER/INDEX                 the trained params that the .caffemodel holds in another form (weight_exports)
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from caffe_compat.errors import SolverError
from caffe_compat.files import replacing
from caffe_compat.rng import caffe_rng, set_numpy_state

VERSION = 1
Arrays = dict[str, np.ndarray]


def checksum(arrays: Iterable[np.ndarray]) -> int:
    """The CRC-32 of the bytes of all arrays, one after the other."""
    crc = 0
    for array in arrays:
        crc = zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data, crc)
    return crc


def write(arrays: Mapping[str, Any], path: str) -> None:
    """Write a sidecar with these arrays, the version and the states of both random number generators."""
    words, position = caffe_rng().get_state()
    _, keys, place, has_gauss, gauss = np.random.get_state()
    everything = {
        "version": VERSION,
        "rng/words": words,
        "rng/position": position,
        "numpy/keys": keys,
        "numpy/position": place,
        "numpy/has_gauss": has_gauss,
        "numpy/gauss": gauss,
        **arrays,
    }
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **everything)


def read(path: str) -> Arrays:
    """Read a sidecar. Raises SolverError where the file is none, or one of another version."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        version = int(arrays["version"])
    except Exception as error:  # a damaged zip file gives all kinds
        raise broken(error, path) from error
    if version != VERSION:
        raise SolverError(f"found version {version} of this file, can read version {VERSION}", file=path)
    return arrays


def broken(error: Exception, path: str) -> SolverError:
    """The error to raise where a sidecar holds something else than it should."""
    return SolverError(
        f"this file beside the state is broken ({type(error).__name__}: {error}); remove it to go on without it",
        file=path,
    )


def restore_random(arrays: Arrays) -> None:
    """Let both random number generators go on from the states in a sidecar."""
    caffe_rng().set_state((arrays["rng/words"], int(arrays["rng/position"])))
    place, has_gauss = int(arrays["numpy/position"]), int(arrays["numpy/has_gauss"])
    set_numpy_state(arrays["numpy/keys"], place, has_gauss, float(arrays["numpy/gauss"]))


def under(arrays: Arrays, prefix: str) -> dict[str, Arrays]:
    """The arrays named PREFIX/NAME/KEY, as {NAME: {KEY: array}}."""
    result: dict[str, Arrays] = {}
    for key, array in arrays.items():
        if key.startswith(prefix + "/"):
            name, _, last = key[len(prefix) + 1 :].rpartition("/")
            result.setdefault(name, {})[last] = array
    return result
