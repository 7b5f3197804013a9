"""VideoData in C3D's form and in TSN's: which frames, in which order, and errors."""

import cv2
import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TEST, TRAIN
from caffe_compat.rng import Rng, set_random_seed
from layers.harness import Runner
from layers.video_cases import HEIGHT, WIDTH, frame, write_videos


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("videos")
    write_videos(path)
    return path


def run(param, transform="", phase=TEST, seed=3) -> Runner:
    set_random_seed(seed)
    return Runner(
        f'type: "VideoData" video_data_param {{ {param} }} transform_param {{ {transform} }}', [], 2, phase
    )


def clips(folder, more="") -> str:
    return f'source: "{folder}/clips" root_folder: "{folder}/" use_image: true new_length: 3 {more}'


def flow(folder, more="") -> str:
    return f'source: "{folder}/lengths" name_pattern: "%c_%02d.png" {more}'


def test_clips(folder):
    made = run(clips(folder, "batch_size: 2 sampling_rate: 2"))
    assert [top.shape for top in made.top] == [(2, 3, 3, HEIGHT, WIDTH), (2,)]
    data, labels = made.forward()
    for i in range(2):
        want = np.stack([frame(i, i + 2 * k) for k in range(3)]).transpose(3, 0, 1, 2)
        assert abs(data[i] - want).max() < 12  # JPEG
    np.testing.assert_array_equal(labels, [7, 6])
    np.testing.assert_array_equal(made.forward()[1], [5, 4])
    np.testing.assert_array_equal(made.forward()[1], [7, 6])


def test_a_mean_is_subtracted_from_the_frames_of_its_channel(folder):
    plain = run(clips(folder)).forward()[0]
    means = np.array([3, 50, 9])
    got = run(clips(folder), "mean_value: 3 mean_value: 50 mean_value: 9 scale: 2").forward()[0]
    np.testing.assert_allclose(got, 2 * (plain - means[:, None, None, None]))


def test_crops_and_mirrors(folder):
    plain = run(clips(folder)).forward()[0]
    got = run(clips(folder), "crop_size: 6").forward()[0]
    np.testing.assert_array_equal(got, plain[..., 3:9, 4:10])
    made = run(clips(folder), "crop_size: 6 mirror: true", TRAIN)
    got = made.forward()[0]
    set_random_seed(3)
    stream = Rng(3)
    stream.draw()  # DataTransformer
    draws = Rng(stream.draw())
    mirror, y, x = (draws.draw() % n for n in (2, HEIGHT - 5, WIDTH - 5))
    want = plain[..., y : y + 6, x : x + 6]
    np.testing.assert_array_equal(got, want[..., ::-1] if mirror else want)


def test_labels_as_a_row(folder):
    param = f'source: "{folder}/many" root_folder: "{folder}/" use_image: true use_temporal_jitter: true'
    made = run(f"{param} use_multiple_label: true num_of_labels: 6 new_length: 2 batch_size: 2")
    np.testing.assert_array_equal(made.forward()[1], [[1, 0, 1, 0, 0, 0], [0, 1, 0, 1, 0, 0]])
    with pytest.raises(LayerError, match="label 4 is none of num_of_labels 4"):
        run(f"{param} use_multiple_label: true num_of_labels: 4 new_length: 2 batch_size: 4").forward()


