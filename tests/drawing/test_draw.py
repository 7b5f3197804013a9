"""caffe-compat draw: every layer is in the picture, boxes do not overlap, edges are where they belong."""

import json
import re
import struct
from itertools import combinations
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from browser import browser
from commands import run
from processes import python

from caffe_compat.drawing.png import LETTER
from caffe_compat.prototxt import zoo

NETS = ("vgg_cnn_m_1024_fast_rcnn_ohem_train", "googlenet_deploy", "siamese")
SIAMESE = """\
name: "siamese & <co>"
layer { name: "in" type: "Input" top: "a" top: "b" top: "y"
        input_param { shape { dim: 4 dim: 3 } shape { dim: 4 dim: 3 } shape { dim: 4 } } }
layer { name: "left" type: "InnerProduct" bottom: "a" top: "fa" param { name: "w" }
        inner_product_param { num_output: 5 } }
layer { name: "right" type: "InnerProduct" bottom: "b" top: "fb" param { name: "w" }
        inner_product_param { num_output: 5 } }
layer { name: "a<b" type: "ReLU" bottom: "fb" top: "fb" }
layer { name: "loss" type: "ContrastiveLoss" bottom: "fa" bottom: "fb" bottom: "y" top: "loss" }
layer { name: "stop" type: "Silence" bottom: "fa" }
"""
SVG = "{http://www.w3.org/2000/svg}"


def command(*args):
    done = run("caffe_compat.cli.main", *args)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module", params=NETS)
def drawn(request, tmp_path_factory):
    """A drawn net, as an ElementTree, and what explain says about it."""
    folder = tmp_path_factory.mktemp("net")
    net = folder / "siamese.prototxt"
    net.write_text(SIAMESE)
    if request.param != "siamese":
        net = zoo.path(request.param)
    out = folder / "net.svg"
    command("draw", net, "-o", out)
    return ElementTree.parse(out).getroot(), json.loads(command("explain", net, "--json"))


def boxes(root):
    """First layer's name -> (left, top, right, bottom)."""
    found = {}
    for group in root.iter(f"{SVG}g"):
        layer = group.find(f"{SVG}g[@data-layer]")
        if layer is not None:
            x, y, width, height = (float(group[0].get(k)) for k in ("x", "y", "width", "height"))
            found[layer.get("data-layer")] = x, y, x + width, y + height
    return found


def edges(root):
    return [path for path in root.iter(f"{SVG}path") if path.get("data-source")]


def numbers(path):
    return [float(text) for text in re.findall(r"-?[\d.]+", path.get("d"))]


def test_every_layer_is_there_once(drawn):
    root, facts = drawn
    names = [group.get("data-layer") for group in root.iter(f"{SVG}g") if group.get("data-layer")]
    assert sorted(names) == sorted(layer["name"] for layer in facts["layers"])
    texts = {"".join(text.itertext()) for text in root.iter(f"{SVG}text")}
    assert all(f"{layer['name']}\n{layer['type']}" in texts for layer in facts["layers"])
    assert {facts["phase"], f"propagate_down {facts['meaning']}"} <= texts


def test_boxes_are_disjoint_and_within_the_picture(drawn):
    root, _ = drawn
    found = boxes(root)
    for (a, one), (b, other) in combinations(found.items(), 2):
        apart = one[2] < other[0] or other[2] < one[0] or one[3] < other[1] or other[3] < one[1]
        assert apart, (a, b)
    width, height = float(root.get("width")), float(root.get("height"))
    assert all(x0 >= 0 and y0 >= 0 and x1 <= width and y1 <= height for x0, y0, x1, y1 in found.values())


def test_edges_run_from_box_to_box_and_past_the_others(drawn):
    root, _ = drawn
    found = boxes(root)
    for path in edges(root):
        x0, y0, *_, x1, y1 = numbers(path)
        source, target = found[path.get("data-source")], found[path.get("data-target")]
        assert source[0] <= x0 <= source[2] and 0 <= y0 - source[3] <= 8  # 8: an arrow head
        assert target[0] <= x1 <= target[2] and 0 <= target[1] - y1 <= 8
        for x, top, bottom in re.findall(r"([\d.]+) ([\d.]+)V([\d.]+)", path.get("d")):
            for left, upper, right, lower in found.values():
                beside = not left <= float(x) <= right
                assert beside or float(bottom) < upper or lower < float(top)


def test_edges_are_the_bottoms_and_bold_where_gradient_flows(drawn):
    root, facts = drawn
    box_of = {}
    for group in root.iter(f"{SVG}g"):
        layers = [layer.get("data-layer") for layer in group.findall(f"{SVG}g[@data-layer]")]
        box_of.update(dict.fromkeys(layers, layers[0] if layers else ""))
    expected = {}
    for layer in facts["layers"]:
        for bottom in layer["bottoms"]:
            source, target = box_of[bottom["source"]], box_of[layer["name"]]
            if source != target:
                key = source, target, bottom["blob"]
                expected[key] = expected.get(key, False) or bottom["gradient"]
    got = {
        (path.get("data-source"), path.get("data-target"), blob): "gradient" in path.get("class").split()
        for path in edges(root)
        for blob in path.get("data-blob").split()
    }
    assert got == expected


