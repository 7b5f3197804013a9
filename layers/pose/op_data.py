"""OPData."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

import cv2
import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import TRAIN
from caffe_compat.layers.common.shared_out import SharedOut
from caffe_compat.layers.data.c_rand import CRand
from caffe_compat.layers.data.datums import read_datum
from caffe_compat.layers.data.records import Records
from caffe_compat.layers.data.refused import OF_BOX_DATA, OF_CUSTOM_DATA
from caffe_compat.layers.pose.crowd import Crowd, read_crowd, read_dataset
from caffe_compat.layers.pose.op_sources import OpSource, read_sources
from caffe_compat.layers.pose.part_labels import write_empty, write_labels
from caffe_compat.layers.pose.pictures import turn
from caffe_compat.layers.pose.scenes import (
    Scene,
    before,
    cover,
    cut_out,
    moved,
    placed,
    put,
    recentred,
    whole,
)
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import DataParameter

F = np.float32
MOST = F(2**31 - 1)  # of C's rand()
LARGEST = 2**14  # degrees, pixels, and times that are drawn
FARTHEST = F(2**24)  # pixels of a side
NORMALIZED = (  # what is subtracted from blue, green and red, and then multiplied
    ((128, 128, 128), 1 / 256),
    ((102.9801, 115.9465, 122.7717), 1),
    ((103.94, 116.78, 123.68), 0.017),
)


@register("OPData")
class OPData(SharedOut):
    """Images of people, and maps of their joints and limbs, of several LMDBs, before others (op_transform_param).

    sources, models and probabilities: LMDBs, what their people are (one is all's), and how often a batch is of each,
    with a ; between. Models: COCO_18, COCO_19, COCO_19b, COCO_19E, COCO_19_V2, COCO_23, COCO_23_17, COCO_25,
    COCO_25_17, COCO_25E, COCO_25_17E, COCO_25B_23, COCO_25B_17, MPII_25B_16, PT_25B_15; CAR_22 is of cars. With a ;
    between is also what is drawn for each: scale_mins, scale_maxs, max_degree_rotations, number_max_occlusions, sigmas
    (of which the first is that of those without). A Datum has 5 or more channels of bytes: the image, blue first; its
    people, see crowd.py; and a mask, 255 where things count. source_background: an LMDB of images that are seen around
    those, mirrored, cover joints of somebody who is alone, and with prob_only_background are all that a batch has. In
    TRAIN an image is resized, so that the person in the middle has target_dist of its scale, on scale_prob times a
    draw; turned; cut to crop_size_x x crop_size_y about that person, by up to center_perterb_max beside, with
    center_swap_prob about another joint; and on flip_prob mirrored. In TEST it stays. Random numbers: C's rand(), as a
    program has it that seeds it not.
    top[0]: batch_size x 3 x height x width, normalization 0: less 128, over 256; 1: less ResNet's means; 2: less
    DenseNet's, times 0.017. top[1]: batch_size x 2 (2 limbs + joints + the background, not for 25B) x height / stride x
    width / stride: what counts of each map, 0 to 1, then the maps, see part_labels.py. The first training files' model,
    source_secondary, model_secondary, prob_secondary, scale_min, scale_max and max_rotate_degree mean the same.
    Raises LayerError for databases that cannot be read, for Datums that are none of people, and for other params.
    Source: OPDataLayer of CMU-Perceptual-Computing-Lab/openpose_caffe_train; see part_labels.py.
    """

    reads = ("data_param", "op_transform_param")
    origin = "OpenPose"
    bottom_count = (0, 0)
    top_count = (2, 2)
    has_backward = False
    without_effect = (
        "data_param.prefetch",
        "op_transform_param.media_directory",
        "op_transform_param.frame_size",
    )
    refused = {
        "data_param.rand_skip": "its Caffe begins with the first record",
        "data_param.shuffle": "write the databases in a random order",
        "data_param.scale": "write normalization in op_transform_param",
        "data_param.mean_file": "write normalization in op_transform_param",
        "data_param.crop_size": "write crop_size_x and crop_size_y in op_transform_param",
        "data_param.mirror": "write flip_prob in op_transform_param",
        "data_param.force_encoded_color": "its Datums hold bytes, no files of images",
        "op_transform_param.add_distance": "maps of distances are not drawn",
        "op_transform_param.taf_topology": "joints of frames before are not read",
        "op_transform_param.input_type": "videos are not read",
        **OF_CUSTOM_DATA,
        **OF_BOX_DATA,
    }

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.param, self.data = self.layer_param.op_transform_param, self.layer_param.data_param
        self._check()
        self.sources = read_sources(self, self.param, self.data.source)
        self.rng = CRand(1)
        self.records = [Records(self, source.path) for source in self.sources]
        path = self.param.source_background
        self.behind = Records(self, path) if path else None
        height, width = self.param.crop_size_y, self.param.crop_size_x
        self.datasets = []
        for records, source in zip(self.records, self.sources, strict=True):
            with records:
                pixels, _ = self._record(records, source.path, 5)
            self.datasets.append(read_dataset(pixels[3]))
            if self.phase != TRAIN and records is self.records[0]:
                height, width = pixels.shape[1:]
        if self.behind:
            with self.behind:
                self._record(self.behind, path, 3)
        stride = self.param.stride
        if stride > min(height, width):
            raise self.error(f"stride is {stride}; the image has {height} x {width} pixels")
        top[0].reshape(self.data.batch_size, 3, height, width)
        top[1].reshape(
            self.data.batch_size, 2 * self.sources[0].model.channels, height // stride, width // stride
        )

    def _check(self) -> None:
        param = self.param
        if self.data.backend != DataParameter.LMDB:
            raise self.error("backend is LEVELDB (the default), which is not read; make it LMDB")
        given = {
            name: getattr(param, name) for name in ("stride", "crop_size_x", "crop_size_y", "target_dist")
        }
        for name, value in {"batch_size": self.data.batch_size, **given}.items():
            if not 0 < value < np.inf:
                raise self.error(f"{name} is {value:g}; it must be above 0")
        if not abs(param.center_perterb_max) < LARGEST:
            raise self.error(
                f"center_perterb_max is {param.center_perterb_max:g}; expected less than {LARGEST}"
            )
        if param.normalization >= len(NORMALIZED):
            raise self.error(f"normalization is {param.normalization}; expected 0, 1 or 2")
        if self.phase != TRAIN and param.prob_only_background > 0:
            raise self.error("prob_only_background is for TRAIN: in TEST no background is shown; make it 0")

    def get_state(self) -> dict[str, np.ndarray]:
        keys = {str(i): np.frombuffer(records.key or b"", np.uint8) for i, records in enumerate(self._all())}
        return {**keys, "drawn": self.rng.get_state()}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self.rng.set_state(state["drawn"])
        for i, records in enumerate(self._all()):
            if not records.go_to(state[str(i)].tobytes()):
                raise self.error("an LMDB is not the one that the state was kept with: its key is missing")

    def _all(self) -> list[Records]:
        return [*self.records, self.behind] if self.behind else self.records

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        with ExitStack() as opened:
            for records in self._all():
                opened.enter_context(records)
            for turn_of in range(self.count):
                index = self._which()
                for i in range(self.data.batch_size):
                    self._serve(top if turn_of == self.rank else None, i, index)
                    if index is not None:
                        self.records[index].advance()
                    if self.behind:
                        self.behind.advance()

    def _which(self) -> int | None:
        """The source of a batch; None: backgrounds alone."""
        dice, total = self._dice(), F(0)
        for i, source in enumerate(self.sources):
            total += F(source.probability)
            if dice < total:
                return i
        return None if self.behind and self.param.prob_only_background else len(self.sources) - 1

    def _dice(self) -> np.float32:
        return F(self.rng.draw()) / MOST

    def _record(self, records: Records, path: str, channels: int) -> tuple[np.ndarray, str]:
        """The bytes of the record at this place, channels x height x width, and its name."""
        datum, name = read_datum(self, path, *records.item())
        shape = datum.channels, datum.height, datum.width
        if shape[0] < channels or min(shape) < 1 or len(datum.data) != np.prod(shape):
            raise self.error(
                f"{name}: the Datum is {' x '.join(map(str, shape))} with {len(datum.data)} bytes; expected {channels} "
                f"or more channels: {'the image, its people, and a mask' if channels > 3 else 'an image'}"
            )
        return np.frombuffer(datum.data, np.uint8).reshape(shape), name

    def _serve(self, top: Sequence[Blob] | None, i: int, index: int | None) -> None:
        """Draw an image, and write it, if there are tops: what is drawn of an image depends on it."""
        param, behind = self.param, None
        width, height = param.crop_size_x, param.crop_size_y
        if self.behind:
            pixels, _ = self._record(self.behind, param.source_background, 3)
            behind = cut_out(np.ascontiguousarray(pixels[:3].transpose(1, 2, 0)), width, height, self._dice)
        if index is None:
            if top and behind is not None:
                self._write_image(top[0].data[i], behind)
                write_empty(top[1].data[i], self.sources[0].model)
        else:
            scene, crowd, source = *self._scene(index), self.sources[index]
            if self.phase == TRAIN:
                scene, crowd = self._drawn(scene, crowd, source, behind)
            if top:
                self._write(top, i, scene, crowd, source)
        self.images_read += top is not None

    def _scene(self, index: int) -> tuple[Scene, Crowd]:
        source = self.sources[index]
        pixels, name = self._record(self.records[index], source.path, 5)
        dataset, first = read_dataset(pixels[3]), self.datasets[index]
        if dataset != first:
            raise self.error(
                f"{name}: its people are of '{dataset[:60]}', those of the first record of '{first[:60]}', so that "
                "OpenPose's Caffe leaves them out; write an LMDB for each in sources"
            )
        crowd = read_crowd(self, pixels[3], source.model, self.param.crop_size_y, name)
        image = np.ascontiguousarray(pixels[:3].transpose(1, 2, 0))
        return Scene(image, pixels[4]), crowd

    def _write(self, top: Sequence[Blob], i: int, scene: Scene, crowd: Crowd, source: OpSource) -> None:
        if scene.mask.shape != top[0].shape[2:]:
            raise self.error(
                f"{crowd.name}: the image has {scene.mask.shape} pixels, the first one {top[0].shape[2:]}; in TEST all "
                "are of one size"
            )
        self._write_image(top[0].data[i], scene.image)
        size = top[1].shape[:1:-1]
        counts = cv2.resize(np.ascontiguousarray(scene.mask), size, interpolation=cv2.INTER_AREA)
        write_labels(
            top[1].data[i], counts.astype(F) / F(255), crowd.joints, crowd.states, source.model, self.param.stride,
            source.sigma,
        )  # fmt: skip

    def _write_image(self, out: np.ndarray, image: np.ndarray) -> None:
        means, factor = NORMALIZED[self.param.normalization]
        out[:] = ((image - np.array(means)) * factor).transpose(2, 0, 1)

    def _drawn(
        self, scene: Scene, crowd: Crowd, source: OpSource, behind: np.ndarray | None
    ) -> tuple[Scene, Crowd]:
        param = self.param
        width, height = param.crop_size_x, param.crop_size_y
        times = F(1)
        if not self._dice() > F(param.scale_prob):
            times = F((source.most - source.least) * float(self._dice()) + source.least)
        with np.errstate(over="ignore"):
            factor = F(param.target_dist) / crowd.scale * times
            sides = [F(side) * factor for side in scene.mask.shape]
        if not all(0.5 <= side < FARTHEST for side in sides):
            raise self.error(
                f"{crowd.name}: the image of {scene.mask.shape[0]} x {scene.mask.shape[1]} pixels would be resized by "
                f"{factor:g}; see target_dist, and the person's scale {crowd.scale:g}"
            )
        middle = recentred(crowd, times, param.center_swap_prob, self._dice) * factor
        degree = F(float((self._dice() - F(0.5)) * F(2)) * source.degrees)
        turned, _ = turn([whole(side) for side in sides], degree)
        beside = [int((self._dice() - F(0.5)) * F(2) * F(param.center_perterb_max)) for _ in range(2)]
        middle = np.trunc(moved(middle[None], turned)[0] + np.array(beside, F))
        mirrored = bool(self._dice() <= F(param.flip_prob))
        joints = moved(crowd.joints * factor, turned) - (middle - np.array([width // 2, height // 2], F))
        if mirrored:
            joints[..., 0] = F(width - 1) - joints[..., 0]
        crowd = Crowd(middle, crowd.scale * factor, joints, crowd.states.copy(), crowd.name)
        if mirrored:
            source.model.mirror(crowd.joints, crowd.states)
        matrix = placed(turned, factor, middle, width, height, mirrored)
        scene, outside = put(scene, matrix, width, height, behind)
        if len(joints) == 1:
            cover(scene.image, behind, crowd, source.covers, self._dice, self.rng.draw)
        if behind is not None and outside is not None:
            scene.image = before(scene.image, behind, outside)
        return scene, crowd
