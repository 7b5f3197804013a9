"""Layer types that are another Caffe's under another name."""

from __future__ import annotations

from caffe_compat.prototxt.caffe_pb2 import LayerParameter


def upgrade_renamed(layer: LayerParameter) -> None:
    """Change one layer in place: BNHK becomes the BN of 4 params that it is, and Scale with a scale_factor Power.

    Source: BNHKLayer of liuyuisanai's CaffeMex, whose zoom_network has it; ScaleLayer of TransferNet.
    """
    if layer.type == "BNHK":
        layer.type = "BN"
        layer.bn_param.CopyFrom(layer.bnhk_param)
        layer.ClearField("bnhk_param")
    if layer.type == "Scale" and layer.scale_param.HasField("scale_factor"):
        layer.type = "Power"
        layer.power_param.scale = layer.scale_param.scale_factor
        layer.ClearField("scale_param")
