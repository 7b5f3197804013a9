"""Fields of forks that only choose how they compute or log: they are read over, and one line says so.

Source: the caffe.proto of NVIDIA/caffe, intel/caffe, yjxiong/caffe, tpfister/caffe-heatmap, wenwei202/caffe (SSL, and
force regularization), JiachenMao/MeDNN, IntelLabs/SkimCaffe, jkokkin/UberNet, choasup/caffe-yolo9000,
nbadalls/caffe-server, torrvision/caffe-tvg, MingSun-Tse/Caffe_IncReg, tidsp/caffe-jacinto, HD-CNN
(stephenyan1231), and of OpenPose's and Synopsys'.
"""

from __future__ import annotations

_FIELDS: dict[str, dict[str, str]] = {
    "Intel Caffe": {
        "BatchNormParameter": "bias_term engine filler stats_batch_size use_weight_bias",
        "ConcatParameter": "per_fla_fuse",
        "ConvolutionParameter": "coeff conv_algorithm fusion_type",
        "EltwiseParameter": "engine",
        "InnerProductParameter": "engine",
        "LayerParameter": "engine mn_activation_param mn_grad_compress_param multinode quantization_param",
        "NetParameter": "bn_stats_batch_size compile_net_state engine multinode",
        "ReLUParameter": "fuse",
        "SolverParameter": "disabled_update engine test_offset",
    },
    "NVCaffe": {
        "ConvolutionParameter": "conv_algos_override cudnn_convolution_algo_seeker",
        "DataParameter": "cache parser_threads precache threads",
        "DropoutParameter": "engine random_seed",
        "ImageDataParameter": "cache dataset_share_per_node precache threads",
        "LayerParameter": (
            "backward_math backward_type cudnn_math_override debug forward_math forward_type trt_param"
        ),
        "NetParameter": (
            "default_backward_math default_backward_type default_conv_algos_override "
            "default_cudnn_math_override default_forward_math default_forward_type eltwise_mem_sharing "
            "global_grad_scale global_grad_scale_adaptive reduce_buckets"
        ),
        "SolverParameter": "solver_data_type store_blobs_in_old_format",
        "TransformationParameter": "display forward_packing random_seed use_gpu_transform",
    },
    "SkimCaffe": {
        "ConvolutionParameter": "conv_mode dump_activation dump_parameter parameter_sparsity_pattern_histogram",
        "InnerProductParameter": "gemm_mode spmdm_transpose_in spmdm_transpose_out",
    },
    "SSL Caffe": {
        "ParamSpec": (
            "block_group_lasso breadth_decay_mult force_mult kernel_shape_decay_mult special_shape_decay_mult"
        )
    },
    "UberNet": {"LayerParameter": "deletebottom deletetop pullsfrom"},
    "caffe-yolo9000": {"EvalDetectionParameter": "save_output_param"},  # a file of the detections
    "caffe-heatmap": {"LayerParameter": "visualise visualise_channel"},
    "DSN": {"SolverParameter": "info localgamma localpower localstepsize"},
    "IncReg": {
        "LayerParameter": "prune_param",
        "SolverParameter": (
            "acc_borderline baseline_acc iter_size_final_retrain iter_size_losseval iter_size_prune iter_size_retrain "
            "losseval_interval retrain_test_interval"
        ),
    },
    "caffe-jacinto": {"SolverParameter": "ignore_shape_mismatch"},
    "JADF": {"LayerParameter": "outer_product_param", "SolverParameter": "show_pr"},
    "OpenPose": {"ConvolutionParameter": "binary"},
    "Synopsys' Caffe": {"BNParameter": "icnet"},  # which says that BN has 4 params, as its other fields do
    "nbadalls' Caffe": {"NetParameter": "print_net_info"},
    "HD-CNN": {"LayerParameter": "conserve_gpu_memory_test"},
    "TVG's Caffe": {"MultiStageMeanfieldParameter": "force_cpu"},
    "TSN": {
        "NetParameter": "mem_param richness",
        "SolverParameter": "device_id group_id richness",
    },
}
# where it is not that they only choose how a fork computes or logs
_WHY = {
    "IncReg": "as they count only with a solver's prune_method, which IncReg has",
    "caffe-jacinto": "as weights of other shapes than the params' are an error here",
    "DSN": "as they log, or count only with rates of params that fall by themselves, which DSN has",
    "SSL Caffe": "as they count only with a solver's decays of groups of weights, which SSL Caffe has",
}
_FORKS = {
    (message, field): fork
    for fork, messages in _FIELDS.items()
    for message, fields in messages.items()
    for field in fields.split()
}


def set_aside_by(message: str, field: str) -> str | None:
    """The fork for which this field of a message only chooses how to compute or log, if there is one.

    `device_id` is such a field where it is a list, as in TSN's solvers. Of `engine`, a value that caffe.proto does not
    know is set aside in every message: MKL2017 of Intel Caffe. `quantization_param` is Ristretto's in a layer of a type
    of its own.
    """
    return _FORKS.get((message, field)) or ("Intel Caffe" if field == "engine" else None)


def why_set_aside(fork: str) -> str:
    """Why these fields of a fork are read over, for the line that says so."""
    return _WHY.get(fork, f"as they only choose how {fork} computes or logs")
