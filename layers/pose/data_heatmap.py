"""DataHeatmap."""

from __future__ import annotations

import os
from collections.abc import Sequence

import cv2
import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.shared_out import SharedOut
from caffe_compat.layers.data.c_rand import CRand
from caffe_compat.layers.data.image_files import read_image
from caffe_compat.layers.pose.heat_maps import draw_peaks
from caffe_compat.layers.pose.joint_list import Person, read_joints
from caffe_compat.layers.registry import register
from caffe_compat.rng import caffe_rng

F = np.float32
DRAWS = 4  # an image: mirrored or not, left, top, angle
MOST = 2**31 - 1  # of C's rand()
DARK = 40  # of a segmentation: what is above is made black


@register("DataHeatmap")
class DataHeatmap(SharedOut):
    """Images of people, and a heat map of each joint (heatmap_data_param).

    source: a list, see joint_list.py; an image is root_img_dir with the name behind it. top[0]: batchsize x 3 x outsize
    x outsize, red first, a square of cropsize pixels that is resized, times scale; narrow images get black columns on
    the right. top[1]: batchsize x joints x label_height x label_width, see heat_maps.py; what a joint has in the list,
    times multfact, is a place in the image. The square is the middle one; with random_crop any, and the image is
    mirrored or not, and turned about its middle by up to angle_max degrees. A mirrored image has its joints exchanged
    in pairs (flip_joint_labels), of which dont_flip_first leaves out the first joint. segmentation makes black what is
    above 40 in the image of that name in root_img_dir's segs, and leaves out images without one. Images come in the
    list's order; with sample_per_cluster one of each cluster in turn, whose first one is drawn. Random numbers: C's
    rand(), which a draw of the global stream seeds. Raises LayerError for lists, images and params that do not fit.
    Source: DataHeatmapLayer of tpfister/caffe-heatmap; Pfister et al., Flowing ConvNets (2015), section 3.
    """

    reads = ("heatmap_data_param",)
    origin = "caffe-heatmap"
    bottom_count = (0, 0)
    top_count = (2, 2)
    has_backward = False
    without_effect = ("heatmap_data_param.num_channels", "heatmap_data_param.crop_meanfile")
    refused = {
        "heatmap_data_param.meanfile": "a mean of each video is not read; subtract it from the images beforehand"
    }

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.param = param = self.layer_param.heatmap_data_param
        for name in ("batchsize", "cropsize", "outsize", "label_width", "label_height", "multfact"):
            if getattr(param, name) < 1:
                raise self.error(f"{name} is {getattr(param, name)}; it must be at least 1")
        if not abs(param.angle_max) <= 360:
            raise self.error(f"angle_max is {param.angle_max:g}; expected degrees, 360 at most")
        self.rng = CRand(caffe_rng().draw())
        people = read_joints(self, param.source, self._wanted())
        joints = len(people[0].joints)
        if param.random_crop and param.flip_joint_labels and (joints - param.dont_flip_first) % 2:
            given = str(param.dont_flip_first).lower()
            raise self.error(
                f"{joints} joints are not exchanged in pairs with dont_flip_first: {given}; set the other, or "
                "flip_joint_labels: false"
            )
        self.clusters = self._clusters(people)
        self.cluster, self.places = 0, [0] * len(self.clusters)
        if param.sample_per_cluster:
            self.places = [self.rng.draw() % len(own) for own in self.clusters]
        top[0].reshape(param.batchsize, 3, param.outsize, param.outsize)
        top[1].reshape(param.batchsize, joints, param.label_height, param.label_width)

    def _wanted(self) -> list[int]:
        try:
            return [int(float(word)) for word in self.param.labelinds.split(",") if word]
        except (ValueError, OverflowError) as error:
            raise self.error(
                f"labelinds is '{self.param.labelinds}'; expected numbers between commas"
            ) from error

    def _clusters(self, people: list[Person]) -> list[list[Person]]:
        if not self.param.sample_per_cluster:
            return [people]
        found: dict[int, list[Person]] = {}
        for person in people:
            found.setdefault(person.cluster, []).append(person)
        if sorted(found) != list(range(len(found))):
            raise self.error(
                f"the clusters are {sorted(found)[:20]}; with sample_per_cluster they count from 0, and none is empty"
            )
        return [found[cluster] for cluster in sorted(found)]

    def get_state(self) -> dict[str, np.ndarray]:
        return {"places": np.array([self.cluster, *self.places]), "drawn": self.rng.get_state()}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self.cluster, *self.places = state["places"].tolist()
        self.rng.set_state(state["drawn"])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for turn in range(self.count):
            for i in range(self.param.batchsize):
                person = self._next()
                draws = [self.rng.draw() for _ in range(DRAWS)] if self.param.random_crop else []
                if turn == self.rank:
                    self._serve(top, i, person, draws)

    def _next(self) -> Person:
        for _ in range(len(self.clusters) * max(map(len, self.clusters))):  # each at least once
            own, place = self.clusters[self.cluster], self.places[self.cluster]
            self.places[self.cluster] = (place + 1) % len(own)
            self.cluster = (self.cluster + 1) % len(self.clusters)
            if not self.param.segmentation or os.path.isfile(self._segments(own[place])):
                return own[place]
        raise self.error(f"no image has one of its name in '{self.param.root_img_dir}segs'; see segmentation")

    def _segments(self, person: Person) -> str:
        return f"{self.param.root_img_dir}segs/{person.image}"

    def _serve(self, top: Sequence[Blob], i: int, person: Person, draws: Sequence[int]) -> None:
        image, factor = self._image(person), F(self.param.multfact)
        pixels, joints = self._cropped(image, person.joints, draws)
        size = self.param.outsize
        pixels = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_LINEAR)
        top[0].data[i] = (pixels * F(self.param.scale)).transpose(2, 0, 1)
        joints = joints * (F(size) / F(self.param.cropsize))
        draw_peaks(F(self.param.label_height) / F(size) * joints * factor, top[1].data[i])
        self.images_read += 1

    def _image(self, person: Person) -> np.ndarray:
        """Height x width x 3, red first, float32: at least cropsize pixels high and wide."""
        path = f"{self.param.root_img_dir}{person.image}"
        image = read_image(self, path, cv2.IMREAD_COLOR, person.place)[:, :, ::-1].astype(F)
        if self.param.segmentation:
            of = self._segments(person)
            segments = read_image(self, of, cv2.IMREAD_GRAYSCALE, person.place)
            if segments.shape[:2] != image.shape[:2]:
                raise self.error(
                    f"{person.place}: '{of}' has {segments.shape[0]} x {segments.shape[1]} pixels, the image "
                    f"{image.shape[0]} x {image.shape[1]}"
                )
            image *= segments <= DARK
        if image.shape[0] < self.param.cropsize:
            raise self.error(
                f"{person.place}: '{path}' is {image.shape[0]} pixels high, less than cropsize {self.param.cropsize}"
            )
        missing = max(0, self.param.cropsize - image.shape[1])
        return np.pad(image, ((0, 0), (0, missing), (0, 0)))

    def _cropped(
        self, image: np.ndarray, joints: np.ndarray, draws: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The square, and where the joints lie in it, over multfact."""
        size, factor = self.param.cropsize, F(self.param.multfact)
        below, right = (side - size for side in image.shape[:2])
        if not draws:
            x, y = right // 2, below // 2
            return image[y : y + size, x : x + size], joints - np.array([x, y], F) / factor
        mirrored, left, above, turned = draws
        if mirrored % 2:
            image, joints = image[:, ::-1], self._mirrored(joints, image.shape[1])
        x, y = left % (right + 1), above % (below + 1)
        joints = joints - np.array([x, y], F) / factor
        most = F(self.param.angle_max)
        angle = -most + F(turned) / F(MOST) * (most + most)
        matrix = cv2.getRotationMatrix2D((size // 2, size // 2), float(angle), 1)
        square = np.ascontiguousarray(image[y : y + size, x : x + size])
        places = (joints * factor).astype(np.float64) @ matrix[:, :2].T + matrix[:, 2]
        return cv2.warpAffine(square, matrix, (size, size)), places.astype(F) / factor

    def _mirrored(self, joints: np.ndarray, width: int) -> np.ndarray:
        joints = joints.copy()
        joints[:, 0] = F(width) / F(self.param.multfact) - joints[:, 0]
        if self.param.flip_joint_labels:
            pairs = joints[int(self.param.dont_flip_first) :].reshape(-1, 2, 2)
            pairs[...] = pairs[:, ::-1].copy()
        return joints
