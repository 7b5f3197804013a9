"""VideoData, of which C3D has one form and TSN another."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.data.listed import ListedBatches
from caffe_compat.layers.data.video_transformer import BOTH, HONOURED, VideoTransformer
from caffe_compat.layers.not_built import INPUT_INSTEAD
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import LayerParameter, TransformationParameter

OF_TSN = ("num_segments", "modality", "name_pattern", "grayscale", "encoded")
OF_SSD = ("video_type", "device_id", "video_file", "skip_frames")


@register("VideoData")
class VideoData(ListedBatches):
    """Clips of the videos that video_data_param.source lists, and their labels, in C3D's form or in TSN's.

    TSN's is told by one of num_segments, modality, name_pattern, grayscale, encoded, or by one of transform_param's
    fix_crop, more_fix_crop, multi_scale, scale_ratios, max_distort, is_flow: see VideoSegments. All others are C3D's:
    see VideoClips. shuffle brings the list into a new random order in every round; rand_skip, which TSN's does not
    know, starts up to so many lines behind the first. Frames are resized to new_height x new_width where these are
    given. transform_param: see VideoTransformer.

    Raises LayerError, with the line of the list, for a line that is none and for what cannot be read, and for SSD's
    VideoData, which shows a camera or one file.
    Source: VideoDataLayer of C3D (facebookarchive/C3D) and of TSN (yjxiong/caffe).
    """

    reads = ("transform_param", "video_data_param")
    origin = "C3D, TSN"
    top_count = (1, 2)
    without_effect = (
        "video_data_param.show_data",
        "video_data_param.is_color",
        "video_data_param.encoded",
        "transform_param.original_image",
    )
    refused = {
        **{f"video_data_param.{name}": f"SSD's videos are not read; {INPUT_INSTEAD}" for name in OF_SSD},
        **{
            f"transform_param.{field.name}": f"VideoData knows {', '.join(HONOURED)}"
            for field in TransformationParameter.DESCRIPTOR.fields
            if field.name not in (*HONOURED, "original_image")
        },
    }

    forms: dict[str, type[VideoData]] = {}  # subclasses enter themselves

    def __init_subclass__(cls, form: str) -> None:
        VideoData.forms[form] = cls

    @classmethod
    def create(cls, layer_param: LayerParameter, phase: int, dtype=np.float32) -> VideoData:
        fields = [
            *(descriptor.name for descriptor, _ in layer_param.video_data_param.ListFields()),
            *(descriptor.name for descriptor, _ in layer_param.transform_param.ListFields()),
        ]
        of_tsn = {*OF_TSN, *HONOURED} - {*BOTH}
        return cls.forms["TSN" if of_tsn & {*fields} else "C3D"](layer_param, phase, dtype)

    def make_transformer(self) -> VideoTransformer:
        return VideoTransformer(self)
