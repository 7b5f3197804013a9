"""SkimCaffe's layers that compute several at once."""

from __future__ import annotations

from caffe_compat.prototxt.caffe_pb2 import LayerParameter

_PARTS = {
    "ConvolutionReLU": ("Convolution", "ReLU"),
    "ConvolutionReLUPool": ("Convolution", "ReLU", "Pooling"),
    "ConvolutionReLUPoolLRN": ("Convolution", "ReLU", "Pooling", "LRN"),
    "InnerProductReLUDropout": ("InnerProduct", "ReLU", "Dropout"),
    "ReLUPooling": ("ReLU", "Pooling"),
}
_PARAMS = {
    "Convolution": "convolution_param",
    "Dropout": "dropout_param",
    "InnerProduct": "inner_product_param",
    "LRN": "lrn_param",
    "Pooling": "pooling_param",
    "ReLU": "relu_param",
}
_IN_PLACE = ("ReLU", "Dropout")


def parts(layer: LayerParameter) -> list[LayerParameter]:
    """The layers that compute what a layer of SkimCaffe's does, one after the other; the layer itself where it is none.

    The first one that is no ReLU has its name, and so its trained params; blobs between them have names of their own.
    Source: ConvolutionReLULayer and others of IntelLabs/SkimCaffe.
    """
    types = _PARTS.get(layer.type, ())
    if not types or len(layer.bottom) != 1 or len(layer.top) != 1:
        return [layer]
    owner = next(type for type in types if type != "ReLU")
    result = [_part(layer, type, type == owner) for type in types]
    blob = layer.bottom[0]
    for i, part in enumerate(result):
        part.bottom[:] = [blob]
        if i == 0 or part.type not in _IN_PLACE:
            is_last = all(later.type in _IN_PLACE for later in result[i + 1 :])
            blob = layer.top[0] if is_last else f"{layer.name}_{part.type.lower()}"
        part.top[:] = [blob]
    return result


def _part(layer: LayerParameter, type: str, is_owner: bool) -> LayerParameter:
    part = LayerParameter()
    if is_owner:
        part.CopyFrom(layer)
        for param in _PARAMS.values():
            part.ClearField(param)
    else:
        part.name = f"{layer.name}_{type.lower()}"
        part.include.extend(layer.include)
        part.exclude.extend(layer.exclude)
    part.type = type
    if layer.HasField(_PARAMS[type]):
        getattr(part, _PARAMS[type]).CopyFrom(getattr(layer, _PARAMS[type]))
    return part
