"""What data layers refuse: fields of other Caffes, and of other layers."""

from __future__ import annotations

from caffe_compat.prototxt.caffe_pb2 import TransformationParameter

HONOURED = ("scale", "mirror", "crop_size", "mean_file", "mean_value", "force_color", "force_gray")


def others(*honoured: str) -> dict[str, str]:
    """What a data layer refuses: fields of transform_param but these."""
    return {
        f"transform_param.{field.name}": f"only forks of Caffe know it: there is {', '.join(honoured)}"
        for field in TransformationParameter.DESCRIPTOR.fields
        if field.name not in honoured
    }


FORKS_ONLY = others(*HONOURED)


def moved(message: str, *fields: str) -> dict[str, str]:
    """What a data layer refuses: params of its own that are transform_param's since 2014."""
    return {f"{message}.{field}": f"write it as transform_param {{ {field}: ... }}" for field in fields}


# fields of data_param that FlowNet2's CustomData reads
OF_CUSTOM_DATA = {
    f"data_param.{field}": "it is for FlowNet2's CustomData: remove it"
    for field in (
        *(
            "preselection_file",
            "preselection_label",
            "range_start",
            "range_end",
            "rand_permute",
            "rand_permute_order",
        ),
        *(
            "rand_permute_seed",
            "slice_point",
            "encoding",
            "verbose",
            "subtract",
            "permute_every_iter",
            "block_size",
        ),
        *("disk_reader_threads", "huge_video_dataset", "limit_samples"),
    )
}

OF_BOX_DATA = {"data_param.side": "it is for caffe-yolo's BoxData: remove it"}
