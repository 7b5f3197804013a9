"""Cases of the layers of videos, and their files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from caffe_compat.prototxt.caffe_pb2 import BlobProto, BlobShape
from layers.harness import Case

FRAMES, HEIGHT, WIDTH = 12, 12, 14


def frame(video: int, index: int) -> np.ndarray:
    """Smooth, so that JPEG keeps it."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([40 * video + 10 * x, 15 * index + 5 * y, 100 + 3 * x + 4 * y], axis=2).astype(np.uint8)


def write_videos(folder: Path) -> None:
    """Four folders of frames, as 000000.jpg and so on, 01.png, x_01.png and y_01.png; and lists of them."""
    for video in range(4):
        (folder / f"v{video}").mkdir()
        for index in range(FRAMES):
            image, path = frame(video, index), folder / f"v{video}"
            cv2.imwrite(f"{path}/{index:06d}.jpg", image)
            cv2.imwrite(f"{path}/{index + 1:02d}.png", image)
            cv2.imwrite(f"{path}/x_{index + 1:02d}.png", image[:, :, 0])
            cv2.imwrite(f"{path}/y_{index + 1:02d}.png", image[:, :, 1])
    (folder / "clips").write_text("".join(f"v{i} {i} {7 - i}\n" for i in range(4)))
    (folder / "lengths").write_text("".join(f"{folder}/v{i} {FRAMES} {7 - i}\n" for i in range(4)))
    (folder / "many").write_text("".join(f"v{i} {FRAMES - 1} {i},{i + 2}\n" for i in range(4)))
    mean = np.random.RandomState(0).uniform(0, 9, (1, 3, 2, HEIGHT, WIDTH)).astype(np.float32)
    proto = BlobProto(shape=BlobShape(dim=mean.shape), data=mean.ravel().tolist())
    (folder / "mean3d").write_bytes(proto.SerializeToString())


def video_cases(folder: Path) -> list[Case]:
    write_videos(folder)
    flow = f'source: "{folder}/lengths" batch_size: 3 name_pattern: "%c_%02d.png"'
    clips = f'source: "{folder}/clips" root_folder: "{folder}/" use_image: true new_length: 2'
    drawn = (
        clips.replace("/clips", "/many")
        + " use_temporal_jitter: true use_multiple_label: true num_of_labels: 6"
    )
    crop = "crop_size: 6 mirror: true"
    cases = [
        (
            f"{flow} num_segments: 2 new_length: 2",
            "is_flow: true mirror: true mean_value: 100 mean_value: 90",
        ),
        (f"{flow} shuffle: true", f"{crop} fix_crop: true scale: 0.5"),
        (flow, f"{crop} fix_crop: true more_fix_crop: true"),
        (
            flow,
            f"{crop} multi_scale: true scale_ratios: 1 scale_ratios: 0.75 scale_ratios: 0.5 max_distort: 2",
        ),
        (f"{flow.replace('%c_', '')} modality: RGB grayscale: true", ""),
        (clips, f"{crop} mean_value: 3 mean_value: 50 mean_value: 9"),
        (f"{clips} sampling_rate: 3 new_height: 9 new_width: 8 rand_skip: 4", ""),
        (f"{clips}", f'mean_file: "{folder}/mean3d"'),
        (f"{drawn} use_sampling_rate_jitter: true max_sampling_rate: 4 batch_size: 4", ""),
        (f"{drawn} shuffle: true", ""),
    ]
    return _seg_cases(folder) + [
        Case(
            f'type: "VideoData" video_data_param {{ {param} }} transform_param {{ {transform} }}', [], tops=2
        )
        for param, transform in cases
    ]


def write_maps(folder: Path) -> None:
    """Two images, the second with few pixels of another class, and a list of them."""
    for i in range(2):
        cv2.imwrite(f"{folder}/image{i}.png", frame(i, i))
        labels = np.zeros((HEIGHT, WIDTH), np.uint8)
        labels[: 8 - 6 * i, ::2] = 3
        cv2.imwrite(f"{folder}/labels{i}.png", labels)
    (folder / "maps").write_text("".join(f"/image{i}.png /labels{i}.png\n" for i in (0, 1)))


def _seg_cases(folder: Path) -> list[Case]:
    write_maps(folder)
    source = f'source: "{folder}/maps" root_dir: "{folder}"'
    cases = [
        (source, "scale: 0.5 mean_value: 3 mean_value: 5 mean_value: 7"),
        (source, "mirror: true scale_ratios: 0.8 scale_ratios: 1.3 stride: 4"),
        (f"{source} shuffle: true", "upper_size: 7"),
        (f"{source} balance: true", "upper_height: 6 upper_width: 5"),
    ]
    return [
        Case(f'type: "SegData" seg_data_param {{ {param} }} transform_param {{ {transform} }}', [], tops=2)
        for param, transform in cases
    ]
