"""WindowData on files written here: sampling, warp, square, context, means, mirror, state, and wrong files."""

import cv2
import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TEST, TRAIN
from caffe_compat.prototxt.caffe_pb2 import BlobProto
from caffe_compat.rng import Rng, set_random_seed
from layers.data.sharing import shares_what_one_serves
from layers.harness import Runner

PIXELS = [
    np.random.RandomState(i).randint(0, 256, (rows, columns, 3)).astype(np.uint8)
    for i, (rows, columns) in enumerate([(20, 30), (24, 18)])
]
# image, class, overlap, box
WINDOWS = [
    (0, 5, 0.9, (2, 3, 12, 14)),
    (0, 7, 0.5, (0, 0, 29, 19)),
    (0, 3, 0.45, (1, 1, 5, 5)),
    (0, 3, 0.2, (20, 4, 29, 8)),
    (1, 2, 0.75, (6, 10, 17, 23)),
    (1, 9, 0.0, (3, 0, 9, 6)),
]
FOREGROUND, BACKGROUND = (0, 1, 4), (3, 5)


@pytest.fixture
def folder(tmp_path):
    text = ""
    for i, image in enumerate(PIXELS):
        cv2.imwrite(f"{tmp_path}/{i}.png", image)
        mine = [window for window in WINDOWS if window[0] == i]
        text += f"# {i}\n{i}.png\n3\n{image.shape[0]}\n{image.shape[1]}\n{len(mine)}\n"
        text += "".join(f"{label} {overlap} {' '.join(map(str, box))}\n" for _, label, overlap, box in mine)
    (tmp_path / "windows.txt").write_text(text)
    return tmp_path


def data(folder, params: str = "", transform: str = "crop_size: 8", phase: int = TEST) -> Runner:
    text = f'batch_size: 7 bg_threshold: 0.4 fg_fraction: 0.45 root_folder: "{folder}/" {params}'
    layer = f'type: "WindowData" window_data_param {{ source: "{folder}/windows.txt" {text} }}'
    return Runner(f"{layer} transform_param {{ {transform} }}", [], tops=2, phase=phase)


def naive_round(value):
    return int(np.floor(value + 0.5)) if value >= 0 else -int(np.floor(-value + 0.5))


def naive(window, crop, pad, square, mirror, mean, scale):
    """The padded window as an image of crop x crop x 3, and which of its pixels are of the image."""
    image, _, _, (x1, y1, x2, y2) = window
    image = PIXELS[image]
    rows, columns = image.shape[:2]
    if not pad and not square:
        part, left, above = cv2.resize(image[y1 : y2 + 1, x1 : x2 + 1], (crop, crop)), 0, 0
    else:
        w, h = (x2 - x1 + 1) / 2, (y2 - y1 + 1) / 2
        cx, cy = x1 + w, y1 + h
        if square:
            w = h = max(w, h)
        grow = crop / (crop - 2 * pad)
        x1, x2 = naive_round(cx - w * grow), naive_round(cx + w * grow)
        y1, y2 = naive_round(cy - h * grow), naive_round(cy + h * grow)
        sx, sy = crop / (x2 - x1 + 1), crop / (y2 - y1 + 1)
        inside_x = [x for x in range(x1, x2 + 1) if 0 <= x < columns]
        inside_y = [y for y in range(y1, y2 + 1) if 0 <= y < rows]
        left, above = naive_round((inside_x[0] - x1) * sx), naive_round((inside_y[0] - y1) * sy)
        if mirror:
            left = naive_round((x2 - inside_x[-1]) * sx)
        size = naive_round(len(inside_x) * sx), naive_round(len(inside_y) * sy)
        size = min(size[0], crop - left), min(size[1], crop - above)
        part = cv2.resize(image[inside_y[0] : inside_y[-1] + 1, inside_x[0] : inside_x[-1] + 1], size)
    out = np.zeros((3, crop, crop), np.float32)
    for y, x, c in np.ndindex(*part.shape):
        pixel = part[y, part.shape[1] - 1 - x if mirror else x, c]
        at = c, above + y, left + x
        out[at] = (np.float32(pixel) - np.float32(mean(*at))) * np.float32(scale)
    return out


@pytest.mark.parametrize(
    ("params", "pad", "square"),
    [
        ("", 0, False),
        ("context_pad: 2", 2, False),
        ('crop_mode: "square"', 0, True),
        ('crop_mode: "square" context_pad: 1 cache_images: true', 1, True),
    ],
)
@pytest.mark.parametrize("mirrors", [False, True])
def test_windows(folder, params, pad, square, mirrors):
    set_random_seed(5)
    stream = Rng(5)
    transform = f"crop_size: 8 mirror: {str(mirrors).lower()} mean_value: 9 mean_value: 99 mean_value: 30"
    runner = data(folder, params + " scale: 0.25", transform)
    if mirrors:
        stream.draw()
    rng = Rng(stream.draw())
    for _ in range(3):
        images, labels = runner.forward()
        for i in range(7):
            indices = BACKGROUND if i < 4 else FOREGROUND
            window = WINDOWS[indices[rng.draw() % len(indices)]]
            mirror = mirrors and rng.draw() % 2
            want = naive(window, 8, pad, square, mirror, lambda c, y, x: (9, 99, 30)[c], 0.25)
            np.testing.assert_array_equal(images[i], want)
            assert labels[i] == (0 if i < 4 else window[1])


