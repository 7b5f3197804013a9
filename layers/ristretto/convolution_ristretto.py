"""Convolutions with numbers of few bits."""

from __future__ import annotations

from caffe_compat.layers.convolution.convolution import Convolution
from caffe_compat.layers.convolution.deconvolution import Deconvolution
from caffe_compat.layers.registry import register
from caffe_compat.layers.ristretto.trimmed import Trimmed


@register("ConvolutionRistretto")
class ConvolutionRistretto(Trimmed, Convolution):
    """A Convolution whose params, and in TEST whose bottoms and tops, are trimmed (quantization_param).

    precision DYNAMIC_FIXED_POINT: to multiples of 2^-fl of bw bits, of bottoms (layer_in), tops (layer_out) and both
    params. MINIFLOAT: all to mant_bits and exp_bits. INTEGER_POWER_OF_2_WEIGHTS: filters to powers of 2 from exp_min to
    exp_max, bottoms and tops to fixed point, the bias not. rounding_scheme counts in TEST; in TRAIN, where only the
    params are trimmed, it is STOCHASTIC. A net lets layers behind that share a bottom have it trimmed too. The
    params get the gradient of what they are trimmed to, as if they were that. All else is as in Convolution.
    Raises LayerError for bits that float32 has not.

    Source: ConvolutionRistrettoLayer of Ristretto (pmgysel/caffe), its GPU kernels; Gysel et al., Hardware-oriented
    Approximation of Convolutional Neural Networks (2016).
    """

    reads = ("convolution_param", "quantization_param")


@register("DeconvolutionRistretto")
class DeconvolutionRistretto(Trimmed, Deconvolution):
    """A Deconvolution whose params, bottoms and tops are trimmed as a ConvolutionRistretto's.

    Source: DeconvolutionRistrettoLayer of Ristretto (pmgysel/caffe), its GPU kernels.
    """

    reads = ("convolution_param", "quantization_param")
