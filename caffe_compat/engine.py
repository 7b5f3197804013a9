"""Which layers of a net are computed together, and faster: a plan made once from the net's layer list.

The engines compute the same, but for the order of sums. STRICT runs each layer by itself, as Caffe does. FAST, the
default, lets what stands in engines/fast run forward in the place of some layers (backward is always the layers' own),
and convolutions of 3 x 3 take fewer products, backward too. A blob that is not made this way is made when somebody
asks for its data. TORCH runs the layers of STRICT by PyTorch, on a device; it is in torch_engine, and imported when it
is asked for.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from caffe_compat.backward_plan import LayerPlan
from caffe_compat.engines.fast.base import Fused
from caffe_compat.engines.fast.chain import Chain
from caffe_compat.engines.fast.reused_rows import ReusedRows
from caffe_compat.engines.fast.shared_bins import SharedBins
from caffe_compat.engines.fast.winograd import PhasedWinograd, Winograd
from caffe_compat.errors import CaffeCompatError
from caffe_compat.graph import Graph
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.extras import import_extra
from caffe_compat.layers.convolution.convolution import Convolution
from caffe_compat.layers.fast_rcnn.hard_roi_mining import HardRoIMining
from caffe_compat.layers.fast_rcnn.roi_pooling import ROIPooling
from caffe_compat.layers.inner_product import InnerProduct
from caffe_compat.layers.relu import ReLU
from caffe_compat.layers.split import Split

STRICT, FAST, TORCH = "strict", "fast", "torch"
ENGINES = (FAST, STRICT, TORCH)

_engine = FAST


def set_engine(name: str, device: str = "cpu", precision: str = "float32") -> None:
    """Let nets that are made from now on compute this way: "fast", "strict" or "torch".

    device ("cpu", "cuda", "cuda:N") and precision ("float32", "tf32", "bf16") are the torch engine's, which needs the
    extra `torch`. Raises CaffeCompatError.
    """
    global _engine
    if name not in ENGINES:
        raise CaffeCompatError(f"there is no engine '{name}'; choose from {', '.join(ENGINES)}")
    if name == TORCH:
        torch_engine("devices").use(device, precision)
    elif (device, precision) != ("cpu", "float32"):
        raise CaffeCompatError(
            f"the engine '{name}' computes on the cpu in float32; for device {device} and precision {precision} choose "
            "the engine torch"
        )
    _engine = name


def get_engine() -> str:
    """How nets that are made now will compute."""
    return _engine


def wait() -> None:
    """Wait until the device has computed what it was asked for: for who measures times."""
    if _engine == TORCH:
        torch_engine("devices").wait()


def torch_engine(module: str) -> Any:
    """A module of caffe_compat.engines.torch. Raises CaffeCompatError where torch is not installed."""
    import_extra(CaffeCompatError, "torch", "torch")
    return importlib.import_module(f"caffe_compat.engines.torch.{module}")


def to_torch(net: Any) -> Any:
    """A Net as a torch.nn.Module; see caffe_compat/engines/torch/module.py. Needs the extra `torch`."""
    return torch_engine("module").to_torch(net)


@dataclass
class Step:
    """Layers first to last (both included), which run forward at once. `hidden`: blobs that it need not make.

    main: the layer whose time the step's is. after: the steps (their first layers) that must have run in the same pass;
    else the layers run by themselves.
    """

    first: int
    last: int
    main: int
    fused: Fused
    hidden: list[int] = field(default_factory=list)
    after: tuple[int, ...] = ()


def plan_steps(graph: Graph, layers: Sequence[Layer], plan: Sequence[LayerPlan]) -> dict[int, Step]:
    """The steps of a net by their first layer; layers that are in none run by themselves."""
    for layer in layers:
        if type(layer) is Convolution:
            _speed_up(layer)
    finder = _Finder(graph, layers, plan)
    shared = {step.first: step for step in finder.shared_bins()}
    reused = {step.first: step for step in finder.reused_rows(shared)}
    return {step.first: step for step in finder.chains()} | shared | reused


def _speed_up(layer: Convolution) -> None:
    for kind in (Winograd, PhasedWinograd):
        if kind.fits(layer.windows, layer.group, layer.dtype):
            layer.filtering = kind(layer.windows, layer.group)


class _Finder:
    """Looks for groups of layers that have a faster way."""

    def __init__(self, graph: Graph, layers: Sequence[Layer], plan: Sequence[LayerPlan]):
        self.graph, self.layers, self.plan = graph, layers, plan
        self.uses = Counter(blob for node in graph.nodes for blob in node.bottoms) + Counter(graph.outputs)
        self.origin = list(range(len(graph.blob_names)))  # what a blob is a copy of
        for node, layer in zip(graph.nodes, layers, strict=True):
            if isinstance(layer, Split):
                for top in node.tops:
                    self.origin[top] = self.origin[node.bottoms[0]]

    def shared_bins(self) -> Iterator[Step]:
        """ROIPooling -> InnerProduct where no gradient flows."""
        for i in range(len(self.layers) - 1):
            pooling, product = self.layers[i : i + 2]
            if (
                type(pooling) is ROIPooling
                and type(product) is InnerProduct
                and self._follows(i)
                and not (self.plan[i].need_backward or self.plan[i + 1].need_backward)
                and SharedBins.fits(product)
            ):
                yield Step(i, i + 1, i + 1, SharedBins(pooling, product), hidden=self.graph.nodes[i].tops)

    def chains(self) -> Iterator[Step]:
        """Convolution -> BatchNorm -> Scale -> ReLU in place, over one bottom."""
        nodes = self.graph.nodes
        for first, layer in enumerate(self.layers):
            if type(layer) is not Convolution or len(nodes[first].tops) != 1 or layer.channel_axis != 1:
                continue
            last, top = first, nodes[first].tops
            while last + 1 < len(nodes) and nodes[last + 1].bottoms == top == nodes[last + 1].tops:
                follower, plan = self.layers[last + 1], self.plan[last + 1]
                if isinstance(self.layers[last], ReLU) or not Chain.continues(follower, plan.need_backward):
                    break
                last += 1
            if last > first:
                yield Step(first, last, first, Chain(layer, self.layers[first + 1 : last + 1]))

    def _follows(self, i: int) -> bool:
        """Whether layer i + 1 is the only one that reads layer i's top."""
        (top,) = self.graph.nodes[i].tops
        return self.graph.nodes[i + 1].bottoms == [top] and self.uses[top] == 1

    def reused_rows(self, shared: dict[int, Step]) -> Iterator[Step]:
        """An InnerProduct of RoIs that were mined from those of a step, over the same maps with the same params."""
        for k, product in enumerate(self.layers):
            pool = self._producer(self.graph.nodes[k].bottoms[:1], before=k)
            if type(product) is not InnerProduct or pool is None or type(self.layers[pool]) is not ROIPooling:
                continue
            maps, rois = self.graph.nodes[pool].bottoms
            mining = self._producer([rois], before=pool)
            miner = None if mining is None else self.layers[mining]
            if mining is None or not isinstance(miner, HardRoIMining):
                continue
            for step in shared.values():
                if (
                    isinstance(step.fused, SharedBins)
                    and self._same(step, product, self.layers[pool], maps, mining)
                    and rois == self.graph.nodes[mining].tops[0]
                ):
                    yield Step(k, k, k, ReusedRows(step.fused, miner), after=(step.first,))

    def _producer(self, blobs: Sequence[int], before: int) -> int | None:
        """The last layer before one that writes a blob, or the blob that it is a copy of."""
        for i in reversed(range(before)):
            if any(self.origin[blob] in self.graph.nodes[i].tops for blob in blobs):
                return i
        return None

    def _same(self, step: Step, product: Layer, pooling: Layer, maps: int, mining: int) -> bool:
        """Whether the rows of a product are rows of a step's, those that a layer has chosen."""
        first, last = self.layers[step.first], self.layers[step.last]
        step_maps, step_rois = self.graph.nodes[step.first].bottoms
        return (
            len(product.blobs) == len(last.blobs)
            and all(one.shares_data(other) for one, other in zip(product.blobs, last.blobs, strict=True))
            and product.layer_param.inner_product_param.axis == last.layer_param.inner_product_param.axis
            and pooling.layer_param.roi_pooling_param == first.layer_param.roi_pooling_param
            and self.origin[maps] == self.origin[step_maps]
            and self.origin[self.graph.nodes[mining].bottoms[2]] == self.origin[step_rois]
        )