def test_a_drawn_first_frame(folder):
    param = f'source: "{folder}/many" root_folder: "{folder}/" use_image: true use_temporal_jitter: true new_length: 4'
    made = run(param + " use_multiple_label: true num_of_labels: 6", phase=TRAIN)
    greens = {int(made.forward()[0][0, 1, 0, 0, 0]) // 15 for _ in range(40)}
    assert len(greens) > 3


def test_a_video_file(folder):
    path = str(folder / "v.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"MJPG"), 10, (32, 24))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no videos")
    for i in range(9):
        writer.write(np.full((24, 32, 3), 20 * i, np.uint8))
    writer.release()
    (folder / "files").write_text(f"{path} 2 1\n")
    data = run(f'source: "{folder}/files" new_length: 3 sampling_rate: 2').forward()[0]
    assert data.shape == (1, 3, 3, 24, 32)
    np.testing.assert_allclose(data[0, :, :, 5, 5], np.tile([40, 80, 120], (3, 1)), atol=4)
    (folder / "drawn").write_text(f"{path} 1\n")
    jitter = f'source: "{folder}/drawn" use_temporal_jitter: true'
    made = run(f"{jitter} new_length: 3")
    assert len({round(float(made.forward()[0].mean())) for _ in range(20)}) > 3
    with pytest.raises(LayerError, match="the video has 9 frames, 10 are needed"):
        run(f"{jitter} new_length: 10")
    with pytest.raises(LayerError, match="has no frame 9"):
        run(f'source: "{folder}/files" new_length: 8')


def test_segments_of_flow(folder):
    made = run(flow(folder, "num_segments: 3 new_length: 2 batch_size: 2"))
    assert [top.shape for top in made.top] == [(2, 12, HEIGHT, WIDTH), (2, 1, 1, 1)]
    data, labels = made.forward()
    numbers = [1 + k + i for k in (0, 4, 8) for i in (0, 1)]  # of parts of 4 frames, those in the middle
    for video in range(2):
        want = [frame(video, number)[:, :, c] for number in numbers for c in (0, 1)]
        np.testing.assert_array_equal(data[video], want)
    np.testing.assert_array_equal(labels.ravel(), [7, 6])


def test_segments_of_rgb_are_drawn_in_train(folder):
    param = f'source: "{folder}/lengths" name_pattern: "%02d.png" modality: RGB num_segments: 2'
    made = run(param, phase=TRAIN)
    draws = Rng(Rng(3).draw())
    starts = [
        [draws.draw() % 6, 6 + draws.draw() % 6] for _ in range(3)
    ]  # the first clip says the size alone
    for video in range(2):
        want = np.concatenate([frame(video, i).transpose(2, 0, 1) for i in starts[1 + video]])
        np.testing.assert_array_equal(made.forward()[0][0], want)
    grey = run(f"{param} grayscale: true").forward()[0]
    assert grey.shape == (1, 2, HEIGHT, WIDTH)


def test_a_short_part_starts_with_the_first_frame(folder):
    data = run(flow(folder, "num_segments: 6 new_length: 3")).forward()[0]
    np.testing.assert_array_equal(data[0, ::6], [frame(0, 0)[:, :, 0]] * 6)


def test_mirrored_flow_shows_the_opposite_direction(folder):
    plain = run(flow(folder)).forward()[0]
    for seed in range(10):  # each mirrors or does not
        made = run(flow(folder), "mirror: true is_flow: true mean_value: 128", seed=seed)
        got = made.forward()[0] + 128
        if not np.array_equal(got, plain):
            np.testing.assert_array_equal(got[0, 1], plain[0, 1, :, ::-1])
            np.testing.assert_array_equal(got[0, 0], 255 - plain[0, 0, :, ::-1])
            return
    raise AssertionError("never mirrored")


def test_fixed_places_and_scales(folder):
    five = {(0, 0), (0, 8), (4, 0), (4, 8), (2, 4)}
    more = {(0, 4), (4, 4), (2, 0), (2, 8), (1, 2), (1, 6), (3, 2), (3, 6)}
    for options, want in (("", five), ("more_fix_crop: true", five | more)):
        made = run(flow(folder), f"crop_size: 6 fix_crop: true {options}", TRAIN)
        window, seen = made.layer.transformer._window, set()
        for _ in range(200):
            y, x, height, width = window((HEIGHT, WIDTH))
            assert (height, width) == (6, 6)
            seen.add((y, x))
        assert seen == want


def test_sizes_of_scales(folder):
    ratios = "scale_ratios: 1 scale_ratios: 0.75 scale_ratios: 0.5"
    made = run(flow(folder), f"crop_size: 6 multi_scale: true {ratios}", TRAIN)
    sizes = made.layer.transformer._sizes
    assert sizes(12) == [(12, 12), (12, 9), (9, 12), (9, 9), (9, 6), (6, 9), (6, 6)]
    assert sizes(8) == [(6, 6)] * 7  # near enough to crop_size
    assert made.forward()[0].shape == (1, 2, 6, 6)


def test_state(folder):
    param = clips(folder, "shuffle: true batch_size: 3 use_sampling_rate_jitter: true max_sampling_rate: 3")
    made = run(param, "crop_size: 6 mirror: true", TRAIN)
    made.forward()
    state = made.layer.get_state()
    want = [made.forward() for _ in range(2)]
    other = run(param, "crop_size: 6 mirror: true", TRAIN, seed=9)
    other.layer.set_state(state)
    for batch in want:
        for a, b in zip(other.forward(), batch, strict=True):
            np.testing.assert_array_equal(a, b)


def test_state_of_segments(folder):
    made = run(flow(folder, "shuffle: true"), phase=TRAIN)
    made.forward()
    state = made.layer.get_state()
    want = made.forward()
    other = run(flow(folder, "shuffle: true"), phase=TRAIN, seed=9)
    other.layer.set_state(state)
    np.testing.assert_array_equal(other.forward()[0], want[0])


@pytest.mark.parametrize(
    "param, message",
    [
        ('source: "FOLDER/none"', "cannot read the list of videos"),
        ('source: "FOLDER/bad"', "bad:2: expected a path, a whole number and a label"),
        ('source: "FOLDER/clips" use_image: true new_height: 3', "go together"),
        ('source: "FOLDER/clips" new_length: 0', "at least 1"),
        ('source: "FOLDER/clips"', "there is no video file"),
        ('source: "FOLDER/clips" use_image: true', "cannot read the image"),
        ('source: "FOLDER/lengths" modality: FLOW num_segments: 0', "at least 1"),
        ('source: "FOLDER/lengths" name_pattern: "%d %d %d"', "has no place for a frame's number"),
        ('source: "FOLDER/clips" root_folder: "FOLDER/" use_image: true batch_size: 0', "batch_size is 0"),
        ('source: "FOLDER/mean3d"', "no list of videos, which is text, but a binary file"),
        ('video_type: VIDEO video_file: "a.avi"', "SSD's videos are not read"),
        ("", "cannot read the list of videos ''"),
    ],
)
def test_errors(folder, param, message):
    (folder / "bad").write_text("v0 1 2\nv1 one 2\n")
    with pytest.raises(LayerError, match=message):
        run(param.replace("FOLDER", str(folder)))


@pytest.mark.parametrize(
    "transform, message",
    [
        ("crop_size: 13", "smaller than crop_size 13"),
        ("mean_value: 1 mean_value: 2", "there are 2 mean_values"),
        ('mean_file: "FOLDER/mean3d" mean_value: 1', "keep one"),
        ('mean_file: "FOLDER/mean3d"', "the mean '.*' has the shape"),
    ],
)
def test_errors_of_transforms(folder, transform, message):
    with pytest.raises(LayerError, match=message):
        run(clips(folder), transform.replace("FOLDER", str(folder))).forward()
    with pytest.raises(LayerError, match="scale_ratios"):
        run(flow(folder), "crop_size: 6 multi_scale: true scale_ratios: 1.5", TRAIN).forward()


def test_frames_of_two_sizes(folder):
    cv2.imwrite(f"{folder}/v3/000005.jpg", np.zeros((5, 6, 3), np.uint8))
    (folder / "mixed").write_text("v3 4 1\n")
    with pytest.raises(LayerError, match="the frames have the sizes"):
        run(f'source: "{folder}/mixed" root_folder: "{folder}/" use_image: true new_length: 3')
