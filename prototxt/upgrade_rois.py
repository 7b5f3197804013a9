"""RoIs that a net declares with fewer numbers than they have."""

from __future__ import annotations

from caffe_compat.prototxt.caffe_pb2 import NetParameter

_POOLS = ("PSROIAlign", "PSROIPooling", "ROIAlign", "ROIPooling")


def upgrade_rois(net: NetParameter) -> None:
    """An input of 4 numbers a RoI that layers pool by gets the 5 that they read: the image comes first.

    Programs give it another shape before they run the net, and Caffe builds it without a look at the RoIs.
    Source: models/psdb/resnet50/eval_probe.prototxt of ShuangLI59/person_search, and its lib/fast_rcnn/test_probe.py.
    """
    pooled = {layer.bottom[1] for layer in net.layer if layer.type in _POOLS and len(layer.bottom) > 1}
    for layer in net.layer:
        shapes = layer.input_param.shape if layer.type == "Input" else ()
        for name, shape in zip(layer.top, shapes, strict=False):
            if name in pooled and len(shape.dim) > 1 and shape.dim[1] == 4:
                shape.dim[1] = 5
