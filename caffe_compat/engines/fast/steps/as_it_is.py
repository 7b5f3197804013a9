"""Layers that run themselves, between others that are steps."""

from __future__ import annotations

from caffe_compat.engines.fast.steps.step import Blobs, Calls, Step
from caffe_compat.layers.absval import AbsVal
from caffe_compat.layers.base import Layer
from caffe_compat.layers.bnll import BNLL
from caffe_compat.layers.clip import Clip
from caffe_compat.layers.convolution.deconvolution import Deconvolution
from caffe_compat.layers.crop import Crop
from caffe_compat.layers.crop_center import CropCenter
from caffe_compat.layers.elu import ELU
from caffe_compat.layers.exp import Exp
from caffe_compat.layers.interp import Interp
from caffe_compat.layers.log import Log
from caffe_compat.layers.normalize import Normalize
from caffe_compat.layers.power import Power
from caffe_compat.layers.reduction import Reduction
from caffe_compat.layers.sigmoid import Sigmoid
from caffe_compat.layers.ssd.prior_box import PriorBox
from caffe_compat.layers.swish import Swish
from caffe_compat.layers.tanh import TanH
from caffe_compat.layers.tile import Tile
from caffe_compat.layers.upsample import Upsample

# layers whose shapes follow from those of their bottoms alone, and that do nothing but fill their tops
AS_THEY_ARE: tuple[type[Layer], ...] = (
    *(AbsVal, BNLL, Clip, Crop, CropCenter, Deconvolution, ELU, Exp, Interp, Log, Normalize, Power),
    *(PriorBox, Reduction, Sigmoid, Swish, TanH, Tile, Upsample),
)


class AsItIs(Step):
    """A layer that has no code of its own here."""

    @staticmethod
    def fits(layer: Layer) -> bool:
        return type(layer) in AS_THEY_ARE

    def rows(self, bottoms: Blobs, tops: Blobs, threads: int) -> Calls | None:
        return None
