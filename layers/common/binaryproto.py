"""Arrays from binaryproto files: mean images, and the matrix of InfogainLoss."""

from __future__ import annotations

import numpy as np
from google.protobuf.message import DecodeError

from caffe_compat.errors import ErrorFactory
from caffe_compat.prototxt.blob_proto import to_array
from caffe_compat.prototxt.caffe_pb2 import BlobProto


def read_binaryproto(owner: ErrorFactory, path: str) -> np.ndarray:
    """Return the array (float32, or float64 where such were written) of a file that holds one BlobProto.

    Raises owner's error when the file cannot be read, is no BlobProto, or its shape and its numbers disagree.
    """
    proto = BlobProto()
    try:
        with open(path, "rb") as file:
            proto.ParseFromString(file.read())
    except OSError as error:
        raise owner.error(f"cannot read '{path}': {error.strerror}") from error
    except DecodeError as error:
        raise owner.error(f"'{path}' is no binaryproto file (a BlobProto message)") from error
    try:
        return to_array(proto)
    except ValueError as error:
        raise owner.error(f"'{path}' holds {error}") from error
