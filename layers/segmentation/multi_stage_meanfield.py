"""MultiStageMeanfield: CRF-RNN."""

from __future__ import annotations

from caffe_compat.layers.registry import register
from caffe_compat.layers.segmentation.meanfield import Meanfield, refused, without_effect
from caffe_compat.prototxt.caffe_pb2 import MultiStageMeanfieldParameter


@register("MultiStageMeanfield")
class MultiStageMeanfield(Meanfield):
    """Mean field iterations of a dense conditional random field (multi_stage_meanfield_param).

    bottom[0]: the unary terms U, N x C x H x W. bottom[1]: of that shape, what the first iteration starts from.
    bottom[2]: the image, N x 3 x H x W, as the net has it; it takes no gradient. top: N x C x H x W, not normalised.

    Each of num_iterations steps is U - M (S f(q) + B g(q)) for the softmax q, over the classes, of the last one. f and
    g are Gaussian filters, divided at each pixel by what they make of ones: f over the place, in units of theta_gamma
    pixels; g over the place, in units of theta_alpha, and the colour, of theta_beta.

    params, 1 x 1 x C x C each: S and B, diagonal, with the numbers of spatial_filter_weights_str and
    bilateral_filter_weights_str, one a class, of which the last counts for the classes that have none; without these,
    with those of the files spatial.par and bilateral.par of the working directory, one a class; where there is no such
    file, with spatial_filter_weight and bilateral_filter_weight. M: -1 on the diagonal, the Potts model. Raises
    LayerError for texts and files without enough numbers, fewer than 2 iterations, a theta that is not positive, and
    images that are not finite.

    Source: MultiStageMeanfieldLayer and MeanfieldIteration of CRF-RNN's fork of Caffe, which demands the two files and
    leaves the two fields out of account; its later form (TVG's caffe-tvg), which has the texts. Zheng et al.,
    Conditional Random Fields as Recurrent Neural Networks (2015).
    """

    reads = ("multi_stage_meanfield_param",)
    without_effect = without_effect("multi_stage_meanfield_param")
    refused = refused("multi_stage_meanfield_param")
    origin = "CRF-RNN"
    features = 3

    @property
    def settings(self) -> MultiStageMeanfieldParameter:
        return self.layer_param.multi_stage_meanfield_param
