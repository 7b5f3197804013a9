"""VideoData in C3D's form: frames on end, as an axis of their own."""

from __future__ import annotations

import cv2
import numpy as np

from caffe_compat.layers.base import TRAIN
from caffe_compat.layers.common.repetitions import check_repetitions
from caffe_compat.layers.common.rng_state import rng_state, set_rng_state
from caffe_compat.layers.data.frames import count_frames, new_size, read_frames, read_video
from caffe_compat.layers.data.video_data import VideoData
from caffe_compat.layers.data.video_list import Video, read_videos
from caffe_compat.rng import Rng, caffe_rng


class VideoClips(VideoData, form="C3D"):
    """top[0]: clips of new_length frames, N x 3 x L x H x W; top[1]: their labels, N, or N x num_of_labels.

    A line of the list is a video's path (behind root_folder), a first frame and a label; with use_image the path is a
    folder of 000001.jpg and so on, else a video file whose frames count from 0. Every sampling_rate-th frame is taken;
    use_sampling_rate_jitter draws a rate from 1 to max_sampling_rate for each clip. use_temporal_jitter draws the first
    frame: of a video file (its line has no first frame) in both phases, of a folder, whose line has the number of its
    frames there, in TRAIN; in TEST it is 0. use_multiple_label: the label is several with commas between them, and
    top[1] has a 1 at each.
    """

    type = "VideoData"

    def open(self) -> None:
        param = self.video_param = self.layer_param.video_data_param
        if min(param.new_length, param.sampling_rate, param.max_sampling_rate) < 1:
            raise self.error("new_length, sampling_rate and max_sampling_rate must be at least 1")
        check_repetitions(self, "new_length", param.new_length)
        self.size = new_size(self, param.new_height, param.new_width)
        self.batch_size = param.batch_size
        if param.use_multiple_label:
            self.label_shape = (param.num_of_labels,)
        with_number = param.use_image or not param.use_temporal_jitter
        self.start_list(
            read_videos(self, param.source, with_number), param.source, param.shuffle, param.rand_skip
        )

    def start(self) -> None:
        self.transformer.init_rand()
        self.rng = Rng(caffe_rng().draw())  # of the prefetch thread

    def current(self) -> tuple[np.ndarray, int | np.ndarray, str]:
        param, video = self.video_param, self.entry
        rate = param.sampling_rate
        if param.use_sampling_rate_jitter:
            rate = self.rng.draw() % param.max_sampling_rate + 1
        path = param.root_folder + video.path
        frames = self._images(path, video, rate) if param.use_image else self._frames(path, video, rate)
        return frames.transpose(3, 0, 1, 2), self._label(video), f"{video.place}: '{path}'"

    def _images(self, folder: str, video: Video, rate: int) -> np.ndarray:
        first = video.number
        if self.video_param.use_temporal_jitter:
            first = self._drawn(video.number, video, rate) + 1 if self.phase == TRAIN else 0
        paths = [f"{folder}/{index:06d}.jpg" for index in self._indices(first, rate)]
        return read_frames(self, paths, cv2.IMREAD_COLOR, self.size, video.place)

    def _frames(self, path: str, video: Video, rate: int) -> np.ndarray:
        first = video.number
        if self.video_param.use_temporal_jitter:
            first = self._drawn(count_frames(self, path, video.place), video, rate)
        return read_video(self, path, self._indices(first, rate), self.size, video.place)

    def _indices(self, first: int, rate: int) -> list[int]:
        return list(range(first, first + self.video_param.new_length * rate, rate))

    def _drawn(self, count: int, video: Video, rate: int) -> int:
        """The first frame of a clip, from 0, of a video of so many frames."""
        needed = self.video_param.new_length * rate
        if count < needed:
            raise self.error(
                f"{video.place}: the video has {count} frames, {needed} are needed; remove the line"
            )
        return self.rng.draw() % (count - needed + 1)

    def _label(self, video: Video) -> int | np.ndarray:
        if not self.video_param.use_multiple_label:
            return video.labels[0]
        row = np.zeros(self.label_shape, np.float32)
        for label in video.labels:
            if not 0 <= label < len(row):
                raise self.error(f"{video.place}: label {label} is none of num_of_labels {len(row)}")
            row[label] = 1
        return row

    def get_state(self) -> dict[str, np.ndarray]:
        return super().get_state() | rng_state("thread", self.rng)

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        super().set_state(state)
        set_rng_state("thread", self.rng, state)
