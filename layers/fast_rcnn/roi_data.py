"""RoIData, the data layer of Fast R-CNN nets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.param_str import num_classes
from caffe_compat.layers.common.shared_out import SharedOut
from caffe_compat.layers.fast_rcnn.minibatches import Blobs, CyclicSource, Source, State
from caffe_compat.layers.registry import register

TOPS = ("data", "rois", "labels", "bbox_targets", "bbox_inside_weights", "bbox_outside_weights")
RPN_TOPS = ("data", "im_info", "gt_boxes")
FIRST_TOPS = (*TOPS[:4], "bbox_loss_weights")  # of the first Fast R-CNN
VIEW_TOPS = ("view_targets", "view_inside_weights", "view_outside_weights")
# by their number: what a fork calls its blobs decides nothing
TOPS_OF = {
    3: TOPS[:3],
    5: FIRST_TOPS,
    6: TOPS,
    7: (*TOPS, "sublabels"),
    9: (*TOPS, *VIEW_TOPS),
    10: (*TOPS, "sublabels", *VIEW_TOPS),
}


@register("RoIData")
class RoIDataLayer(SharedOut):
    """Serves minibatches: images, their RoIs and labels and, with more than three tops, box targets and weights.

    The tops are, by their number, those of `TOPS_OF`: images N x 3 x h x w, rois R x 5 (image, x1 y1 x2 y2), labels
    R, boxes R x 4 classes, or R x 8 where `agnostic`. Five are those of the first Fast R-CNN, whose loss weights are
    0 or 1: what others call outside weights. SubCNN has more: subclasses R, views R x 3 classes. Three tops of which
    the second and third are named as in `RPN_TOPS` are these, for a net that proposes RoIs itself: im_info 1 x 3
    (height, width, scale of the one image), gt_boxes G x 5 (x1 y1 x2 y2 class); there is one image, whatever
    ims_per_batch. roi_data_param.num_classes, or python_param.param_str, says how many classes. The minibatches come
    from `set_source` or `set_blobs`. Before the first forward the tops have the shapes of `ims_per_batch` images of
    `scale` x `max_size` with one RoI; a configuration may set these attributes of the layer.
    Source: RoIDataLayer of abhi2610/ohem (and of Fast R-CNN, Faster R-CNN, SubCNN and R-FCN, whose tops have two more
    axes of 1), as module "roi_data_layer.layer".
    """

    reads = ("roi_data_param",)
    bottom_count = (0, 0)
    top_count = (3, 10)
    has_backward = False

    origin = "this project"
    ims_per_batch = 2
    scale = 600
    max_size = 1000
    agnostic = False  # py-R-FCN's TRAIN.AGNOSTIC: boxes of the background, and of all other classes

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(top) not in TOPS_OF:
            raise self.error(
                f"there are {len(top)} tops; expected {', '.join(TOPS[:3])}, or these and {TOPS[3:]}, "
                f"or these and {FIRST_TOPS[3:]}"
            )
        self.has_rpn = tuple(self.layer_param.top[1:]) == RPN_TOPS[1:]
        self.names = RPN_TOPS if self.has_rpn else TOPS_OF[len(top)]
        self.num_classes = self.layer_param.roi_data_param.num_classes or num_classes(self)
        self.source: Source | None = None
        self.served = 0
        images = 1 if self.has_rpn else self.ims_per_batch, 3, self.scale, self.max_size
        # the reference gives gt_boxes four columns here, and five with the first minibatch
        shapes = [images, (1, 3), (1, 4)] if self.has_rpn else self._shapes(images, 1)
        for blob, shape in zip(top, shapes, strict=False):
            blob.reshape(*shape)

    def set_source(self, source: Source) -> None:
        """Serve what this source gives from now on."""
        self.source, self.served = source, 0
        self.share_out(self.rank, self.count)

    def share_out(self, rank: int, count: int) -> None:
        super().share_out(rank, count)
        if self.source is not None and count > 1:
            self.source.share_out(rank, count)

    def set_roidb(self, roidb: object) -> None:
        """Raises LayerError: the reference's lists are served by its own layer, which its configuration belongs to."""
        raise self.error(
            "this is the layer that is built in, and takes no roidb as a list; put the reference's lib, with its "
            "roi_data_layer, on PYTHONPATH, or give minibatches: set_source(minibatches(roidb, num_classes)) of "
            "caffe_compat.fast_rcnn.source"
        )

    def set_blobs(self, blobs: Sequence[Blobs]) -> None:
        """Serve these minibatches from now on, in a circle, beginning with the first.

        Each maps the names of the tops to arrays; they are read one at a time, when their turn comes.
        """
        if len(blobs):
            self.set_source(CyclicSource(blobs))
        else:
            self.source, self.served = None, 0

    def get_state(self) -> State:
        """Where the source stands: with it, and numpy's random state, `set_state` goes on just so."""
        return {} if self.source is None else self.source.get_state()

    def set_state(self, state: State) -> None:
        """Go on from where `get_state` stood; the source must be set already, and have the same data."""
        if self.source is None:
            raise self.error("there is no data to go on with; set it before its state")
        self.source.set_state(state)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.source is None:
            raise self.error(
                "there is no data; give minibatches with this layer's set_source or set_blobs, "
                "or run run-prototxt with --devkit or --inputs"
            )
        blobs = self._as_loss_weights(self.source.next())
        self._check(blobs, self.served)
        for name, blob in zip(self.names, top, strict=True):
            blob.reshape(*blobs[name].shape)
            blob.data[...] = blobs[name]
        self.served += 1
        self.images_read += top[0].num

    def _shapes(self, images: tuple[int, ...], rows: int) -> list[tuple[int, ...]]:
        """Of the tops, with so many RoIs or annotated boxes."""
        if self.has_rpn:
            return [(1, *images[1:]), (1, 3), (rows, 5)]
        boxes, views = (rows, 4 * (2 if self.agnostic else self.num_classes)), (rows, 3 * self.num_classes)
        first = {"data": images, "rois": (rows, 5), "labels": (rows,), "sublabels": (rows,)}
        return [first.get(name, views if name in VIEW_TOPS else boxes) for name in self.names]

    def _as_loss_weights(self, blobs: Blobs) -> Blobs:
        """The minibatch with loss weights, for five tops, in place of inside and outside weights."""
        if self.names != FIRST_TOPS or "bbox_outside_weights" not in blobs:
            return blobs
        rest = {name: value for name, value in blobs.items() if name not in TOPS[4:]}
        return {FIRST_TOPS[4]: blobs["bbox_outside_weights"], **rest}

    def _check(self, blobs: Blobs, index: int) -> None:
        missing = [name for name in self.names if name not in blobs]
        known = TOPS if self.names == TOPS[:3] else self.names  # three tops leave the others out
        unknown = [str(name) for name in blobs if name not in known]
        if missing or unknown:
            raise self.error(
                f"minibatch {index} lacks {missing} and has {unknown} too many; expected {self.names}"
            )
        boxes, what = ("gt_boxes", "annotated boxes") if self.has_rpn else ("rois", "RoIs")
        data, rows = np.shape(blobs["data"]), len(np.atleast_1d(blobs[boxes]))
        if len(data) != 4 or rows == 0:
            raise self.error(
                f"minibatch {index} has data of shape {data} and {rows} {what}; expected images and {what}"
            )
        expected = self._shapes((data[0], 3, *data[2:]), rows)
        for name, shape in zip(self.names, expected, strict=False):
            if np.shape(blobs[name]) != shape:
                raise self.error(
                    f"minibatch {index}: {name} has the shape {np.shape(blobs[name])}, expected {shape} "
                    f"({rows} {what}, {self.num_classes} classes)"
                )
            if not np.isfinite(blobs[name]).all():
                place = [int(i) for i in np.argwhere(~np.isfinite(blobs[name]))[0]]
                raise self.error(f"minibatch {index}: {name} has a value that is not finite at {place}")