def test_the_centre_of_a_mean_image(folder):
    mean = np.random.RandomState(7).uniform(0, 255, (3, 15, 13)).astype(np.float32)
    proto = BlobProto(data=mean.ravel().tolist())
    proto.num, proto.channels, proto.height, proto.width = 1, 3, 15, 13
    (folder / "mean").write_bytes(proto.SerializeToString())
    set_random_seed(5)
    images, _ = data(folder, "", f'crop_size: 8 mean_file: "{folder}/mean"').forward()
    window = WINDOWS[BACKGROUND[Rng(Rng(5).draw()).draw() % 2]]
    want = naive(window, 8, 0, False, False, lambda c, y, x: mean[c, y + 2, x + 2], 1)
    np.testing.assert_array_equal(images[0], want)
    with pytest.raises(LayerError, match=r"has no centre of \(3, 14, 14\)"):
        data(folder, "", f'crop_size: 14 mean_file: "{folder}/mean"')


def test_the_state_goes_on_exactly(folder):
    a, b = (data(folder, "", "crop_size: 6 mirror: true") for _ in range(2))
    for _ in range(3):
        a.forward()
    b.layer.set_state(a.layer.get_state())
    for _ in range(4):
        for x, y in zip(a.forward(), b.forward(), strict=True):
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize(
    ("params", "transform", "message"),
    [
        ("", "", "batch_size and transform_param.crop_size must be given"),
        ('crop_mode: "round"', "crop_size: 8", "crop_mode is 'round'; expected warp or square"),
        ("context_pad: 4", "crop_size: 8", "context_pad 4 leaves nothing of crop_size 8"),
        ("", "crop_size: 8 scale: 2", r"use window_data_param\.scale"),
        ("", "crop_size: 8 mean_value: 1 mean_value: 2", "2 mean_values for 3 channels"),
        ("fg_threshold: 0.95", "crop_size: 8", "has 0 windows of fg_threshold and 2 below"),
    ],
)
def test_wrong_params(folder, params, transform, message):
    with pytest.raises(LayerError, match=message):
        data(folder, params, transform)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("# 0", "! 0", r"windows.txt:1: expected '#', found '!'"),
        ("# 1", "# x", r"windows.txt:11: expected the index of an image, found 'x'"),
        ("# 1", "# 4", r"windows.txt:17: there is no image 4; there are 2"),
        ("0.75", "much", r"windows.txt:17: expected the overlap of a window, found 'much'"),
        (" 9 6\n", " 9", r"windows.txt: the file ends where y2 of a window was expected"),
        ("5 0.9", "0 0.9", r"windows.txt:7: a foreground window has class 0"),
        ("\n3\n24", "\n1\n24", "has images of 1 channels"),
        ("1.png", "none.png", r"windows.txt:1[78]: cannot read the image"),
        ("29 19", "30 19", r"windows.txt:8: the window \(0, 0, 30, 19\) lies outside"),
    ],
)
def test_wrong_files(folder, old, new, message):
    path = folder / "windows.txt"
    assert path.read_text().count(old) == 1
    path.write_text(path.read_text().replace(old, new))
    set_random_seed(1)
    with pytest.raises(LayerError, match=message):
        runner = data(folder)
        for _ in range(9):
            runner.forward()


@pytest.mark.parametrize("box", ["3 4 2 4", "6 10 3 9", "40 40 50 50", "-30 -30 -20 -20"])
@pytest.mark.parametrize("params", ["", "context_pad: 2", 'crop_mode: "square"'])
def test_windows_without_a_pixel(folder, box, params):
    path = folder / "windows.txt"
    path.write_text(path.read_text().replace("2 3 12 14", box))
    runner = data(folder, params)
    with pytest.raises(
        LayerError, match=r"windows.txt:7: the window .* lies outside of the image or is empty"
    ):
        for _ in range(30):
            runner.forward()


def test_in_the_order_of_the_file(folder):
    runner = data(folder, "shuffle: false")
    labels = [label if overlap >= 0.4 else 0 for _, label, overlap, _ in WINDOWS]
    got = np.concatenate([runner.forward()[1] for _ in range(2)])
    assert got.tolist() == [labels[i % len(labels)] for i in range(14)]


def test_no_files(folder):
    (folder / "windows.txt").write_text("")
    with pytest.raises(LayerError, match=r"the window file '.*' is empty"):
        data(folder)
    (folder / "windows.txt").unlink()
    with pytest.raises(LayerError, match="cannot read the window file"):
        data(folder)


@pytest.mark.parametrize("params", ["", "shuffle: false"])
def test_shared_out_each_worker_reads_its_own_windows(folder, monkeypatch, params):
    def make():
        set_random_seed(5)
        return data(folder, params, "crop_size: 8 mirror: true", TRAIN)

    read = []
    monkeypatch.setattr(
        cv2, "imdecode", lambda *args, decode=cv2.imdecode: (read.append(1), decode(*args))[1]
    )
    shares_what_one_serves(make)
    assert len(read) == 2 * 6 * 7  # one's six batches of seven, and as many of all three
