"""What is known of each layer type: whose it is, what it reads of the prototxt, gradients.

`caffe-compat layers` and docs/layers.md print these. Nothing is written down twice: most are attributes that the net
itself goes by, and the contract sweep proves them. tests/layers/test_reads.py holds the messages that a layer `reads`
against its source; all fields of a message count as honoured but those that the class names in `without_effect` or
`refused`. So a layer that forgets a field claims it, and tests/layers/test_fields.py catches that: a field that
counts as honoured has to change what some case computes, one without effect must change nothing, a refused one must
be an error.
"""

from __future__ import annotations

from dataclasses import dataclass

from caffe_compat.layers.base import Layer
from caffe_compat.layers.python import BUILT_IN_CLASSES
from caffe_compat.layers.registry import layer_class, layer_type_list
from caffe_compat.prototxt.caffe_pb2 import LayerParameter

MESSAGES = {
    field.name: field.message_type
    for field in LayerParameter.DESCRIPTOR.fields
    if field.message_type and field.name.endswith("_param")
}
_SIDES = ("pad_l", "pad_r", "pad_t", "pad_b")
_QUANTIZATION = ("sq", "ratio")
# fields of older forms that the upgrade turns into others: no layer ever sees them
UPGRADED = {
    "convolution_param": {
        "kernel_depth",
        "temporal_stride",
        "temporal_pad",
        "filter_group",
        "hole",
        "hole_h",
        "hole_w",
        "kernel_shape",
        "stride_shape",
        "pad_shape",
        *_SIDES,
        *_QUANTIZATION,
    },
    "inner_product_param": set(_QUANTIZATION),
    "pooling_param": {
        *("kernel_depth", "temporal_stride", "kernel_shape", "stride_shape", "pad_shape"),
        *("more_kernel_size", "more_stride", "more_pad"),
        *_SIDES,
    },
    "pooling3d_param": {
        *(f"{name}_{side}" for name in ("kernel", "stride", "pad") for side in "lhw"),
        *("engine", "global_pooling"),
    },
    "loss_param": {
        *(f"ignore_{name}" for name in ("objectness", "location", "constraint", "classes", "rank")),
        *(f"normalize_{name}" for name in ("supervised", "classes", "constraint", "objectness")),
        "is_siftflow",
    },
    "proposal_target_param": {"bbox_mean", "bbox_std"},
    "relu_param": {"relu6"},
    "relu6_param": {"relu6"},
    "reshape_param": {"pixelshuffler"},
    "image_data_param": {
        *(
            "new_length",
            "use_image",
            "sampling_rate",
            "use_temporal_jitter",
            "mean_value",
            "num_truth_channels",
        ),
        *("use_byte_input", "is_flow", "truth_scale", "clip_min", "clip_max", "show_data", "use_label"),
        "has_label",
    },
}


def fields_of(message: str) -> list[str]:
    """The fields that a layer may be given, in their order in the schema."""
    return [f.name for f in MESSAGES[message].fields if f.name not in UPGRADED.get(message, ())]


@dataclass(frozen=True)
class LayerFacts:
    """type: as in a prototxt; of Python layers that are built in, `Python: CLASS`. origin: whose Caffe.

    params: the fields that are honoured, of each message. without_effect and refused (an error): the other fields,
    as `message.field`.
    backward: whether there is one. no_gradient: bottoms that it gives none.
    """

    type: str
    origin: str
    params: dict[str, list[str]]
    without_effect: list[str]
    refused: list[str]
    backward: bool
    no_gradient: list[int]
    in_place: bool

    @property
    def gradients(self) -> str:
        """`backward` and `no_gradient` in words."""
        if not self.backward:
            return "no"
        return f"yes, not to bottom {', '.join(map(str, self.no_gradient))}" if self.no_gradient else "yes"


def all_facts() -> list[LayerFacts]:
    """Of all layer types, sorted; then of the Python layers that are built in."""
    types = [facts(layer_class(name), name) for name in layer_type_list()]
    built_in = [
        facts(cls, f"Python: {cls.__name__}", {"python_param": ["module", "layer", "param_str"]})
        for cls in BUILT_IN_CLASSES
    ]
    return types + built_in


def facts(cls: type[Layer], name: str, params: dict[str, list[str]] | None = None) -> LayerFacts:
    """Of one class. params: what it reads, where it is known otherwise."""
    unused: list[str] = []
    refused: list[str] = []
    if params is None:
        params = {}
        for message in cls.reads or ():
            for field in fields_of(message):
                names = {message, f"{message}.{field}"}
                if names & set(cls.refused):
                    refused.append(f"{message}.{field}")
                elif field == "engine" or names & set(cls.without_effect):  # there is only one engine
                    unused.append(f"{message}.{field}")
                else:
                    params.setdefault(message, []).append(field)
    return LayerFacts(
        name,
        cls.origin,
        params,
        unused,
        refused,
        cls.has_backward,
        list(cls.no_gradient),
        cls.in_place,
    )
