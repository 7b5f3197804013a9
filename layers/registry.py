"""Which class computes which layer type. One file a layer; each registers itself with `@register("Type")`.

The file of a type is imported when somebody asks for the type; `type_files.py` says which it is.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TypeVar

import numpy as np
from google.protobuf.message import Message

from caffe_compat.errors import GraphError, PrototxtError
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.settings import LayerSettings, set_attributes
from caffe_compat.layers.type_files import FILES
from caffe_compat.prototxt import caffe_pb2
from caffe_compat.text import meant

registered: dict[str, type[Layer]] = {}  # the classes of the files that have been imported

# types of widespread nets that are not built, and the way out
INPUT_INSTEAD = "put an Input layer in its place and write its blobs before each forward"
READ_INSTEAD = "remove it, and read its bottom's data after forward"
NOT_BUILT = {
    "LaneData": (
        f"lists of images with lanes are not read; {INPUT_INSTEAD}: the images, objects as N x 1 x 300 x 5 rows of "
        "class, x, y, width, height, and the lanes' masks"
    ),
    "DriveData": (
        f"databases of road scenes (Tsinghua-Tencent 100K, VPGNet) are not read; {INPUT_INSTEAD}, one "
        "for each top: the images, and the labels as the net slices them"
    ),
    "FrcnnTrainData": (
        "GBD-Net's files of RoIs are not read (its Caffe samples them by the time of day); put an Input layer for each "
        "top in its place and write its blobs before each forward: the images, labels R, RoIs R x 5 (image, x1, y1, "
        "x2, y2), box targets and their weights R x 4 classes"
    ),
    "CPMData": (
        "databases of people's joints (pose machines, OpenPose) are not read, nor are part affinity fields drawn; "
        f"{INPUT_INSTEAD}: the images, and the label maps, first the masks and then what is to be predicted"
    ),
    "DataHeatmap": (
        f"caffe-heatmap's lists of images and joints are not read; {INPUT_INSTEAD}: the images, and heat maps of the "
        "joints, N x joints x H x W"
    ),
    "DisparityData": f"FlowNet2's lists of stereo pairs are not read; {INPUT_INSTEAD}, one for each top",
    "ImgReader": f"FlowNet2's, it reads one image; {INPUT_INSTEAD}: N x 3 x H x W, blue first, from 0 to 255",
    "FloatReader": f"FlowNet2's, it reads blobs from .float3 files; {INPUT_INSTEAD}",
    "ImgWriter": f"FlowNet2's, it writes images; {READ_INSTEAD}",
    "FloatWriter": f"FlowNet2's, it writes .float3 files; {READ_INSTEAD}",
    "BlackAugmentation": (
        "FlowNet2's, it blackens images and their borders at random; do so before, and put an Input layer in its place"
    ),
    "OPData": (
        "OpenPose's databases of people's joints are not read, nor are part affinity fields drawn; "
        f"{INPUT_INSTEAD}: the images, and the label maps, first the masks and then what is to be predicted"
    ),
    "ImageMultilabelData": (
        f"Arroosh's lists of images and files of labels are not read; {INPUT_INSTEAD}: the images, labels N x places"
    ),
    "DocData": f"ctensmeyer's databases of documents are not read; {INPUT_INSTEAD}",
    "MCWindowData": f"deepsaldet's windows with masks are not read; {INPUT_INSTEAD}: images, masks (0 to 1), classes",
    "SigmoidCrossEntropyLossWeighted": (
        "no source of LocNet's is public; MNC's SigmoidCrossEntropyLoss of three bottoms weighs numbers by the third"
    ),
    "RandomCrop": "iResNet's, it cuts pairs of images at random places; cut them before they go into the database",
    "DataSwitch": (
        "iResNet's, it takes one of its bottoms at random in each iteration; build the net once for each, or give "
        "the batches to an Input layer"
    ),
    "TRT": (
        "NVIDIA's Caffe runs a TensorRT engine there; build the net that its trt_param names as `deploy`, with the "
        "weights that it names as `model`"
    ),
    "MaskedSmoothL1Loss": (
        "no source of UberNet's is public; SmoothL1Loss takes weights as its third bottom, which may be such a mask"
    ),
    **dict.fromkeys(
        (
            "Wtf",
            "Wtfsecond",
            "Wtfthird",
            "Wtffourth",
            "Wtffifth",
            "Wtfsixth",
            "Wtfseventh",
            "Wtfeighth",
            "Wtfninth",
        ),
        "DRT's, a step of its tracker's solver, whose data its MATLAB code puts into the library; no net can say them",
    ),
    **dict.fromkeys(
        (
            "OctreeConv",
            "OctreeDeconv",
            "OctreePooling",
            "OctreeUnpooling",
            "Octree2FullVoxel",
            "OctreeGrow",
            "OctreeMask",
            "OctreeSetFeature",
            "OctreeUpdateLabel",
            "OctreeZeroize",
        ),
        "O-CNN's, it works on the leaves of octrees, which are not read; a net of volumes, with Convolution of three "
        "axes and PoolingND, sees the same shapes as voxels",
    ),
    "DSALoss": (
        "SeqFace's, it draws which centres examples are held against by C's rand(), and its nets need a type whose "
        "source is not public; CenterLoss pulls features to their class's centre"
    ),
    "NormConvMeanfield": (
        "segaware's, a mean field whose filters are convolutions of embeddings; MultiStageMeanfield filters by colour "
        "and place, and Im2dist has the embeddings' distances"
    ),
    **dict.fromkeys(
        (
            "CheckAtt",
            "ArgMaxAll",
            "SlidingWindowIndex",
            "ConvertIndices",
            "FlagsToIndices",
            "SplitIndices",
            "TopKOld",
        ),
        "AttentionMask's, a step of how it chooses windows of its maps; a Python layer can compute it, or the part of "
        "the net before it runs as a net of its own",
    ),
    **dict.fromkeys(
        ("CAROIPooling", "CAROIPooling2", "ROISplit", "ROIFeatureSplit", "LabelSplit2", "LabelSplit3"),
        "SINet's, which pools enlarged RoIs and shares them out by their size; ROIAlign interpolates small RoIs, too, "
        "and ScaleRoute of Cascade R-CNN shares RoIs out by size",
    ),
    **dict.fromkeys(
        ("SoftmaxWithLoss2", "SmoothL1Loss2"),
        "SINet's, a loss of one branch of RoIs, none where it has none; write it without the 2, for batches in which "
        "each branch has RoIs",
    ),
    "SoftmaxWithCascadeLoss": (
        "no source of CC-Net's (ccnn) is public; SoftmaxWithLoss with ignore_label leaves out examples that an "
        "earlier stage has rejected"
    ),
    **dict.fromkeys(
        ("FrcnnRoiData", "FrcnnAnchorTarget", "FrcnnProposal", "FrcnnProposalTarget"),
        "of Caffes that have Faster R-CNN in C++, it takes its numbers from a file of settings beside the net; "
        "py-faster-rcnn's Python layers (roi_data_layer.layer, rpn.anchor_target_layer, rpn.proposal_layer, "
        "rpn.proposal_target_layer) are built in and do the same by the original's settings",
    ),
    **dict.fromkeys(
        ("DNSConvolution", "INQConvolution"),
        "it prunes or quantizes its weights while it trains; write Convolution, with convolution_param, to run the net "
        "with the weights that it has",
    ),
    **dict.fromkeys(
        ("DNSInnerProduct", "INQInnerProduct"),
        "it prunes or quantizes its weights while it trains; write InnerProduct, with inner_product_param, to run the "
        "net with the weights that it has",
    ),
    **dict.fromkeys(
        ("MalisLoss", "Affinity", "ConnectedComponent"),
        "naibaf7's, it learns how voxels of electron microscopy hang together, by the library of MALIS; train by "
        "another loss, or leave it out to run the net",
    ),
    **dict.fromkeys(
        (
            "SpxPooling",
            "AttSpxPooling",
            "SlidingWindowIndexSeg",
            "ScaleFlags",
            "SplitMasks8",
            "TopK",
            "ArgMaxMy",
        ),
        "of superpixelRefinement, which pools windows of AttentionMask over superpixels; a Python layer can compute "
        "it, or the part of the net before it runs as a net of its own",
    ),
    **dict.fromkeys(
        ("GenSlicinfo", "LowlevelDistance"),
        "ELDNet's, it compares superpixels that a library of another project finds on a GPU (gSLICr); "
        f"{INPUT_INSTEAD}: what the Python layer of its tests would have",
    ),
    **dict.fromkeys(
        ("BBTXTLoss", "BB3TXTLoss"),
        "of libornovax's thesis, it draws the boxes of a list into accumulators and mines what is wrong; train by a "
        "Python layer, or leave it out to run the net",
    ),
    **dict.fromkeys(
        ("BdctToSpatial", "QuantTruncAbs", "BNConv"),
        "RXGNet's, for JPEG's coefficients, on the GPU only; BNConv is BatchNorm and Scale in one, the others a Python "
        "layer can compute",
    ),
    **dict.fromkeys(
        (
            "DecoderInput",
            "DecoderOutput",
            "DecoderExtract",
            "DecoderConv3",
            "DecoderQuant",
            "DynamicMaskData",
        ),
        "CCN's, a step of its coder, which keeps a state from code to code and runs on the GPU only",
    ),
    "MAE": "no source of OrdinalRegression's is public; remove it, and compare its bottoms after forward",
    "Segmentation": "no source of SemanticLabelingDemo's is public; put an Input layer of its labels in its place",
    "QuartetLoss": (
        "no source of Joint-Verification-Identification's is public; TripletLoss and ContrastiveLoss hold pairs apart"
    ),
    "DeepHandModel": (
        "DeepModel's, it makes joints of the angles of a hand whose bones stand in files; read its bottom's data, and "
        "compute them after forward"
    ),
    "SSLConvolution": "no source of LSTD's is public; if its numbers are Convolution's, write that",
    "SmoothMarginInnerProduct": (
        "no source of SeqFace's is public; MarginInnerProduct and LargeMarginInnerProduct have such margins"
    ),
    "Sum": (
        "of one bottom, it adds up what each image has (crowd counting) or some axes (Synopsys); Reduction with "
        "reduction_param { axis: 1 } does the first"
    ),
    "MILData": (
        "visual-concepts' lists of images with an HDF5 file of labels are not read; put an Input layer for each top in "
        "its place and write its blobs before each forward: the images, N x 3 x H x W, and labels N x classes x 1 x 1"
    ),
    "ExtendedImageData": (
        "autocolorize's lists of images; ImageData has its shortest_side as image_data_param { new_dim: ... }, other "
        "kinds of files are not read"
    ),
    "GANLoss": (
        "no source of caffe_colorizer's is public; a SigmoidCrossEntropyLoss of the scores below the Sigmoid layer "
        "and the label is the loss of a GAN"
    ),
}

# what other tools call a type; names in lower case
_ELSEWHERE = {
    "conv": "Convolution",
    "conv2d": "Convolution",
    "convtranspose": "Deconvolution",
    "fullyconnected": "InnerProduct",
    "fc": "InnerProduct",
    "linear": "InnerProduct",
    "dense": "InnerProduct",
    "batchnormalization": "BatchNorm",
    "bnorm": "BatchNorm",
    "pool": "Pooling",
    "maxpool": "Pooling",
    "maxpooling": "Pooling",
    "avgpooling": "Pooling",
    "averagepooling": "Pooling",
    "leakyrelu": "ReLU",
    "inputdata": "Input",
    "add": "Eltwise",
    "crossentropyloss": "SoftmaxWithLoss",
    "mseloss": "EuclideanLoss",
}

L = TypeVar("L", bound=type[Layer])
Describes = Callable[[caffe_pb2.LayerParameter], bool]

forms: dict[str, list[tuple[Describes, str]]] = {}  # of a type: the types that compute it for some params


def register(name: str) -> Callable[[L], L]:
    """Class decorator: this class computes the layer type `name`."""

    def add(cls: L) -> L:
        cls.type = name
        registered[name] = cls
        return cls

    return add


def register_form(name: str, of: str, describes: Describes) -> Callable[[L], L]:
    """Class decorator: this class computes the type `name`, and layers of type `of` that `describes` picks."""
    forms.setdefault(of, []).append((describes, name))
    return register(name)


def layer_type_list() -> list[str]:
    """All layer types that can be run, sorted."""
    return sorted({*FILES, *registered})


def layer_class(name: str) -> type[Layer]:
    """The class of a layer type. Raises GraphError that names the nearest known type, or the way out."""
    if name in NOT_BUILT:
        raise GraphError(f"layer type '{name}': {NOT_BUILT[name]}")
    for file in FILES.get(name, ()):
        import_module(file)
    found = registered.get(name)
    if found is None:
        near = meant(name, layer_type_list())
        other = _ELSEWHERE.get(name.lower())
        hint = f"did you mean '{near}'?" if near else "caffe-compat layers lists those that are known"
        if other and not near:
            hint = f"Caffe calls that '{other}'"
        new = _unlisted_file(name)
        if new is not None:
            hint = f"{new} registers it: run scripts/generate_layer_files.py, so that nets find it"
        raise GraphError(f"unknown layer type '{name}'; {hint}")
    return found


def _unlisted_file(name: str) -> Path | None:
    """The file of a checkout that registers a type and is not in FILES yet."""
    folder, text = Path(__file__).parent, f'@register("{name}")'
    found = (path for path in folder.rglob("*.py") if text in path.read_text(encoding="utf-8"))
    return next((path.relative_to(folder.parent) for path in found), None)


def computed_type(layer: Layer) -> str:
    """The layer type that the class of a layer computes, whatever its prototxt says.

    Of python_param's OHEMDataLayer that is HardRoIMining. Of a user's own class it is Python, also where the class
    derives from a built-in one: it may compute something else.
    """
    return vars(type(layer)).get("type", "Python")


def create_layer(
    layer_param: caffe_pb2.LayerParameter,
    phase: int,
    dtype=np.float32,
    settings: LayerSettings | None = None,
    python_layers: bool = True,
) -> Layer:
    """Make the layer that a LayerParameter describes; for type Python, of the class that python_param names.

    It gets the attributes that the settings have for its class. python_layers: whether a module that python_param names
    may be imported; else its class has to be a built-in one.
    Raises GraphError for an unknown type, PrototxtError for a field that is not known, LayerError for a param that the
    class refuses, for a setting that it does not have, and when a Python layer's class cannot be had. A message for
    other types (relu_param of a Pooling layer) is a warning: Caffe ignores it too.
    """
    layer = _create(layer_param, phase, dtype, python_layers)
    set_attributes(layer, settings or {})
    return layer


def _create(layer_param: caffe_pb2.LayerParameter, phase: int, dtype, python_layers: bool) -> Layer:
    unread = [field.told for field in layer_param.unread[:1]]
    try:
        cls = layer_class(layer_param.type)
    except GraphError as error:
        raise GraphError("; ".join([error.message, *unread])) from None
    if unread:
        raise PrototxtError(unread[0])
    for describes, name in forms.get(layer_param.type, ()):
        cls = layer_class(name) if describes(layer_param) else cls
    create = cls.create if python_layers else cls.create_built_in
    layer = create(layer_param, phase, dtype)
    for name, way_out in cls.refused.items():
        if _is_given(layer_param, *name.split(".")):
            raise layer.error(f"{name} has no effect here; {way_out}")
    for name in _not_read(layer_param, cls):
        warnings.warn(
            f"layer '{layer.name}' ({layer.type}): {name} is for other types of layers; it has no effect, as in Caffe",
            stacklevel=3,
        )
    return layer


def _not_read(layer_param: caffe_pb2.LayerParameter, cls: type[Layer]) -> list[str]:
    """The messages that are given though the class does not read them; none where it does not say what it reads."""
    if cls.reads is None:
        return []
    read = {"python_param", *cls.reads}  # Layer itself reads python_param
    given = [field.name for field, _ in layer_param.ListFields() if field.message_type]
    return [name for name in given if name.endswith("_param") and name not in read]


def _is_given(message: Message, field: str, *within: str) -> bool:
    """Whether a field, or one within it, is there with another value than its default."""
    values = {descriptor.name: value for descriptor, value in message.ListFields()}
    if field not in values:
        return False
    if within:
        return _is_given(values[field], *within)
    return values[field] != message.DESCRIPTOR.fields_by_name[field].default_value
