"""DataHeatmap on files written here: crops, joints, heat maps, the order, and what is wrong."""

import cv2
import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.data.c_rand import CRand
from caffe_compat.rng import Rng, set_random_seed
from layers.data.sharing import shares_what_one_serves
from layers.harness import Runner

SIZES = ((31, 40), (29, 25), (24, 37))  # the second one is narrower than a square of 26
F = np.float32


@pytest.fixture
def people(tmp_path):
    """Images with a white spot at their first joint; returns these, red first, and the joints, over 2."""
    rng = np.random.RandomState(3)
    images, lists = [], []
    (tmp_path / "segs").mkdir()
    for i, (height, width) in enumerate(SIZES):
        joints = np.column_stack([rng.randint(9, 17, 3), rng.randint(9, 15, 3)]).astype(float)
        image = rng.randint(0, 90, (height, width, 3)).astype(np.uint8)
        x, y = joints[0].astype(int)
        image[y - 1 : y + 2, x - 1 : x + 2] = 255
        cv2.imwrite(f"{tmp_path}/{i}.png", image[:, :, ::-1])
        images.append(image)
        lists.append(joints / 2)
    lines = (
        f"{i}.png {','.join(str(n) for n in joints.ravel())} 1,2,3,4,5 {i // 2}\n"
        for i, joints in enumerate(lists)
    )
    (tmp_path / "list").write_text("".join(lines))
    cv2.imwrite(f"{tmp_path}/segs/1.png", np.tile(np.uint8([[40], [41]]), (15, 25))[:29])
    return images, lists


def data(folder, params: str = "", crop: int = 24, size: int = 36) -> Runner:
    given = {
        "source": f'"{folder}/list"',
        "root_img_dir": f'"{folder}/"',
        "batchsize": "2",
        "cropsize": str(crop),
        "outsize": str(size),
        "label_width": "9",
        "label_height": "9",
        "multfact": "2",
    }
    text = " ".join(f"{name}: {value}" for name, value in given.items() if f" {name}:" not in f" {params}")
    set_random_seed(9)
    return Runner(f'type: "DataHeatmap" heatmap_data_param {{ {text} {params} }}', [], 2)


def peaks(joints, shape) -> np.ndarray:
    """joints: x, y in pixels of the maps."""
    maps = np.empty((len(joints), *shape))
    for k, i, j in np.ndindex(maps.shape):
        far = (i - joints[k][1]) ** 2 + (j - joints[k][0]) ** 2
        maps[k, i, j] = 4 / (1.5 * np.sqrt(2 * np.pi)) * np.exp(-far / 4.5)
    return maps


def resized(pixels, size):
    return cv2.resize(pixels.astype(F), (size, size), interpolation=cv2.INTER_LINEAR).transpose(2, 0, 1)


def test_middle_squares_in_the_lists_order(tmp_path, people):
    images, lists = people
    runner = data(tmp_path, "scale: 0.5 label_width: 7", crop=24)
    for batch in ((0, 1), (2, 0), (1, 2)):
        tops = runner.forward()
        assert tops[0].shape == (2, 3, 36, 36) and tops[1].shape == (2, 3, 9, 7)
        for pixels, maps, which in zip(*tops, batch, strict=True):
            (height, width), joints = SIZES[which], 2 * lists[which]
            x, y = (width - 24) // 2, (height - 24) // 2
            square = images[which][y : y + 24, x : x + 24]
            np.testing.assert_allclose(pixels, 0.5 * resized(square, 36), rtol=1e-6)
            np.testing.assert_allclose(maps, peaks((joints - [x, y]) * 9 / 24, (9, 7)), rtol=1e-5, atol=1e-7)


