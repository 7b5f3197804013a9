"""Cases of the layers that read and write files or are handed arrays: what they need, and their params."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from caffe_compat.layers.base import TEST, TRAIN
from caffe_compat.layers.data.memory_data import MemoryData
from caffe_compat.layers.fast_rcnn.roi_data import RoIDataLayer
from caffe_compat.prototxt.caffe_pb2 import AnnotatedDatum, BlobProto, BlobShape, Datum
from layers.harness import Case, Runner, detections, labels, objects, unit
from layers.mscnn.object_files import object_cases
from layers.pose.crowd_files import crowd_cases
from layers.pose.people_files import people_cases
from layers.video_cases import video_cases


def data_cases(folder: Path) -> list[Case]:
    """The cases; their files are written to the folder. Of layers without the package that they need, none."""
    _images(folder)
    return [
        *_data(folder),
        *_custom_data(folder),
        *_annotated(folder),
        *_image_data(folder),
        *_image_pairs(folder),
        *_data_heatmap(folder),
        *_window_data(folder),
        *_hdf5(folder),
        *_mat(folder),
        *_infogain(folder),
        *_shifted(folder),
        *_evaluated(folder),
        *_detectnet(folder),
        *_arrays(),
        *video_cases(folder),
        *object_cases(folder),
        *people_cases(folder),
        *crowd_cases(folder),
    ]


def give_data(runner: Runner) -> None:
    """Hand a layer the arrays that it serves."""
    layer, rng = runner.layer, np.random.RandomState(4)
    if isinstance(layer, MemoryData):
        n, *image = runner.top[0].shape
        layer.reset(rng.standard_normal((2 * n, *image)), np.arange(2 * n))
    if isinstance(layer, RoIDataLayer):
        layer.set_blobs([{"data": np.ones((1, 3, 7, 5)), "rois": np.ones((2, 5)), "labels": np.ones(2)}] * 2)


def _case(type: str, params: str, tops: int = 2, **kwargs) -> Case:
    return Case(f'type: "{type}" {params}', [], tops=tops, **kwargs)


TRANSFORMS = (
    "scale: 0.5 crop_size: 4",
    "mirror: true",
    "mean_value: 3 mean_value: 5 mean_value: 7",
    'mean_file: "FOLDER/mean"',
)
OF_IMAGES = (
    "resize_param { height: 5 width: 4 interp_mode: AREA interp_mode: NEAREST } noise_param { inverse: true }",
    "crop_h: 3 crop_w: 5",
)


def _images(folder: Path) -> None:
    pixels = np.random.RandomState(3).randint(0, 256, (5, 6, 7, 3)).astype(np.uint8)
    for i, image in enumerate(pixels):
        cv2.imwrite(f"{folder}/{i}.png", image)
    (folder / "list").write_text("".join(f"{i}.png {4 * i % 7}\n" for i in range(5)))
    mean = BlobProto(shape=BlobShape(dim=[3, 6, 7]), data=pixels[0].transpose(2, 0, 1).ravel().tolist())
    (folder / "mean").write_bytes(mean.SerializeToString())


def _transformed(folder: Path, type: str, params: str, transforms=TRANSFORMS) -> list[Case]:
    return [
        _case(type, f"{params} transform_param {{ {text.replace('FOLDER', str(folder))} }}")
        for text in transforms
    ]


def _data(folder: Path) -> list[Case]:
    try:
        import lmdb
    except ImportError:
        return []
    with lmdb.open(f"{folder}/db", map_size=2**20) as environment, environment.begin(write=True) as write:
        for i in range(5):
            datum = Datum(encoded=True, data=(folder / f"{i}.png").read_bytes(), label=i)
            write.put(f"{i:08d}".encode(), datum.SerializeToString())
    grey = np.random.RandomState(5).randint(0, 256, (6, 7)).astype(np.uint8)
    with lmdb.open(f"{folder}/grey", map_size=2**20) as environment, environment.begin(write=True) as write:
        datum = Datum(encoded=True, data=cv2.imencode(".png", grey)[1].tobytes(), label=3)
        write.put(b"0", datum.SerializeToString())
    source = f'source: "{folder}/db" backend: LMDB batch_size: 2'
    return [
        _case("Data", f"data_param {{ {source} }}"),
        _case("Data", f"data_param {{ {source} rand_skip: 4 }}"),
        *_transformed(
            folder, "Data", f"data_param {{ {source} }}", (*TRANSFORMS, *OF_IMAGES, "force_gray: true")
        ),
        *_transformed(
            folder, "Data", f"data_param {{ {source.replace('/db', '/grey')} }}", ("force_color: true",)
        ),
    ]


def _annotated(folder: Path) -> list[Case]:
    try:
        import lmdb
    except ImportError:
        return []
    grey = cv2.imencode(".png", np.random.RandomState(5).randint(0, 256, (6, 7)).astype(np.uint8))[
        1
    ].tobytes()
    for name, kind in (("objects", AnnotatedDatum.BBOX), ("untyped", None)):
        path = f"{folder}/{name}"
        with lmdb.open(path, map_size=2**20) as environment, environment.begin(write=True) as write:
            for i in range(3):
                image = (folder / f"{i}.png").read_bytes() if kind is not None else grey
                record = AnnotatedDatum(datum=Datum(encoded=True, data=image, label=i + 2), type=kind)
                group = record.annotation_group.add(group_label=3 - i)
                for j in range(i + 1):
                    annotation = group.annotation.add(instance_id=j)
                    annotation.polygon.x2 = annotation.polygon.x3 = annotation.polygon.y3 = 0.5
                    annotation.polygon.y4 = 0.7
                    box = annotation.bbox
                    box.xmin, box.ymin, box.xmax, box.ymax = 0.1 * j, 0.2, 0.5 + 0.2 * j, 0.9
                    box.difficult = j == 1
                write.put(f"{i:08d}".encode(), record.SerializeToString())
    for path in (f"{folder}/boxes", f"{folder}/boxes_grey"):
        with lmdb.open(path, map_size=2**20) as environment, environment.begin(write=True) as write:
            for i in range(3):
                image = grey if path.endswith("grey") else (folder / f"{i}.png").read_bytes()
                numbers = [i, 0, 0.3, 0.4, 0.2 * i, 0.5, 2, 1, 0.6, 0.5, 0.3, 0.4]
                record = Datum(encoded=True, data=image, float_data=numbers)
                write.put(f"{i:08d}".encode(), record.SerializeToString())
    boxes = f'source: "{folder}/boxes" backend: LMDB batch_size: 2'
    source = f'data_param {{ source: "{folder}/objects" backend: LMDB batch_size: 2 }}'
    transforms = (
        *TRANSFORMS,
        *OF_IMAGES,
        "force_gray: true",
        "distort_param { contrast_prob: 1 contrast_lower: 0.5 contrast_upper: 1.5 }",
        "expand_param { max_expand_ratio: 4 } resize_param { height: 8 width: 9 }",
        "crop_size: 3 emit_constraint { emit_type: CENTER }",
    )
    warp = "transform_param { resize_param { height: 8 width: 9 } }"
    params = (
        f"batch_sampler {{ sampler {{ min_scale: 0.3 }} max_sample: 1 }} }} {warp}",
        "yolo_data_type: 1 train_diffcult: false }",
        f"yolo_data_jitter: 0.5 }} {warp}",
        "polygons: true }",
    )
    untyped = f'data_param {{ source: "{folder}/untyped" backend: LMDB batch_size: 2 }}'
    return [
        *(_case("BoxData", f"data_param {{ {boxes} {side} }}") for side in ("", "side: 3")),
        _case("BoxData", f"data_param {{ {boxes} side: 3 side: 2 }}", tops=3),
        *_transformed(
            folder,
            "BoxData",
            f"data_param {{ {boxes} }}",
            ("scale: 0.5", *TRANSFORMS[2:], "force_gray: true"),
        ),
        *_transformed(
            folder,
            "BoxData",
            f"data_param {{ {boxes.replace('boxes', 'boxes_grey')} }}",
            ("force_color: true",),
        ),
        _case("AnnotatedData", source),
        *_transformed(folder, "AnnotatedData", source, transforms),
        *(_case("AnnotatedData", f"{source} annotated_data_param {{ {text}") for text in params),
        _case("AnnotatedData", f"{untyped} annotated_data_param {{ anno_type: BBOX }}"),
        *_transformed(folder, "AnnotatedData", untyped, ("force_color: true",)),
    ]


def _custom_data(folder: Path) -> list[Case]:
    try:
        import lmdb
    except ImportError:
        return []
    rng, shape = np.random.RandomState(3), (4, 6, 7)
    for name in ("coded", "plain"):
        with (
            lmdb.open(f"{folder}/{name}", map_size=2**20) as environment,
            environment.begin(write=True) as write,
        ):
            for i in range(7):
                count = 4 * 42 if name == "plain" else 42 + 2 * 2 * 42 + 6
                datum = Datum(channels=4, height=6, width=7, label=i, data=rng.bytes(count))
                write.put(f"{i:08d}".encode(), datum.SerializeToString())
    (folder / "chosen").write_text("1\n2 1\n1 1\n2\n1\n")
    (folder / "mean4").write_bytes(
        BlobProto(shape=BlobShape(dim=(1, *shape)), data=rng.uniform(0, 9, 168)).SerializeToString()
    )
    coded = "slice_point: 1 slice_point: 3 encoding: UINT8 encoding: UINT16FLOW encoding: BOOL1 batch_size: 2"
    source = f'source: "{folder}/coded" backend: LMDB {coded}'
    plain = f'source: "{folder}/plain" backend: LMDB batch_size: 2'
    chosen = f'preselection_file: "{folder}/chosen" preselection_label: 1'
    permuted = "rand_permute: true rand_permute_seed: 7"
    return [
        *(
            _case("CustomData", f"data_param {{ {source} {more} }}", tops=3)
            for more in (
                f"{chosen} {permuted} subtract: 3 subtract: 5 scale: 0.5",
                f"{permuted} block_size: 5 permute_every_iter: 1 range_start: 1 range_end: 5",
                "rand_permute: true rand_permute_order: FIRST_RANGE_THEN_PERMUTE range_end: 4",
            )
        ),
        _case("CustomData", f'data_param {{ {plain} mean_file: "{folder}/mean4" }}'),
    ]


def _image_data(folder: Path) -> list[Case]:
    source = f'source: "{folder}/list" root_folder: "{folder}/"'
    more = (
        "",
        "batch_size: 2 shuffle: true",
        "rand_skip: 4",
        "new_height: 3 new_width: 4",
        "is_color: false",
        "new_dim: 4",
        "new_dim: 4 bicubic: true",
        "min_height: 8 min_width: 12",
    )
    (folder / "paths").write_text("".join(f"{i}.png\n" for i in range(5)))
    (folder / "numbers").write_text("".join(f"{i}.png {0.5 * i} {-i} 3\n" for i in range(5)))
    paths, numbers = (source.replace("/list", f"/{name}") for name in ("paths", "numbers"))
    return [
        _case("ImageData", f"image_data_param {{ {paths} label: false }}", tops=1),
        *_like_image_data("MultiLabelImageData", folder, numbers, more),
        *_like_image_data("ImageFloatData", folder, numbers, more, "image_float_data_param { label_dim: 3 }"),
        _case(
            "ImageFloatData",
            f"image_data_param {{ {numbers} }} image_float_data_param {{ label_dim: 2 hard_sample: true }}",
            tops=3,
        ),
        *(_case("ImageData", f"image_data_param {{ {source} {params} }}") for params in more),
        *_transformed(folder, "ImageData", f"image_data_param {{ {source} }}", (*TRANSFORMS, *OF_IMAGES)),
    ]


def _like_image_data(
    type: str, folder: Path, source: str, more: tuple[str, ...], with_it: str = ""
) -> list[Case]:
    transforms = [
        text
        for text in TRANSFORMS
        if type == "MultiLabelImageData" or ("mi" not in text and "cr" not in text)
    ]
    return [
        *(_case(type, f"{with_it} image_data_param {{ {source} {params} }}") for params in more),
        *_transformed(
            folder,
            type,
            f"{with_it} image_data_param {{ {source} }}",
            (*transforms, "scale: 0.5", *(OF_IMAGES if type == "MultiLabelImageData" else ())),
        ),
    ]


def _image_pairs(folder: Path) -> list[Case]:
    maps = np.random.RandomState(8).randint(0, 256, (5, 6, 7)).astype(np.uint8)
    for i, pixels in enumerate(maps):
        cv2.imwrite(f"{folder}/map{i}.png", pixels)
    (folder / "pairs").write_text("".join(f"{i}.png map{i}.png\n" for i in range(5)))
    (folder / "classes").write_text("".join(f"{i}.png {i}\n" for i in range(5)))
    source = f'source: "{folder}/pairs" root_folder: "{folder}/"'
    more = (
        "batch_size: 2 shuffle: true",
        "rand_skip: 4 batch_size: 1",
        "new_height: 3 new_width: 4 batch_size: 1",
        "is_color: false batch_size: 1",
    )
    smaller = "new_height: 4 new_width: 6 batch_size: 1 label_divide_factor: 2 mirror: true"
    windows = "batch_size: 2 crop_height: 3 crop_width: 5"
    seg = ("label_type: NONE ignore_label: 7",)
    classes = source.replace("/pairs", "/classes")
    crops = ("scale_factors: 1.5 scale_factors: 0.5 crop_size: 5", "crop_height: 3 crop_width: 8")
    return [
        *(
            _case(type, f"{message} {{ {source} {params} }}")
            for type, message, params in (
                *(("ImageLabelmapData", "image_data_param", text) for text in (*more, "normalize: false")),
                *(("ImageSegData", "image_data_param", text) for text in (*more, *seg)),
                *(("DenseImageData", "dense_image_data_param", text) for text in (*more, smaller, windows)),
            )
        ),
        _case("ImageSegData", f"image_data_param {{ {classes} label_type: IMAGE }}"),
        *_transformed(folder, "ImageLabelmapData", f"image_data_param {{ {source} }}"),
        *_transformed(folder, "ImageSegData", f"image_data_param {{ {source} }}", (*TRANSFORMS[:3], *crops)),
        *_transformed(
            folder,
            "DenseImageData",
            f"dense_image_data_param {{ {source} batch_size: 1 }}",
            ("scale: 0.5", *TRANSFORMS[2:]),
        ),
    ]


def _window_data(folder: Path) -> list[Case]:
    windows = ("5 0.9 0 1 4 5", "3 0.6 1 0 6 3", "7 0.45 2 2 5 5", "1 0.2 3 1 6 4", "2 0.35 0 0 6 5")
    text = "".join(f"# {i}\n{i}.png\n3\n6\n7\n5\n" + "\n".join(windows) + "\n" for i in range(2))
    (folder / "windows").write_text(text)
    source = f'source: "{folder}/windows" root_folder: "{folder}/" batch_size: 7'
    more = (
        "scale: 0.5 fg_threshold: 0.4 bg_threshold: 0.3 fg_fraction: 0.6",
        "context_pad: 1 crop_mode: 'square' cache_images: true",
        "shuffle: false",
    )
    crop = "transform_param { crop_size: 4 }"
    return [
        *(_case("WindowData", f"window_data_param {{ {source} {params} }} {crop}") for params in more),
        *_transformed(
            folder,
            "WindowData",
            f"window_data_param {{ {source} }}",
            [f"crop_size: 4 {text.replace('scale: 0.5 crop_size: 4', '')}" for text in TRANSFORMS],
        ),
    ]


def of_detectnet(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """DetectNet's: of images 24 x 20, the number of objects and 16, then boxes with classes from 1 to 3."""
    label = np.zeros(shape)
    label[:, 0, 0, :2] = shape[2] - 1, 16
    n = shape[0], shape[2] - 1
    label[:, 0, 1:, :6] = np.stack(
        [
            rng.uniform(-4, 14, n),
            rng.uniform(-4, 10, n),
            rng.uniform(3, 14, n),
            rng.uniform(3, 14, n),
            rng.uniform(0, 1, n),
            rng.randint(1, 4, n),
        ],
        axis=-1,
    )
    label[:, 0, 1, 5] = 1
    return label


