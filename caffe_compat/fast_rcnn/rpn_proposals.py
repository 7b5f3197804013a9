"""Proposals of a trained region proposal network: boxes that may hold an object, in a file to learn a detector from.

    proposer = Proposer(caffe.Net("rpn_test.pt", caffe.TEST, weights="stage1_rpn.caffemodel"), cfg)
    write_proposals("proposals.npz", propose_all(proposer, dataset))

Source: rpn/generate.py of py-faster-rcnn.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.build import OnPhoto, silent
from caffe_compat.fast_rcnn.config import Config
from caffe_compat.fast_rcnn.dataset import Dataset
from caffe_compat.fast_rcnn.feed import RPN_INPUTS, configure, set_inputs
from caffe_compat.fast_rcnn.minibatch import im_info
from caffe_compat.fast_rcnn.pyramid import Pyramid
from caffe_compat.fast_rcnn.read_ahead import read_ahead
from caffe_compat.files import replacing
from caffe_compat.net import Net

Proposed = tuple[str, np.ndarray]  # an image id, P x 4 boxes


class Proposer:
    """Proposes boxes with a test net that has the inputs data and im_info, and the blob rois.

    cfg: its TEST has the scale, and the settings of the layer that proposes: they replace those that the net was made
    with. Raises DataError for another net, and for more than one scale.
    """

    def __init__(self, net: Net, cfg: Config):
        if set(net.inputs) != RPN_INPUTS or "rois" not in net.blobs:
            raise DataError(
                "proposing takes a test net of an RPN, with the inputs data and im_info and the blob rois; this one's "
                f"inputs are {', '.join(net.inputs) or 'none'} and its outputs {', '.join(net.outputs)}: use the "
                "rpn_test.pt"
            )
        if len(cfg.TEST.SCALES) > 1:
            raise DataError(f"TEST.SCALES is {cfg.TEST.SCALES}; an RPN takes one scale")
        configure(net, cfg)
        self.net, self.cfg = net, cfg

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """The boxes in a photo (height x width x 3 uint8, BGR): P x 4 float32, x1 y1 x2 y2 there, best first."""
        pyramid = Pyramid(image, self.cfg)
        scale = pyramid.scales[0]
        set_inputs(self.net, {"data": pyramid.blob, "im_info": im_info(pyramid.blob, scale)})
        self.net.forward()
        return self.net.blobs["rois"].data[:, 1:] / np.float32(scale)


def propose_all(
    proposer: Proposer, dataset: Dataset, on_photo: OnPhoto = silent, skip_bad_images: bool = False
) -> Iterator[Proposed]:
    """Each image id of a data set with its proposals; with skip_bad_images, photos that cannot be read are left out.

    Raises DataError, which names the photo.
    """
    image_ids = list(dict.fromkeys(dataset.image_ids))  # an image set may repeat some
    paths = [str(dataset.photo(image_id)) for image_id in image_ids]
    for image_id, photo in zip(image_ids, read_ahead(paths, takes_proposals=False), strict=True):
        if isinstance(photo, DataError):
            if not skip_bad_images:
                raise photo
        else:
            yield image_id, proposer(photo.image)
        on_photo(image_id, len(paths))


@dataclass(frozen=True)
class Written:
    """How much a file of proposals holds."""

    photos: int
    boxes: int

    def __str__(self) -> str:
        return f"{self.photos} photo(s), {self.boxes / max(self.photos, 1):.0f} boxes each on average"


def write_proposals(path: str | os.PathLike[str], proposals: Iterable[Proposed]) -> Written:
    """Write proposals as they come into an .npz, an array for each image id; the file is there when all are.

    Raises CaffeCompatError where it cannot be written.
    """
    photos = boxes = 0
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as file:
        for image_id, found in proposals:
            with file.open(f"{image_id}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, found, allow_pickle=False)
            photos, boxes = photos + 1, boxes + len(found)
    return Written(photos, boxes)
