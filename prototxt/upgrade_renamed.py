"""Layer types that are another Caffe's under another name."""

from __future__ import annotations

import warnings

from caffe_compat.prototxt.caffe_pb2 import LayerParameter

_BY_MKL = ("MKLConvolution", "MKLLRN", "MKLPooling", "MKLReLU")
_QUANTIZED = ("BinaryConvolution", "TernaryConvolution", "BinaryInnerProduct", "TernaryInnerProduct")
_OF_BN_DATA = {"momentum": 0.95, "moving_average": False}
_OF_DSCLRCN = {"across_spatial": False, "channel_shared": False, "eps": 1e-6}


def upgrade_renamed(layer: LayerParameter) -> None:
    """Change one layer in place: BNHK and BNData become the BN of 4 params that they are, L2Loss EuclideanLoss, Scale
    with a scale_factor Power, Scalar Scale, ConstScale Power, AbsLoss L1Loss, a MemoryData with the dims of its top
    Input, and Detection DetectionLoss, PwAttend AttPooling, with a warning; Sum of several bottoms Eltwise; types that
    MKL computes get Caffe's names; a Bias with channel_shared says num_axes; Normalize with fix_scale, which changes
    nothing (a param's lr_mult says whether it learns), gets DSCLRCN's defaults; ProposalTarget's bbox_mean and
    bbox_std, the loss_param of SoftmaxWithLossExpectation, and what Stochastic-Quantization's layers alone have, get
    messages of their own.

    Source: ProposalTargetLayer and DetectionLayer of SINet (xw-hu); the latter's numbers are those of MS-CNN's later
    DetectionLoss; BNHKLayer of liuyuisanai's CaffeMex, whose zoom_network has it; ScaleLayer of TransferNet;
    ScalarLayer of LSTM branches of BVLC's Caffe (DSCLRCN, DRT); NormalizeLayer of DSCLRCN (nian-liu); ConstScaleLayer
    of CCN (limuhit); MKLConvolutionLayer and others of SkimCaffe (IntelLabs); MemoryDataLayer of naibaf7's Caffe;
    AbsLossLayer of light fields' nets; BNDataLayer of lxx1991's Caffe, which takes the statistics of all its GPUs, and
    goes by the moving averages where its scale does not learn; L2LossLayer of caffe-multilabel (bogger); PwAttend of
    PiCANet's nets for MNIST and those made from them, which have AttPooling's bottoms and fields (no source of that
    name is public); SumLayer of R*CNN (gkioxari) and SDS (bharath272); BiasLayer of hli2020's Caffe, which has no axis.
    """
    if layer.type in _BY_MKL:
        layer.type = layer.type[3:]
    if layer.type == "AbsLoss" and not layer.HasField("loss_param"):
        layer.type = "L1Loss"
    if layer.type == "MemoryData" and layer.memory_data_param.dim and len(layer.top) == 1:
        layer.type = "Input"
        layer.input_param.shape.add(dim=layer.memory_data_param.dim)
        layer.ClearField("memory_data_param")
    if layer.type == "PwAttend":
        layer.type = "AttPooling"
        layer.att_pooling_param.CopyFrom(layer.pw_attend_param)
        layer.ClearField("pw_attend_param")
        warnings.warn(
            f"layer '{layer.name}' (PwAttend): no source of that type is public; it is taken for PiCANet's AttPooling, "
            "which has its bottoms and fields",
            stacklevel=2,
        )
    if layer.type == "Sum" and len(layer.bottom) > 1:
        layer.type = "Eltwise"
    if layer.type == "L2Loss" and len(layer.bottom) == 2:
        layer.type = "EuclideanLoss"
    if layer.type == "Bias" and layer.bias_param.HasField("channel_shared"):
        layer.bias_param.num_axes = 0 if layer.bias_param.channel_shared else 1
        if not layer.bias_param.HasField("filler"):
            layer.bias_param.filler.value = 0.1
        layer.bias_param.ClearField("channel_shared")
    if layer.type == "BNData":
        layer.type = "BN"
        for name, value in _OF_BN_DATA.items():
            if not layer.bn_param.HasField(name):
                setattr(layer.bn_param, name, value)
        if layer.bn_param.moving_average and layer.param and layer.param[0].lr_mult == 0:
            layer.bn_param.frozen = True
    if layer.type == "BNHK":
        layer.type = "BN"
        layer.bn_param.CopyFrom(layer.bnhk_param)
        layer.ClearField("bnhk_param")
    if layer.type == "Scale" and layer.scale_param.HasField("scale_factor"):
        layer.type = "Power"
        layer.power_param.scale = layer.scale_param.scale_factor
        layer.ClearField("scale_param")
    if layer.type == "Scalar" and len(layer.bottom) == 2:
        layer.type = "Scale"
        layer.scale_param.axis = layer.scalar_param.axis
        layer.ClearField("scalar_param")
    if layer.type == "ConstScale":
        layer.type = "Power"
        layer.power_param.scale, layer.power_param.shift = (
            layer.const_scale_param.scale,
            layer.const_scale_param.bias,
        )
        layer.ClearField("const_scale_param")
    if layer.type == "SoftmaxWithLossExpectation":
        names = {field.name for field in layer.point_supervision_param.DESCRIPTOR.fields}
        for field, value in layer.loss_param.ListFields():
            if field.name in names:
                setattr(layer.point_supervision_param, field.name, value)
        layer.ClearField("loss_param")
    if layer.type in _QUANTIZED:
        message = layer.inner_product_param if "InnerProduct" in layer.type else layer.convolution_param
        for name in ("sq", "ratio"):
            if message.HasField(name):
                setattr(layer.stochastic_quantization_param, name, getattr(message, name))
                message.ClearField(name)
    if layer.type == "Normalize" and layer.norm_param.HasField("fix_scale"):
        for name, value in _OF_DSCLRCN.items():
            if not layer.norm_param.HasField(name):
                setattr(layer.norm_param, name, value)
        layer.norm_param.ClearField("fix_scale")
    if layer.type == "ProposalTarget":
        for name in ("bbox_mean", "bbox_std"):
            getattr(layer.bbox_reg_param, name).extend(getattr(layer.proposal_target_param, name))
            layer.proposal_target_param.ClearField(name)
    if layer.type == "Detection" and layer.HasField("detection_param"):
        layer.type = "DetectionLoss"
        layer.detection_loss_param.CopyFrom(layer.detection_param)
        layer.ClearField("detection_param")
