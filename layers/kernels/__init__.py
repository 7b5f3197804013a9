"""Numba kernels: arrays and numbers in, arrays out. No Blob, no protobuf, no validation."""

from caffe_compat.layers.kernels import cache_stamp, threading_layer

threading_layer.choose()  # before any kernel is made
cache_stamp.choose()