def test_what_is_narrow_gets_black_columns(tmp_path, people):
    images, lists = people
    (tmp_path / "list").write_text((tmp_path / "list").read_text().splitlines()[1])
    runner = data(tmp_path, "batchsize: 1 labelinds: '3,4,1,2'", crop=27)
    pixels, maps = runner.forward()
    square = np.zeros((27, 27, 3))
    square[:, :25] = images[1][1:28]
    np.testing.assert_allclose(pixels[0], resized(square, 36), rtol=1e-6)
    places = (2 * lists[1][:2] - [0, 1]) * 9 / 27
    np.testing.assert_allclose(maps[0], peaks(places, (9, 9)), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "params, exchanged",
    [("", [0, 2, 1]), ("flip_joint_labels: false", [0, 1, 2]),
     ("dont_flip_first: false labelinds: '1,2,3,4'", [1, 0])],
)  # fmt: skip
def test_squares_are_drawn_mirrored_and_turned(tmp_path, people, params, exchanged):
    images, lists = people
    runner = data(tmp_path, f"random_crop: true angle_max: 40 {params}", crop=22, size=44)
    rand = CRand(Rng(9).draw())
    mirrored = set()
    for batch in ((0, 1), (2, 0), (1, 2), (0, 1)):
        for pixels, maps, which in zip(*runner.forward(), batch, strict=True):
            image, joints = images[which], 2 * lists[which][: len(exchanged)]
            if rand.draw() % 2:
                mirrored.add(which)
                image = image[:, ::-1]
                joints = np.column_stack([image.shape[1] - joints[:, 0], joints[:, 1]])[exchanged]
            x, y = (rand.draw() % (side - 22 + 1) for side in (image.shape[1], image.shape[0]))
            angle = np.deg2rad(80 * rand.draw() / (2**31 - 1) - 40)
            # counter-clockwise about pixel 11, 11 of the square, with y down
            dx, dy = (joints - [x, y] - 11).T
            turned = np.column_stack(
                [np.cos(angle) * dx + np.sin(angle) * dy, np.cos(angle) * dy - np.sin(angle) * dx]
            )
            places = (turned + 11) * 9 / 22
            np.testing.assert_allclose(maps, peaks(places, (9, 9)), rtol=2e-4, atol=1e-6)
            matrix = cv2.getRotationMatrix2D((11, 11), float(F(np.rad2deg(angle))), 1)
            square = cv2.warpAffine(
                np.ascontiguousarray(image[y : y + 22, x : x + 22].astype(F)), matrix, (22, 22)
            )
            np.testing.assert_allclose(pixels, resized(square, 44), atol=0.05)
    assert mirrored


def test_the_spot_stays_under_the_peak(tmp_path, people):
    """Of what is mirrored and turned, whatever the code thinks of angles."""
    runner = data(
        tmp_path, "random_crop: true angle_max: 90 batchsize: 30 labelinds: '1,2'", crop=24, size=48
    )
    pixels, maps = runner.forward()
    seen = 0
    for image, heat in zip(pixels, maps, strict=True):
        spot = np.argwhere(image.mean(axis=0) > 140)
        if heat.max() > 1 and len(spot) > 20:
            y, x = np.unravel_index(heat.argmax(), (1, 9, 9))[1:]
            # a mirrored pixel p lies at width - 1 - p, its joint at width - p
            assert np.abs(spot.mean(axis=0) * 9 / 48 - [y, x]).max() < 1.2
            seen += 1
    assert seen > 10


