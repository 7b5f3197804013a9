"""VideoData in TSN's form: a few frames from each part of a video, as channels."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import TRAIN
from caffe_compat.layers.common.repetitions import check_repetitions
from caffe_compat.layers.common.rng_state import rng_state, set_rng_state
from caffe_compat.layers.data.frames import new_size, read_frames
from caffe_compat.layers.data.video_data import VideoData
from caffe_compat.layers.data.video_list import Video, read_videos
from caffe_compat.prototxt.caffe_pb2 import VideoDataParameter
from caffe_compat.rng import Rng, caffe_rng

DEFAULT_PATTERNS = {VideoDataParameter.RGB: "image_%04d.jpg", VideoDataParameter.FLOW: "flow_%c_%04d.jpg"}


class VideoSegments(VideoData, form="TSN"):
    """top[0]: clips, N x channels x H x W; top[1]: their labels, N x 1 x 1 x 1.

    A line of the list is a folder, the number of its frames and a label. A video has num_segments parts of equal
    length; of each new_length frames on end are taken, in TRAIN from a random place, in TEST from the middle, or its
    first ones where the part has too few. The channels are those of all frames: of modality RGB three each (one with
    grayscale), of FLOW two, x and y. Files have the names of name_pattern with the number of the frame, from 1, for
    FLOW behind 'x' or 'y'.

    Source: VideoDataLayer of TSN's fork of Caffe; Wang et al. (2016), "Temporal segment networks".
    """

    type = "VideoData"
    label_shape = (1, 1, 1)

    def open(self) -> None:
        param = self.video_param = self.layer_param.video_data_param
        if min(param.new_length, param.num_segments) < 1:
            raise self.error("new_length and num_segments must be at least 1")
        check_repetitions(self, "num_segments * new_length", param.num_segments * param.new_length)
        self.size = new_size(self, param.new_height, param.new_width)
        self.batch_size = param.batch_size
        self.pattern = param.name_pattern or DEFAULT_PATTERNS[param.modality]
        self._names(1)
        self.start_list(read_videos(self, param.source), param.source, param.shuffle)
        self.frame_rng = Rng(caffe_rng().draw())

    def start(self) -> None:
        self.transformer.init_rand()

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().forward(bottom, top)
        self.transformer.init_rand()  # this Caffe starts a thread for each batch

    def current(self) -> tuple[np.ndarray, int, str]:
        video = self.entry
        length = self.video_param.new_length
        numbers = [first + i for first in self._starts(video) for i in range(1, length + 1)]
        paths = [f"{video.path}/{name}" for number in numbers for name in self._names(number)]
        is_grey = self.video_param.grayscale or self.video_param.modality == VideoDataParameter.FLOW
        flag = cv2.IMREAD_GRAYSCALE if is_grey else cv2.IMREAD_COLOR
        frames = read_frames(self, paths, flag, self.size, video.place)
        channels = frames.transpose(0, 3, 1, 2).reshape(-1, *frames.shape[1:3])
        return channels, video.labels[0], f"{video.place}: '{video.path}'"

    def _starts(self, video: Video) -> list[int]:
        """How many frames stand before those of each part."""
        part, length = video.number // self.video_param.num_segments, self.video_param.new_length
        if part < length:
            return [0] * self.video_param.num_segments
        places = part - length + 1
        return [
            (self.frame_rng.draw() % places if self.phase == TRAIN else places // 2) + i * part
            for i in range(self.video_param.num_segments)
        ]

    def _names(self, number: int) -> list[str]:
        try:
            if self.video_param.modality == VideoDataParameter.RGB:
                return [self.pattern % number]
            return [self.pattern % (axis, number) for axis in "xy"]
        except (TypeError, ValueError):
            raise self.error(
                f"name_pattern '{self.pattern}' has no place for a frame's number (%05d) alone, or for FLOW behind one "
                "for 'x' and 'y' (%c)"
            ) from None

    def get_state(self) -> dict[str, np.ndarray]:
        return super().get_state() | rng_state("frames", self.frame_rng)

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        super().set_state(state)
        set_rng_state("frames", self.frame_rng, state)
