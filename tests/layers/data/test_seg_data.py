"""SegData: both images alike, crops, the order, errors."""

import cv2
import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.rng import set_random_seed
from layers.harness import Runner
from layers.video_cases import HEIGHT, WIDTH, frame, write_maps


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("maps")
    write_maps(path)
    return path


def run(folder, param="", transform="", seed=3, name="maps") -> Runner:
    set_random_seed(seed)
    source = f'source: "{folder}/{name}" root_dir: "{folder}"'
    return Runner(
        f'type: "SegData" seg_data_param {{ {source} {param} }} transform_param {{ {transform} }}', [], tops=2
    )


def labels(folder, i):
    return cv2.imread(f"{folder}/labels{i}.png", cv2.IMREAD_GRAYSCALE)


def test_images_and_labels(folder):
    made = run(folder, transform="scale: 2 mean_value: 3 mean_value: 5 mean_value: 7")
    assert [top.shape for top in made.top] == [(1, 3, HEIGHT, WIDTH), (1, 1, HEIGHT, WIDTH)]
    for i in (0, 1, 0):
        data, truth = made.forward()
        np.testing.assert_array_equal(data[0], 2.0 * (frame(i, i) - np.array([3.0, 5, 7])).transpose(2, 0, 1))
        np.testing.assert_array_equal(truth[0, 0], labels(folder, i))


def test_both_are_cut_and_mirrored_alike(folder):
    made = run(folder, transform="mirror: true upper_height: 6 upper_width: 4")
    seen = set()
    for i in [0, 1] * 10:
        data, truth = made.forward()
        whole, places = frame(i, i).transpose(2, 0, 1), []
        for y, x, mirror in np.ndindex(HEIGHT - 5, WIDTH - 3, 2):
            step = -1 if mirror else 1
            if np.array_equal(data[0], whole[:, y : y + 6, x : x + 4][..., ::step]):
                np.testing.assert_array_equal(truth[0, 0], labels(folder, i)[y : y + 6, x : x + 4][:, ::step])
                places.append(mirror)
        assert len(places) == 1
        seen.add(places[0])
    assert seen == {0, 1}


def test_sizes_are_multiples_of_stride(folder):
    made = run(folder, transform="scale_ratios: 0.5 scale_ratios: 2 stride: 4")
    sizes = {made.forward()[1].shape[2:] for _ in range(40)}
    assert len(sizes) > 4 and all(h % 4 == w % 4 == 0 and 4 <= h <= 24 for h, w in sizes)


def test_balance_looks_for_another_crop(folder):
    transform = "upper_size: 4"
    shares = []
    for param in ("", "balance: true"):
        made = run(folder, param, transform)
        made.forward()
        found = []
        for _ in range(30):
            found.append(made.forward()[1].mean() > 0.3)
            made.forward()
        shares.append(np.mean(found))
    assert shares[1] > shares[0]


def test_the_order_and_the_state(folder):
    (folder / "six").write_text((folder / "maps").read_text() * 3)
    one, other = (run(folder, "shuffle: true", seed=s, name="six").layer.list.order for s in (1, 2))
    assert list(one) == list(other) != list(range(6))  # the seed does not matter
    made = run(folder, "shuffle: true", "mirror: true upper_size: 5")
    made.forward()
    state = made.layer.get_state()
    want = [made.forward()[0] for _ in range(3)]
    other = run(folder, "shuffle: true", "mirror: true upper_size: 5", seed=8)
    other.layer.set_state(state)
    set_random_seed(3)
    np.testing.assert_array_equal(other.forward()[0], want[0])


@pytest.mark.parametrize(
    "transform, name, message",
    [
        ("", "none", "cannot read the list of images"),
        ("", "bad", "bad:1: expected the paths"),
        ("", "mixed", "its labels"),
        ("stride: 20", "maps", "has no crop"),
        ("stride: 0", "maps", "stride of at least 1"),
        ("scale_ratios: 1", "maps", "two scale_ratios or none"),
        ("scale_ratios: 2 scale_ratios: 1", "maps", "the second not less"),
        ("mean_value: 1 mean_value: 2", "maps", "there are 2 mean_values"),
        ("crop_size: 3", "maps", "SegData knows"),
    ],
)
def test_errors(folder, transform, name, message):
    (folder / "bad").write_text("/image0.png\n")
    cv2.imwrite(f"{folder}/small.png", np.zeros((3, 4), np.uint8))
    (folder / "mixed").write_text("/image0.png /small.png\n")
    with pytest.raises(LayerError, match=message):
        run(folder, transform=transform, name=name).forward()