def pixels(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    return rng.randint(0, 256, shape)


def _detectnet(folder: Path) -> list[Case]:
    size = "image_size_x: 22 image_size_y: 18"
    never = " ".join(
        f"{name}_prob: 0" for name in ("crop", "scale", "flip", "rotation", "hue_rotation", "desaturation")
    )
    return [
        Case(
            f'type: "DetectNetTransformation" detectnet_groundtruth_param {{ {size} {label} }} '
            f"detectnet_augmentation_param {{ {drawn} }} transform_param {{ {transform} }}",
            [(2, 3, 20, 24), (2, 1, 4, 16)],
            fills=[pixels, of_detectnet],
            tops=2,
            phase=phase,
            gradient=False,
            note="nothing takes a gradient",
        )
        for phase, label, drawn, transform in (
            (TEST, "stride: 3 scale_cvg: 0.9 max_cvg_len: 2", "", ""),
            (TEST, "gridbox_type: GRIDBOX_MIN min_cvg_len: 9 obj_norm: true", "", "mean_value: 9"),
            (
                TEST,
                "crop_bboxes: false scale_cvg: 0.2 object_class { src: 2 dst: 1 } object_class { src: 3 dst: 0 }",
                "",
                "",
            ),
            (TRAIN, "", never, f'mean_file: "{folder}/mean"'),
            (
                TRAIN,
                "",
                "shift_x: 7 shift_y: 5 crop_prob: 0.9 scale_prob: 0.7 scale_min: 0.6 scale_max: 1.4",
                "",
            ),
            (
                TRAIN,
                "",
                "flip_prob: 0.6 rotation_prob: 0.9 max_rotate_degree: 20 hue_rotation_prob: 0.8 hue_rotation: 40 "
                "desaturation_prob: 0.9 desaturation_max: 0.8",
                "",
            ),
        )
    ]


def _data_heatmap(folder: Path) -> list[Case]:
    (folder / "segs").mkdir()
    for i in range(3):
        segments = np.eye(*cv2.imread(f"{folder}/{i}.png").shape[:2])
        cv2.imwrite(f"{folder}/segs/{i}.png", 255 * segments.astype(np.uint8))
    (folder / "joints").write_text("".join(f"{i}.png 1,2,3,4,5,6 0 {i % 2}\n" for i in range(3)))
    given = (
        f'source: "{folder}/joints" root_img_dir: "{folder}/" batchsize: 2 cropsize: 4 outsize: 7 label_width: 3 '
        "label_height: 5"
    )
    params = (
        "", "random_crop: true", "random_crop: true angle_max: 9", "random_crop: true flip_joint_labels: false",
        "segmentation: true", "multfact: 2", "sample_per_cluster: true", "labelinds: '1,2,3,4'", "scale: 0.5",
        "random_crop: true dont_flip_first: false labelinds: '1,2,3,4'",
    )  # fmt: skip
    return [_case("DataHeatmap", f"heatmap_data_param {{ {given} {text} }}") for text in params]


def _hdf5(folder: Path) -> list[Case]:
    try:
        import h5py
    except ImportError:
        return []
    with h5py.File(folder / "rows.h5", "w") as file:
        file["x"] = np.random.RandomState(6).standard_normal((5, 2, 3))
    (folder / "h5_list").write_text(f"{folder}/rows.h5\n")
    source = f'source: "{folder}/h5_list" batch_size: 2'
    return (
        _mil_data(folder)
        + [
            _case("HDF5Data", f'top: "x" hdf5_data_param {{ {source} {params} }}', tops=1)
            for params in ("", "shuffle: true")
        ]
        + [
            Case(
                f'type: "HDF5Output" hdf5_output_param {{ file_name: "{folder}/out.h5" }}',
                [(3, 2), (3,)],
                tops=0,
                gradient=False,
            )
        ]
    )


def _mil_data(folder: Path) -> list[Case]:
    """After _hdf5, which skips it without h5py."""
    import h5py

    with h5py.File(folder / "words.h5", "w") as file:
        for i in range(5):
            file[f"labels-{i}"] = np.arange(i, i + 3, dtype=np.float32).reshape(1, 1, 3, 1)
    (folder / "names").write_text("0 1 2\n3 4\n")
    given = f'source: "{folder}/names" label_file: "{folder}/words.h5" root_dir: "{folder}" ext: "png" n_classes: 3'
    params = ("", "randomize: false", "channels: 2", "num_scales: 2 scale_factor: 0.5")
    transforms = ("scale: 2", "mirror: true", "mean_value: 3 mean_value: 5 mean_value: 7")
    return [
        *(
            _case(
                "MILData",
                f"mil_data_param {{ {given} images_per_batch: 2 {text} }} transform_param {{ crop_size: 8 }}",
            )
            for text in params
        ),
        *(
            _case(
                "MILData",
                f"mil_data_param {{ {given} images_per_batch: 1 }} transform_param {{ crop_size: 8 {text} }}",
            )
            for text in transforms
        ),
    ]


def _mat(folder: Path) -> list[Case]:
    try:
        from scipy.io import savemat
    except ImportError:
        return []
    arrays = np.random.RandomState(7).standard_normal((4, 2, 3, 5)).astype(np.float32)
    for name, array in zip(("iter_0", "iter_1", "iter_2", "a"), arrays, strict=True):
        savemat(f"{folder}/{name}_blob_0.mat", {"data": array.T})
    (folder / "mat_list").write_text("a.png 3\niter_1.png 0\n")
    prefix = f'prefix: "{folder}/"'
    listed = f'{prefix} source: "{folder}/mat_list" strip: 4'
    return [
        _case("MatRead", f"mat_read_param {{ {params} }}", tops=1)
        for params in (prefix, listed, f"{listed} batch_size: 2")
    ] + [
        Case(
            f'type: "MatWrite" mat_write_param {{ prefix: "{folder}/out" }}', [(3, 2)], tops=0, gradient=False
        )
    ]


def _infogain(folder: Path) -> list[Case]:
    gains = BlobProto(shape=BlobShape(dim=[3, 3]), data=np.random.RandomState(7).standard_normal(9).tolist())
    (folder / "gains").write_bytes(gains.SerializeToString())
    layer = f'type: "InfogainLoss" infogain_loss_param {{ source: "{folder}/gains" }}'
    return [Case(layer, [(4, 3, 2), (4, 2)], fills=[unit, labels(3)])]


def _shifted(folder: Path) -> list[Case]:
    (folder / "shifts").write_text("0.5 -2\n3e-1\n")
    return [
        Case(f'type: "PowerFile" power_file_param {{ shift_file: "{folder}/shifts" }}', [(3, 2, 2)]),
        *(
            Case(
                f'type: "{name}Writer" writer_param {{ folder: "{folder}/flow" }}',
                [(2, channels, 3, 4)],
                tops=0,
                gradient=False,
            )
            for name, channels in (("FLO", 2), ("PFM", 1))
        ),
        Case(
            f'type: "Mean" mean_param {{ operation: ADD file: "{folder}/mean" }}',
            [(2, 6, 6, 7)],
            gradient=False,
        ),
    ]


def _evaluated(folder: Path) -> list[Case]:
    (folder / "sizes").write_text("a 3 5\nb 4 2\n")
    return [
        Case(
            f'type: "DetectionEvaluate" detection_evaluate_param {{ num_classes: 3 overlap_threshold: 0.4 '
            f'background_label_id: 9 name_size_file: "{folder}/sizes" {resize} }}',
            [(1, 1, 41, 7), (1, 1, 17, 8)],
            fills=[detections(3, 3), objects(3, 3)],
            gradient=False,
        )
        for resize in ("", "resize_param { resize_mode: FIT_LARGE_SIZE_AND_PAD height: 20 width: 12 }")
    ]


def _arrays() -> list[Case]:
    python = "python_param { module: 'roi_data_layer.layer' layer: 'RoIDataLayer' param_str: \"'num_classes': 3\" }"
    return [
        _case("MemoryData", "memory_data_param { batch_size: 2 channels: 3 height: 4 width: 5 }"),
        _case("Input", "input_param { shape { dim: 2 dim: 3 } }"),
        _case("RoIData", "roi_data_param { num_classes: 3 }", tops=3),
        _case("Python", python, tops=3, phase=TEST),
        _case("RoIData", python, tops=3, phase=TRAIN),
    ]
