"""CPMData."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import TRAIN
from caffe_compat.layers.common.shared_out import SharedOut
from caffe_compat.layers.data.c_rand import CRand
from caffe_compat.layers.data.datums import read_datum
from caffe_compat.layers.data.records import Records
from caffe_compat.layers.data.refused import OF_BOX_DATA, OF_CUSTOM_DATA
from caffe_compat.layers.pose.part_maps import background, draw_joints, draw_limbs
from caffe_compat.layers.pose.people import read_people
from caffe_compat.layers.pose.pictures import Picture
from caffe_compat.layers.pose.skeletons import SKELETONS, UNLABELED
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import DataParameter

F = np.float32
CHANNELS = 6  # of a Datum: the image, its people, the mask of what counts, and one that is not looked at
MOST = F(2**31 - 1)  # of C's rand()
LARGEST = 2**14  # pixels, and degrees, of what is drawn
MOST_PIXELS = 2**28  # of an image that is resized and turned
MOST_TILES = 2**8  # across and down: each has a table


@register("CPMData")
class CPMData(SharedOut):
    """Images of people, and maps of their joints and limbs, of an LMDB in the order of its keys (data_param).

    A Datum is 6 x height x width bytes: the image, blue first; its people, see people.py; a mask, 255 where things
    count, less where somebody has no joints given. In TRAIN the image is resized, so that the person in the middle has
    target_dist of its scale, on scale_prob times scale_min to scale_max; turned by up to max_rotate_degree; cut to
    crop_size_x x crop_size_y about that person, by up to center_perterb_max pixels beside; and on flip_prob mirrored.
    In TEST it stays. Random numbers: C's rand(), as a program has it that seeds it not.
    top[0]: batch_size x 6 x height x width, (image - 128) / 256, and three channels of 0. top[1]: batch_size x
    2 (num_parts + 1) x height / stride x width / stride: as many masks (0 to 1; of a joint that was not looked for: 0)
    as maps, and these, see part_maps.py: two for each limb, one for each joint, and the background. num_parts: 56
    (COCO's people, with 18 joints and 19 limbs) or 43 (MPI's, 15 and 14); np_in_lmdb: joints in the database.
    Raises LayerError for a database that cannot be read, for Datums that are none of people, and for other params.
    Source: CPMDataLayer of CMU-Perceptual-Computing-Lab/caffe_train; see part_maps.py.
    """

    reads = ("data_param", "cpm_transform_param")
    origin = "pose machines"
    bottom_count = (0, 0)
    top_count = (2, 2)
    has_backward = False
    without_effect = (
        "data_param.prefetch",
        *(
            f"cpm_transform_param.{name}"
            for name in (
                "scale", "mirror", "mean_file", "mean_value", "force_color", "force_gray", "visualize",
                "num_total_augs", "put_gaussian", "scale_cvg", "max_cvg_len", "min_cvg_len", "opaque_coverage",
                "coverage", "bbox_norm_factor", "img_header", "sigma_center",
            )
        ),
    )  # fmt: skip
    refused = {
        "data_param.rand_skip": "its Caffe begins with the first record",
        "data_param.shuffle": "write the database in a random order",
        "data_param.scale": "its images are less 128, over 256",
        "data_param.mean_file": "its images are less 128, over 256",
        "data_param.crop_size": "write crop_size_x and crop_size_y in cpm_transform_param",
        "data_param.mirror": "write flip_prob in cpm_transform_param",
        "data_param.force_encoded_color": "its Datums hold bytes, no files of images",
        "cpm_transform_param.crop_size": "write crop_size_x and crop_size_y",
        **OF_CUSTOM_DATA,
        **OF_BOX_DATA,
    }

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.param, self.data = self.layer_param.cpm_transform_param, self.layer_param.data_param
        self._check()
        self.skeleton, self.rng = SKELETONS[self.param.num_parts], CRand(1)
        self.records = Records(self, self.data.source)
        with self.records:
            pixels, _ = self._record()
        height, width = self._size(pixels)
        stride, maps = self.param.stride, 2 * (self.param.num_parts + 1)
        if stride > min(height, width):
            raise self.error(f"stride is {stride}; the image has {height} x {width} pixels")
        top[0].reshape(self.data.batch_size, CHANNELS, height, width)
        top[1].reshape(self.data.batch_size, maps, height // stride, width // stride)

    def _check(self) -> None:
        param = self.param
        if self.data.backend != DataParameter.LMDB:
            raise self.error(
                f"backend is LEVELDB (the default), which is not read ('{self.data.source}'); make it LMDB"
            )
        names = ("stride", "crop_size_x", "crop_size_y", "target_dist", "sigma", "clahe_tile_size")
        given = {"batch_size": self.data.batch_size, **{name: getattr(param, name) for name in names}}
        for name, value in given.items():
            if not 0 < value < np.inf:
                raise self.error(f"{name} is {value:g}; it must be above 0")
        for name in ("max_rotate_degree", "scale_min", "scale_max", "center_perterb_max", "clahe_clip_limit"):
            if not abs(getattr(param, name)) < LARGEST:
                raise self.error(f"{name} is {getattr(param, name):g}; expected less than {LARGEST}")
        if param.clahe_tile_size > MOST_TILES:
            raise self.error(f"clahe_tile_size is {param.clahe_tile_size:g}; it may be {MOST_TILES} at most")
        if param.num_parts not in SKELETONS:
            raise self.error(
                f"num_parts is {param.num_parts}; 56 (COCO's people) and 43 (MPI's) are built. {INSTEAD}"
            )
        if not param.transform_body_joint:
            raise self.error(f"transform_body_joint is false, as for hands, which are not built. {INSTEAD}")
        if param.aug_way != "rand":
            raise self.error(f"aug_way is '{param.aug_way}'; files of angles are not read: write 'rand'")
        least = SKELETONS[param.num_parts].least
        if param.np_in_lmdb < least:
            raise self.error(
                f"np_in_lmdb is {param.np_in_lmdb}; num_parts {param.num_parts} needs {least} joints"
            )

    def _size(self, pixels: np.ndarray) -> tuple[int, int]:
        train = self.phase == TRAIN
        return (self.param.crop_size_y, self.param.crop_size_x) if train else pixels.shape[1:]

    def get_state(self) -> dict[str, np.ndarray]:
        return {"key": np.frombuffer(self.records.key or b"", np.uint8), "drawn": self.rng.get_state()}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self.rng.set_state(state["drawn"])
        if not self.records.go_to(state["key"].tobytes()):
            raise self.error(
                f"'{self.data.source}' is not the LMDB that the state was kept with: its key is missing"
            )

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        with self.records:
            for turn in range(self.count):
                for i in range(self.data.batch_size):
                    draws = self._draws() if self.phase == TRAIN else None
                    if turn == self.rank:
                        self._serve(top, i, draws)
                    self.records.advance()

    def _draws(self) -> tuple[np.float32, ...]:
        """What an image is multiplied by, and dice (0 to 1) for its angle, its place across and down, and a mirror."""
        low, high = F(self.param.scale_min), F(self.param.scale_max)
        factor = F(1) if self._dice() > F(self.param.scale_prob) else (high - low) * self._dice() + low
        return (factor, *(self._dice() for _ in range(4)))

    def _dice(self) -> np.float32:
        return F(self.rng.draw()) / MOST

    def _record(self) -> tuple[np.ndarray, str]:
        """The bytes of the record at this place, channels x height x width, and its name."""
        datum, name = read_datum(self, self.data.source, *self.records.item())
        shape = datum.channels, datum.height, datum.width
        if shape[0] != CHANNELS or min(shape) < 1 or len(datum.data) != np.prod(shape):
            raise self.error(
                f"{name}: the Datum is {' x '.join(map(str, shape))} with {len(datum.data)} bytes; expected 6 "
                "channels: the image, its people, and masks"
            )
        return np.frombuffer(datum.data, np.uint8).reshape(shape), name

    def _serve(self, top: Sequence[Blob], i: int, draws: tuple[np.float32, ...] | None) -> None:
        pixels, name = self._record()
        people = read_people(self, pixels[3], self.param.np_in_lmdb, name)
        joints, visible = self.skeleton.of_net(people.joints, people.visible)
        image = self._coloured(np.ascontiguousarray(pixels[:3].transpose(1, 2, 0)))
        points = np.concatenate([people.middle[None], joints.reshape(-1, 2)])
        picture = Picture(image, pixels[4], points)
        mirrored = False
        if draws:
            picture, mirrored = self._drawn(picture, people.scale, draws, name)
        if picture.mask.shape != top[0].shape[2:]:
            raise self.error(
                f"{name}: the image has {picture.mask.shape} pixels, the first one {top[0].shape[2:]}; in TEST all "
                "are of one size"
            )
        joints = picture.points[1:].reshape(joints.shape).copy()
        if mirrored:
            self.skeleton.mirror(joints, visible)
        top[0].data[i, :3] = (picture.image.transpose(2, 0, 1).astype(F) - F(128)) / F(256)
        top[0].data[i, 3:] = 0
        self._write_maps(top[1].data[i], picture.mask, joints, visible)
        self.images_read += 1

    def _coloured(self, image: np.ndarray) -> np.ndarray:
        if self.param.do_clahe:
            lab = cv2.cvtColor(image, cv2.COLOR_BGR2Lab)
            tile = max(int(self.param.clahe_tile_size), 1)
            lab[:, :, 0] = cv2.createCLAHE(int(self.param.clahe_clip_limit), (tile, tile)).apply(lab[:, :, 0])
            image = cv2.cvtColor(lab, cv2.COLOR_Lab2BGR)
        if self.param.gray == 1:
            image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        return image

    def _drawn(
        self, picture: Picture, size: np.float32, draws: tuple[np.float32, ...], name: str
    ) -> tuple[Picture, bool]:
        """The picture as it is drawn, and whether it is mirrored."""
        param, (times, *dice) = self.param, draws
        with np.errstate(over="ignore"):
            factor = F(param.target_dist) / size * times
        sides = [side * float(factor) for side in picture.mask.shape]
        most = (
            sum(sides) ** 2 / 2 if min(sides) > 0.5 else np.inf
        )  # pixels: what is long gets large when turned
        if not most < MOST_PIXELS:
            raise self.error(
                f"{name}: the image of {picture.mask.shape[0]} x {picture.mask.shape[1]} pixels would be resized by "
                f"{factor:g}; see target_dist, and the person's scale {size:g}"
            )
        degree = F((float(dice[0]) - 0.5) * 2 * param.max_rotate_degree)
        picture = picture.resized(factor).turned(degree)
        beside = [int((float(die) - 0.5) * 2 * param.center_perterb_max) for die in dice[1:3]]
        middle = np.rint(picture.points[0] + np.array(beside, F))
        picture = picture.cropped(middle, param.crop_size_x, param.crop_size_y)
        is_mirrored = bool(dice[3] <= F(param.flip_prob))
        return (picture.mirrored() if is_mirrored else picture), is_mirrored

    def _write_maps(
        self, maps: np.ndarray, mask: np.ndarray, joints: np.ndarray, visible: np.ndarray
    ) -> None:
        param, (parts, height, width) = self.param, maps.shape
        share = 1 / param.stride
        counts = cv2.resize(
            np.ascontiguousarray(mask), None, fx=share, fy=share, interpolation=cv2.INTER_CUBIC
        )
        counts = counts[:height, :width].astype(F) / F(255)
        maps[: parts // 2] = counts
        maps[: visible.shape[1]][visible[0] == UNLABELED] = 0
        maps[parts // 2 :] = 0
        limbs = 2 * len(self.skeleton.limbs)
        fields, heat = np.split(maps[parts // 2 : -1], [limbs])
        draw_limbs(joints, visible, self.skeleton.limbs, fields)
        draw_joints(joints, visible, param.stride, param.sigma, heat)
        maps[-1] = background(heat)


INSTEAD = "Else put an Input layer in its place and write its blobs before each forward"
