"""Gives a net its data before a run: arrays from a file, photos, a data set, or a drawn sample."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.build import OnPhoto, dataset_roidb, photos_roidb, silent
from caffe_compat.fast_rcnn.classes import listed
from caffe_compat.fast_rcnn.config import FASTER_RCNN, OHEM, Config, in_order, with_agnostic
from caffe_compat.fast_rcnn.contradictions import check_against
from caffe_compat.fast_rcnn.dataset import Dataset
from caffe_compat.fast_rcnn.faults import named
from caffe_compat.fast_rcnn.images import image_blob, read_photo
from caffe_compat.fast_rcnn.minibatch import im_info
from caffe_compat.fast_rcnn.num_classes import check_num_classes
from caffe_compat.fast_rcnn.roidb import Roidb
from caffe_compat.fast_rcnn.source import SequentialSource
from caffe_compat.fast_rcnn.synthetic import synthetic_sample
from caffe_compat.fast_rcnn.voc import CLASSES, class_names
from caffe_compat.files import read_npz
from caffe_compat.layers.common.settings import set_attributes
from caffe_compat.layers.fast_rcnn.hard_roi_mining import HardRoIMining
from caffe_compat.layers.fast_rcnn.roi_data import RoIDataLayer
from caffe_compat.net import Net

Blobs = Mapping[str, np.ndarray]
ROI_INPUTS = {"data", "rois"}  # the inputs of a Fast R-CNN test net
RPN_INPUTS = {"data", "im_info"}  # of one that proposes RoIs itself


def feed_inputs(net: Net, path: str) -> list[str]:
    """Feed the arrays of an .npz, by blob name, to the net's inputs and to its RoI data layer.

    Inputs take the arrays' shapes. Returns lines that say what was fed. Raises DataError for a file that cannot be
    read, and for an array that is missing, unknown, of the wrong rank or not finite.
    """
    arrays = _read(path)
    wanted = inputs = input_names(net)
    layer = data_layer(net)
    if layer is not None:
        wanted = [*inputs, *layer.names]
    _check_names(arrays, wanted, path)
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            raise DataError(f"'{name}' is not finite at {place}; clean the data first", file=path)
    if layer is not None:
        layer.set_blobs([{name: arrays[name] for name in layer.names}])
    try:
        set_inputs(net, {name: arrays[name] for name in inputs})
    except DataError as error:
        raise error.at(path) from None
    return [f"data: {len(arrays)} arrays of {path}"]


def feed_dataset(
    net: Net,
    dataset: Dataset,
    iterations: int = 1,
    on_photo: OnPhoto = silent,
    cfg: Config | None = None,
    skip_bad_images: bool = False,
) -> list[str]:
    """Feed the photos of a data set, in its order, with proposals from selective search.

    Only the photos that so many iterations take are read and searched; `on_photo` is told the name of each. The
    configuration is that of `configuration_for`; the net's layers get their settings from it. Returns lines that say
    what was fed. Raises DataError.
    """
    check_num_classes(net, dataset)
    cfg = configuration_for(net, cfg)
    configure(net, cfg)
    cfg = in_order(cfg)
    train = cfg.TRAIN
    first = dataset.image_ids[: iterations * train.IMS_PER_BATCH]
    roidb = dataset_roidb(dataset, cfg, on_photo=on_photo, skip_bad_images=skip_bad_images, image_ids=first)
    layer = data_layer(net)
    _serve(net, SequentialSource(roidb, layer.num_classes if layer else len(dataset.classes)))
    per = "all RoIs" if train.USE_OHEM or train.BATCH_SIZE == -1 else f"{train.BATCH_SIZE} sampled RoIs"
    per = "its annotated boxes" if train.HAS_RPN else per
    return [
        f"data: {described(dataset)}; an iteration has {train.IMS_PER_BATCH} photo(s) with {per}",
        *skipped_notes(roidb),
    ]


def skipped_notes(roidb: Roidb) -> list[str]:
    """Lines that say how many images were left out, and name the first few; none where all are there."""
    bad, without = roidb.skipped, roidb.filtered
    lines = [f"skipped {len(bad)} bad image(s): {named(bad)}"] if bad else []
    wanted = "object" if roidb.cfg.TRAIN.HAS_RPN else "RoI"
    return [*lines, f"left out {without} photo(s) that have no {wanted} to learn from"] if without else lines


def unlearned_notes(roidb: Roidb) -> list[str]:
    """A line that names the classes of one's own that no object is of; of VOC's many a data set has but some."""
    there = {label for photo in roidb.photos for label in photo.gt_classes.tolist()}
    missing = [name for label, name in enumerate(roidb.classes) if label and label not in there]
    own = tuple(roidb.classes) != CLASSES
    return [f"no photo has an object to learn from of: {', '.join(missing)}"] if missing and own else []


def described(dataset: Dataset) -> str:
    """A data set in words: its name, its size, and its classes where they are not VOC's."""
    own = "" if tuple(dataset.classes) == CLASSES else f", classes: {listed(dataset.classes)}"
    return f"{dataset.name}, {len(dataset.image_ids)} photo(s){own}"


