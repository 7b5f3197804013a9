"""Fields of forks of Caffe that are not built: whose they are, what they do, and the way out, for the error.

Those that only choose how a fork computes or logs are in set_aside.py.
"""

from __future__ import annotations

_DATA = "it belongs to a data layer of that fork; write the data into an LMDB or HDF5 file and read that"
_AUGMENT = "it augments images at random; augment them before they go into the database, or in a Python layer"
_OTHER = "what it does is not built here; remove it if you can do without"
_LAYER = "it is of a layer type that is not built here; a Python layer can compute it"

# fork -> message -> what its fields do, and what to do -> the fields
_FIELDS: dict[str, dict[str, dict[str, str]]] = {
    "ChenglongChen's Caffe": {
        "BNParameter": {
            "of a BN of 4 params (scale, shift, mean, variance) which adds var_eps in training only; write BatchNorm "
            "and Scale layers, with mean, variance and 1 for the former's params": "across_spatial axis decay var_eps"
        },
        "TransformationParameter": {
            _AUGMENT: (
                "angle_interval contrast_adjustment debug_display jpeg_compression max_perspective_ratio "
                "max_shearing_ratio multiscale warp_fillval"
            )
        },
    },
    "RXGNet": {
        "SolverParameter": {
            "it tests with the mean of the params of the last iterations; average snapshots, or test what is trained": (
                "num_iter_polyak use_polyak"
            )
        }
    },
    "TransferNet": {
        "SolverParameter": {
            "a second net runs beside the trained one, whose blobs go to its data layer; write both as one net": (
                "encoder_device_id encoder_net"
            )
        }
    },
    "DeepLab v2": {
        "BatchNormParameter": {
            "BatchNorm keeps the running statistics in training anyway; remove it": "update_global_stats"
        }
    },
    "Caffe_3D_FF": {
        message: {
            "its volumes are N x C x height x width x depth; give kernel_size, stride and pad (and, for kstride, "
            "dilation) three times, for these axes in turn": "kernel_d kstride_d pad_d stride_d"
        }
        for message in ("ConvolutionParameter", "PoolingParameter")
    },
    "IncReg": {
        "SolverParameter": {
            "it prunes filters step by step while it trains, which no solver here does; remove it to train as usual": (
                "AA IF_compr_count_conv IF_eswpf IF_scheme1_when_Reg_rank IF_speedup_count_fc IF_update_row_col "
                "IF_use_acc1 compRatio prune_method speedup target_reg"
            )
        }
    },
    "caffe-jacinto": {
        "NetParameter": {
            "its net then computes as with 8 bits, in ranges that it measures; remove it to compute with floats": (
                "quantize"
            )
        },
        "SolverParameter": {
            "it sets small weights to 0 while it trains, or says how many are; no solver here does": (
                "display_sparsity sparsity_lr_mult sparsity_target sparsity_threshold weight_connect_mode"
            )
        },
    },
    "caffe-yolov2": {
        "DetectionOutputParameter": {
            "its DetectionOutput is an earlier YoloDetectionOutput; write that, with yolo_detection_output_param": (
                "biases coords num_box side"
            )
        }
    },
    "caffe_3d_faster_rcnn": {
        "LayerParameter": {
            _LAYER: "anchor_target_param mhd_data_param mhd_roi_data_param rpn_output_param",
            "pooling in three dimensions is type Pooling3D, or PoolingND, here": "pooling_3d_param",
        },
        "ProposalTargetParameter": {
            "its ProposalTarget is of boxes in volumes, which is not built; a Python layer can compute it": (
                "bbox_normalize bbox_normalize_mean bbox_normalize_std class_num fg_threshold"
            )
        },
    },
    "JAANet": {"DataParameter": {_DATA: "get_mirror_crop"}},
    "UberNet": {
        "LossParameter": {
            "it is when in a training the loss counts; train in stages, with another loss_weight each": (
                "time_s time_b time_z"
            )
        }
    },
    "FlowNet2": {"LayerParameter": {_DATA: "reshape_every_iter"}},
    "happynear's Caffe": {
        "BatchNormParameter": {_OTHER: "disable_mean disable_variance"},
        "ConvolutionParameter": {_OTHER: "shape_offset"},
        "DropoutParameter": {_OTHER: "sqrt_scale"},
        "ImageDataParameter": {
            _AUGMENT: (
                "balance_by balance_class face_mirror face_point_num face_transform label_cut_end label_cut_start "
                "max_aspect_ratio max_random_scale max_random_shift max_rotate_angle max_shear_ratio min_random_scale"
            )
        },
        "LayerParameter": {
            _LAYER: (
                "batch_contrastive_loss_param confidence_penalty_loss_param eltwise_affine_param fcn_data_param "
                "feature_decay_loss_param hotspot_param "
                "infimum_loss_param label_specific_affine_param label_specific_hard_margin_param "
                "label_specific_margin_param nca_param "
                "ordinal_regression_loss_param smoothl1_param "
                "soft_contrastive_loss_param soft_truncation_param sub_region_param"
            )
        },
        "PoolingParameter": {
            "the pooling that learns how is not built; use MAX or AVE": "blobs_a_min blobs_lr"
        },
        "SoftmaxParameter": {
            "it weighs or picks examples in the loss; a Python layer can": (
                "class_weight cutting_point hard_mining_label hard_ratio label_smooth_factor"
            )
        },
        "SolverParameter": {
            "it keeps params within bounds after each step; on_iteration of a solver in Python can": (
                "clamp_weights_lower clamp_weights_upper clip_weights"
            )
        },
        "TransformationParameter": {
            _AUGMENT: "aspect_max aspect_min center_crop erase_ratio scale_max scale_min"
        },
    },
    "Intel Caffe": {
        "BatchNormParameter": {"it makes the layer cut off as well; write a ReLU layer behind": ("relu")},
        "ConvolutionParameter": {
            "it fuses a ReLU into the layer; write a ReLU layer behind": "negative_slope relu"
        },
        "InnerProductParameter": {
            "it fuses a ReLU into the layer; write a ReLU layer behind": "negative_slope relu"
        },
        "LayerParameter": {"Split layers are inserted by the net; remove it": "split_param"},
        "LossParameter": {"it smooths the labels; a Python layer can": "label_smoothing"},
        "PoolingParameter": {
            _OTHER: "avg_include_pad",
            "pooling in three dimensions is type Pooling3D, or PoolingND, here": "axis kernel_size_3d pad_3d stride_3d",
        },
        "ROIPoolingParameter": {"write pooled_h and pooled_w": "pooled_size"},
    },
    "NVCaffe": {
        "ImageDataParameter": {"it is how long the shorter side becomes; resize the files": "short_side"},
        "PoolingParameter": {_OTHER: "torch_pooling"},
        "SolverParameter": {
            "it tests only in the last epochs; choose test_interval and snapshot": "test_and_snapshot_last_epochs"
        },
        "TransformationParameter": {_DATA: "num_labels"},
    },
    "Tsinghua-Tencent 100K's Caffe": {"LayerParameter": {_LAYER: "drive_data_param"}},
    "winggan's Caffe": {
        "LayerParameter": {
            "it is of another DenseBlock than caffe_ocr's, which has denseblock_param; write its layers out": (
                "dense_block_param"
            )
        }
    },
    "SSL Caffe": {
        "SolverParameter": {
            "it draws whole groups of weights to 0, or filters together, while it trains; no solver here does": (
                "block_group_decay breadth_decay force_decay force_decay_type force_direction force_iter force_type "
                "kernel_shape_decay special_shape_decay"
            )
        }
    },
    "Synopsys' Caffe": {
        "BatchNormParameter": {
            "false adds eps to the root of the variance, as Darknet does, not to the variance; without it a trained "
            "model's numbers differ a little; remove it": "add_eps_before_sqrt"
        },
        "ConvolutionParameter": {
            "1 pads as TensorFlow's SAME; write pad_l, pad_r, pad_t and pad_b": "pad_type"
        },
        "DetectionOutputParameter": {
            "its bottoms are those of each map, before Permute, Flatten and Concat; write these layers": (
                "no_permute nbottom ratio_permute ratio0 ratio1 ratio2 ratio3 ratio4 ratio5 arm_conf_no_concat "
                "arm_loc_no_concat"
            )
        },
        "LayerParameter": {
            _LAYER: (
                "batch_to_space_nd_param resize_bilinear_param resize_nearest_neighbor_param "
                "space_to_batch_nd_param yolo_v2_loss_param yolo_v3_loss_param mul_param"
            )
        },
        "PoolingParameter": {"1 pads as TensorFlow's SAME; write pad_l, pad_r, pad_t and pad_b": "pad_type"},
        "PriorBoxParameter": {
            "its boxes are those of TensorFlow's SSD, which are not built here": "tf yx_order"
        },
    },
    "TSN": {"ConvolutionParameter": {"write dilation twice, for height and width": "dilation_h dilation_w"}},
}
_ENUM_VALUES = {"DIV": "Synopsys' Caffe"}
_FORKS = {
    (message, field): f"{fork}: {told}"
    for fork, messages in _FIELDS.items()
    for message, kinds in messages.items()
    for told, fields in kinds.items()
    for field in fields.split()
}


def fields() -> list[tuple[str, str]]:
    """All of them: message and field."""
    return list(_FORKS)


def fork_of(message: str, field: str) -> str | None:
    """Whose field this is in this message, what it does and what to do instead, if a fork is known to have it."""
    return _FORKS.get((message, field))


def fork_of_value(value: str) -> str | None:
    """The fork that has this enum value, if one is known to."""
    return _ENUM_VALUES.get(value)
