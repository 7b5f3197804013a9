"""Which Caffe a net was written for: forks gave the same text other meanings.

`explicit` turns a net into one that says what its dialect means: layers then go by their fields, bottoms and tops
alone. A dialect is found from what only one fork has; where a file cannot tell, BVLC's meaning is taken, and where
another fork's would give other numbers, one warning says so.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from caffe_compat.errors import CaffeCompatError, GraphError
from caffe_compat.prototxt.caffe_pb2 import BNParameter, LayerParameter, NetParameter, PriorBoxParameter
from caffe_compat.prototxt.coordinates import crop_offsets
from caffe_compat.prototxt.map_sizes import contradicts

# The two meanings of propagate_down. Until April 2016, and so in the fork that OHEM pins, a flag can only switch a
# gradient off; since then it replaces what the net derives, so `true` forces a gradient.
REPLACES, RESTRICTS = "replaces", "restricts"


@dataclass(frozen=True)
class Dialect:
    """How one family of Caffes reads what others read in another way. None: it says nothing of it.

    caffe: whose it is. bn: the form of BN, "segnet" (2 params) or "pspnet" (4). crops: whether Crop without crop_param
    finds its offset itself. balance: where SigmoidCrossEntropyLoss weighs the classes, the fields of
    sigmoid_cross_entropy_balance_loss_param. balances_classes: whether SoftmaxWithLoss weighs class 0 against the
    others. polygons: whether AnnotatedData has the polygons of its objects. doubles_boxes: whether PriorBox has a
    second box behind each. priors: the type that PriorBox has in its stead, where its boxes are others. zooms_whole:
    whether Interp's zoom_factor multiplies sizes, not the steps between pixels. reads_labels: whether
    CTCGreedyDecoder's second bottom has labels, and its blank is 0 where nothing is said.
    propagate_down: what its flags mean.
    """

    name: str
    caffe: str
    bn: str | None = None
    crops: bool | None = None
    balance: dict[str, Any] | None = None
    balances_classes: bool = False
    polygons: bool = False
    doubles_boxes: bool = False
    priors: str | None = None
    zooms_whole: bool = False
    reads_labels: bool = False
    propagate_down: str = REPLACES


DIALECTS = {
    dialect.name: dialect
    for dialect in (
        Dialect("bvlc", "BVLC's Caffe", crops=False),
        Dialect("caffe-ocr", "caffe_ocr's", crops=False, reads_labels=True),
        Dialect(
            "deepskeleton",
            "DeepSkeleton's",
            crops=True,
            balance={},
            balances_classes=True,
            propagate_down=RESTRICTS,
        ),
        Dialect("faceboxes", "FaceBoxes'", priors="PriorBoxTiled"),
        Dialect(
            "fast-rcnn",
            "the forks of Fast R-CNN, Faster R-CNN and OHEM",
            crops=False,
            propagate_down=RESTRICTS,
        ),
        Dialect("hed", "HED's", crops=True, balance={}, propagate_down=RESTRICTS),
        Dialect("openvino", "OpenVINO's", crops=False, zooms_whole=True),
        Dialect("osvos", "OSVOS'", crops=False),
        Dialect("pspnet", "PSPNet's, ICNet's, TSN's", bn="pspnet"),
        Dialect("rcf", "RCF's", crops=False, balance={"negative_weight": 1.1, "ignore_others": True}),
        Dialect("segnet", "SegNet's", bn="segnet", propagate_down=RESTRICTS),
        Dialect("sstd", "SSTD's", priors="PriorBoxStretched"),
        Dialect("textboxes", "TextBoxes'", doubles_boxes=True),
        Dialect("textboxes++", "TextBoxes++'s", polygons=True),
    )
}


def _has(*path: str) -> Callable[[LayerParameter], bool]:
    """A mark: the layer has this field, whose last name may be any of several."""

    def found(layer: LayerParameter) -> bool:
        param, fields = path
        return layer.HasField(param) and any(
            f.name in fields.split() for f, _ in getattr(layer, param).ListFields()
        )

    return found


def _is(*types: str) -> Callable[[LayerParameter], bool]:
    return lambda layer: layer.type in types


def _takes(type: str, bottoms: int) -> Callable[[LayerParameter], bool]:
    """A mark: the layer is of this type, and has so many bottoms."""
    return lambda layer: layer.type == type and len(layer.bottom) == bottoms


# what only one dialect has; the first that is found in a net counts
_MARKS: tuple[tuple[str, Callable[[LayerParameter], bool]], ...] = (
    ("caffe-ocr", _takes("WarpCTCLoss", 2)),
    ("caffe-ocr", _takes("CTCGreedyDecoder", 1)),
    ("segnet", _has("bn_param", "scale_filler shift_filler bn_mode")),
    ("segnet", _is("DenseImageData")),
    ("segnet", _has("loss_param", "weight_by_label_freqs class_weighting")),
    ("segnet", _has("dropout_param", "sample_weights_test")),
    ("pspnet", _has("bn_param", "slope_filler bias_filler frozen momentum eps moving_average")),
    ("openvino", _has("detection_output_param", "normalized input_height input_width")),
    ("osvos", _is("SigmoidCrossEntropyBalanceLoss")),
    ("sstd", _has("mask_resize_param", "factor_height factor_width")),
    ("rcf", _is("AutoCrop")),
    (
        "textboxes++",
        lambda layer: layer.multibox_loss_param.use_polygon or layer.detection_output_param.use_polygon,
    ),
)


def find(net: NetParameter) -> Dialect | None:
    """The dialect that a net's fields and types tell; None where they tell none."""
    for name, has_mark in _MARKS:
        if any(map(has_mark, net.layer)):
            return DIALECTS[name]
    types = {layer.type for layer in net.layer}
    if "SoftmaxWithLoss" in types and types & {"ImageLabelmapData", "Quantize", "Rescale"}:
        return DIALECTS["deepskeleton"]
    if "ImageLabelmapData" in types:  # HED's Crop has no crop_param
        says_offset = any(layer.type == "Crop" and layer.HasField("crop_param") for layer in net.layer)
        return DIALECTS["rcf" if says_offset else "hed"]
    if _predicts_faces(net):
        return DIALECTS["faceboxes"]
    if (
        any(map(_zooms, net.layer))
        and contradicts(net, zooms_whole=False)
        and not contradicts(net, zooms_whole=True)
    ):
        return DIALECTS["openvino"]
    return DIALECTS["textboxes"] if _predicts_twice_the_boxes(net) else None


