"""Numba kernels: arrays and numbers in, arrays out. No Blob, no protobuf, no validation."""
