"""The message classes of caffe_compat.prototxt.caffe_pb2, the very same, under pycaffe's name."""

from caffe_compat.prototxt.caffe_pb2 import *  # noqa: F403
