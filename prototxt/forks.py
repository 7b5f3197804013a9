"""Fields that other forks of Caffe have and caffe.proto leaves out, so that an error can say whose they are.

Most of them use a field number that another fork, or BVLC, gave another meaning.
"""

from __future__ import annotations

_FIELDS: dict[str, dict[str, str]] = {
    "DeepLab v2": {
        "BatchNormParameter": "update_global_stats",
    },
    "FlowNet2": {
        "LayerParameter": "reshape_every_iter",
    },
    "happynear's Caffe": {
        "BatchNormParameter": "disable_mean disable_variance",
        "ConvolutionParameter": "shape_offset",
        "DropoutParameter": "sqrt_scale",
        "ImageDataParameter": (
            "balance_by balance_class face_mirror face_point_num face_transform label_cut_end "
            "label_cut_start max_aspect_ratio max_random_scale max_random_shift max_rotate_angle "
            "max_shear_ratio min_random_scale"
        ),
        "LayerParameter": (
            "batch_contrastive_loss_param "
            "confidence_penalty_loss_param eltwise_affine_param fcn_data_param "
            "feature_decay_loss_param general_contrastive_loss_param "
            "general_triplet_loss_param hotspot_param infimum_loss_param "
            "label_specific_affine_param "
            "label_specific_hard_margin_param label_specific_margin_param "
            "label_specific_rescale_param largemargin_inner_product_param local_param "
            "margin_inner_product_param mil_data_param mil_param nca_param noise_param "
            "normalize_param ordinal_regression_loss_param pairwise_param predict_box_param "
            "resize_param smoothl1_param soft_contrastive_loss_param "
            "soft_truncation_param sub_region_param triplet_loss_param truncation_param"
            "label_specific_rescale_param "
            "mil_data_param mil_param nca_param "
            "ordinal_regression_loss_param pairwise_param predict_box_param "
            "proposal_param resize_param smoothl1_param soft_contrastive_loss_param "
            "soft_truncation_param sub_region_param truncation_param"
            "proposal_param resize_param smoothl1_param soft_contrastive_loss_param "
            "soft_truncation_param sub_region_param triplet_loss_param"
        ),
        "PoolingParameter": "blobs_a_min blobs_lr",
        "SoftmaxParameter": ("class_weight cutting_point hard_mining_label hard_ratio label_smooth_factor"),
        "SolverParameter": "clamp_weights_lower clamp_weights_upper clip_weights",
        "TransformationParameter": "aspect_max aspect_min center_crop erase_ratio scale_max scale_min",
    },
    "Intel Caffe": {
        "BatchNormParameter": "bias_term engine filler relu stats_batch_size use_weight_bias",
        "ConvolutionParameter": "coeff conv_algorithm fusion_type negative_slope relu",
        "DataParameter": "shuffle side",
        "DataParameter": "side",
        "ImageDataParameter": "min_height min_width",
        "InnerProductParameter": "engine negative_slope relu",
        "LayerParameter": (
            "engine mn_activation_param mn_grad_compress_param multinode "
            "quantization_param spatial_dropout_param split_param"
        ),
        "LossParameter": "label_smoothing",
        "NetParameter": "bn_stats_batch_size compile_net_state engine multinode",
        "PoolingParameter": "avg_include_pad axis kernel_size_3d pad_3d stride_3d",
        "ROIPoolingParameter": "pooled_size",
        "ReLUParameter": "fuse",
        "SolverParameter": "disabled_update engine test_offset",
        "TransformationParameter": "bgr2rgb flow pad random_aspect_ratio_param random_resize_param",
        "SolverParameter": (
            "disabled_update engine local_gw_ratio local_lr_auto stageiter stagelr test_offset "
            "warmup_iter warmup_start_lr"
        ),
        "TransformationParameter": "bgr2rgb pad random_aspect_ratio_param random_resize_param",
    },
    "NVCaffe": {
        "ConvolutionParameter": "conv_algos_override cudnn_convolution_algo_seeker",
        "DataParameter": "cache parser_threads precache threads",
        "DropoutParameter": "engine random_seed",
        "ImageDataParameter": "cache dataset_share_per_node precache short_side threads",
        "LayerParameter": (
            "backward_math backward_type cudnn_math_override debug forward_math forward_type trt_param"
        ),
        "MultiBoxLossParameter": "ignore_difficult_gt",
        "NetParameter": (
            "default_backward_math default_backward_type default_conv_algos_override "
            "default_cudnn_math_override default_forward_math default_forward_type "
            "eltwise_mem_sharing global_grad_scale global_grad_scale_adaptive reduce_buckets"
        ),
        "PoolingParameter": "torch_pooling",
        "SolverParameter": "solver_data_type store_blobs_in_old_format test_and_snapshot_last_epochs",
        "TransformationParameter": (
            "allow_upscale display forward_packing horizontal_stretch_lower horizontal_stretch_upper "
            "img_rand_resize_lower img_rand_resize_upper interpolation_algo_down "
            "interpolation_algo_up num_labels rand_resize_ratio_lower rand_resize_ratio_upper "
            "random_seed use_gpu_transform vertical_stretch_lower vertical_stretch_upper"
        ),
    },
    "OpenPose": {
        "ConvolutionParameter": "binary",
        "LayerParameter": "op_transform_param",
    },
    "RefineDet": {
        "DetectionOutputParameter": "objectness_score",
        "MultiBoxLossParameter": "objectness_score",
    },
    "SegNet": {
        "DropoutParameter": "sample_weights_test",
        "LossParameter": "class_weighting weight_by_label_freqs",
        "LayerParameter": "dense_image_data_param",
    },
    "SSD": {
        "SolverParameter": "ap_version eval_type",
    },
    "TSN": {
        "ConvolutionParameter": "dilation_h dilation_w",
        "NetParameter": "mem_param",
        "SolverParameter": "group_id richness",
    },
}
_ENUM_VALUES = {"DIV": "Synopsys' Caffe"}
_FORKS = {
    (message, field): fork
    for fork, messages in _FIELDS.items()
    for message, fields in messages.items()
    for field in fields.split()
}


def fork_of(message: str, field: str) -> str | None:
    """The fork that has this field in this message, if one is known to."""
    return _FORKS.get((message, field))


def fork_of_value(value: str) -> str | None:
    """The fork that has this enum value, if one is known to."""
    return _ENUM_VALUES.get(value)