def test_one_of_each_cluster_in_turn(tmp_path, people):
    _, lists = people
    runner = data(tmp_path, "sample_per_cluster: true batchsize: 5")
    rand = CRand(Rng(9).draw())
    first = rand.draw() % 2
    _, maps = runner.forward()
    for heat, which in zip(maps, [first, 2, 1 - first, 2, first], strict=True):
        (height, width) = SIZES[which]
        middle = [(width - 24) // 2, (height - 24) // 2]
        np.testing.assert_allclose(
            heat, peaks((2 * lists[which] - middle) * 9 / 24, (9, 9)), rtol=1e-5, atol=1e-7
        )


def test_segments(tmp_path, people):
    """The one image that has them; rows of 40 and 41 in turn, of which the latter are made black."""
    images, _ = people
    pixels, _ = data(tmp_path, "segmentation: true", crop=25).forward()
    kept = images[1] * (np.arange(29) % 2 == 0)[:, None, None]
    for found in pixels:
        np.testing.assert_allclose(found, resized(kept[2:27], 36), rtol=1e-6)
    (tmp_path / "segs/1.png").unlink()
    with pytest.raises(LayerError, match="no image has one of its name in"):
        data(tmp_path, "segmentation: true", crop=25).forward()


def test_segments_of_a_cluster_that_is_longer_than_others(tmp_path, people):
    """The one that has them may come after as many turns as the longest cluster has, times the clusters."""
    images, _ = people
    lines = ["0.png 1,2 0 0", *["0.png 1,2 0 1"] * 5, "1.png 1,2 0 1"]
    (tmp_path / "list").write_text("\n".join(lines))
    for seed in range(6):
        runner = data(tmp_path, "segmentation: true sample_per_cluster: true batchsize: 1", crop=25)
        runner.layer.places = [0, seed]
        pixels, _ = runner.forward()
        kept = images[1] * (np.arange(29) % 2 == 0)[:, None, None]
        np.testing.assert_allclose(pixels[0], resized(kept[2:27], 36), rtol=1e-6)


@pytest.mark.parametrize("params", ["", "random_crop: true angle_max: 9", "sample_per_cluster: true"])
def test_it_goes_on_where_it_stood(tmp_path, people, params):
    runner = data(tmp_path, params)
    runner.forward()
    state = runner.layer.get_state()
    then = [top.copy() for top in runner.forward()]
    other = data(tmp_path, params)
    other.layer.set_state(state)
    for a, b in zip(other.forward(), then, strict=True):
        np.testing.assert_array_equal(a, b)
    shares_what_one_serves(lambda: data(tmp_path, params))


@pytest.mark.parametrize(
    "params, line, message",
    [
        ("batchsize: 0", None, "batchsize is 0; it must be at least 1"),
        ("source: 'none'", None, "cannot read the list of joints 'none'"),
        ("labelinds: '1,x'", None, "labelinds is '1,x'; expected numbers"),
        ("labelinds: '1,7'", None, "list:1: labelinds is .1, 7., and there are the coordinates 1 to 6"),
        ("labelinds: '1,2,3'", None, "list:1: expected finite x and y of one or more joints"),
        ("random_crop: true dont_flip_first: false", None, "3 joints are not exchanged in pairs"),
        ("angle_max: nan", None, "angle_max is nan; expected degrees"),
        ("meanfile: 'm'", None, "subtract it from the images beforehand"),
        ("", "0.png 1,2 0", "list:1: expected a name, joints, the crop and a cluster, found 3 words"),
        ("", "0.png 1,b 0 0", "list:1: expected numbers between commas"),
        ("", "0.png 1,,2,3,4 0 0", "list:1: expected numbers between commas"),
        ("", "0.png 1,nan 0 0", "list:1: expected finite x and y"),
        ("", "0.png 1,2 0 0\n\n0.png 1,2,3,4 0 0", "list:3: there are 2 joints, and 1 in the first line"),
        ("", "0.png 1,2 0 -1", "list:1: the cluster is -1"),
        ("sample_per_cluster: true", "0.png 1,2 0 2", r"the clusters are \[2\]; .* count from 0"),
        ("", "a.png 1,2 0 0", "list:1: cannot read the image"),
        ("cropsize: 30", None, "list:2: '.*1.png' is 29 pixels high, less than cropsize 30"),
        ("segmentation: true", "1.png 1,2 0 0", "29 x 24 pixels, the image 29 x 25"),
    ],
)
def test_what_is_wrong(tmp_path, people, params, line, message):
    if line:
        (tmp_path / "list").write_text(line)
    if "segm" in params:
        cv2.imwrite(f"{tmp_path}/segs/1.png", np.zeros((29, 24), np.uint8))
    with pytest.raises(LayerError, match=message):
        data(tmp_path, params, crop=24).forward()
