"""Mean field of a dense conditional random field: what its types have in common."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.learnable import set_up_params
from caffe_compat.layers.common.list_file import read_lines
from caffe_compat.layers.common.repetitions import check_repetitions
from caffe_compat.layers.kernels.softmax import softmax, softmax_backward
from caffe_compat.layers.segmentation.permutohedral import Lattice
from caffe_compat.prototxt.caffe_pb2 import FillerParameter, MultiStageMeanfieldParameter

_WITHOUT_EFFECT = (
    *("compatibility_mode", "threshold", "forced_spatial_filter_weight", "forced_bilateral_filter_weight"),
    # what goes with the two potentials that are refused
    *("detection_dat_input_dir", "train_dataset_size", "detection_dat_check_enabled"),
    *("detection_potentials_max_score", "detection_potentials_epsilon"),
    *("detection_x_weights_str", "detection_y_weights_str"),
    *("ho_dat_input_dir", "ho_w_param_str", "ho_num_layers", "ho_w2_param_str", "ho_w2_enabled"),
)
_REFUSED = {
    "detection_potentials_enabled": "TVG's reads detections from files there; remove it if you can do without",
    "ho_potentials_enabled": "TVG's reads superpixels from files there; remove it if you can do without",
    "is_no_class_weights": "give each class the same number in spatial_ and bilateral_filter_weights_str",
}


def without_effect(message: str) -> tuple[str, ...]:
    """The fields of this message of a layer that change nothing."""
    return tuple(f"{message}.{name}" for name in _WITHOUT_EFFECT)


def refused(message: str) -> dict[str, str]:
    """The fields of this message of a layer that are refused, and the way out."""
    return {f"{message}.{name}": way_out for name, way_out in _REFUSED.items()}


class Meanfield(Layer):
    """What the types of mean field have in common; see MultiStageMeanfield. features: of a pixel, None: any number."""

    bottom_count = (3, 3)
    no_gradient = (2,)
    features: int | None

    @property
    def settings(self) -> MultiStageMeanfieldParameter:
        raise NotImplementedError

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.settings
        if param.num_iterations < 2:
            raise self.error(f"num_iterations is {param.num_iterations}; it must be at least 2")
        check_repetitions(self, "num_iterations", param.num_iterations)
        for name in ("theta_alpha", "theta_beta", "theta_gamma"):
            if not getattr(param, name) > 0:
                raise self.error(f"{name} is {getattr(param, name):g}; it must be above 0")
        classes, is_new = bottom[0].channels, not self.blobs
        set_up_params(self, *(((1, 1, classes, classes), FillerParameter()) for _ in range(3)))
        if is_new:
            weights = (
                self._weights("spatial", classes),
                self._weights("bilateral", classes),
                -1,
            )
            for blob, values in zip(self.blobs, weights, strict=True):
                np.fill_diagonal(blob.data[0, 0], values)
        self.spatial: Lattice | None = None

    def _weights(self, kind: str, classes: int) -> list[float]:
        """What the diagonal of a filter's params starts with; kind: spatial or bilateral."""
        field = f"{kind}_filter_weights_str"
        text = getattr(self.settings, field)
        if text:
            found = self._numbers(field, text, classes, least=1)
            return found + found[-1:] * (classes - len(found))
        if os.path.exists(f"{kind}.par"):
            lines = read_lines(self, f"{kind}.par", "weights of the filter")
            text = " ".join(line for line, _ in lines)
            return self._numbers(f"'{kind}.par'", text, classes, least=classes)
        return [getattr(self.settings, f"{kind}_filter_weight")] * classes

    def _numbers(self, name: str, text: str, classes: int, least: int) -> list[float]:
        """The text's first numbers, one a class. Raises the layer's error for what is none, and for too few."""
        try:
            numbers = [float(word) for word in text.split()[:classes]]
        except ValueError as error:
            raise self.error(f"{name} has something else than numbers: {error}") from error
        if len(numbers) < least or not all(map(math.isfinite, numbers)):
            raise self.error(f"{name} has {len(numbers)} finite numbers; give {classes}, one a class")
        return numbers

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, image = bottom[0].shape, bottom[2].shape
        features = self.features or bottom[2].channels
        if len(shape) != 4 or bottom[1].shape != shape or image != (shape[0], features, *shape[2:]):
            raise self.error(
                f"the bottoms have the shapes {shape}, {bottom[1].shape} and {image}; expected N x C x H x W twice, "
                f"and N x {self.features or 'K'} x H x W"
            )
        if shape[1] != self.blobs[0].shape[2]:
            raise self.error(
                f"the bottom {shape} has {shape[1]} channels, the params {self.blobs[0].shape[2]}"
            )
        if top[0].shape != shape:
            self.spatial = None
        top[0].reshape(*shape)
        self.view = shape[0], shape[1], shape[2] * shape[3]
        self.colours = features

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, (height, width) = self.settings, bottom[0].shape[2:]
        rows, columns = np.divmod(np.arange(height * width, dtype=np.float32), np.float32(max(width, 1)))
        places = np.stack([columns, rows], axis=1)
        if self.spatial is None:
            self.spatial = Lattice(self, places / np.float32(param.theta_gamma))
        near = places / np.float32(param.theta_alpha)
        colours = bottom[2].data.reshape(self.view[0], bottom[2].shape[1], self.view[2]) / np.float32(
            param.theta_beta
        )
        self.lattices = [
            (self.spatial, Lattice(self, np.concatenate([near, colour.T], axis=1))) for colour in colours
        ]
        ones = np.ones((1, self.view[2]), bottom[0].dtype)
        self.norms = [[1 / (lattice.filter(ones) + 1e-20) for lattice in pair] for pair in self.lattices]
        unary, q = (blob.data.reshape(self.view) for blob in bottom[:2])
        self.steps = []
        for _ in range(param.num_iterations):
            self.steps.append(self._step(q))
            q = unary - self._params()[2] @ self.steps[-1].message
        top[0].data[...] = q.reshape(top[0].shape)

    def _params(self) -> list[np.ndarray]:
        return [blob.data[0, 0] for blob in self.blobs]

    def _step(self, scores: np.ndarray) -> _Step:
        prob = np.empty_like(scores)
        softmax(np.ascontiguousarray(scores), prob)
        filtered = [np.empty_like(prob), np.empty_like(prob)]
        for n, (pair, norms) in enumerate(zip(self.lattices, self.norms, strict=True)):
            for out, lattice, norm in zip(filtered, pair, norms, strict=True):
                out[n] = lattice.filter(prob[n]) * norm
        spatial, bilateral, _ = self._params()
        return _Step(prob, filtered, spatial @ filtered[0] + bilateral @ filtered[1])

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        diff = top[0].diff.reshape(self.view)
        of_unary = np.zeros_like(diff)
        for step in reversed(self.steps):
            of_unary += diff
            diff = self._step_backward(step, diff)
        for blob, wanted, values in zip(bottom[:2], propagate_down, (of_unary, diff), strict=False):
            if wanted:
                blob.diff[...] = values.reshape(blob.shape)

    def _step_backward(self, step: _Step, diff: np.ndarray) -> np.ndarray:
        """The gradient at a step's scores; adds to the params'."""
        spatial, bilateral, compatibility = self._params()
        of_message = -compatibility.T @ diff
        for i, (one, other) in enumerate(
            ((of_message, step.filtered[0]), (of_message, step.filtered[1]), (-diff, step.message))
        ):
            if self.propagates_to(i):
                self.blobs[i].diff[0, 0] += np.einsum("nci,ndi->cd", one, other)
        of_prob = np.zeros_like(diff)
        for k, weights in enumerate((spatial, bilateral)):
            of_filtered = weights.T @ of_message
            for n in range(len(diff)):
                of_prob[n] += self.lattices[n][k].filter(of_filtered[n] * self.norms[n][k], reverse=True)
        softmax_backward(step.prob, of_prob, of_prob)
        return of_prob


class _Step:
    """What an iteration computed: softmax, the two filtered forms of it, and their weighted sum."""

    def __init__(self, prob: np.ndarray, filtered: list[np.ndarray], message: np.ndarray):
        self.prob, self.filtered, self.message = prob, filtered, message
