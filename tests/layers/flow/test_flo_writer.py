"""FLOWriter and PFMWriter: the format, the names of the files, and what is wrong; Eltwise of one bottom."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TRAIN
from caffe_compat.layers.registry import computed_type, create_layer
from layers.harness import Runner, parse

FLOW = np.random.RandomState(1).standard_normal((2, 2, 3, 4)).astype(np.float32)


def write(params, flow=FLOW) -> Runner:
    return Runner(f'type: "FLOWriter" writer_param {{ {params} }}', [flow], tops=0)


def test_the_format(tmp_path):
    write(f'file: "{tmp_path}/a.flo"', FLOW[:1]).forward()
    data = (tmp_path / "a.flo").read_bytes()
    assert data[:4] == b"PIEH"
    assert np.frombuffer(data, "<i4", 2, 4).tolist() == [4, 3]
    np.testing.assert_array_equal(
        np.frombuffer(data, "<f4", offset=12).reshape(3, 4, 2), FLOW[0].transpose(1, 2, 0)
    )


def test_the_names(tmp_path):
    runner = write(f'folder: "{tmp_path}/x/y" prefix: "p" suffix: "_s"')
    runner.forward()
    runner.forward()
    names = sorted(path.name for path in (tmp_path / "x" / "y").iterdir())
    assert names == [f"p000000{i}(00{n})_s.flo" for i in range(2) for n in range(2)]


@pytest.mark.parametrize("channels, kind", [(1, b"Pf"), (3, b"PF")])
def test_disparities_are_written_from_below_and_below_0(channels, kind, tmp_path):
    values = np.random.RandomState(1).standard_normal((1, channels, 3, 4)).astype(np.float32)
    layer = f'type: "PFMWriter" writer_param {{ file: "{tmp_path}/a.pfm" }}'
    Runner(layer, [values], tops=0).forward()
    head, sizes, scale, data = (tmp_path / "a.pfm").read_bytes().split(b"\n", 3)
    assert (head, sizes, scale) == (kind, b"4 3", b"-1.0")
    rows = np.frombuffer(data, "<f4").reshape(3, 4, channels)
    np.testing.assert_array_equal(rows[::-1].transpose(2, 0, 1), -values[0])
    with pytest.raises(LayerError, match="expected N x 1 or 3 x H x W"):
        Runner(layer, [np.ones((1, 2, 3, 4))], tops=0)


def test_what_is_wrong(tmp_path):
    with pytest.raises(LayerError, match="expected N x 2 x H x W"):
        write('folder: "x"', np.ones((1, 3, 2, 2)))
    (tmp_path / "file").write_text("")
    with pytest.raises(LayerError, match="cannot make the folder"):
        write(f'folder: "{tmp_path}/file/x"').forward()


def test_one_bottom_and_one_coeff_say_which_eltwise_it_is():
    one = 'type: "Eltwise" bottom: "a" eltwise_param { coeff: 2 }'
    assert computed_type(create_layer(parse(one), TRAIN)) == "FlowEltwise"
    assert computed_type(create_layer(parse(f'{one} bottom: "b"'), TRAIN)) == "Eltwise"
    with pytest.raises(LayerError, match="0 coeffs for one bottom"):
        Runner('type: "FlowEltwise"', [np.ones(3)])
