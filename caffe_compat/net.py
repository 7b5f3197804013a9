"""Net: a prototxt turned into layers and blobs, run forward and backward. pycaffe's Net, with the plan it follows."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from os import PathLike, fspath
from typing import Any, cast

import numpy as np

from caffe_compat import graph as graphs
from caffe_compat import weights as weight_files
from caffe_compat.alias import importable_as_caffe
from caffe_compat.backward_plan import MEANINGS, plan_backward
from caffe_compat.blob import Blob
from caffe_compat.containers import BlobList, BlobVec, ByName, InOrder
from caffe_compat.engine import EngineChoice, choose
from caffe_compat.errors import CaffeCompatError, GraphError, LayerError, PrototxtError
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.settings import LayerSettings
from caffe_compat.layers.registry import create_layer
from caffe_compat.learnable_params import Param, collect_params, share_memory
from caffe_compat.memory import out_of_memory
from caffe_compat.net_passes import PycaffeNet
from caffe_compat.prototxt.caffe_pb2 import NetParameter, Phase
from caffe_compat.prototxt.dialects import REPLACES, dialect_of, explicit
from caffe_compat.prototxt.reader import read_net
from caffe_compat.prototxt.source import Source
from caffe_compat.trimmed_bottoms import with_trimmed_bottoms

Callback = Callable[[int], None]
_OF_THE_FILE = (
    "the layers of a net, and their blobs, are those of its prototxt; change it, and make another net"
)


class Net(PycaffeNet):
    """A net in one phase: `Net(file, phase)`, `Net(file, phase, weights=file)` or `Net(file, weights, phase)`.

    network_file: a prototxt. phase: caffe_compat.TRAIN or TEST. level, stages: of the NetState that include and exclude
    rules are held against. dialect: which Caffe the file was written for, a name of prototxt/dialects.py (None: found
    from the file, else BVLC's). propagate_down: what a flag in the prototxt means, "replaces" (Caffe since April 2016)
    or "restricts" (before, and in the Fast R-CNN forks); None: as the dialect has it. layer_settings: attributes that
    the layers get before their setup, class -> attribute -> value; those of a configuration of Fast R-CNN are
    `cfg.layer_settings()`. engine: what runs this net, "fast", "strict" or "torch" (None: what set_engine said last);
    device, precision, compiled: of the torch engine, see engine.py. python_layers: whether the modules that Python
    layers name may be imported, which runs them; else these layers have to be built-in ones.

    Attributes:
        blobs           OrderedDict, blob name -> Blob; `.data` and `.diff` are float32 arrays that can be written
        params          OrderedDict, layer name -> list of Blobs
        layers          the layers in order, Split layers too; `layer_dict` by name
        inputs, outputs names of blobs
        dialect         the Dialect, None where nothing tells it; propagate_down: the meaning of its flags
        plan            one LayerPlan a layer: what backward does with it, and why not where it does nothing
        learnable       one Param a learnable param, shared ones once
        engine          what runs it
        layer_names, blob_names, blob_list, bottoms, tops    by layer, and by number of a blob; see `graph`

    Raises PrototxtError, GraphError, LayerError or WeightsError; each names the file, the line and the layer.
    Source: Caffe's Net and pycaffe's.
    """

    def __init__(
        self,
        network_file: str | PathLike[str],
        phase: Phase | str | PathLike[str] | None = None,
        level: int | None = None,
        stages: Iterable[str] | None = None,
        weights: str | PathLike[str] | None = None,
        propagate_down: str | None = None,
        layer_settings: LayerSettings | None = None,
        engine: str | None = None,
        device: str = "cpu",
        precision: str = "float32",
        compiled: bool = False,
        dialect: str | None = None,
        python_layers: bool = True,
    ):
        if isinstance(phase, (str, PathLike)):
            weights, phase, level = phase, level, None  # type: ignore[assignment]  # pycaffe's older order
        if phase is None:
            raise TypeError(
                "Net needs a phase: Net(file, caffe_compat.TRAIN) or Net(file, caffe_compat.TEST)"
            )
        param, source = read_net(fspath(network_file))
        in_state = graphs.with_state(param, cast(Phase, phase), level or 0, stages or ())
        meanings = dialect, propagate_down
        self._build(
            in_state,
            source,
            meanings,
            layer_settings,
            choose(engine, device, precision, compiled),
            python_layers,
        )
        if weights is not None:
            self.copy_from(weights)

    @classmethod
    def from_param(
        cls,
        param: NetParameter,
        source: Source | None = None,
        propagate_down: str | None = None,
        layer_settings: LayerSettings | None = None,
        engine: EngineChoice | None = None,
        dialect: str | None = None,
        python_layers: bool = True,
    ) -> Net:
        """A net from a message in today's form, in the phase of its `state`."""
        net = cls.__new__(cls)
        meanings = dialect, propagate_down
        net._build(param, source, meanings, layer_settings, engine or choose(), python_layers)
        return net

    # ---- building ---------------------------------------------------------------------------------------------
    def _build(
        self,
        param: NetParameter,
        source: Source | None,
        meanings: tuple[str | None, str | None],
        layer_settings: LayerSettings | None,
        engine: EngineChoice,
        python_layers: bool,
    ) -> None:
        self.dialect = dialect_of(param, meanings[0])
        self.propagate_down = meanings[1] or (self.dialect.propagate_down if self.dialect else REPLACES)
        if self.propagate_down not in MEANINGS:
            raise ValueError(f"propagate_down is one of {', '.join(MEANINGS)}, not '{self.propagate_down}'")
        self.name = param.name
        self.source = source
        self.phase = param.state.phase
        self.layer_settings, self.python_layers = layer_settings or {}, python_layers
        self._indices: dict[str, int] = {}
        with self.located():
            kept = [i for i, layer in enumerate(param.layer) if graphs.is_included(layer, param.state)]
            self._indices = {param.layer[i].name: i for i in kept}
            in_phase = explicit(graphs.filter_net(param), self.dialect)
            apart = with_trimmed_bottoms(graphs.with_blobs_apart(in_phase))
            self.param = graphs.insert_splits(apart, param)
            self.layers = InOrder((self._create(i) for i in range(len(self.param.layer))), _OF_THE_FILE)
            self.graph = graphs.connect(self.param, self.layers)
            self.blob_list = BlobList(self._make_blobs())
            self.bottoms = self._blobs_of([node.bottoms for node in self.graph.nodes], "bottom")
            self.tops = self._blobs_of([node.tops for node in self.graph.nodes], "top")
            self._is_python = [layer.type == "Python" for layer in self.param.layer]
            self._loss_shapes: dict[int, list[tuple[int, ...]]] = {}
            for i in range(len(self.layers)):
                self._set_up(i)
            self._rename_twins(param, kept)
            self.learnable = collect_params(self.graph, self.layers)
            share_memory(self.layers, self.learnable)
            self.plan = plan_backward(self.graph, self.layers, self.propagate_down, param.force_backward)
        for layer, plan in zip(self.layers, self.plan, strict=True):
            layer.param_propagate_down = plan.param_propagate_down
        for learnt in self.learnable:  # their diffs are cleared, and filled by solvers, when somebody looks
            self.param_blob(learnt).track(data=False)
        self._collect_names()
        self.callbacks: dict[str, list[Callback]] = {
            "before_forward": [], "after_forward": [], "before_backward": [], "after_backward": []
        }  # fmt: skip
        with self.located():
            self.engine: Any = engine.create(self)  # an Engine of engines/base.py, which stands above nets

    def _rename_twins(self, file: NetParameter, kept: Sequence[int]) -> None:
        """Give a layer that has params, and the name of one above that has some too, a name of its own."""
        names = [layer.name for layer in self.param.layer]
        for i, name in graphs.twins(self.param, [bool(layer.blobs) for layer in self.layers]).items():
            of_name = [k for k in kept if file.layer[k].name == names[i]]
            self._indices[names[i]], self._indices[name] = of_name[0], of_name[names[:i].count(names[i])]
            warnings.warn(
                f"{self.source.name if self.source else self.name}:{self.line(name) or ''}: layer '{names[i]}': "
                f"another layer above has this name, and both have params; this one is called '{name}' here, since "
                "weights go by names (Caffe loads those of both into the first)",
                stacklevel=2,
            )
            self.layers[i].name = self.param.layer[i].name = name

    def _check_blobs(self, index: int) -> None:
        """Raise LayerError where a user's layer has something else for its params than Blobs."""
        layer = self.layers[index]
        wrong = [type(one).__name__ for one in layer.blobs if not isinstance(one, Blob)]
        if wrong:
            raise layer.error(
                f"setup put a {wrong[0]} in the place of a Blob; write self.blobs.add_blob(*shape), and then "
                "self.blobs[0].data[...] = array"
            )

    def is_in_file(self, layer: str) -> bool:
        """Whether a layer of this name stands in the prototxt: the Split layers that a net inserts do not."""
        return layer in self._indices

    def line(self, layer: str, *path: str | int) -> int | None:
        """The line of the file where a layer stands, or a field of it (see Source.where); None where it does not.

        The Split layers that a net inserts stand nowhere.
        """
        if self.source is None or layer not in self._indices:
            return None
        place = self.source.where("layer", self._indices[layer], *path)
        return place[0] if place else None

    def _create(self, index: int) -> Layer:
        param = self.param.layer[index]
        try:
            return create_layer(
                param, param.phase, settings=self.layer_settings, python_layers=self.python_layers
            )
        except GraphError as error:
            raise error if error.layer else GraphError(error.message, layer=param.name) from None
        except PrototxtError as error:  # of a field that no Caffe known here has
            place = self.source and self.source.where("layer", self._indices[param.name], "unread", 0)
            raise error.at(self.source.name if self.source else None, *(place or ())) from None

    def _make_blobs(self) -> list[Blob]:
        return [Blob() for _ in self.graph.blob_names]

    def _set_up(self, index: int) -> None:
        self.call_layer(index, self.layers[index].setup, self.bottoms[index], self.tops[index])
        self._check_blobs(index)
        self.reshape_layer(index)

    def _blobs_of(self, indices: Sequence[Sequence[int]], name: str) -> InOrder[BlobList]:
        return InOrder(
            (BlobList([self.blob_list[i] for i in of_layer], name) for of_layer in indices), _OF_THE_FILE
        )

    def _collect_names(self) -> None:
        self.layer_names = [layer.name for layer in self.param.layer]
        self.blob_names = self.graph.blob_names
        self.blobs: OrderedDict[str, Blob] = ByName(
            zip(self.blob_names, self.blob_list, strict=True),
            "blob",
            "net.blobs[{key}] stays the net's; write net.blobs[{key}].data[...] = array",
        )
        self.layer_dict: OrderedDict[str, Layer] = ByName(
            zip(self.layer_names, self.layers, strict=True), "layer", _OF_THE_FILE
        )
        self.params: OrderedDict[str, BlobVec] = ByName(
            ((name, layer.blobs) for name, layer in self.layer_dict.items() if layer.blobs),
            "layer with params",
            "net.params[{key}] stays the net's; write net.params[{key}][0].data[...] = array, and so for each param",
        )
        self.inputs = [self.blob_names[i] for i in self.graph.inputs]
        self.outputs = [self.blob_names[i] for i in self.graph.outputs]
        nodes = self.graph.nodes
        self.bottom_names = OrderedDict(
            (n.param.name, [self.blob_names[i] for i in n.bottoms]) for n in nodes
        )
        self.top_names = OrderedDict((n.param.name, [self.blob_names[i] for i in n.tops]) for n in nodes)

    @property
    def blob_loss_weights(self) -> OrderedDict[str, float]:
        """Blob name -> loss weight (0 where the blob is no loss)."""
        return ByName(
            zip(self.blob_names, self.graph.loss_weights, strict=True),
            "blob",
            "the loss weights are those of the prototxt; write net.blobs[{key}].diff[...] = weight",
        )

    # ---- for the engine that runs the layers ------------------------------------------------------------------
    @contextmanager
    def located(self) -> Iterator[None]:
        """Add the file, and the line of the layer that an error names, to errors that pass."""
        try:
            yield
        except CaffeCompatError as error:
            if self.source is not None:
                raise error.at(self.source.name, self.line(getattr(error, "layer", ""))) from error.__cause__
            raise
        except MemoryError as error:  # of several layers at once
            raise CaffeCompatError(out_of_memory(error), self.source.name if self.source else None) from error

    def call_layer(self, index: int, function: Callable[..., None], *args: Any) -> None:
        """Call a method of a layer, or what does its work; errors say which layer they are of."""
        try:
            if self._is_python[index]:
                with importable_as_caffe():
                    function(*args)
            else:
                function(*args)
        except Exception as error:
            self._name_layer(error, index, function.__name__)
            raise

    def _name_layer(self, error: Exception, index: int, method: str) -> None:
        """Let an error say which layer it is of; raises another one in its place where it cannot."""
        param = self.param.layer[index]
        if isinstance(error, CaffeCompatError):
            if type(error) is CaffeCompatError:  # others say themselves what they are about
                raise LayerError(error.message, layer=param.name, type=param.type) from error
        elif isinstance(error, MemoryError):
            raise LayerError(out_of_memory(error), layer=param.name, type=param.type) from error
        else:
            note = f"in {method} of layer '{param.name}' ({param.type})"
            error.__dict__.setdefault("__notes__", []).append(note)  # add_note, for Python 3.10 too

    def reshape_layer(self, index: int) -> None:
        """Let a layer shape its tops after its bottoms; the diffs of losses get their weights."""
        self.call_layer(index, self.layers[index].reshape, self.bottoms[index], self.tops[index])
        weights = self.graph.nodes[index].loss_weights
        if any(weights):
            self._set_loss_weights(index, weights)

    def _set_loss_weights(self, index: int, weights: Sequence[float]) -> None:
        """The diff of a loss is its weight. Filled once for a shape: whoever writes another diff is heard."""
        shapes = [top.shape for top in self.tops[index]]
        if self._loss_shapes.get(index) != shapes:
            self._loss_shapes[index] = shapes
            for top, weight in zip(self.tops[index], weights, strict=True):
                if weight:
                    top.diff[...] = weight

    def loss_of(self, index: int) -> float:
        """The weighted sum of the losses that a layer has computed."""
        weights = self.graph.nodes[index].loss_weights
        if not any(weights):
            return 0.0
        return sum(
            float(np.vdot(top.data, top.diff))
            for top, weight in zip(self.tops[index], weights, strict=True)
            if weight
        )

    def check_gradient(self, index: int) -> None:
        """Raise LayerError where a gradient is asked for at a bottom of a loss that can take none."""
        refused = self.plan[index].refused
        if refused:
            name = self.blob_names[self.graph.nodes[index].bottoms[refused[0]]]
            raise self.layers[index].error(
                f"a gradient is asked for at bottom {refused[0]} ('{name}'), which can take none; "
                "set propagate_down: false for it"
            )

    # ---- forward and backward ---------------------------------------------------------------------------------
    def forward_from_to(self, start: int = 0, end: int | None = None) -> float:
        """Run the layers start to end (both included; None: the last); returns the weighted sum of their losses."""
        with self.located():
            return self.engine.forward(start, len(self.layers) - 1 if end is None else end)

    def backward_from_to(self, start: int | None = None, end: int = 0) -> None:
        """Run the layers start (None: the last) down to end (both included) backward, as the plan says."""
        with self.located():
            self.engine.backward(len(self.layers) - 1 if start is None else start, end)

    def run_layer(self, index: int, backward: bool = False) -> None:
        """Run one layer by itself: reshape and forward; or backward, into what the plan says."""
        with self.located():
            self.engine.run_layer(index, backward)

    def reshape(self) -> None:
        """Reshape all layers after the shapes that the inputs have now."""
        with self.located():
            for i in range(len(self.layers)):
                self.reshape_layer(i)

    def losses(self) -> OrderedDict[str, float]:
        """The sum of each blob that has a loss weight, as the last forward left it (not weighted).

        By the blob's name; a loss without a name (a loss layer that names no top) goes by its layer's.
        """
        result: OrderedDict[str, float] = OrderedDict()
        for node, tops in zip(self.graph.nodes, self.tops, strict=True):
            for i, top, weight in zip(node.tops, tops, node.loss_weights, strict=True):
                if weight:
                    name = self.blob_names[i]
                    result[node.param.name if name == graphs.AUTOMATIC else name] = float(top.data.sum())
        return result

    def clear_param_diffs(self) -> None:
        """Set the diffs of all params to zero; backward adds to them."""
        for param in self.learnable:
            self.param_blob(param).clear_diff()

    def param_blob(self, param: Param) -> Blob:
        """The blob of a learnable param (its owner's)."""
        layer, index = param.uses[0]
        return self.layers[layer].blobs[index]

    # ---- callbacks, called with the layer's index -------------------------------------------------------------
    def notify(self, when: str, index: int) -> None:
        """Call the callbacks of this moment with a layer's index."""
        for callback in self.callbacks[when]:
            callback(index)

    def before_forward(self, callback: Callback) -> None:
        self.callbacks["before_forward"].append(callback)

    def after_forward(self, callback: Callback) -> None:
        self.callbacks["after_forward"].append(callback)

    def before_backward(self, callback: Callback) -> None:
        self.callbacks["before_backward"].append(callback)

    def after_backward(self, callback: Callback) -> None:
        self.callbacks["after_backward"].append(callback)

    def remove_callback(self, callback: Callback) -> None:
        """Call this no longer."""
        for callbacks in self.callbacks.values():
            if callback in callbacks:
                callbacks.remove(callback)

    # ---- weights ----------------------------------------------------------------------------------------------
    def copy_from(self, path: str | PathLike[str]) -> weight_files.Report:
        """Load weights by layer name from a .caffemodel or an HDF5 file; returns what was loaded and what not.

        Raises WeightsError where a shape does not fit; then no param is changed.
        """
        return weight_files.copy_trained(self, weight_files.read(fspath(path)), fspath(path))

    def share_with(self, other: Net) -> None:
        """Use the other net's params (their memory) for all layers of the same name."""
        weight_files.share_trained(self, other)

    def save(self, path: str | PathLike[str]) -> None:
        """Write all params: HDF5 where the name ends in .h5, else a .caffemodel (a shared param with each layer)."""
        weight_files.write(self, fspath(path))

    load_hdf5 = copy_from

    def save_hdf5(self, path: str | PathLike[str]) -> None:
        """Write all params as HDF5; a shared param only with its owner, as Caffe does."""
        weight_files.write_hdf5(self, fspath(path))
