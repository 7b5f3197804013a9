"""The layer contract: what every layer, built-in or a user's own, gives and may rely on."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.containers import BlobVec
from caffe_compat.errors import LayerError
from caffe_compat.prototxt import caffe_pb2

TRAIN, TEST = caffe_pb2.TRAIN, caffe_pb2.TEST


class Layer:
    """One layer. Subclasses override the four methods and declare the facts that differ from the defaults.

    The net calls `setup` once, `reshape` before every forward (and once after setup), then `forward`, and
    `backward` where a gradient is needed. A layer knows nothing of the graph: it sees its bottoms, its tops
    and its own params.

    Attributes that a layer may read:
        name, layer_param (LayerParameter), phase (TRAIN or TEST), dtype of its params,
        blobs: its params (created in `setup` with `self.blobs.add_blob(*shape)`),
        param_propagate_down: one bool a param; where it is False the layer leaves out that gradient.

    Source: Caffe's Layer and pycaffe's Layer.
    """

    # ---- facts; the contract sweep in tests/layers proves each of them ------------------------------------
    type = ""  # that the class computes, set by `register`; of a layer, what its prototxt says
    bottom_count: tuple[int, int | None] = (1, 1)  # fewest and most; None: no limit
    top_count: tuple[int, int | None] = (1, 1)
    equal_bottom_top = False  # as many tops as bottoms
    one_to_one = False  # each top comes from the bottom of its number alone, and nothing learns here
    in_place = False  # top[0] may be the same blob as bottom[0]
    shares_data = False  # `forward` gives each top the memory of the bottom of its number, or of bottom[0]
    no_gradient: tuple[int, ...] = ()  # bottoms that can take no gradient (labels, rois)
    allows_ignored_gradient = (
        False  # for a loss: a gradient asked for at one of these bottoms is ignored, no error
    )
    is_loss = False  # top[0] has loss_weight 1 unless the prototxt says otherwise; tops not named are made up
    has_backward = True  # False: asking for a gradient is an error
    counts_rows = False  # `forward` says how many rows the tops have; `reshape` leaves what was there before
    row_axis = 0  # which axis of the tops has the rows, where it counts them
    changes_params = False  # `forward` writes params that are learned
    backward_changes_params = False  # so does `backward`, where their gradient is wanted
    backward_reads_top = False  # `backward` reads data of a top: who changes it in place changes the gradient
    # what the axes of each param count, in words; a param of one axis that is not said has one element a channel
    param_axes: tuple[tuple[str, ...], ...] = ()
    origin = "BVLC"  # whose Caffe has it
    # messages of LayerParameter that it reads, in their order there; of others, create_layer warns. None: not said
    reads: tuple[str, ...] | None = None
    # "message" or "message.field" of those
    without_effect: tuple[str, ...] = ()  # changes nothing here; docs/layers.md says so
    refused: dict[str, str] = {}  # is an error, with this way out

    def __init__(self, layer_param: caffe_pb2.LayerParameter, phase: int = TRAIN, dtype=np.float32):
        self.layer_param = layer_param
        self.name: str = layer_param.name
        self.type = layer_param.type
        self.phase = phase
        self.dtype = dtype
        self.blobs = BlobVec(dtype, self.name)
        self.param_propagate_down: list[bool] = []
        self.param_str = self.param_str_ = (
            layer_param.python_param.param_str
        )  # of Python layers; two spellings

    @classmethod
    def create(cls, layer_param: caffe_pb2.LayerParameter, phase: int, dtype=np.float32) -> Layer:
        """Make the layer that a LayerParameter of this class's type describes."""
        return cls(layer_param, phase, dtype)

    @classmethod
    def create_built_in(cls, layer_param: caffe_pb2.LayerParameter, phase: int, dtype=np.float32) -> Layer:
        """As `create`, and import nothing that the LayerParameter names. Raises LayerError where that is needed."""
        return cls.create(layer_param, phase, dtype)

    # ---- the contract --------------------------------------------------------------------------------------
    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Read and check the params, create and fill `self.blobs`. Once; the bottoms have their shapes.

        Params that are there already (loaded or shared before setup) are kept.
        """

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Shape the tops and the layer's own buffers after the bottoms. Shapes only; no data is read."""

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Write every element of every `top[i].data`."""

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        """Write every element of `bottom[i].diff` where `propagate_down[i]`; touch no other bottom's diff.

        Adds to `self.blobs[j].diff` where `param_propagate_down[j]`.
        """
        if any(propagate_down):
            raise self.error(
                "this layer has no backward pass; set propagate_down: false or remove what learns below"
            )

    def get_state(self) -> dict[str, np.ndarray]:
        """What this layer remembers from one forward to the next besides its params, such as its position in the
        data. Snapshots keep it for an exact resume. Names have no slash."""
        return {}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Go on from a state that `get_state` returned; an empty one is never given."""

    # ---- help for subclasses -------------------------------------------------------------------------------
    def error(self, message: str) -> LayerError:
        """The error to raise for a wrong param, shape or value; it names this layer and its type."""
        return LayerError(message, layer=self.name, type=self.type)

    def propagates_to(self, index: int) -> bool:
        """Whether the gradient of param `index` is wanted (True where nobody said otherwise)."""
        return self.param_propagate_down[index] if index < len(self.param_propagate_down) else True


def canonical_axis(layer: Layer, axis: int, blob: Blob) -> int:
    """Return `axis` counted from the front (negative: from the end); raises LayerError out of range."""
    if not -len(blob.shape) <= axis < len(blob.shape):
        raise layer.error(f"axis {axis} is out of range for a bottom of shape {blob.shape}")
    return axis % len(blob.shape)


def around_axis(shape: Sequence[int], axis: int) -> tuple[int, int, int]:
    """Return the shape with all axes before `axis`, and all behind it, made one: (outer, size, inner)."""
    return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
