"""Numba kernels: arrays and numbers in, arrays out. No Blob, no protobuf, no validation."""

from caffe_compat.layers.kernels import collecting, disk_cache, threading_layer

threading_layer.choose()  # before any kernel is made
disk_cache.choose()
collecting.pause_while_compiling()
