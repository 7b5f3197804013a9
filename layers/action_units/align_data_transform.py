"""AlignDataTransform: landmarks follow their image, which was cut and mirrored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("AlignDataTransform")
class AlignDataTransform(Layer):
    """Landmarks moved as the data layer moved their image.

    bottom[0]: N x 2 L (axes behind count too), x and y of L landmarks; bottom[1]: N x 4, whether the image was
    mirrored, its width, and the row and the column that the crop began at; bottom[2]: L numbers, from 1 on: which
    landmark each becomes in a mirror. top: like bottom[0]: less the crop's corner, and of a mirrored image width - 1 -
    x, in the order of bottom[2]. bottom[0] alone takes a gradient. Raises LayerError for other shapes, and for a number
    of no landmark.
    Source: AlignDataTransformLayer of JAANet (ZhiwenShao), whose gradient takes the order where it should take its
    inverse: the same where the order is one of pairs.
    """

    reads = ()
    origin = "ZhiwenShao"
    bottom_count = (3, 3)
    no_gradient = (1, 2)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shapes = [blob.shape for blob in bottom]
        faces = bottom[0].num
        self.landmarks = bottom[2].count
        if (
            len(shapes[0]) < 2
            or bottom[1].count != 4 * faces
            or bottom[0].count != 2 * self.landmarks * faces
        ):
            raise self.error(f"the bottoms have the shapes {shapes}; expected N x 2 L, N x 4 and L numbers")
        top[0].reshape(*shapes[0])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        given = bottom[1].data.reshape(bottom[0].num, 4)
        order, mirrored = self._order(bottom[2]), given[:, 0] != 0
        out = top[0].data.reshape(bottom[0].num, self.landmarks, 2)
        np.subtract(bottom[0].data.reshape(out.shape), given[:, None, :1:-1], out=out)
        faces = out[mirrored]
        faces[..., 0] = given[mirrored, 1, None] - 1 - faces[..., 0]
        out[mirrored] = faces[:, order]

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            mirrored = bottom[1].data.reshape(bottom[0].num, 4)[:, 0] != 0
            diff = bottom[0].diff.reshape(bottom[0].num, self.landmarks, 2)
            np.copyto(diff, top[0].diff.reshape(diff.shape))
            faces = diff[mirrored][:, self._order(bottom[2])]
            faces[..., 0] *= -1
            diff[mirrored] = faces

    def _order(self, blob: Blob) -> np.ndarray:
        numbers = blob.data.ravel()
        if not ((numbers >= 1) & (numbers < self.landmarks + 1)).all():
            raise self.error(
                f"bottom[2] has to say landmarks from 1 to {self.landmarks}; found {numbers.tolist()}"
            )
        return numbers.astype(np.int64) - 1
