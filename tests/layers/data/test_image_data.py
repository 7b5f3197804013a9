"""ImageData on files written here: order, shuffle, skip, size, colour, transforms, state, and wrong lists."""

import re

import cv2
import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.rng import Rng, set_random_seed
from layers.data.sharing import shares_what_one_serves
from layers.harness import Runner

LABELS = [4, 0, 7, 2, 9]


@pytest.fixture
def photos(tmp_path):
    """Five PNG files of 6 x 7 and their list; returns the pixels."""
    pixels = np.random.RandomState(3).randint(0, 256, (5, 6, 7, 3)).astype(np.uint8)
    for i, image in enumerate(pixels):
        cv2.imwrite(f"{tmp_path}/photo {i}.png", image)
    (tmp_path / "list.txt").write_text("".join(f"photo {i}.png {LABELS[i]}\n" for i in range(5)))
    return pixels


def data(folder, params: str = "", more: str = "") -> Runner:
    text = f'source: "{folder}/list.txt" root_folder: "{folder}/" {params}'
    return Runner(f'type: "ImageData" image_data_param {{ {text} }} {more}', [], tops=2)


def served(runner: Runner, batches: int) -> list[int]:
    """The indices of the images that come, by their labels."""
    return [LABELS.index(label) for _ in range(batches) for label in runner.forward()[1]]


def skip_to_the_own_streams(seed: int) -> Rng:
    set_random_seed(seed)
    return Rng(seed)


def test_in_the_order_of_the_list(tmp_path, photos):
    runner = data(tmp_path, "batch_size: 2")
    assert [top.shape for top in runner.top] == [(2, 3, 6, 7), (2,)]
    for batch in ([0, 1], [2, 3], [4, 0], [1, 2]):
        images, labels = runner.forward()
        np.testing.assert_array_equal(images, photos[batch].transpose(0, 3, 1, 2))
        assert labels.tolist() == [LABELS[i] for i in batch]


def test_only_a_line_end_ends_a_path(tmp_path, photos):
    (tmp_path / "photo 1.png").rename(tmp_path / "a\x0cb\u2028c.png")
    (tmp_path / "list.txt").write_text("a\x0cb\u2028c.png 4\r\nphoto 2.png 7\n", newline="")
    images, labels = data(tmp_path, "batch_size: 2").forward()
    np.testing.assert_array_equal(images, photos[[1, 2]].transpose(0, 3, 1, 2))
    assert labels.tolist() == [4, 7]


def test_grey_and_resized(tmp_path, photos):
    images, _ = data(tmp_path, "is_color: false new_height: 4 new_width: 9").forward()
    grey = cv2.imread(f"{tmp_path}/photo 0.png", cv2.IMREAD_GRAYSCALE)
    assert images.shape == (1, 1, 4, 9)
    np.testing.assert_array_equal(images[0, 0], cv2.resize(grey, (9, 4)))


def test_transformed(tmp_path, photos):
    transform = "transform_param { mirror: true crop_size: 4 mean_value: 10 scale: 0.5 }"
    stream = skip_to_the_own_streams(8)
    images, _ = data(tmp_path, "batch_size: 3", transform).forward()
    stream.draw()  # the transformer's first stream is started anew after the source is open
    rng = Rng(stream.draw())
    for image, pixels in zip(images, photos, strict=False):
        mirror, y, x = rng.draw() % 2, rng.draw() % 3, rng.draw() % 4
        for c, h, w in np.ndindex(3, 4, 4):
            assert image[c, h, 3 - w if mirror else w] == (float(pixels[y + h, x + w, c]) - 10) / 2


def naive_shuffle(items: list, rng: Rng) -> None:
    for i in range(len(items) - 1, 0, -1):
        j = rng.draw() // (2**32 // (i + 1))
        assert j <= i
        items[i], items[j] = items[j], items[i]


def test_shuffled_anew_in_every_round(tmp_path, photos):
    stream = skip_to_the_own_streams(5)
    runner = data(tmp_path, "shuffle: true batch_size: 5")
    rng, order = Rng(stream.draw()), list(range(5))
    for _ in range(3):
        naive_shuffle(order, rng)
        assert served(runner, 1) == order


def test_rand_skip(tmp_path, photos):
    starts = set()
    for seed in range(6):
        stream = skip_to_the_own_streams(seed)
        start = stream.draw() % 4
        assert served(data(tmp_path, "rand_skip: 4"), 2) == [start, start + 1]
        starts.add(start)
    assert len(starts) > 1


