"""DenseBlock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.fillers import fill
from caffe_compat.layers.common.learnable import ShapeAndFiller, set_up_params
from caffe_compat.layers.common.repetitions import check_repetitions
from caffe_compat.layers.convolution.convolution import Convolution
from caffe_compat.layers.cudnn_batch_norm import CuDNNBatchNorm
from caffe_compat.layers.dropout import Dropout
from caffe_compat.layers.registry import register
from caffe_compat.layers.relu import ReLU
from caffe_compat.prototxt.caffe_pb2 import FillerParameter, LayerParameter

ZERO, ONE = FillerParameter(), FillerParameter(value=1)


@dataclass
class Step:
    """A layer within the block: the blobs that it reads and writes, and which params of the block it has.

    flips: its filters are the block's, turned by 180 degrees.
    """

    layer: Layer
    bottom: Blob
    top: Blob
    params: list[int]
    flips: bool = False


@register("DenseBlock")
class DenseBlock(Layer):
    """A block of DenseNet: numTransition times, growthRate maps are made of all maps so far, and join them.

    bottom: N x C x H x W; top: N x (C + numTransition growthRate) x H x W, of which the first C are the bottom's. The
    new maps are a convolution of 3 x 3 pixels of ReLU of batch normalisation of the maps so far; with use_BC of ReLU
    of batch normalisation of 4 growthRate maps, which are a convolution of 1 x 1 of the former. A convolution is what
    mathematics calls so: its filters are Caffe's turned by 180 degrees. use_dropout: in training the new maps go
    through Dropout (dropout_amount), which draws from the global stream.

    Of T transitions, params are T each of: filters growthRate x C' x 3 x 3 (Filter_Filler), scales 1 x C' x 1 x 1
    (BN_Scaler_Filler) and biases (BN_Bias_Filler) of the normalisation, and its mean and variance, which start as 0
    and 1 and are not learned; C' is the number of maps so far. With use_BC C' of the filters is 4 growthRate, and T
    each of filters 4 growthRate x C' x 1 x 1 and scales, biases, means and variances of these maps come behind. Last
    comes one number, which is not used. The normalisation is CuDNNBatchNorm's with eps 1e-5; an average becomes 1 -
    moving_average_fraction times itself plus moving_average_fraction times the batch's, whose variance is unbiased.
    As in the original, what initChannel and fields of other convolutions say does not count. Raises LayerError for
    `param` entries, and shapes that do not fit.

    Source: DenseBlockLayer of Tongcheng's Caffe and caffe_ocr, on the GPU; Huang, Liu, van der Maaten and Weinberger,
    Densely Connected Convolutional Networks (2017).
    """

    reads = ("denseblock_param",)
    origin = "caffe_ocr"
    backward_reads_top = True
    without_effect = tuple(
        f"denseblock_param.{field}"
        for field in (
            "initChannel",
            "pad_h",
            "pad_w",
            "conv_verticalStride",
            "conv_horizentalStride",
            "filter_H",
            "filter_W",
            "gpuIdx",
            "workspace_MB",
            "BC_ultra_space_efficient",
        )
    )

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.denseblock_param
        if len(bottom[0].shape) != 4 or not bottom[0].count:
            raise self.error(f"the bottom has the shape {bottom[0].shape}; expected N x C x H x W")
        self.channels = bottom[0].channels
        if min(param.numTransition, param.growthRate) < 1:
            raise self.error(
                f"numTransition is {param.numTransition} and growthRate {param.growthRate}; give at least 1"
            )
        check_repetitions(self, "numTransition", param.numTransition)
        if self.layer_param.param:
            raise self.error("says itself which params are learned; remove its param entries")
        self._set_up_params()
        self.maps = Blob((), bottom[0].dtype)  # those so far, of one transition after the other
        self.transitions = [self._steps(i) for i in range(param.numTransition)]

    def _set_up_params(self) -> None:
        param = self.layer_param.denseblock_param
        count, grown = param.numTransition, 4 * param.growthRate
        so_far = [self.channels + i * param.growthRate for i in range(count)]
        of_norm = param.BN_Scaler_Filler, param.BN_Bias_Filler, ZERO, ONE
        kinds: list[list[ShapeAndFiller]] = [
            [((param.growthRate, grown if param.use_BC else c, 3, 3), param.Filter_Filler) for c in so_far]
        ]
        kinds += [[((1, c, 1, 1), filler) for c in so_far] for filler in of_norm]
        if param.use_BC:
            kinds.append([((grown, c, 1, 1), param.Filter_Filler) for c in so_far])
            kinds += [[((1, grown, 1, 1), filler) for _ in so_far] for filler in of_norm]
        params = [each for kind in kinds for each in kind] + [((1,), ZERO)]
        if self.blobs:
            set_up_params(self, *params)
        else:  # filled transition by transition, as the numbers are drawn there
            for shape, _ in params:
                self.blobs.add_blob(*shape)
            order = [k * count + i for i in range(count) for k in (0, 5, 1, 6, 2, 7) if k < len(kinds)]
            for index in order + [k for k in range(len(params)) if k not in order]:
                fill(self.blobs[index], params[index][1])
        for i in range(len(params)):
            learned = i < count * 10 and i // count % 5 < 3 and i < len(params) - 1
            self.layer_param.param.add(lr_mult=float(learned), decay_mult=float(learned))

    def _steps(self, transition: int) -> list[Step]:
        """The layers that make the new maps of a transition; they have the block's params, or turned copies."""
        param, dtype = self.layer_param.denseblock_param, self.maps.dtype
        kinds = range(0, 10 * param.numTransition, param.numTransition)
        filters, *norm, bottleneck = [kind + transition for kind in kinds[:6]]
        steps: list[Step] = []

        def add(cls: type[Layer], params: Sequence[int] = (), in_place=False, flips=False, **fields) -> None:
            layer = cls.create(
                LayerParameter(name=self.name, type=cls.type, **fields), self.phase, self.dtype
            )
            for i in params:
                if flips:
                    layer.blobs.add_blob(*self.blobs[i].shape)
                else:
                    layer.blobs.append(self.blobs[i])
            bottom = steps[-1].top if steps else self.maps
            steps.append(Step(layer, bottom, bottom if in_place else Blob((), dtype), list(params), flips))

        statistics = {"eps": 1e-5, "momentum": 1 - param.moving_average_fraction}
        add(CuDNNBatchNorm, norm, cudnn_batch_norm_param=statistics)
        add(ReLU, in_place=True)
        new = {"num_output": param.growthRate, "kernel_size": [3], "pad": [1], "bias_term": False}
        if param.use_BC:
            plain = {"num_output": 4 * param.growthRate, "kernel_size": [1], "bias_term": False}
            add(Convolution, [bottleneck], convolution_param=plain)
            add(CuDNNBatchNorm, [kind + transition for kind in kinds[6:]], cudnn_batch_norm_param=statistics)
            add(ReLU, in_place=True)
        add(Convolution, [filters], flips=True, convolution_param=new)
        if param.use_dropout:
            add(Dropout, in_place=True, dropout_param={"dropout_ratio": param.dropout_amount})
        self._shape_maps(transition, (1, self.channels, 1, 1))
        for step in steps:
            step.layer.setup([step.bottom], [step.top])
            step.layer.reshape([step.bottom], [step.top])
        return steps

    def _shape_maps(self, transition: int, shape: Sequence[int]) -> int:
        """Give `maps` the channels that there are before a transition; returns how many."""
        count = self.channels + transition * self.layer_param.denseblock_param.growthRate
        self.maps.reshape(shape[0], count, *shape[2:])
        return count

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 4 or shape[1] != self.channels or not bottom[0].count:
            raise self.error(f"the bottom has the shape {shape}; expected N x {self.channels} x H x W")
        for i, steps in enumerate(self.transitions):
            self._shape_maps(i, shape)
            for step in steps:
                step.layer.reshape([step.bottom], [step.top])
        top[0].reshape(shape[0], self._shape_maps(len(self.transitions), shape), *shape[2:])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        y = top[0].data
        y[:, : self.channels] = bottom[0].data
        for i, steps in enumerate(self.transitions):
            count = self._shape_maps(i, top[0].shape)
            self.maps.data[...] = y[:, :count]
            for step in steps:
                if step.flips:
                    step.layer.blobs[0].data[...] = turned(self.blobs[step.params[0]].data)
                step.layer.forward([step.bottom], [step.top])
            new = steps[-1].top.data
            y[:, count : count + new.shape[1]] = new

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        diff = top[0].diff.copy()
        for i, steps in reversed(list(enumerate(self.transitions))):
            count = self._shape_maps(i, top[0].shape)
            self.maps.data[...] = top[0].data[:, :count]
            steps[-1].top.diff[...] = diff[:, count : count + steps[-1].top.shape[1]]
            for step in reversed(steps):
                self._backward_of(step)
            diff[:, :count] += self.maps.diff
        if propagate_down[0]:
            bottom[0].diff[...] = diff[:, : self.channels]

    def _backward_of(self, step: Step) -> None:
        step.layer.param_propagate_down = [self.propagates_to(i) for i in step.params]
        if step.flips:
            step.layer.blobs[0].diff[...] = 0
        step.layer.backward([step.top], [True], [step.bottom])
        if step.flips and self.propagates_to(step.params[0]):
            self.blobs[step.params[0]].diff[...] += turned(step.layer.blobs[0].diff)


def turned(filters: np.ndarray) -> np.ndarray:
    """By 180 degrees."""
    return filters[:, :, ::-1, ::-1]