def feed_photos(net: Net, paths: Sequence[str], on_photo: OnPhoto = silent) -> list[str]:
    """Feed photos without annotations, one an iteration; all RoIs are background. Raises DataError."""
    if proposes(net):
        return _feed_photo_without_rois(net, paths, on_photo)
    num_classes = _num_classes(net)
    cfg = with_agnostic(in_order(OHEM), _agnostic(net))
    roidb = photos_roidb(paths, cfg, class_names(num_classes), on_photo)
    _serve(net, SequentialSource(roidb, num_classes))
    return [f"data: {len(paths)} photo(s) with proposals from selective search, all labelled background"]


def feed_sample(net: Net, seed: int = 0) -> list[str]:
    """Feed a drawn sample to a RoI data layer or to the inputs of a Fast R-CNN net, noise to other inputs.

    Inputs that take no gradient (labels) get zeros. Returns lines that say what was fed; none where the net needs no
    data.
    """
    if takes_rois(net):
        plain = {} if mines(net) else {"rois": 64, "images": 2}
        kind = {"has_rpn": True} if proposes(net) else plain
        sample = synthetic_sample(_num_classes(net), seed, **kind, agnostic=_agnostic(net))
        _serve(net, [sample])
        return [
            "data: no --devkit, --photo or --inputs given, so this is a drawn sample, good for a look only"
        ]
    labels = _gradient_free(net)
    rng = np.random.RandomState(seed)
    inputs = input_names(net)
    for name in inputs:
        blob = net.blobs[name]
        blob.data[...] = 0 if name in labels else rng.standard_normal(blob.shape)
    zeros = f" (zeros in {', '.join(sorted(labels))})" if labels else ""
    return (
        [f"data: no --inputs given, so the inputs are noise{zeros}, good for a look only"] if inputs else []
    )


def input_names(net: Net) -> list[str]:
    """The inputs of a net, and the data of its MemoryData layers, which wait for arrays too."""
    waiting = [node.tops[0] for node in net.graph.nodes if node.param.type == "MemoryData"]
    return [*net.inputs, *(net.blob_names[i] for i in waiting)]


def _read(path: str) -> dict[str, np.ndarray]:
    arrays = read_npz(path)
    try:
        return {name: array.astype(np.float32, casting="same_kind") for name, array in arrays.items()}
    except TypeError as error:
        raise DataError(f"this is no .npz of number arrays ({error})", file=path) from error


