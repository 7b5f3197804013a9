"""Heights and widths that a text gives its maps, as far as it tells them: no layer is built."""

from __future__ import annotations

from collections.abc import Iterator

from caffe_compat.prototxt.caffe_pb2 import LayerParameter, NetParameter, PoolingParameter
from caffe_compat.prototxt.coordinates import KEEPS_COORDINATES, filter_sizes

Size = tuple[int, int]


def contradicts(net: NetParameter, zooms_whole: bool) -> bool:
    """Whether an Eltwise or a Concat over channels has bottoms of different sizes.

    zooms_whole: whether Interp's zoom_factor multiplies sizes, not the steps between pixels.
    """
    sizes: dict[str, Size] = {}
    for layer in net.layer:
        found = {sizes[blob] for blob in layer.bottom if blob in sizes}
        joins = layer.type == "Eltwise" or (layer.type == "Concat" and layer.concat_param.axis == 1)
        if joins and len(found) > 1:
            return True
        for blob in layer.top:
            sizes.pop(blob, None)
        sizes.update(_tops(layer, found, zooms_whole))
    return False


def _tops(layer: LayerParameter, bottoms: set[Size], zooms_whole: bool) -> Iterator[tuple[str, Size]]:
    """The sizes of a layer's tops; none where they are not known."""
    if layer.type == "Input":
        for blob, shape in zip(layer.top, layer.input_param.shape, strict=False):
            if len(shape.dim) == 4:
                yield blob, (shape.dim[2], shape.dim[3])
    elif len(bottoms) == 1:
        top = _top(layer, next(iter(bottoms)), zooms_whole)
        if top is not None:
            yield from ((blob, top) for blob in layer.top)


def _top(layer: LayerParameter, bottom: Size, zooms_whole: bool) -> Size | None:
    if layer.type in KEEPS_COORDINATES or layer.type == "Concat":
        return bottom
    if layer.type == "Interp":
        return _interp(layer, bottom, zooms_whole)
    if layer.type == "Pooling" and layer.pooling_param.global_pooling:
        return 1, 1
    filters = filter_sizes(layer)
    if filters is None:
        return None
    pairs = zip(bottom, *filters, strict=True)
    if layer.type == "Deconvolution":
        height, width = (stride * (size - 1) + kernel - 2 * pad for size, kernel, stride, pad in pairs)
    elif layer.type == "Pooling":
        height, width = (_pooled(layer.pooling_param, *pair) for pair in pairs)
    else:
        height, width = ((size + 2 * pad - kernel) // stride + 1 for size, kernel, stride, pad in pairs)
    return height, width


def _pooled(param: PoolingParameter, size: int, kernel: int, stride: int, pad: int) -> int:
    """Rounded up, unless the field of a fork says otherwise; a last window that starts in the padding is dropped."""
    down = param.round_mode == PoolingParameter.FLOOR or not param.ceil_mode
    count = (size + 2 * pad - kernel + (0 if down else stride - 1)) // stride + 1
    return count - 1 if pad and (count - 1) * stride >= size + pad else count


def _interp(layer: LayerParameter, bottom: Size, zooms_whole: bool) -> Size | None:
    param = layer.interp_param
    if param.pad_beg or param.pad_end or param.use_blob_size:
        return None
    if param.zoom_factor > 1:
        steps = [(size - 1) // max(param.shrink_factor, 1) for size in bottom]
        height, width = (
            (n + 1) * param.zoom_factor if zooms_whole else n * param.zoom_factor + 1 for n in steps
        )
        return height, width
    return (param.height, param.width) if param.HasField("height") and param.HasField("width") else None
