"""What Ristretto's layers leave in the bottoms that they trim, for the layers behind that read them too."""

from __future__ import annotations

from caffe_compat.prototxt.caffe_pb2 import TEST, LayerParameter, NetParameter, QuantizationParameter

_TRIMS = ("ConvolutionRistretto", "DeconvolutionRistretto", "FcRistretto")
_LEFT = ("precision", "rounding_scheme", "bw_layer_in", "fl_layer_in", "mant_bits", "exp_bits")


def with_trimmed_bottoms(net: NetParameter) -> NetParameter:
    """A copy in which a RistrettoBottom stands behind each layer in TEST that trims a bottom, and the layers further
    down read that in the bottom's place.

    The original trims a bottom where it lies. No layer is put in where nobody reads the bottom later, where it is as
    trimmed already, and where a layer further down works in place on it, which is an error anyway.
    Source: Forward_gpu of Ristretto's layers (pmgysel/caffe).
    """
    result = NetParameter()
    result.CopyFrom(net)
    if not any(layer.type in _TRIMS for layer in net.layer):
        return result
    result.ClearField("layer")
    now: dict[str, str] = {}  # the blob that stands for one of the file
    trimmed: dict[str, QuantizationParameter] = {}  # how the blobs that are put in are
    names = {name for layer in net.layer for name in (layer.name, *layer.top)}
    for i, layer in enumerate(net.layer):
        copy = result.layer.add()
        copy.CopyFrom(layer)
        copy.bottom[:] = [now.get(name, name) for name in layer.bottom]
        for name in layer.top:
            now.pop(name, None)
        if layer.type not in _TRIMS or layer.phase != TEST:
            continue
        for name in dict.fromkeys(layer.bottom):
            left = _left(layer.quantization_param)
            if not _is_read(name, net.layer[i + 1 :]) or _is_idempotent(left, trimmed.get(now.get(name, ""))):
                continue
            top = f"{name}_{layer.name}_trimmed"
            while top in names:
                top += "_"
            names.add(top)
            put = result.layer.add(name=top, type="RistrettoBottom", phase=TEST)
            put.bottom.append(now.get(name, name))
            put.top.append(top)
            put.quantization_param.CopyFrom(left)
            now[name], trimmed[top] = top, left
    return result


def _left(param: QuantizationParameter) -> QuantizationParameter:
    """What of a quantization_param concerns the bottom."""
    result = QuantizationParameter()
    for name in _LEFT:
        if param.HasField(name):
            setattr(result, name, getattr(param, name))
    if result.precision != QuantizationParameter.MINIFLOAT:
        result.ClearField("precision")
    return result


def _is_idempotent(left: QuantizationParameter, before: QuantizationParameter | None) -> bool:
    """Whether what is trimmed like `before` stays as it is. A minifloat may have been rounded out of its range."""
    return left == before and left.precision != QuantizationParameter.MINIFLOAT


def _is_read(name: str, below: list[LayerParameter]) -> bool:
    """Whether layers below read this version of a blob, and none of them works in place on it."""
    reads = False
    for layer in below:
        if name in layer.top:
            return reads and name not in layer.bottom
        reads |= name in layer.bottom
    return reads
