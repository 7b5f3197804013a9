"""What each layer type computes: one file a layer, registered by its Caffe name.

pycaffe's `caffe.layers` writes nets, `from caffe import layers as L; L.Convolution(bottom, num_output=8)`. So this
package has, besides its modules, whose names are small, such a function for each name that begins with a capital.
"""

from collections.abc import Callable
from typing import Any

from caffe_compat.prototxt import net_spec

if __name__ != "caffe_compat.layers":
    raise ImportError(
        f"this folder is the package caffe_compat.layers and was imported as '{__name__}'; "
        "import caffe_compat.layers, or put your own 'layers' package in front of this folder on sys.path",
        name="caffe_compat.layers",
    )


def __getattr__(name: str) -> Callable[..., Any]:
    if not name[:1].isupper():
        raise AttributeError(f"module 'caffe_compat.layers' has no attribute '{name}'")
    return getattr(net_spec.layers, name)
