"""Fillers: what a param or a made-up data blob starts with."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.errors import CaffeCompatError
from caffe_compat.layers.common.list_file import read_numbers
from caffe_compat.prototxt.caffe_pb2 import FillerParameter
from caffe_compat.rng import caffe_rng
from caffe_compat.text import nearest


def fill(blob: Blob, filler: FillerParameter) -> None:
    """Write `blob.data` as the filler says; random ones draw from the global stream.

    For xavier and msra there are count / shape[0] inputs and count / shape[1] outputs (count when 1 axis).
    Raises CaffeCompatError for an unknown type, an empty blob, or params that the type cannot take.

    Type "gaussian_unitball" is happynear's: gaussian rows of length 1.

    Type "file" is daerduoCarey's: the numbers that `file` begins with, 0 and a warning where there
    is no such file.

    Type "diagonal" is FlowNet2's: output n is diag_val[n], or 1, of the mean of input n.

    Type "value" is e2e_face's (mikuhatsune): `values`, one for each element, 0 after the last of them.

    Types "EdgeX", "EdgeY" and "Laplacian" are Ravi Garg's, of unsupervised depth: the same kernel of 3 x 3 for each
    pair of an output and an input. As there, EdgeX is half the difference of the row below and the row above.

    Sources: Caffe's Filler; Glorot and Bengio (2010) for xavier; He, Zhang, Ren and Sun (2015) for msra.
    """
    if filler.type not in _FILLERS:
        near = nearest(filler.type, _FILLERS)
        hint = f"did you mean '{near}'?" if near else f"known types: {', '.join(sorted(_FILLERS))}"
        raise CaffeCompatError(f"unknown filler type '{filler.type}'; {hint}")
    if blob.count == 0:
        raise CaffeCompatError(f"a filler cannot fill a blob of shape {blob.shape}: it has no elements")
    if filler.sparse != -1 and filler.type != "gaussian":
        raise CaffeCompatError(f"filler type '{filler.type}' cannot be sparse; only gaussian can")
    _FILLERS[filler.type](blob, filler)


def _constant(blob: Blob, filler: FillerParameter) -> None:
    if filler.value or blob.has_data:  # else it is 0, and memory that nobody writes to is not taken
        blob.data[...] = filler.value


def _uniform(blob: Blob, filler: FillerParameter) -> None:
    caffe_rng().uniform(filler.min, filler.max, blob.data)


def _gaussian(blob: Blob, filler: FillerParameter) -> None:
    if not -1 <= filler.sparse <= blob.num:
        raise CaffeCompatError(
            f"gaussian filler with sparse: {filler.sparse}; "
            f"it must lie between 0 and the number of outputs, {blob.num}"
        )
    caffe_rng().gaussian(filler.mean, filler.std, blob.data)
    if filler.sparse >= 0:
        keep = np.empty(blob.shape, np.bool_)
        caffe_rng().bernoulli(np.float32(filler.sparse) / np.float32(blob.num), keep)
        blob.data[...] *= keep


def _positive_unitball(blob: Blob, filler: FillerParameter) -> None:
    caffe_rng().uniform(0, 1, blob.data)
    rows = blob.data.reshape(blob.num, -1)
    rows /= rows.sum(axis=1, keepdims=True)


def _gaussian_unitball(blob: Blob, filler: FillerParameter) -> None:
    caffe_rng().gaussian(0, 1, blob.data)
    rows = blob.data.reshape(blob.num, -1)
    rows /= np.sqrt((rows * rows).sum(axis=1, keepdims=True) + np.float32(1e-12))


def _nodes(blob: Blob, filler: FillerParameter) -> float:
    fan_in, fan_out = blob.count // blob.num, blob.count // blob.channels
    if filler.variance_norm == FillerParameter.AVERAGE:
        return (fan_in + fan_out) / 2
    return fan_out if filler.variance_norm == FillerParameter.FAN_OUT else fan_in


def _xavier(blob: Blob, filler: FillerParameter) -> None:
    scale = math.sqrt(3 / _nodes(blob, filler))
    caffe_rng().uniform(-scale, scale, blob.data)


def _msra(blob: Blob, filler: FillerParameter) -> None:
    if filler.HasField("alpha") and filler.HasField("negative_slope"):
        raise CaffeCompatError(
            "an msra filler has alpha and negative_slope, which are one; remove one of them"
        )
    # of a leaky ReLU below 0: happynear's, ChenglongChen's Caffe
    slope = filler.alpha or filler.negative_slope
    caffe_rng().gaussian(0, math.sqrt(2 / _nodes(blob, filler) / (1 + slope * slope)), blob.data)


def _bilinear(blob: Blob, filler: FillerParameter) -> None:
    if len(blob.shape) != 4 or blob.height != blob.width:
        raise CaffeCompatError(
            f"a bilinear filler fills 4 axes with a square kernel, not the shape {blob.shape}"
        )
    half = math.ceil(blob.width / 2)
    centre = (blob.width - 1) / (2 * half)
    ramp = 1 - np.abs(np.arange(blob.width) / half - centre)
    blob.data[...] = ramp[:, None] * ramp


def _bilinear_upsampling(blob: Blob, filler: FillerParameter) -> None:
    """BVLC's first bilinear filler, which CCNN has."""
    if len(blob.shape) != 4 or blob.height != blob.width:
        raise CaffeCompatError(
            f"a bilinear_upsampling filler fills 4 axes with a square kernel, not the shape {blob.shape}"
        )
    ramp = _first_ramp(blob.width)
    blob.data[...] = ramp[:, None] * ramp


