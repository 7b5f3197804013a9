"""What the step computes that runs other steps for one image after the other."""

from __future__ import annotations

from caffe_compat.layers.kernels.addresses import INTEGER, integers
from caffe_compat.layers.kernels.calls import Callee, caller
from caffe_compat.layers.kernels.shared import share_of
from caffe_compat.layers.kernels.step import SIGNATURE, STEP, step_at, to_step

MOVE = 3  # numbers of a move
_SIZE, _call = STEP.itemsize, caller(SIGNATURE)


def _image_by_image(pointer, part, parts):
    """Run the `depth` rows that each part has from `tile` on, for each image of the part.

    offsets: the moves of each part, `panels` x MOVE: the address of a field, that which it has for the first image, and
    how far apart images are.
    """
    s = step_at(pointer)
    first = s.tile + part * s.depth * _SIZE
    moves = integers(s.offsets + INTEGER * part * s.panels * MOVE, s.panels * MOVE)
    for n in range(*share_of(s.images, part, parts)):
        for i in range(0, s.panels * MOVE, MOVE):
            integers(moves[i], 1)[0] = moves[i + 1] + n * moves[i + 2]
        for i in range(s.depth):
            row = to_step(first + i * _SIZE)
            _call(step_at(row).function, (row, 0, 1))


image_by_image = Callee(SIGNATURE, _image_by_image)
