"""Random nets of several layers, run by both engines in ways that a user could think of: all that he sees is the same.

Each is drawn from a seed of its own. scripts/fuzz_nets.py goes through many, fast/test_random_nets.py through some.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from recordings import net_of

import caffe_compat as caffe
from caffe_compat.engine import EngineChoice
from caffe_compat.errors import CaffeCompatError
from caffe_compat.rng import set_random_seed

WIDTHS = (1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 15, 16, 17, 20, 24, 25, 31, 32, 33, 48, 63, 64, 65, 70)
MAPS = (1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 16, 17, 20, 23, 24, 28, 31, 32, 33, 40)
NUMBERS, PRODUCTS = 100_000, 2e7  # that a blob and a net have at most
TOLERANCE = 1e-4  # of a blob's largest number
SHAKEN, MOST = (
    1e-6,
    30,
)  # what follows may differ as it does for data that are so much others, and so many times that
FEW = 500  # one of so many gradients may be another: a maximum falls otherwise where rounding decides
FILLERS = 'weight_filler { type: "msra" } bias_filler { type: "gaussian" std: 0.5 }'
SCALES = 'filler { type: "uniform" min: -1 max: 2 } bias_filler { type: "gaussian" std: 0.5 }'
NEURONS = {
    "ReLU": "relu_param { negative_slope: 0.3 }",
    "ReLU6": "",
    "PReLU": 'prelu_param { filler { type: "uniform" min: -0.5 max: 0.8 } }',
    "Sigmoid": "",
    "TanH": "",
    "ELU": "",
    "AbsVal": "",
    "Swish": "",
    "Mish": "",
    "HardSwish": "",
    "HardSigmoid": "",
    "Clip": "clip_param { min: -0.5 max: 1 }",
    "Power": "power_param { power: 2 scale: 0.5 shift: 1 }",
    "Dropout": "",
}


class Drawn:
    """A net as it is drawn: the text of its layers, the shapes of its inputs and of all blobs that they have made."""

    def __init__(self, seed: int, phase: int):
        self.rng, self.phase = np.random.RandomState(seed), phase
        self.layers: list[str] = []
        self.kinds: Counter[str] = Counter()
        self._uses: Counter[str] = Counter()
        self._products = 0.0
        shape = [self.one(1, 2, 3, 4, 9), self.one(3, *WIDTHS), self.one(*MAPS), self.one(*MAPS)]
        while math.prod(shape) > self.one(3_000, 30_000):
            shape[self.rng.randint(4)] //= 2
            shape = [max(1, dim) for dim in shape]
        self.inputs = {"x": tuple(shape)}
        self.shapes: dict[str, tuple[int, ...]] = dict(self.inputs)
        kinds: list[Callable[[], Any]] = [self.filtered] * 4 + [self.residual] * 2 + [
            *(self.pooling, self.neuron, self.branches, self.product, self.reorder, self.normalize, self.sized),
        ]  # fmt: skip
        for _ in range(self.one(1, 2, 3, 4, 6, 9)):
            self.one(*kinds)()
        for name in [name for name in self.shapes if not self._uses[name]] if phase == caffe.TRAIN else []:
            squashed = self.add("TanH", "", name) or name
            self.add("Reduction", "loss_weight: 0.5 reduction_param { operation: SUMSQ }", squashed)

    @property
    def text(self) -> str:
        inputs = "".join(_input(name, shape) for name, shape in self.inputs.items())
        return ("force_backward: true\n" if self.phase == caffe.TRAIN else "") + inputs + "".join(self.layers)

    def one(self, *values: Any) -> Any:
        return values[self.rng.randint(len(values))]

    def pick(self, axes: tuple[int, ...] = (4,)) -> str:
        """A blob, the last one often; the input where none has so many axes."""
        names = [name for name, shape in self.shapes.items() if len(shape) in axes] or ["x"]
        return self.one(names[-1], self.one(*names))

    def add(self, kind: str, params: str, *bottoms: str, in_place: bool = False, tops: int = 1) -> str:
        """A layer, where it fits its bottoms, and its first top; else an empty text."""
        name = f"b{len(self.layers)}"
        free = in_place and bottoms[0] != "x" and not self._uses[bottoms[0]]
        names = [bottoms[0]] if free else [name, *(f"{name}-{i}" for i in range(1, tops))]
        ends = " ".join([*(f'bottom: "{b}"' for b in bottoms), *(f'top: "{top}"' for top in names)])
        line = f'layer {{ name: "{name}" type: "{kind}" {ends} {params} }}\n'
        try:
            alone = net_of(
                "".join(_input(b, self.shapes[b]) for b in dict.fromkeys(bottoms)) + line, self.phase
            )
        except CaffeCompatError:
            return ""
        shapes = {top: alone.blobs[top].shape for top in names}
        weights = max((blob.count for blob in alone.params.get(name, [])), default=0)
        of_bottom = math.prod(self.shapes[bottoms[0]][2:])
        products = weights * math.prod(shapes[names[0]][:1]) * max(of_bottom, math.prod(shapes[names[0]][2:]))
        counts = [math.prod(shape) for shape in shapes.values()]
        if not all(0 < count <= NUMBERS for count in counts) or self._products + products > PRODUCTS:
            return ""
        self._products += products
        self.shapes.update(shapes)
        self._uses.update([] if free else bottoms)
        self.layers.append(line)
        self.kinds[kind] += 1
        return names[0]

    # ---- kinds of layers
    def filtered(self, bottom: str = "", outputs: int = 0, keeps: bool = False) -> str:
        """A convolution with what may follow it."""
        one, bottom = self.one, bottom or self.pick()
        channels, maps = self.shapes[bottom][1], self.shapes[bottom][2:]
        outputs, group, kind = outputs or one(*WIDTHS), 1, "Convolution"
        kernel, stride, pad = [one(1, 1, 2, 3, 3, 3, 5)] * 2, [one(1, 1, 1, 2, 3)] * 2, [one(0, 1, 1, 2)] * 2
        dilation = one(1, 1, 1, 2)
        if one(True, False, False):
            kernel[1], stride[1], pad[1] = one(1, 2, 3, 5, 9), one(1, 2, 3), one(0, 1, 2, 4)
        form = one("plain", "plain", "point", "depth", "group", "whole", "wider")
        if form == "depth" and not keeps:
            kernel, stride, outputs, group = [3, 3], [one(1, 2)] * 2, channels, channels
            dilation, pad[1] = one(1, 1, 2), one(0, 1, 2, 7, 16)
        elif form == "group":
            group = one(*[g for g in range(1, 17) if channels % g == outputs % g == 0])
        elif form == "whole" and not keeps:
            kernel, stride, pad, dilation = list(maps), [1, 1], [0, 0], 1
        elif form == "wider" and not keeps:
            kind, stride = "Deconvolution", [one(1, 2, 2, 3)] * 2
        if keeps or form == "point":
            kernel = [one(1, 1, 3, 5)] * 2 if keeps else [1, 1]
            stride, pad = [1, 1], [dilation * (kernel[0] // 2)] * 2
        sides = " ".join(
            f"kernel_{side}: {kernel[i]} stride_{side}: {stride[i]} pad_{side}: {pad[i]}"
            for i, side in enumerate("hw")
        )
        how = f"num_output: {outputs} group: {group} {sides} dilation: {dilation} bias_term: {one('true', 'false')}"
        top = self.add(kind, f"convolution_param {{ {how} {FILLERS} }}", bottom)
        for _ in range(one(0, 1, 2, 3) if top else 0):
            top = self.follower(top) or top
        return top

    def follower(self, bottom: str) -> str:
        kind, in_place = (
            self.one("BatchNorm", "Scale", "Bias", "neuron", "neuron"),
            self.one(True, True, False),
        )
        if kind == "neuron":
            return self.neuron(bottom)
        statistics = self.one("", "", "batch_norm_param { use_global_stats: false }")
        axis = self.one("", "", "axis: 0 num_axes: 0", "axis: -1")
        params = {"BatchNorm": statistics, "Scale": f"scale_param {{ bias_term: true {axis} {SCALES} }}"}
        return self.add(kind, params.get(kind, ""), bottom, in_place=in_place)

    def neuron(self, bottom: str = "") -> str:
        kind, in_place = self.one("ReLU", "ReLU", *NEURONS), self.one(True, True, False)
        return self.add(kind, NEURONS[kind], bottom or self.pick((2, 3, 4)), in_place=in_place)

    def residual(self) -> None:
        bottom = self.pick()
        top = self.filtered(bottom, self.shapes[bottom][1], keeps=True)
        if top and self.shapes[top] == self.shapes[bottom] and top != bottom:
            both = self.one([top, bottom], [bottom, top])
            how = self.one("", "", "", "operation: MAX", "operation: PROD", "coeff: 0.5 coeff: -1")
            total = self.add("Eltwise", f"eltwise_param {{ {how} }}", *both)
            if total and self.one(True, False):
                self.neuron(total)

    def branches(self) -> None:
        bottom = self.pick()
        parts = [part for part in (self.filtered(bottom, keeps=True) for _ in range(3)) if part]
        if len(set(parts)) > 1:
            total = self.add("Concat", "", *parts)
            if total and self.shapes[total][1] > 2 and self.one(True, False):
                self.add(
                    "Slice", f"slice_param {{ slice_point: {self.shapes[total][1] // 3} }}", total, tops=2
                )

    def pooling(self) -> None:
        one, bottom = self.one, self.pick()
        kernel, stride = [one(2, 3, 3, 5, 7), one(1, 2, 3, 3, 9)], [one(1, 2, 3), one(1, 1, 2, 5)]
        pad = [one(0, 1) * (k > 1) for k in kernel]
        for k, s, p, dim in zip(kernel, stride, pad, self.shapes[bottom][2:], strict=True):
            if k > dim + 2 * p or (not p and -(-(dim - k) // s) * s >= dim):  # a window of nothing
                return
        sides = " ".join(
            f"kernel_{side}: {kernel[i]} stride_{side}: {stride[i]} pad_{side}: {pad[i]}"
            for i, side in enumerate("hw")
        )
        how = one(sides, f"{sides} ceil_mode: false", "global_pooling: true")
        self.add("Pooling", f"pooling_param {{ pool: {one('MAX', 'AVE')} {how} }}", bottom)

    def product(self) -> None:
        one, bottom = self.one, self.pick((2, 3, 4))
        how = f"num_output: {one(*WIDTHS)} axis: {one(1, 1, -1)} transpose: {one('false', 'false', 'true')}"
        top = self.add("InnerProduct", f"inner_product_param {{ {how} {FILLERS} }}", bottom)
        if top:
            self.follower(top)

    def reorder(self) -> None:
        bottom = self.pick((2, 3, 4))
        order = [0, *(1 + self.rng.permutation(len(self.shapes[bottom]) - 1))]
        orders = " ".join(f"order: {axis}" for axis in order)
        kinds = {
            "Permute": f"permute_param {{ {orders} }}",
            "Flatten": "",
            "Reshape": "reshape_param { shape { dim: 0 dim: 1 dim: -1 } }",
        }
        kind = self.one(*kinds)
        self.add(kind, kinds[kind], bottom)

    def normalize(self) -> None:
        bottom = self.pick((2, 3, 4))
        axis = self.rng.randint(len(self.shapes[bottom]))
        kinds = {"LRN": "lrn_param { alpha: 0.5 }", "Softmax": f"softmax_param {{ axis: {axis} }}"}
        kind = self.one(*kinds)
        self.add(kind, kinds[kind], bottom)

    def sized(self) -> None:
        kinds = {"Interp": "interp_param { zoom_factor: 2 }", "Upsample": "upsample_param { scale: 2 }"}
        kind = self.one(*kinds)
        self.add(kind, kinds[kind], self.pick())


def _input(name: str, shape: tuple[int, ...]) -> str:
    dims = " ".join(f"dim: {dim}" for dim in shape)
    return f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims} }} }} }}\n'


class Trial:
    """A net by the strict engine, once more with data and params that are shaken, and by the fast engine.

    `run` does the same to each, several times, and raises AssertionError for other numbers. done: what it did.
    """

    def __init__(self, seed: int, check: Callable[[], None] = lambda: None):
        self.rng, self._noise = np.random.RandomState(seed + 1), np.random.RandomState(2)
        self.phase = caffe.TRAIN if seed % 3 == 2 else caffe.TEST
        self.drawn, self.done, self._check = Drawn(seed, self.phase), list[str](), check
        self.shape, self._threads = self.drawn.inputs["x"], 1
        self.nets = [self._build(one) for one in ("strict", "strict", "fast")]
        for blob in (blob for blobs in self.nets[1].params.values() for blob in blobs):
            blob.data[...] *= 1 + SHAKEN * self._noise.standard_normal(blob.shape)

    def _build(self, engine: str) -> caffe.Net:
        set_random_seed(3)
        return net_of(self.drawn.text, self.phase, engine=EngineChoice(engine))

    def run(self, actions: int = 6) -> None:
        ways = (
            self.forward,
            self.some,
            self.everything,
            self.reshaped,
            self.changed,
            self.nothing,
            self.parts,
        )
        more = (self.by_threads, self.listened, self.held, self.written)
        for way in [self.everything, *(self.drawn.one(*ways, *more) for _ in range(actions - 1))]:
            self.done.append(way.__name__)
            way()
            self._check()

    # ---- what is done
    def forward(self) -> None:
        self._feed()
        self._run()

    def some(self) -> None:
        self._feed()
        names = [name for name in self.nets[0].blobs if self.rng.rand() < 0.3]
        self.rng.shuffle(names)
        self._run(names)

    def everything(self) -> None:
        self.forward()
        self._compare(list(self.nets[0].blobs))

    def reshaped(self) -> None:
        old, batch = self.shape, int(self.rng.randint(1, 10))
        maps = tuple(int(self.rng.choice(MAPS)) for _ in range(2))
        self.shape = self.drawn.one((batch, *old[1:]), (*old[:2], *maps))
        try:
            for net in self.nets:
                net.blobs["x"].reshape(*self.shape)
                net.reshape()
            self.forward()
        except CaffeCompatError:  # an InnerProduct takes one size of maps
            self.shape = old
            for net in self.nets:
                net.blobs["x"].reshape(*old)
                net.reshape()
            self.forward()

    def changed(self) -> None:
        """Params by another factor each; those that BatchNorm divides by stay."""
        for name, blobs in self.nets[0].params.items():
            for i, blob in enumerate(blobs[:2]):
                factors = self.rng.uniform(0.8, 1.2, blob.shape)
                for net in self.nets:
                    net.params[name][i].data[...] *= factors
        self.forward()

    def nothing(self) -> None:
        """What is no number leaves no trace; averages of it would."""
        if not self.drawn.kinds["BatchNorm"]:
            for net in self.nets:
                net.blobs["x"].data[...] = np.nan
                net.forward()
        self.forward()

    def parts(self) -> None:
        self._feed()
        names = self.nets[0].layer_names
        cuts = [0, *sorted({self.rng.randint(len(names)) for _ in range(3)} - {0}), len(names)]
        for first, last in itertools.pairwise(cuts):
            for net in self.nets:
                self._pass(net, start=names[first], end=names[last - 1])
        self._compare(self.nets[0].outputs)

    def by_threads(self) -> None:
        self._threads = int(self.rng.randint(1, numba.config.NUMBA_NUM_THREADS + 1))
        self.forward()

    def listened(self) -> None:
        heard: list[int] = []
        self.nets[2].after_forward(heard.append)
        self.forward()
        self.nets[2].remove_callback(heard.append)
        self.forward()

    def held(self) -> None:
        """Arrays that somebody has have what a pass makes."""
        names = [name for name in self.nets[0].blobs if self.rng.rand() < 0.2]
        arrays = [self.nets[2].blobs[name].data for name in names]
        self.forward()
        for name, array in zip(names, arrays, strict=True):
            self._same(name, *(net.blobs[name].data for net in self.nets[:2]), array)

    def written(self) -> None:
        """A layer's first top, by hand; the layers behind it go on from there."""
        names = self.nets[0].layer_names
        at = int(self.rng.randint(len(names)))
        if at + 1 == len(names):
            return
        top = self.nets[0].top_names[names[at]][0]
        values = self.rng.standard_normal(self.nets[0].blobs[top].shape)
        for net in self.nets:
            self._write(net, top, values)
            self._pass(net, start=names[at + 1])
        self._compare(self.nets[0].outputs)

    # ---- tools
    def _feed(self) -> None:
        values = self.rng.standard_normal(self.shape)
        for net in self.nets:
            net.blobs["x"].reshape(*self.shape)
            self._write(net, "x", values)

    def _write(self, net: caffe.Net, name: str, values: np.ndarray) -> None:
        shaken = SHAKEN * self._noise.standard_normal(values.shape) if net is self.nets[1] else 0
        net.blobs[name].data[...] = values * (1 + shaken)

    def _pass(self, net: caffe.Net, *args: Any, **kwargs: Any) -> None:
        set_random_seed(11)
        numba.set_num_threads(self._threads if net is self.nets[2] else 1)
        net.forward(*args, **kwargs)

    def _run(self, names: list[str] | None = None) -> None:
        for net in self.nets:
            self._pass(net, names)
        self._compare([*(names or []), *self.nets[0].outputs])
        if self.phase == caffe.TRAIN:
            for net in self.nets:
                net.clear_param_diffs()
                net.backward()
            params = [(name, i) for name, blobs in self.nets[0].params.items() for i in range(len(blobs))]
            largest = [np.abs(self.nets[0].params[name][i].diff).max(initial=0) for name, i in params]
            for (
                name,
                i,
            ) in params:  # of a term before a BatchNorm nothing is left but the rounding of the others
                found = [net.params[name][i].diff for net in self.nets]
                self._same(
                    f"{name}'s gradient {i}", *found, least=max(largest) / 10, few=4 + found[0].size // FEW
                )
            found = [net.blobs["x"].diff for net in self.nets]
            self._same("gradient", *found, least=1e-6, few=4 + found[0].size // FEW)

    def _compare(self, names: list[str]) -> None:
        for name in names:
            self._same(name, *(net.blobs[name].data for net in self.nets))

    def _same(
        self,
        what: str,
        want: np.ndarray,
        near: np.ndarray,
        got: np.ndarray,
        least: float = 1e-6,
        few: int = 0,
    ) -> None:
        """Raise AssertionError where more than a few numbers differ, by the largest, or by `least` if that is more."""
        assert got.shape == want.shape, f"{what}: {got.shape} for {want.shape}"
        with np.errstate(all="ignore"):
            largest = np.abs(want, where=np.isfinite(want), out=np.zeros_like(want)).max(initial=least)
            apart = float(np.nan_to_num(np.abs(want - near)).max(initial=0))
            bound = TOLERANCE * largest + MOST * apart
            wrong = int((~np.isclose(got, want, rtol=0, atol=bound, equal_nan=True)).sum())
        assert wrong <= few, (
            f"{what} {want.shape}: {wrong} of {want.size} numbers differ, the largest is {largest:.3g}"
        )