def _bilinear_3d(blob: Blob, filler: FillerParameter) -> None:
    """3D-DenseSeg's."""
    if len(blob.shape) != 5 or len({*blob.shape[2:]}) > 1:
        raise CaffeCompatError(
            f"a bilinear_3D filler fills 5 axes with a cubic kernel, not the shape {blob.shape}"
        )
    ramp = _first_ramp(blob.shape[-1])
    blob.data[...] = ramp[:, None, None] * ramp[:, None] * ramp


def _first_ramp(size: int) -> np.ndarray:
    """That of BVLC's first bilinear filler, whose centre is off where half the kernel is odd."""
    half = math.ceil(size / 2)
    return 1 - np.abs(np.arange(size) / half - (2 * half - 1 - half % 2) / (2 * half))


def _diagonal(blob: Blob, filler: FillerParameter) -> None:
    values = blob.data.reshape(blob.num, blob.channels, -1)
    values[...] = 0
    for n in range(min(blob.num, blob.channels)):
        value = filler.diag_val[n] if n < len(filler.diag_val) else 1
        values[n, n] = blob.dtype.type(value) / blob.dtype.type(values.shape[2])


class _Filler:
    """What an error about a filler's file is of: the layer names itself."""

    error = CaffeCompatError


def _file(blob: Blob, filler: FillerParameter) -> None:
    if not filler.file:
        raise CaffeCompatError("a filler of type 'file' names no file; give file")
    if not os.path.exists(filler.file):
        warnings.warn(f"there is no file '{filler.file}' to fill a param from; it is 0", stacklevel=2)
        blob.data[...] = 0
        return
    numbers = read_numbers(_Filler(), filler.file, blob.count)
    if len(numbers) < blob.count:
        raise CaffeCompatError(f"'{filler.file}' has {len(numbers)} numbers; the param needs {blob.count}")
    blob.data[...] = np.reshape(numbers, blob.shape)


def _value(blob: Blob, filler: FillerParameter) -> None:
    if len(filler.values) > blob.count:
        raise CaffeCompatError(
            f"a value filler has {len(filler.values)} values for a param of shape {blob.shape}, which has "
            f"{blob.count} elements"
        )
    flat = blob.data.reshape(-1)
    flat[: len(filler.values)] = filler.values
    flat[len(filler.values) :] = 0


_EDGE = ((0, -0.5, 0), (0, 0, 0), (0, 0.5, 0))
_KERNELS = {
    "EdgeX": np.array(_EDGE),
    "EdgeY": np.array(_EDGE).T,
    "Laplacian": np.array(((1, 4, 1), (4, -20, 4), (1, 4, 1))) / 6,
}


def _kernel(blob: Blob, filler: FillerParameter) -> None:
    if len(blob.shape) != 4 or blob.shape[2:] != (3, 3):
        raise CaffeCompatError(
            f"a filler of type {filler.type} fills 4 axes with a kernel of 3 x 3, not the shape {blob.shape}"
        )
    blob.data[...] = _KERNELS[filler.type]


_FILLERS: dict[str, Callable[[Blob, FillerParameter], None]] = {
    "constant": _constant,
    "uniform": _uniform,
    "gaussian": _gaussian,
    "positive_unitball": _positive_unitball,
    "gaussian_unitball": _gaussian_unitball,
    "xavier": _xavier,
    "msra": _msra,
    "bilinear": _bilinear,
    "bilinear_3D": _bilinear_3d,
    "bilinear_upsampling": _bilinear_upsampling,
    "diagonal": _diagonal,
    "file": _file,
    "value": _value,
    **dict.fromkeys(_KERNELS, _kernel),
}
