"""A solver that reads images goes on from a snapshot exactly as if it had never stopped."""

import cv2
import numpy as np

import caffe_compat


def test_images_shuffled_cropped_and_mirrored(tmp_path):
    pixels = np.random.RandomState(0).randint(0, 256, (7, 9, 10, 3)).astype(np.uint8)
    for i, image in enumerate(pixels):
        cv2.imwrite(f"{tmp_path}/{i}.png", image)
    (tmp_path / "list").write_text("".join(f"{i}.png {i % 3}\n" for i in range(7)))
    (tmp_path / "net.prototxt").write_text(
        f"""
        layer {{ name: "d" type: "ImageData" top: "data" top: "label"
          image_data_param {{ source: "{tmp_path}/list" root_folder: "{tmp_path}/" batch_size: 3 shuffle: true }}
          transform_param {{ mirror: true crop_size: 6 scale: 0.01 }} }}
        layer {{ name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
          inner_product_param {{ num_output: 3 weight_filler {{ type: "xavier" }} }} }}
        layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }}
        """
    )
    (tmp_path / "solver.prototxt").write_text(
        f'net: "{tmp_path}/net.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 20 momentum: 0.9 '
        f'snapshot_prefix: "{tmp_path}/snap" random_seed: 5'
    )
    going_on = caffe_compat.SGDSolver(str(tmp_path / "solver.prototxt"))
    going_on.step(5)
    going_on.snapshot()
    going_on.step(6)
    resumed = caffe_compat.SGDSolver(str(tmp_path / "solver.prototxt"))
    resumed.restore(str(tmp_path / "snap_iter_5.solverstate"))
    resumed.step(6)
    for name in ("data", "label"):
        np.testing.assert_array_equal(resumed.net.blobs[name].data, going_on.net.blobs[name].data)
    np.testing.assert_array_equal(resumed.net.params["ip"][0].data, going_on.net.params["ip"][0].data)