def _check_names(arrays: Blobs, wanted: Sequence[str], path: str) -> None:
    for name in arrays:
        if name not in wanted:
            near = difflib.get_close_matches(name, wanted, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"the net takes {', '.join(wanted) or 'no data'}"
            raise DataError(f"the net takes no data named '{name}'; {hint}", file=path)
    missing = [name for name in wanted if name not in arrays]
    if missing:
        raise DataError(f"no array for {', '.join(missing)}; the net takes {', '.join(wanted)}", file=path)


def data_layer(net: Net) -> RoIDataLayer | None:
    """The RoI data layer of a net, if it has one."""
    return next((layer for layer in net.layers if isinstance(layer, RoIDataLayer)), None)


def mines(net: Net) -> bool:
    """Whether the net picks the hard RoIs itself, and so has to be given all of them."""
    return any(isinstance(layer, HardRoIMining) for layer in net.layers)


def proposes(net: Net) -> bool:
    """Whether the net proposes RoIs itself: its data layer, or its inputs, are those of Faster R-CNN."""
    layer = data_layer(net)
    return set(net.inputs) == RPN_INPUTS if layer is None else layer.has_rpn


def default_configuration(net: Net) -> Config:
    """The reference's configuration for nets of this kind: with an RPN, with hard RoI mining, or plain."""
    cfg = FASTER_RCNN if proposes(net) else OHEM if mines(net) else Config()
    layer = data_layer(net)
    if layer is None or layer.has_rpn:
        return cfg
    return replace(cfg, TRAIN=replace(cfg.TRAIN, BBOX_REG=len(layer.names) > 3))


def configuration_for(net: Net, cfg: Config | None = None) -> Config:
    """The configuration for a net: the given one, or else `default_configuration`.

    Where it runs, but not as one would think (OHEM in one of them only), a warning says so. Raises DataError where the
    configuration does not fit the net: its HAS_RPN, its BBOX_REG.
    """
    if cfg is None:
        cfg = default_configuration(net)
    if proposes(net) != cfg.TRAIN.HAS_RPN:
        takes = "takes gt_boxes, and" if proposes(net) else "takes RoIs, and"
        raise DataError(
            f"the net {takes} TRAIN.HAS_RPN is {str(cfg.TRAIN.HAS_RPN).lower()}; give the configuration for this net"
        )
    for text in check_against(net, cfg):
        warnings.warn(text, stacklevel=3)
    return cfg


def configure(net: Net, cfg: Config) -> None:
    """Give the layers of an existing net the settings of a configuration (`Config.layer_settings`).

    What the layers compute follows them from the next forward on; shapes before that stay those of the old settings.
    """
    net.layer_settings = {**net.layer_settings, **cfg.layer_settings()}
    for layer in net.layers:
        set_attributes(layer, net.layer_settings)


def _num_classes(net: Net) -> int:
    """The number of classes of a net's minibatches; without a RoI data layer it takes no array that depends on it."""
    layer = data_layer(net)
    return layer.num_classes if layer is not None else len(CLASSES)


def _agnostic(net: Net) -> bool:
    layer = data_layer(net)
    return layer is not None and layer.agnostic


def _serve(net: Net, samples: Sequence[Blobs]) -> None:
    """Give minibatches to the RoI data layer; or give a test net's inputs their arrays from the first one."""
    layer = data_layer(net)
    if layer is not None:
        layer.set_blobs(samples)
    elif set(net.inputs) in (ROI_INPUTS, RPN_INPUTS):
        blobs = samples[0]
        set_inputs(net, {name: blobs[name] for name in net.inputs})
    else:
        raise DataError(
            f"photos go to a net with a RoI data layer or with the inputs data and rois, or data and im_info; this "
            f"one's inputs are {', '.join(net.inputs) or 'none'}: use --inputs"
        )


def _feed_photo_without_rois(net: Net, paths: Sequence[str], on_photo: OnPhoto) -> list[str]:
    if data_layer(net) is not None:
        raise DataError(
            "this net learns from annotated boxes, and photos have none; use --devkit, or the test.prototxt"
        )
    cfg = Config()
    on_photo(paths[0], 1)
    data, (scale,) = image_blob(
        [read_photo(paths[0])], cfg.TEST.SCALES[:1], cfg.TEST.MAX_SIZE, cfg.PIXEL_MEANS
    )
    set_inputs(net, {"data": data, "im_info": im_info(data, scale)})
    return [f"data: {paths[0]}; the net proposes the RoIs"]


def takes_rois(net: Net) -> bool:
    """Whether photos reach the net with RoIs, or an image's size: one of Fast or Faster R-CNN."""
    return data_layer(net) is not None or set(net.inputs) in (ROI_INPUTS, RPN_INPUTS)


def set_inputs(net: Net, arrays: Blobs) -> None:
    """Write arrays into inputs, by name; these take the arrays' shapes. Raises DataError for other numbers of axes."""
    for name, array in arrays.items():
        blob = net.blobs[name]
        if len(array.shape) != len(blob.shape):
            raise DataError(
                f"input '{name}' has shape {blob.shape}, the array {array.shape}: not as many axes"
            )
        blob.reshape(*array.shape)
        blob.data[...] = array
    net.reshape()


def _gradient_free(net: Net) -> set[str]:
    """The names of inputs that a layer reads, maybe behind a Split, at a bottom without gradient: labels, RoIs."""
    blobs: set[int] = set()
    for node, layer in zip(reversed(net.graph.nodes), reversed(net.layers), strict=True):
        blobs.update(node.bottoms[i] for i in layer.no_gradient if i < len(node.bottoms))
        if node.param.type == "Split" and blobs & set(node.tops):
            blobs.update(node.bottoms)
    return {net.blob_names[i] for i in blobs} & set(net.inputs)
