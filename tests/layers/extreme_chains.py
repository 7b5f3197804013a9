"""Nets of several layers that the fast engine runs at once, with extreme params and shapes: by both engines.

They are drawn at random, each from a seed of its own. scripts/sweep_extremes.py --chains goes through many,
test_extremes.py through some.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from recordings import net_of

import caffe_compat as caffe
from caffe_compat.engine import EngineChoice
from layers.extremes import Outcome, Pass, attempt

DIMS = (1, 1, 2, 3, 5, 7, 8, 13, 16, 31)
NUMBERS = 40_000  # that the data hold at most
DRAWS = 3  # of the data: a ReLU or a maximum falls otherwise where rounding decides, but not with each
TOLERANCE = 1e-4  # of a blob's largest number
SHAKEN, MOST = (
    1e-6,
    30,
)  # rounding may change what follows as data do that are so much larger, and so many times that

FILLERS = 'weight_filler { type: "gaussian" std: 0.3 } bias_filler { type: "gaussian" std: 0.5 }'
SCALES = 'filler { type: "gaussian" std: 0.7 } bias_filler { type: "gaussian" std: 0.5 }'


@dataclass(frozen=True)
class Chain:
    """A net behind an Input "data" whose shape is SHAPE in the text: first one, then the other. draw: of the data,
    which are shaken by so much of themselves, as the params are."""

    seed: int
    phase: int
    text: str
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    draw: int = 0
    shaken: float = 0

    @property
    def id(self) -> str:
        return f"chain {self.seed} {self.shapes} phase {self.phase}\n{self.text}"


class _Drawn:
    """A chain as it is drawn: the text of its layers, the blob that they have made, and its shape for both data."""

    def __init__(self, seed: int):
        self.rng = np.random.RandomState(seed)
        one = self.one
        self.layers: list[str] = []
        self.top, self.is_flat = "data", False
        self.keeps = one(True, False)  # whether both data have maps of one size, as products want it
        first, other = ([one(*DIMS) for _ in range(4)] for _ in range(2))
        other[1:] = first[1:] if self.keeps else [first[1], *other[2:]]
        self.channels, self.maps = first[1], [first[2:], other[2:]]
        for shape in (first, other):
            while np.prod(shape) > NUMBERS:
                shape[0] //= 2
        if one(True, *[False] * 9):
            one(first, other)[0] = 0
        self.shapes = tuple(first), tuple(other)

    def one(self, *values: Any) -> Any:
        return values[self.rng.randint(len(values))]

    def layer(
        self, kind: str, params: str = "", bottoms: str = "", in_place: bool = False, learned: int = 0
    ) -> None:
        name = f"b{len(self.layers)}"
        top = self.top if in_place and self.top != "data" else name
        names = " ".join(f'bottom: "{bottom}"' for bottom in (bottoms or self.top).split())
        frozen = "param { lr_mult: 0 } " * learned if self.one(True, False, False) else ""
        self.layers.append(f'layer {{ name: "{name}" type: "{kind}" {names} top: "{top}" {frozen}{params} }}')
        self.top = top

    def resized(self, size: Callable[[int, int], int]) -> bool:
        """Give the maps the size that a layer makes of each side (0: rows, 1: columns), if there is one."""
        maps = [[size(dim, side) for side, dim in enumerate(sides)] for sides in self.maps]
        if min(min(sides) for sides in maps) < 1:
            return False
        self.maps = maps
        return True

    # ---- kinds of layers
    def convolution(self) -> None:
        one, outputs = self.one, self.one(1, 2, 3, 5, 8, 13, 17, 35, 64)
        group = one(*(g for g in (1, 1, 2, 3, 5, 7, 13) if self.channels % g == 0 and outputs % g == 0))
        if one(True, False, False, False):
            group, outputs = self.channels, self.channels * one(1, 1, 2)
        for _ in range(20):
            kernel, stride = [one(1, 1, 2, 3, 3, 3, 5, 7, 11)] * 2, [one(1, 1, 1, 2, 3, 4)] * 2
            pad, dilation = [one(0, 1, 1, 2, 3, 5)] * 2, one(1, 1, 1, 2, 3)
            if one(True, False):
                kernel[1], stride[1], pad[1] = one(1, 2, 3, 5), one(1, 2, 3), one(0, 1, 3)
            reach = [dilation * (k - 1) + 1 for k in kernel]
            if self.resized(partial(_windows, reach=reach, stride=stride, pad=pad)):
                break
        else:
            kernel, stride, pad, dilation = [1, 1], [1, 1], [0, 0], 1
        sides = " ".join(
            f"kernel_{side}: {kernel[i]} stride_{side}: {stride[i]} pad_{side}: {pad[i]}"
            for i, side in enumerate("hw")
        )
        bias = one("true", "false")
        self.layer(
            "Convolution",
            f"convolution_param {{ num_output: {outputs} group: {group} {sides} dilation: {dilation} "
            f"bias_term: {bias} {FILLERS} }}",
            learned=1 + (bias == "true"),
        )
        self.channels = outputs

    def filtered(self) -> None:
        """A convolution with what may follow it, a sum with a branch of the same shape among it."""
        one, before = self.one, self.top
        self.convolution()
        branch = self.layers[-1]
        for _ in range(one(0, 1, 2, 3)):
            self.follower()
        if one(True, False):
            other = f"b{len(self.layers)}"
            branch = re.sub(r'(name|top): "\w+"', lambda found: f'{found[1]}: "{other}"', branch)
            self.layers.append(re.sub(r'bottom: "\w+"', f'bottom: "{before}"', branch))
            bottoms = one(f"{self.top} {other}", f"{other} {self.top}", f"{self.top} {self.top} {other}")
            how = one("", "", "operation: SUM", "operation: MAX", "operation: PROD")
            if len(bottoms.split()) == 2 and not how:
                how = one("coeff: 1 coeff: 1", "coeff: 2 coeff: -1", "coeff: 0 coeff: 1", "")
            self.layer("Eltwise", f"eltwise_param {{ {how} }}", bottoms)
        if one(True, False):
            self.neuron()

    def follower(self) -> None:
        one = self.one
        kind, in_place = one("BatchNorm", "Scale", "neuron"), one(True, True, False)
        if kind == "BatchNorm":
            stats = one("", "use_global_stats: true", "use_global_stats: false")
            self.layer(kind, f"batch_norm_param {{ {stats} eps: {one(1e-5, 1e-5, 1)} }}", in_place=in_place)
        elif kind == "Scale":
            axes = ["", "", "", "axis: 0 num_axes: 0"]
            if self.keeps:
                axes += ["axis: -1", "axis: 1 num_axes: -1"]
            bias = one("true", "false")
            self.layer(kind, f"scale_param {{ bias_term: {bias} {one(*axes)} {SCALES} }}", in_place=in_place)
        else:
            self.neuron()

    def neuron(self) -> None:
        one = self.one
        kind, slope = one("ReLU", "ReLU", "ReLU6", "PReLU", "Sigmoid", "ELU", "AbsVal"), one(0, 0, 0.2, 1, -1)
        params = {
            "ReLU": f"relu_param {{ negative_slope: {slope} }}",
            "ReLU6": f"relu6_param {{ negative_slope: {max(slope, 0)} }}",
            "PReLU": f"prelu_param {{ channel_shared: {one('true', 'false')} "
            'filler { type: "gaussian" } }',
        }
        may = kind not in ("AbsVal", "ELU") and (kind != "ReLU" or slope >= 0)
        self.layer(kind, params.get(kind, ""), in_place=may and one(True, True, False))

    def pooling(self) -> None:
        one, how = self.one, f"pool: {self.one('MAX', 'MAX', 'AVE')}"
        if one(True, False, False, False):
            self.layer("Pooling", f"pooling_param {{ {how} global_pooling: true }}")
            self.maps = [[1, 1], [1, 1]]
            return
        kernel, stride, pad = [one(1, 2, 3, 5, 13)] * 2, [one(1, 2, 3, 7)] * 2, [one(0, 0, 1, 2)] * 2
        if one(True, False):
            kernel[1], stride[1], pad[1] = one(1, 3, 5), one(1, 3), one(0, 1)
        pad = [min(p, k - 1) for p, k in zip(pad, kernel, strict=True)]

        def size(dim: int, i: int) -> int:
            rest = dim + 2 * pad[i] - kernel[i]
            count = -(-rest // stride[i]) + 1
            beyond = (count - 1) * stride[i] >= dim + pad[
                i
            ]  # a window of nothing, whose maximum overflows later
            return 0 if rest < 0 or (beyond and not pad[i]) else count - beyond

        if self.resized(size):
            how += " " + " ".join(
                f"kernel_{side}: {kernel[i]} stride_{side}: {stride[i]} pad_{side}: {pad[i]}"
                for i, side in enumerate("hw")
            )
            self.layer("Pooling", f"pooling_param {{ {how} }}")

    def rois(self) -> None:
        """Bins of many RoIs, and their product."""
        if "rois" in "".join(self.layers):
            return
        one, height, width = self.one, self.one(1, 2, 3, 7), self.one(1, 2, 5)
        self.layers.append(
            'layer { name: "rois" type: "Input" top: "rois" '
            f"input_param {{ shape {{ dim: {one(1, 3, 20, 60)} dim: 5 }} }} }}"
        )
        how = f"pooled_h: {height} pooled_w: {width} spatial_scale: {one(1, 0.5, 0.0625)}"
        self.layer("ROIPooling", f"roi_pooling_param {{ {how} }}", f"{self.top} rois")
        self.maps = [[height, width]] * 2
        if one(True, True, False):
            self.product()

    def product(self) -> None:
        one, outputs = self.one, self.one(1, 2, 7, 16, 33)
        if not (self.keeps or self.is_flat or self.maps[0] == self.maps[1]):
            return
        axis = "" if self.is_flat or not self.keeps else one("", "", "", "axis: 2", "axis: -1")
        bias = one("true", "false")
        self.layer(
            "InnerProduct",
            f"inner_product_param {{ num_output: {outputs} {axis} "
            f"transpose: {one('false', 'false', 'true')} bias_term: {bias} {FILLERS} }}",
            learned=1 + (bias == "true"),
        )
        self.is_flat = True  # or nearly so: fewer axes, or other maps
        self.channels = self.channels if axis else outputs
        for _ in range(one(0, 1, 2)):
            self.follower()

    def other(self) -> None:
        one = self.one
        kind = one("LRN", "Softmax", "Concat", "Dropout", "Eltwise", "Deconvolution", "follower")
        if kind == "follower" or (self.is_flat and kind in ("LRN", "Deconvolution")):
            self.follower()
        elif kind == "Concat":
            self.layer(kind, bottoms=f"{self.top} {self.top}")
            self.channels *= 2
        elif kind == "Eltwise":
            coeffs = one("", "eltwise_param { coeff: 2 coeff: -1 }", "eltwise_param { coeff: 0 coeff: 0 }")
            self.layer(kind, coeffs, f"{self.top} {self.top}")
        elif kind == "Deconvolution":
            kernel, stride, group = one(1, 2, 3), one(1, 2), one(1, self.channels)
            how = f"num_output: {self.channels} group: {group} kernel_size: {kernel} stride: {stride}"
            self.resized(lambda dim, i: (dim - 1) * stride + kernel)
            self.layer(kind, f"convolution_param {{ {how} {FILLERS} }}")
        else:
            how = f"lrn_param {{ local_size: {one(1, 3, 5)} alpha: {one(0, 0.5)} k: {one(1, 2)} }}"
            self.layer(kind, how if kind == "LRN" else "")


def _windows(dim: int, side: int, reach: Sequence[int], stride: Sequence[int], pad: Sequence[int]) -> int:
    return (dim + 2 * pad[side] - reach[side]) // stride[side] + 1


def chain(seed: int) -> Chain:
    """The chain of this seed."""
    drawn = _Drawn(seed)
    one = drawn.one
    for _ in range(one(1, 2, 3, 4)):
        steps: list[Callable[[], None]] = [drawn.product, drawn.other]
        if not drawn.is_flat:
            steps += [drawn.filtered] * 4 + [drawn.pooling] * 2 + [drawn.rois]
        one(*steps)()
    phase = one(caffe.TRAIN, caffe.TEST)
    if phase == caffe.TRAIN:
        drawn.layer("Sigmoid")  # the gradient of squares of what BatchNorm made would be nothing
        drawn.layers.append(
            f'layer {{ name: "loss" type: "Reduction" bottom: "{drawn.top}" top: "loss" loss_weight: 0.5 '
            "reduction_param { operation: SUMSQ } }"
        )
    force = "force_backward: true\n" if phase == caffe.TRAIN and one(True, False) else ""
    data = 'layer { name: "data" type: "Input" top: "data" input_param { shape { SHAPE } } }\n'
    return Chain(seed, phase, force + data + "\n".join(drawn.layers), drawn.shapes)


def attempt_chain(extreme: Chain) -> Outcome:
    """Run it by each engine, with other data where the numbers differ."""
    for draw in range(DRAWS):
        drawn = replace(extreme, draw=draw)
        outcome = attempt(drawn, run_chain, partial(_same, drawn))
        if outcome.kind != "differs":
            break
    return outcome


def run_chain(extreme: Chain, engine: str) -> Outcome:
    """Build the net, and run it at the first shape, the other and the first again: forward and, where it has a loss,
    backward."""
    with Pass() as running:
        first, other = extreme.shapes
        caffe.set_random_seed(3)
        np.random.seed(3)
        text = extreme.text.replace("SHAPE", " ".join(f"dim: {dim}" for dim in first))
        net = net_of(text, extreme.phase, engine=EngineChoice(engine))
        rng, noise = np.random.RandomState([extreme.seed, extreme.draw]), np.random.RandomState(1)
        for name, params in net.params.items():
            if net.layer_dict[name].type == "BatchNorm":
                mean, variance, weight = params
                mean.data[...] = rng.standard_normal(mean.shape)
                variance.data[...], weight.data[...] = rng.uniform(1, 3, variance.shape), 2
        for blob in (blob for params in net.params.values() for blob in params):
            blob.data[...] *= 1 + extreme.shaken * noise.standard_normal(blob.shape)
        running.clock()
        for shape in (first, other, first):
            net.blobs["data"].reshape(*shape)
            net.reshape()
            data = rng.standard_normal(shape)
            net.blobs["data"].data[...] = data * (1 + extreme.shaken * noise.standard_normal(shape))
            if "rois" in net.blobs:
                net.blobs["rois"].data[...] = _rois(rng, len(net.blobs["rois"].data), shape)
            running.outcome.tops += _numbers(net, running, extreme.phase == caffe.TRAIN)
    return running.outcome


def _rois(rng: np.random.RandomState, count: int, shape: Sequence[int]) -> np.ndarray:
    """Boxes that reach beyond the maps, some of them upside down."""
    corners = rng.uniform(-5, 40, (count, 4)).round(1)
    return np.column_stack([rng.randint(0, max(shape[0], 1), count), corners])


def _numbers(net: caffe.Net, running: Pass, learns: bool) -> list[np.ndarray]:
    """All blobs after a pass, and the gradients of the params and the data."""
    net.clear_param_diffs()
    running.begin()
    net.forward()
    running.clock()
    found = [blob.data.copy() for blob in net.blobs.values()]
    if learns:
        running.begin()
        net.backward()
        running.clock()
        learnt = [blob for blobs in net.params.values() for blob in blobs]
        found += [blob.diff.copy() for blob in (*learnt, net.blobs["data"])]
    return found


def _same(extreme: Chain, strict: Outcome, fast: Outcome) -> bool:
    """Whether they agree, but for rounding: it changes much where little is left of large terms, as behind BatchNorm's
    own statistics of few numbers."""
    differ = [
        i for i, (one, other) in enumerate(zip(strict.tops, fast.tops, strict=True)) if not _close(one, other)
    ]
    if not differ:
        return True
    near = run_chain(replace(extreme, shaken=SHAKEN), "strict")
    return all(
        _close(strict.tops[i], fast.tops[i], MOST * _apart(strict.tops[i], near.tops[i])) for i in differ
    )


def _close(strict: np.ndarray, fast: np.ndarray, more: float = 0) -> bool:
    with np.errstate(all="ignore"):
        largest = np.abs(strict, where=np.isfinite(strict), out=np.zeros_like(strict)).max(initial=1e-6)
        return np.allclose(fast, strict, rtol=0, atol=TOLERANCE * largest + more, equal_nan=True)


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    with np.errstate(all="ignore"):
        return float(np.nan_to_num(np.abs(one - other)).max(initial=0))
