"""What a reference may compute differently in a layer: conventions that differ between Caffe's forks, users and tools.

Each function lists hypotheses for one kind of layer; the check is made elsewhere, so that a hypothesis may be wild.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from caffe_compat.compare.recompute import Hypothesis, LayerInputs
from caffe_compat.layers.base import TEST, TRAIN
from caffe_compat.layers.pooling import rounds_up
from caffe_compat.prototxt.caffe_pb2 import LossParameter, LRNParameter, Phase, PoolingParameter

MEANS = {  # B, G, R
    "of the Fast R-CNN nets": (102.9801, 115.9465, 122.7717),
    "of ImageNet, one for each channel": (104.0, 117.0, 123.0),
    "of the VGG nets": (103.939, 116.779, 123.68),
}
SEEDS = [*range(33), 42, 100, 123, 1337, 1701, 2015, 2016, 2017]  # that people use


def hypotheses(inputs: LayerInputs, first_random: bool) -> Iterator[Hypothesis]:
    """All hypotheses about a layer of this type with these bottoms and params."""
    kinds = {
        "Pooling": _pooling,
        "LRN": _lrn,
        "ROIPooling": _roi_pooling,
        "InnerProduct": _inner_product,
        "Convolution": _convolution,
        "Deconvolution": _convolution,
        "SoftmaxWithLoss": _normalization,
        "SigmoidCrossEntropyLoss": _normalization,
    }
    yield from _images(inputs)
    yield from kinds.get(inputs.param.type, _nothing)(inputs)
    if inputs.param.type == "Dropout" and first_random:
        yield from _dropout(inputs)
    if inputs.param.type in ("Dropout", "BatchNorm"):
        other = TEST if inputs.phase == TRAIN else TRAIN
        yield Hypothesis(f"it ran in phase {Phase.Name(other)}", partial(replace, phase=other))


def _nothing(inputs: LayerInputs) -> Iterator[Hypothesis]:
    return iter(())


def _with(inputs: LayerInputs, message: str, **fields) -> LayerInputs:
    """A copy with these fields of a message of the LayerParameter set."""
    result = type(inputs.param)()
    result.CopyFrom(inputs.param)
    for name, value in fields.items():
        setattr(getattr(result, message), name, value)
    return replace(inputs, param=result)


def _set(message: str, **fields) -> Callable[[LayerInputs], LayerInputs]:
    return lambda inputs: _with(inputs, message, **fields)


def _bottom(
    change: Callable[[np.ndarray], np.ndarray], index: int = 0
) -> Callable[[LayerInputs], LayerInputs]:
    def changed(inputs: LayerInputs) -> LayerInputs:
        bottoms = list(inputs.bottoms)
        bottoms[index] = np.ascontiguousarray(change(bottoms[index].copy()), np.float32)
        return replace(inputs, bottoms=bottoms)

    return changed


def _weights(
    change: Callable[[np.ndarray], np.ndarray], index: int = 0
) -> Callable[[LayerInputs], LayerInputs]:
    def changed(inputs: LayerInputs) -> LayerInputs:
        params = list(inputs.params)
        params[index] = np.ascontiguousarray(change(params[index]), np.float32)
        return replace(inputs, params=params)

    return changed


# ---- images and windows -----------------------------------------------------------------------------------------


def _images(inputs: LayerInputs) -> Iterator[Hypothesis]:
    """Channels the other way round, means, scales: one of them, or the first with one of the others."""
    x = inputs.bottoms[0] if inputs.bottoms else np.empty(0)
    if x.ndim != 4 or x.shape[1] != 3:
        return
    swap = "it has the three channels the other way round (BGR and RGB)"
    yield Hypothesis(swap, _bottom(lambda x: x[:, ::-1]))
    for text, scale, offset in _levels():
        yield Hypothesis(f"it {text}", _bottom(partial(_affine, scale, offset)))
    for text, scale, offset in _levels():
        yield Hypothesis(f"{swap}, and {text}", _bottom(partial(_affine_swapped, scale, offset)))


def _levels() -> Iterator[tuple[str, float, np.ndarray]]:
    """In words, and as the scale and offset of an image."""
    for whose, mean in MEANS.items():
        offset = np.reshape(mean, (1, 3, 1, 1))
        yield f"takes the mean {whose} off the image first", 1, -offset
        yield f"has the image without the mean {whose} taken off", 1, offset
    yield "has the image divided by 255", 1 / 255, np.zeros(1)
    yield "has the image times 255", 255, np.zeros(1)


def _affine(scale: float, offset: np.ndarray, x: np.ndarray) -> np.ndarray:
    return x * scale + offset


def _affine_swapped(scale: float, offset: np.ndarray, x: np.ndarray) -> np.ndarray:
    return (x * scale + offset)[:, ::-1]


def _pooling(inputs: LayerInputs) -> Iterator[Hypothesis]:
    param = inputs.param.pooling_param
    up = rounds_up(param)
    field = "ceil_mode" if param.HasField("ceil_mode") else "round_mode"
    other = not up if field == "ceil_mode" else PoolingParameter.FLOOR if up else PoolingParameter.CEIL
    word = "down (floor)" if up else "up (ceil)"
    yield Hypothesis(f"it rounds the number of windows {word}", _set("pooling_param", **{field: other}))
    for pool, word in ((PoolingParameter.MAX, "maximum"), (PoolingParameter.AVE, "average")):
        if param.pool != pool:
            yield Hypothesis(f"it takes the {word} of a window", _set("pooling_param", pool=pool))


def _lrn(inputs: LayerInputs) -> Iterator[Hypothesis]:
    param = inputs.param.lrn_param
    across = param.norm_region == LRNParameter.ACROSS_CHANNELS
    n = param.local_size if across else param.local_size**2
    yield Hypothesis(
        f"it does not divide alpha by n ({n}, the values in a window)",
        _set("lrn_param", alpha=param.alpha * n),
    )
    yield Hypothesis(
        f"it divides alpha by n ({n}, the values in a window) twice", _set("lrn_param", alpha=param.alpha / n)
    )
    for k in (1.0, 2.0):
        if param.k != k:
            yield Hypothesis(f"its k is {k:g}", _set("lrn_param", k=k))
    region, word = (
        (LRNParameter.WITHIN_CHANNEL, "within a channel")
        if across
        else (LRNParameter.ACROSS_CHANNELS, "across channels")
    )
    yield Hypothesis(f"it normalizes {word}", _set("lrn_param", norm_region=region))


# ---- RoIs -------------------------------------------------------------------------------------------------------


def _roi_pooling(inputs: LayerInputs) -> Iterator[Hypothesis]:
    scale = np.float32(inputs.param.roi_pooling_param.spatial_scale)

    def moved(x1: float, y1: float, x2: float, y2: float) -> Callable[[LayerInputs], LayerInputs]:
        return _rois(lambda boxes: boxes + np.array([x1, y1, x2, y2], np.float32))

    def rounded(how: Callable[[np.ndarray], np.ndarray]) -> Callable[[LayerInputs], LayerInputs]:
        return _rois(
            lambda boxes: how(boxes * scale) / scale
        )  # the layer's own rounding then changes nothing

    yield Hypothesis("it rounds the RoIs' corners down (floor)", rounded(np.floor))
    yield Hypothesis("it rounds the RoIs' corners half to even", rounded(np.rint))
    yield Hypothesis("it rounds the first corner down and the second up", rounded(_outwards))
    for pixels, word in ((1, "one pixel"), (0.5, "half a pixel"), (1 / scale, "one cell of the map")):
        for sign, way in ((-1, "up and to the left"), (1, "down and to the right")):
            d = sign * pixels
            yield Hypothesis(f"its RoIs lie {word} {way} of these", moved(d, d, d, d))
    yield Hypothesis("its RoIs end one pixel earlier (x2 and y2 not included)", moved(0, 0, -1, -1))
    yield Hypothesis("its RoIs end one pixel later (x2 and y2 of this side not included)", moved(0, 0, 1, 1))
    yield Hypothesis("its RoIs are y1 x1 y2 x2", _rois(lambda boxes: boxes[:, [1, 0, 3, 2]]))
    yield Hypothesis(
        "its RoIs are x, y, width, height",
        _rois(lambda boxes: np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:] - 1])),
    )


def _rois(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[LayerInputs], LayerInputs]:
    def rows(rois: np.ndarray) -> np.ndarray:
        flat = rois.reshape(-1, 5)
        return np.hstack([flat[:, :1], change(flat[:, 1:])]).reshape(rois.shape)

    return _bottom(rows, index=1)


def _outwards(corners: np.ndarray) -> np.ndarray:
    return np.hstack([np.floor(corners[:, :2]), np.ceil(corners[:, 2:])])


# ---- weights ----------------------------------------------------------------------------------------------------


def _inner_product(inputs: LayerInputs) -> Iterator[Hypothesis]:
    if not inputs.params:
        return
    shape = inputs.params[0].shape
    turned = f"{shape[1]} x {shape[0]}"
    yield Hypothesis(
        f"its weights are transposed (kept as {turned}, inputs x outputs)",
        _weights(lambda w: w.reshape(w.shape[::-1]).T),
    )
    bottom = inputs.bottoms[0].shape if inputs.bottoms else ()
    if len(bottom) == 4 and bottom[2] * bottom[3] > 1 and bottom[1] > 1 and np.prod(bottom[1:]) == shape[1]:
        _, c, h, w = bottom
        yield Hypothesis(
            "its weights take the bottom in the order row, column, channel",
            _weights(lambda x: x.reshape(-1, h, w, c).transpose(0, 3, 1, 2).reshape(x.shape)),
        )
    yield from _no_bias(inputs)


def _convolution(inputs: LayerInputs) -> Iterator[Hypothesis]:
    if not inputs.params:
        return
    shape = inputs.params[0].shape
    if len(shape) == 4:
        if shape[2] == shape[3] > 1:
            yield Hypothesis(
                "its filters have rows and columns transposed", _weights(lambda w: w.transpose(0, 1, 3, 2))
            )
        yield Hypothesis(
            f"its weights are transposed (kept as inputs x outputs: {shape[1]} x {shape[0]} filters)",
            _weights(lambda w: w.reshape(w.shape[1], w.shape[0], *w.shape[2:]).swapaxes(0, 1)),
        )
        yield Hypothesis(
            "its weights are in the order output, row, column, input",
            _weights(lambda w: w.reshape(w.shape[0], *w.shape[2:], w.shape[1]).transpose(0, 3, 1, 2)),
        )
        yield Hypothesis(
            "its weights are in the order row, column, input, output",
            _weights(lambda w: w.reshape(*w.shape[2:], w.shape[1], w.shape[0]).transpose(3, 2, 0, 1)),
        )
        if shape[2] * shape[3] > 1:
            yield Hypothesis(
                "its filters are flipped, as in a true convolution", _weights(lambda w: w[:, :, ::-1, ::-1])
            )
    if len(shape) > 1 and shape[1] == 3:
        yield Hypothesis(
            "its filters have the three input channels the other way round (BGR and RGB)",
            _weights(lambda w: w[:, ::-1]),
        )
    yield from _no_bias(inputs)


def _no_bias(inputs: LayerInputs) -> Iterator[Hypothesis]:
    if len(inputs.params) > 1 and inputs.params[1].any():
        yield Hypothesis("its bias is 0", _weights(np.zeros_like, index=1))


def other_weights(inputs: LayerInputs, others: dict[str, list[np.ndarray]]) -> Iterator[Hypothesis]:
    """The params of each of these layers that have the shapes of this one's."""
    shapes = [param.shape for param in inputs.params]
    for name, params in others.items():
        if shapes and [param.shape for param in params] == shapes:
            yield Hypothesis(
                f"it has the weights of '{name}' in this layer (loaded by another name)",
                partial(replace, params=params),
            )


# ---- others -----------------------------------------------------------------------------------------------------


def _dropout(inputs: LayerInputs) -> Iterator[Hypothesis]:
    for seed in SEEDS:
        yield Hypothesis(f"its random numbers begin here with seed {seed}", partial(replace, seed=seed))


def _normalization(inputs: LayerInputs) -> Iterator[Hypothesis]:
    for name, value in LossParameter.NormalizationMode.items():
        yield Hypothesis(
            f"it normalizes the loss by {name} (loss_param)", _set("loss_param", normalization=value)
        )