def _zooms(layer: LayerParameter) -> bool:
    return layer.type == "Interp" and layer.interp_param.zoom_factor > 1


def _predicts_faces(net: NetParameter) -> bool:
    """Whether the map of a PriorBox of three sizes has a convolution of 4 outputs for each of FaceBoxes' 21 boxes."""
    sizes = {
        layer.bottom[0]: [*layer.prior_box_param.min_size]
        for layer in net.layer
        if layer.type == "PriorBox" and layer.bottom
    }
    return any(
        layer.type == "Convolution"
        and layer.convolution_param.num_output == 4 * 21
        and sizes.get(layer.bottom[0] if layer.bottom else "") == [32, 64, 128]
        for layer in net.layer
    )


def _predicts_twice_the_boxes(net: NetParameter) -> bool:
    """Whether the convolutions of a PriorBox's map have twice the outputs that SSD's would have.

    SSD's have 4 a box, and a score a class and box: with two classes TextBoxes has as many scores as SSD has offsets.
    """
    params = [
        param for layer in net.layer for param in (layer.multibox_loss_param, layer.detection_output_param)
    ]
    if not all(param.share_location for param in params):
        return False  # there are as many for each class
    a_box = {4} | {param.num_classes for param in params if param.num_classes}
    outputs: dict[str, set[int]] = {}
    for layer in net.layer:
        if layer.type == "Convolution" and layer.bottom:
            outputs.setdefault(layer.bottom[0], set()).add(layer.convolution_param.num_output)
    for layer in net.layer:
        if layer.type == "PriorBox" and layer.bottom and not layer.prior_box_param.denser_prior_boxes:
            boxes, found = _boxes_a_pixel(layer.prior_box_param), outputs.get(layer.bottom[0], set())
            once, twice = ({times * boxes * one for one in a_box} for times in (1, 2))
            if twice <= found and not once <= found:
                return True
    return False


def _boxes_a_pixel(param: PriorBoxParameter) -> int:
    """How many boxes SSD's PriorBox has."""
    ratios = len({*param.aspect_ratio} - {1})
    return len(param.min_size) * (1 + ratios * (1 + param.flip)) + len(param.max_size)


def dialect_of(net: NetParameter, name: str | None = None) -> Dialect | None:
    """The dialect of this name, or else the one that the net tells. Raises CaffeCompatError for an unknown name."""
    if name is None:
        return find(net)
    if name not in DIALECTS:
        raise CaffeCompatError(f"there is no dialect '{name}'; choose from {', '.join(DIALECTS)}")
    return DIALECTS[name]