@pytest.mark.parametrize("params", ["batch_size: 2", "batch_size: 2 shuffle: true rand_skip: 3"])
def test_the_state_goes_on_exactly(tmp_path, photos, params):
    transform = "transform_param { mirror: true crop_size: 3 }"
    a, b = data(tmp_path, params, transform), data(tmp_path, params, transform)
    for _ in range(4):
        a.forward()
    b.layer.set_state(a.layer.get_state())
    for _ in range(6):
        for x, y in zip(a.forward(), b.forward(), strict=True):
            np.testing.assert_array_equal(x, y)


def test_images_of_other_sizes(tmp_path, photos):
    cv2.imwrite(f"{tmp_path}/photo 1.png", photos[1][:5])
    runner = data(tmp_path, "batch_size: 1")
    assert [runner.forward()[0].shape for _ in range(3)] == [(1, 3, 6, 7), (1, 3, 5, 7), (1, 3, 6, 7)]
    with pytest.raises(LayerError, match=r"list.txt:2: 'photo 1.png' gives \(3, 5, 7\) where the batch has"):
        data(tmp_path, "batch_size: 2").forward()


@pytest.mark.parametrize(
    ("text", "params", "message"),
    [
        ("", "", "list.txt' is empty"),
        ("photo 0.png 1\nphoto 1.png\n", "", "list.txt:2: expected a path, a blank and a whole number"),
        ("photo 0.png 1\n7\n", "", "list.txt:2: expected a path, a blank and a whole number, found '7'"),
        ("none.png 1\n", "", "list.txt:1: cannot read the image"),
        ("list.txt 1\n", "", "list.txt' is no image that OpenCV can decode"),
        ("photo 0.png 1\n", "rand_skip: 1000000", "rand_skip skips"),
        ("photo 0.png 1\n", "new_width: 3", "new_height and new_width go together"),
        ("photo 0.png 1\n", "batch_size: 0", "batch_size is 0"),
    ],
)
def test_what_is_wrong(tmp_path, photos, text, params, message):
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(LayerError, match=message):
        data(tmp_path, params)


def test_without_a_list(tmp_path):
    with pytest.raises(LayerError, match=re.escape(f"cannot read the list of images '{tmp_path}/list.txt'")):
        data(tmp_path)


def test_a_state_of_another_list(tmp_path, photos):
    state = data(tmp_path, "shuffle: true").layer.get_state()
    (tmp_path / "list.txt").write_text("photo 0.png 1\n")
    with pytest.raises(LayerError, match="is not the list that the state was kept with"):
        data(tmp_path, "shuffle: true").layer.set_state(state)


@pytest.mark.parametrize(
    "sizes, want",
    [
        ("min_height: 40 min_width: 20", (40, 53)),
        ("min_height: 31 min_width: 50", (38, 50)),
        ("min_height: 20 min_width: 40", (30, 40)),
    ],
)
def test_images_that_are_too_small(tmp_path, sizes, want):
    cv2.imwrite(f"{tmp_path}/a.png", np.zeros((30, 40, 3), np.uint8))
    (tmp_path / "small").write_text("a.png 1\n")
    layer = f'source: "{tmp_path}/small" root_folder: "{tmp_path}/" {sizes}'
    made = Runner(f'type: "ImageData" image_data_param {{ {layer} }}', [], tops=2)
    assert made.forward()[0].shape == (1, 3, *want)


def test_one_minimum_alone(tmp_path):
    with pytest.raises(LayerError, match="min_height and min_width go together"):
        Runner('type: "ImageData" image_data_param { source: "x" min_width: 3 }', [], tops=2)


@pytest.mark.parametrize("params", ["", "new_height: 8 new_width: 9 shuffle: true"])
def test_shared_out_each_image_is_read_by_one_and_all_serve_what_one_would(
    tmp_path, photos, monkeypatch, params
):
    def make() -> Runner:
        set_random_seed(5)
        transform = "transform_param { mirror: true crop_size: 4 }"
        return data(tmp_path, f"batch_size: 2 {params}", transform)

    read = []
    monkeypatch.setattr(
        cv2, "imdecode", lambda *args, decode=cv2.imdecode: (read.append(1), decode(*args))[1]
    )
    shares_what_one_serves(make)
    assert len(read) == 4 + 2 * 12  # for the shapes, one's six batches of two, and as many of all three


def test_what_draws_for_each_image_as_it_is_cannot_be_shared_out(tmp_path, photos):
    assert data(tmp_path).layer.shares_out
    noisy = "transform_param { noise_param { prob: 1 } }"
    assert not data(tmp_path, "", noisy).layer.shares_out