@pytest.mark.parametrize("drawn", NETS[:1], indirect=True)
def test_what_the_ohem_net_shows_at_a_glance(drawn):
    root, _ = drawn
    kinds = {
        group[1].get("data-layer"): group.get("class") for group in root.iter(f"{SVG}g") if len(group) > 1
    }
    assert {name for name, kind in kinds.items() if kind == "box readonly"} == {
        "roi_pool5_readonly", "fc6_readonly", "fc7_readonly", "cls_score_readonly", "bbox_pred_readonly",
        "cls_prob_readonly", "hard_roi_mining",
    }  # fmt: skip
    assert kinds["fc6"] == kinds["conv2"] == "box backward" and kinds["conv1"] == "box plain"
    texts = {text.get("class"): [] for text in root.iter(f"{SVG}text")}
    for text in root.iter(f"{SVG}text"):
        texts[text.get("class")].append("".join(text.itertext()))
    assert "frozen 96x3x7x7 96" in texts["params"]
    assert texts["params"].count("fc6_w 4096x18432 fc6_b 4096") == 2
    assert "2x512x36x61" in texts["label"]
    links = [path for path in root.iter(f"{SVG}path") if path.get("class") == "link"]
    assert len(links) == 5  # fc6, fc7, cls_score, bbox_pred, and the legend's


def test_png(tmp_path):
    svg, png = tmp_path / "net.svg", tmp_path / "net.png"
    net = zoo.path("lenet")
    command("draw", net, "-o", svg, "--phase", "test")
    resvg = pytest.importorskip("resvg_py")
    if len(resvg.svg_to_bytes(svg_string=LETTER)) == len(
        resvg.svg_to_bytes(svg_string=LETTER.replace("M", ""))
    ):
        pytest.skip("no font for a PNG")
    command("draw", net, "-o", png, "--phase", "test")
    root = ElementTree.parse(svg).getroot()
    size = struct.unpack(">II", png.read_bytes()[16:24])
    assert size == (int(root.get("width")), int(root.get("height")))
    image = cv2.imread(str(png))
    assert (image[0, 0] == 255).all()
    left, top, right, bottom = (round(v) for v in boxes(root)["conv1"])
    assert np.ptp(image[top + 2 : bottom - 2, left + 4 : right - 4]) > 150  # letters on a light ground


def test_png_without_a_font(tmp_path):
    pytest.importorskip("resvg_py")
    done = python(
        """
        import sys
        from caffe_compat.drawing import png
        png.LETTER = png.LETTER.replace("Helvetica,Arial,'DejaVu Sans',sans-serif", "'No Such Font'")
        from caffe_compat.cli.main import main
        sys.exit(main(["draw", *sys.argv[1:]]))
        """,
        zoo.path("lenet"), "-o", tmp_path / "net.png",
    )  # fmt: skip
    assert done.returncode == 1
    assert "fonts-dejavu-core" in done.stderr and not list(tmp_path.iterdir())


def test_png_without_its_library(tmp_path):
    done = python(
        """
        import sys
        sys.modules["resvg_py"] = None
        from caffe_compat.cli.main import main
        sys.exit(main(["draw", *sys.argv[1:]]))
        """,
        zoo.path("lenet"), "-o", tmp_path / "net.png",
    )  # fmt: skip
    assert done.returncode == 1
    assert "pip install 'caffe-compat[png]'" in done.stderr and not list(tmp_path.iterdir())


def test_other_endings_are_refused(tmp_path):
    done = run("caffe_compat.cli.main", "draw", zoo.path("lenet"), "-o", tmp_path / "net.pdf")
    assert done.returncode == 2 and "does not end in .svg, .html, .png" in done.stderr


def test_page_in_a_browser(tmp_path):
    net, page = tmp_path / "siamese.prototxt", tmp_path / "net.html"
    net.write_text(SIAMESE)
    command("draw", net, "-o", page)
    with browser() as driver:
        driver.get(page.as_uri())
        assert driver.find_element("tag name", "h1").text == "siamese & <co>"
        cards = driver.find_element("class name", "facts").text.split()
        assert cards == ["params", "25", "layers", "6", "phase", "TRAIN", "propagate_down", "replaces"]
        assert "this net would be the same" in driver.find_element("class name", "note").text
        rows = [row.text for row in driver.find_elements("css selector", "tr[data-layer]")]
        assert rows[1] == "left InnerProduct 4x5 5x3\n5 flows"
        told = driver.find_element("id", "details")
        driver.find_element("css selector", '.graph [data-layer="right"]').click()
        assert told.text.splitlines()[0] == "right InnerProduct"
        assert "bottoms\nb\n" in told.text and "fb 4x5" in told.text and f"{net}:6" in told.text
        assert "owned by left[0], shared by right[0]" in told.text
        driver.find_element("css selector", '.graph [data-layer="a<b"]').click()
        assert told.text.startswith("a<b ReLU")
        chosen = driver.find_elements("class name", "chosen")
        assert [(one.tag_name, one.get_attribute("data-layer")) for one in chosen] == [
            ("g", "a<b"), ("tr", "a<b"),
        ]  # fmt: skip
        driver.get(page.as_uri() + "#loss")
        driver.refresh()
        assert driver.find_element("id", "details").text.startswith("loss ContrastiveLoss")
        assert driver.get_log("browser") == []