def explicit(net: NetParameter, dialect: Dialect | None) -> NetParameter:
    """A copy in which BN says its form, Crop its offset, PriorBox whether its boxes are doubled, AnnotatedData whether
    it has polygons, Interp what its zoom_factor multiplies, CTCGreedyDecoder its blank; losses that weigh their
    classes, a PriorBox of other boxes and a CTCGreedyDecoder that compares with labels have types of their own.

    dialect: None where nobody said and nothing tells; then a text that has two meanings is taken as BVLC's Caffe (or
    for BN, which BVLC lacks, PSPNet's) takes it, with a warning. Raises GraphError for a Crop that finds no offset.
    """
    result = NetParameter()
    result.CopyFrom(net)
    unsure: list[str] = []
    for i, layer in enumerate(result.layer):
        if layer.type == "BN":
            _say_form(layer, dialect, unsure)
        elif layer.type in ("AutoCrop", "Crop") and not layer.HasField("crop_param"):
            _say_offset(result, i, dialect, unsure)
        elif layer.type == "PriorBox" and dialect and dialect.doubles_boxes:
            layer.prior_box_param.denser_prior_boxes = True
        elif layer.type == "PriorBox" and dialect and dialect.priors:
            layer.type = "PriorBox" if layer.prior_box_param.fixed_size else dialect.priors
        elif layer.type == "AnnotatedData" and dialect and dialect.polygons:
            layer.annotated_data_param.polygons = True
        elif layer.type == "CTCGreedyDecoder" and dialect and dialect.reads_labels:
            _read_labels(layer)
        elif layer.type == "CrossEntropyLoss":
            _doubt_cross_entropy(result, layer, unsure)
        elif _zooms(layer):
            _say_zoom(result, layer, dialect, unsure)
        elif layer.type == "SoftmaxWithLoss" and dialect and dialect.balances_classes:
            layer.type = "SoftmaxWithBalanceLoss"
        elif layer.type == "SigmoidCrossEntropyLoss" and dialect and dialect.balance is not None:
            layer.type = "SigmoidCrossEntropyBalanceLoss"
            for name, value in dialect.balance.items():
                setattr(layer.sigmoid_cross_entropy_balance_loss_param, name, value)
    for told in dict.fromkeys(unsure):
        warnings.warn(told, stacklevel=2)
    return result


def _read_labels(layer: LayerParameter) -> None:
    """Give caffe_ocr's CTCGreedyDecoder its blank, and where it has labels the type that compares with them."""
    if not layer.ctc_decoder_param.HasField("blank_index"):
        layer.ctc_decoder_param.blank_index = 0
    if len(layer.bottom) == 2:
        layer.type = "CTCGreedyAccuracy"


def _say_zoom(net: NetParameter, layer: LayerParameter, dialect: Dialect | None, unsure: list[str]) -> None:
    """Give an Interp the field that its dialect needs; where none is told, and images are no multiple of the factor
    plus 1, as DeepLab's are, it may be OpenVINO's."""
    param = layer.interp_param
    if dialect:
        param.zoom_whole = dialect.zooms_whole
    elif not param.HasField("shrink_factor") and all(size % param.zoom_factor == 0 for size in _image(net)):
        unsure.append(
            f"layer '{layer.name}' (Interp) makes ({param.zoom_factor} (H - 1) + 1) rows of H, as in DeepLab's and "
            f"PSPNet's Caffe; OpenVINO makes {param.zoom_factor} H: --dialect openvino, or "
            "Net(..., dialect='openvino')"
        )


def _doubt_cross_entropy(net: NetParameter, layer: LayerParameter, unsure: list[str]) -> None:
    """Six Caffes have six losses of this name; that of visual-concepts comes with MIL."""
    if not any(other.type in ("MIL", "MILData") for other in net.layer):
        unsure.append(
            f"layer '{layer.name}' (CrossEntropyLoss) is taken for visual-concepts': the mean of -t log(p) - (1 - t) "
            "log(1 - p) over all numbers; Tiny-DSOD, caffe-wsl and others have another one of this name"
        )


def _image(net: NetParameter) -> list[int]:
    """Height and width of the first Input layer with 4 axes; [1] where there is none."""
    shapes = [shape.dim for layer in net.layer for shape in layer.input_param.shape if len(shape.dim) == 4]
    return list(shapes[0][2:]) if shapes else [1]


def _say_form(layer: LayerParameter, dialect: Dialect | None, unsure: list[str]) -> None:
    """Give a BN a field that only one form has."""
    if layer.bn_param.ListFields():
        return
    form = dialect.bn if dialect else None
    if form is None:
        unsure.append(
            f"layer '{layer.name}' (BN) and others may be PSPNet's and TSN's (4 params: slope, bias, mean, variance), "
            "as which they are taken, or SegNet's (2: scale, shift): --dialect segnet, or Net(..., dialect='segnet')"
        )
    if form == "segnet":
        layer.bn_param.bn_mode = BNParameter.LEARN
    else:
        layer.bn_param.momentum = layer.bn_param.momentum


def _say_offset(net: NetParameter, index: int, dialect: Dialect | None, unsure: list[str]) -> None:
    """Give a Crop the offset that it has in its dialect."""
    layer = net.layer[index]
    if layer.type == "AutoCrop" or (dialect and dialect.crops):
        offsets = crop_offsets(net, index)
        if offsets is None:
            unsure.append(
                f"layer '{layer.name}' ({layer.type}): its bottoms come from no blob in common, so the offset is taken "
                "as 0; say crop_param { offset: ... } if it is not"
            )
        layer.crop_param.axis = 2
        layer.crop_param.offset[:] = offsets or (0, 0)
    elif dialect is None or dialect.crops is None:
        try:
            offsets = crop_offsets(net, index)
        except GraphError:
            return  # nowhere another offset
        if any(offsets or ()):
            unsure.append(
                f"layer '{layer.name}' (Crop) has no offset: 0, as in BVLC's Caffe; HED's and others find it by "
                f"themselves, here {' and '.join(map(str, offsets or ()))}: --dialect hed, or Net(..., dialect='hed')"
            )
