"""Windows of images, warped to one size: the data of R-CNN."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.cut_off import cut_off
from caffe_compat.layers.common.rng_state import rng_state, set_rng_state
from caffe_compat.layers.common.shared_out import SharedOut
from caffe_compat.layers.data.image_files import decode, read_image_file
from caffe_compat.layers.data.image_size import MOST_ALONG
from caffe_compat.layers.data.refused import FORKS_ONLY, moved
from caffe_compat.layers.data.transformer import DataTransformer
from caffe_compat.layers.data.window_file import Window, read_geometry
from caffe_compat.layers.data.window_region import window_region
from caffe_compat.layers.registry import register
from caffe_compat.rng import Rng, caffe_rng


@register("WindowData")
class WindowData(SharedOut):
    """Random windows of window_data_param.source (see window_file.py), warped to crop_size x crop_size.

    Of batch_size windows the share fg_fraction (rounded down) has an overlap of at least fg_threshold and the class
    of the window; they stand behind the others, of overlaps below bg_threshold and class 0. With `shuffle: false` all
    windows come in the order of the file instead. context_pad adds that many pixels (after warping) around a window,
    crop_mode "square" makes windows square first; what lies outside of the image is 0. top[0]: N x channels x
    crop_size x crop_size, top[1]: classes, N. mirror, mean and crop_size are transform_param's, scale is
    window_data_param's. The mean image is taken from its centre.
    Raises LayerError, with the line of the file, for what cannot be read.
    Source: Caffe's WindowDataLayer, with its random numbers; Girshick et al., "Rich feature hierarchies" (2014);
    shuffle of deepsaldet's Caffe.
    """

    reads = ("transform_param", "window_data_param")
    bottom_count = (0, 0)
    top_count = (2, 2)
    has_backward = False
    without_effect = ("window_data_param.cache_images",)  # but on time and memory
    refused = {
        **FORKS_ONLY,
        **moved("window_data_param", "mean_file", "crop_size", "mirror"),
        "transform_param.scale": "use window_data_param.scale",
        "transform_param.force_color": "windows are read in colour",
        "transform_param.force_gray": "windows are read in colour",
    }

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.window_param = self.layer_param.window_data_param
        self.crop, self.mirror = (
            getattr(self.layer_param.transform_param, n) for n in ("crop_size", "mirror")
        )
        self._check()
        transformer = DataTransformer(self)
        self.rng = Rng(caffe_rng().draw())
        windows, self.channels = read_geometry(self, param.source, param.root_folder)
        self.foreground = [w for w in windows if w.overlap >= param.fg_threshold]
        self.background = [
            w._replace(label=0) for w in windows if w.overlap < min(param.bg_threshold, param.fg_threshold)
        ]
        limit = min(param.bg_threshold, param.fg_threshold)
        self.windows = [w._replace(label=0) if w.overlap < limit else w for w in windows]
        self.position = 0
        self._check_windows()
        self.mean = self._centre(transformer.mean)
        self.files: dict[str, bytes] = {}
        transformer.init_rand()
        caffe_rng().draw()  # Caffe seeds its prefetch thread
        top[0].reshape(param.batch_size, self.channels, self.crop, self.crop)
        top[1].reshape(param.batch_size)

    def get_state(self) -> dict[str, np.ndarray]:
        return {**rng_state("windows", self.rng), "position": np.array(self.position)}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        set_rng_state("windows", self.rng, state)
        self.position = int(state.get("position", 0))

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        count, share = self.window_param.batch_size, self.window_param.fg_fraction
        background = count - cut_off(np.float32(count) * np.float32(share))
        for turn in range(self.count):
            for i, out in enumerate(top[0].data):
                window = self._next(self.background if i < background else self.foreground)
                mirrored = self.mirror and self.rng.draw() % 2 == 1
                if turn == self.rank:
                    self._write(window, mirrored, out)
                    top[1].data[i] = window.label
                    self.images_read += 1

    def _next(self, windows: list[Window]) -> Window:
        if self.window_param.shuffle:
            return windows[self.rng.draw() % len(windows)]
        self.position %= len(self.windows)
        self.position += 1
        return self.windows[self.position - 1]

    def _write(self, window: Window, mirrored: bool, out: np.ndarray) -> None:
        image, param = self._image(window), self.window_param
        rows, columns = image.shape[:2]
        (x1, y1, x2, y2), lies_within = window.box, False
        if x1 <= x2 and y1 <= y2:
            square = param.crop_mode == "square"
            region = window_region(window.box, (columns, rows), self.crop, param.context_pad, square)
            (x1, y1, x2, y2), left = region.box, region.right if mirrored else region.left
            width = min(region.size[0], self.crop - left)
            height = min(region.size[1], self.crop - region.above)
            lies_within = 0 <= x1 <= x2 < columns and 0 <= y1 <= y2 < rows and min(width, height) > 0
        if not lies_within:
            raise self.error(f"{window.place}: the window {window.box} lies outside of the image or is empty")
        warped = cv2.resize(image[y1 : y2 + 1, x1 : x2 + 1], (width, height), interpolation=cv2.INTER_LINEAR)
        pixels = warped[:, ::-1] if mirrored else warped
        part = np.s_[:, region.above : region.above + height, left : left + width]
        out[...] = 0
        out[part] = (pixels.transpose(2, 0, 1).astype(out.dtype) - self.mean[part]) * np.float32(param.scale)

    def _image(self, window: Window) -> np.ndarray:
        """Height x width x 3. With cache_images the files, not their pixels, are kept in memory."""
        content = self.files.get(window.image)
        if content is None:
            content = read_image_file(self, window.image, window.place)
            if self.window_param.cache_images:
                self.files[window.image] = content
        return decode(self, content, cv2.IMREAD_COLOR, f"{window.place}: '{window.image}'")

    def _centre(self, mean: np.ndarray | None) -> np.ndarray:
        """The mean as 3 x crop_size x crop_size."""
        crop, values = (3, self.crop, self.crop), self.layer_param.transform_param.mean_value
        if mean is None:
            return np.zeros(crop, np.float32)
        if len(values):
            if len(values) not in (1, 3):
                raise self.error(f"there are {len(values)} mean_values for 3 channels; give one, or 3")
            return np.broadcast_to(mean, crop)
        start = (mean.shape[-1] - self.crop) // 2  # Caffe's, for rows too
        centre = mean[:, start : start + self.crop, start : start + self.crop] if start >= 0 else mean
        if centre.shape != crop:
            raise self.error(f"the mean image has the shape {mean.shape}, which has no centre of {crop}")
        return centre

    def _check(self) -> None:
        param = self.window_param
        if param.batch_size == 0 or self.crop == 0:
            raise self.error("window_data_param.batch_size and transform_param.crop_size must be given")
        if self.crop > MOST_ALONG:
            raise self.error(f"crop_size is {self.crop}; it must be up to {MOST_ALONG}")
        if param.crop_mode not in ("warp", "square"):
            raise self.error(f"crop_mode is '{param.crop_mode}'; expected warp or square")
        if 2 * param.context_pad >= self.crop:
            raise self.error(f"context_pad {param.context_pad} leaves nothing of crop_size {self.crop}")

    def _check_windows(self) -> None:
        source = self.window_param.source
        if self.channels != 3:
            raise self.error(f"'{source}' has images of {self.channels} channels; they are read in colour, 3")
        if self.window_param.shuffle and not (self.foreground and self.background):
            raise self.error(
                f"'{source}' has {len(self.foreground)} windows of fg_threshold and {len(self.background)} below "
                "bg_threshold; there must be some of both"
            )
        for window in self.foreground:
            if window.label <= 0:
                raise self.error(
                    f"{window.place}: a foreground window has class {window.label}; expected 1 or more"
                )
