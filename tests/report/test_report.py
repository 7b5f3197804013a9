"""Pages of runs, trainings and comparisons: the commands run, the pages open in a browser."""

import base64
import csv
import json
import re

import cv2
import numpy as np
import pytest
from browser import browser
from commands import run, run_prototxt
from planting import ROOT, SMALL, edited, load, record, save, small_inputs

from caffe_compat.fast_rcnn.config import Config
from caffe_compat.report import curve
from caffe_compat.report.histogram import BINS, Histogram
from caffe_compat.solvers import Iteration

OHEM = ROOT / "prototxt" / "zoo" / "shapes_ohem_train.prototxt"
SOLVER = """
net: "net.prototxt" base_lr: 0.01 lr_policy: "step" gamma: 0.5 stepsize: 4 max_iter: 9 average_loss: 3
snapshot_after_train: false
"""


@pytest.fixture(scope="module")
def chromium():
    with browser() as driver:
        yield driver


def opened(driver, path):
    driver.get(path.as_uri())
    assert driver.get_log("browser") == []
    return driver


def click(driver, layer):
    """Click on a layer's row; returns what the page tells of it, by data-number."""
    row = next(
        r
        for r in driver.find_elements("css selector", "tr[data-layer]")
        if r.get_dom_attribute("data-layer") == layer
    )
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", row)
    row.click()
    told = driver.find_elements("css selector", "#details [data-number]")
    return {one.get_dom_attribute("data-number"): one for one in told}


def value(element):
    return json.loads(element.get_dom_attribute("data-value"))


def embedded(path):
    """The numbers within a page."""
    text = path.read_text(encoding="utf-8")
    return json.loads(
        re.search(r'<script type="application/json" id="numbers">(.*?)</script>', text, re.DOTALL)[1]
    )


def assert_alone(path):
    """A page asks for nothing outside of it."""
    text = path.read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', text) == []
    assert "@import" not in text and not re.search(r"url\((?!#)", text)


# ---- a run ----------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def ohem(tmp_path_factory):
    """The page, the JSON and the arrays of one run of a small OHEM net."""
    folder = tmp_path_factory.mktemp("run")
    args = ("--seed", 2, "--html", "page.html", "--json", "--dump", "blobs.npz")
    done = run_prototxt(OHEM, *args, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "page.html", json.loads(done.stdout), load(folder / "blobs.npz")


@pytest.mark.parametrize(
    "layer, blob", [("conv2", None), ("pool2", "pool2"), ("roi_pool4_readonly", "pool4_readonly")]
)
def test_a_click_on_a_layer_shows_the_numbers_of_the_run(ohem, chromium, layer, blob):
    page, result, arrays = ohem
    told = click(opened(chromium, page), layer)
    ran = next(one for one in result["layers"] if one["name"] == layer)
    assert told["name"].text == f"{layer} {ran['type']}"
    assert value(told["forward_ms"]) == ran["forward_ms"]
    assert told["forward_ms"].text == f"{ran['forward_ms']:.2f} ms"
    assert told["gradient"].text == (ran["reason"] or "flows")
    if ran["backward_ms"] is None:
        assert "backward_ms" not in told and "top.0.gradient" not in told
    else:
        assert value(told["backward_ms"]) == ran["backward_ms"]
    line = OHEM.read_text().splitlines()[int(told["place"].text.rpartition(":")[2]) - 1]
    assert line.startswith("layer")
    for key, name in [("top.0.data", f"data:{blob}"), ("top.0.gradient", f"diff:{blob}")] if blob else []:
        if key in told:
            assert_holds(told[key], arrays[name])
    assert ("fc6_readonly" in driver_text(chromium)) == (layer == "roi_pool4_readonly")  # run at once
    if layer == "conv2":
        assert_holds(told["param.0.data"], arrays["param:conv2:0"])
        assert_holds(told["param.1.gradient"], arrays["pdiff:conv2:1"])
        assert value(told["top.0.data"])[0] < 0 == arrays["data:conv2"].min()  # before the ReLU in place


def driver_text(driver):
    return driver.find_element("css selector", "#details .pairs").text


def assert_holds(told, array):
    least, greatest, mean = value(told)
    assert (least, greatest) == (array.min(), array.max())
    assert mean == pytest.approx(array.mean(dtype=np.float64), rel=1e-6, abs=1e-12)
    assert re.match(r"\S+ to \S+, mean ", told.text)


def test_a_click_in_the_graph_and_the_arrow_keys_choose_too(ohem, chromium):
    driver = opened(chromium, ohem[0])
    driver.find_element("css selector", '.graph [data-layer="fc7"]').click()
    assert driver.find_element("css selector", "#details h2").text == "fc7 InnerProduct"
    assert driver.find_element("css selector", "tr.chosen").get_dom_attribute("data-layer") == "fc7"
    story = driver.find_element("css selector", "#details .story").text.splitlines()
    assert story[0] == "backward runs" and "owned by fc7_readonly[0], shared by fc7[0]" in story
    driver.find_element("css selector", "tr.chosen").send_keys("\ue015")  # arrow down
    assert driver.find_element("css selector", "#details h2").text == "relu7 ReLU"
    assert driver.current_url.endswith("#relu7")


def test_hard_rois(ohem, chromium):
    page, result, arrays = ohem
    driver, (hard,) = opened(chromium, page), result["hard_rois"]
    rows = driver.find_elements("css selector", "tr[data-class]")
    kept = {
        r.get_dom_attribute("data-class"): int(r.find_elements("css selector", "td")[3].text) for r in rows
    }
    assert {label: count for label, count in kept.items() if count} == hard["labels"]
    boxes = driver.find_elements("css selector", ".photos rect")
    assert len(boxes) == hard["kept"] == 64
    corners = {tuple(round(float(b.get_dom_attribute(n)), 1) for n in "xy") for b in boxes}
    assert corners == {(round(float(x), 1), round(float(y), 1)) for _, x, y, _, _ in arrays["data:rois_hard"]}
    label = next(label for label in hard["labels"] if label != "0")
    driver.execute_script(
        "arguments[0].click()", next(r for r in rows if r.get_dom_attribute("data-class") == label)
    )
    assert sum(box.is_displayed() for box in boxes) == hard["labels"][label]


def test_the_photo_is_what_the_net_saw(ohem):
    page, _, arrays = ohem
    jpeg = re.search(r"data:image/jpeg;base64,([^\"]+)", page.read_text())[1]
    photo = cv2.imdecode(np.frombuffer(base64.b64decode(jpeg), np.uint8), cv2.IMREAD_COLOR)
    pixels = arrays["data:data"][0].transpose(1, 2, 0) + Config().PIXEL_MEANS
    assert photo.shape == pixels.shape
    assert (
        np.abs(photo.mean((0, 1)) - np.clip(pixels, 0, 255).mean((0, 1))).max() < 1
    )  # channels in their order
    assert_alone(page)
    assert page.stat().st_size < 1e6


# ---- a comparison ---------------------------------------------------------------------------------------------
def test_a_comparison_opens_at_the_layer_that_differs(tmp_path, chromium):
    save(tmp_path / "inputs.npz", small_inputs())
    other = edited(tmp_path / "other.prototxt", "alpha: 0.3", "alpha: 0.9")
    recording = record(tmp_path, other, "--seed", 3, "--inputs", tmp_path / "inputs.npz")
    arrays = save(recording, {**load(recording), "prototxt": np.array(SMALL.read_text())})
    page = tmp_path / "page.html"
    done = run("caffe_compat.cli.main", "diff", SMALL, "--against", arrays, "--json", "--all", "--html", page)
    assert done.returncode == 1, done.stderr
    result = json.loads(done.stdout)
    driver = opened(chromium, page)
    assert driver.find_element("css selector", "#details h2").text == "norm1 LRN"
    for place in ("tr", ".graph"):
        marked = driver.find_elements("css selector", f"{place} .different, {place}.different")
        assert [one.get_dom_attribute("data-layer") for one in marked] == ["norm1"]
    assert "it does not divide alpha by n" in driver.find_element("css selector", ".divergence").text
    for layer in ("norm1", "conv2"):
        told = click(driver, layer)
        mine = [(n, row) for n, row in enumerate(result["rows"]) if row["layer"] == layer]
        assert mine
        for n, row in mine:
            assert value(told[f"row.{n}"]) == row["error"]["max_error"]
        n = next(n for n, row in mine if row["stage"] == "data")
        assert_holds(
            told[f"there.{n}"], load(recording)["data@conv2:conv2" if layer == "conv2" else "data:norm1"]
        )
    assert_alone(page)


def test_a_comparison_of_other_shapes(tmp_path, chromium):
    other = edited(tmp_path / "other.prototxt", "pool: MAX", "pool: MAX round_mode: FLOOR")
    page = tmp_path / "page.html"
    done = run("caffe_compat.cli.main", "diff", SMALL, "--against", other, "--all", "--html", page, "--quiet")
    assert done.returncode == 1, done.stderr
    driver = opened(chromium, page)
    assert driver.find_element("css selector", "#details h2").text == "pool1 Pooling"
    assert "has the shape 2x8x9x11 there" in driver.find_element("css selector", "#details .cause").text
    shown = [one.is_displayed() for one in driver.find_elements("css selector", ".divergence")]
    assert shown[:3] == [True] * 3 and len(shown) > 3 and not any(shown[3:])
    driver.find_element("css selector", "summary").click()
    assert driver.find_elements("css selector", ".divergence")[-1].is_displayed()


# ---- a training -----------------------------------------------------------------------------------------------
def test_a_training_has_the_curve_of_its_metrics(tmp_path, chromium):
    (tmp_path / "net.prototxt").write_text(SMALL.read_text())
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    args = ("--metrics", "m.csv", "--html", "page.html", "--seed", 1)
    done = run_prototxt("solver.prototxt", *args, cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.endswith("wrote page.html\n"), done.stderr
    with open(tmp_path / "m.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    points = embedded(tmp_path / "page.html")["curve"]
    assert points["iter"] == list(range(9))
    assert points["least"] == points["greatest"] == [float(row["loss"]) for row in rows]
    assert points["average"] == [float(row["smoothed_loss"]) for row in rows]
    assert points["lr"] == [float(row["lr"]) for row in rows]
    driver = opened(chromium, tmp_path / "page.html")
    place = driver.find_element("css selector", "#curve svg")
    from selenium.webdriver import ActionChains

    ActionChains(driver).move_to_element(place).perform()
    reading = driver.find_element("id", "reading").text
    assert reading.startswith("iteration 4: loss ") and reading.endswith("learning rate 0.005")
    assert value(click(driver, "conv1")["param.0.data"])[0] < 0
    assert_alone(tmp_path / "page.html")


def test_a_curve_has_few_points_and_loses_no_peak():
    losses = np.random.RandomState(0).uniform(1, 2, 5000)
    losses[3210] = 9
    points = curve.points([Iteration(i, loss, 1.5, 0.1, 0.2) for i, loss in enumerate(losses)])
    assert len(points["iter"]) <= curve.POINTS and points["iter"][-1] == 4999
    assert max(points["greatest"]) == 9 and min(points["least"]) == losses.min()
    assert curve.points([])["iter"] == []


# ---- what may go wrong ----------------------------------------------------------------------------------------
EVIL = (
    "</script><script>document.title='caught'</script><img src=x onerror=document.title='caught'>\\\"'&amp;"
)


def test_names_are_text_and_nothing_else(tmp_path, chromium):
    name = EVIL.replace('\\"', '"')
    (tmp_path / "net.prototxt").write_text(
        f"""name: "{EVIL}"
layer {{ name: "{EVIL}" type: "DummyData" top: "{EVIL}top" dummy_data_param {{ shape {{ dim: 2 dim: 3 }} }} }}
layer {{ name: "power" type: "Power" bottom: "{EVIL}top" top: "out" }}"""
    )
    done = run_prototxt("net.prototxt", "--html", "page.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    driver = opened(chromium, tmp_path / "page.html")
    assert driver.title == name
    assert driver.find_elements("css selector", "img") == []
    assert click(driver, name)["name"].text == f"{name} DummyData"
    assert driver.title == name


def test_a_net_without_layers(tmp_path, chromium):
    (tmp_path / "net.prototxt").write_text('name: "nothing"')
    done = run_prototxt("net.prototxt", "--html", "page.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert opened(chromium, tmp_path / "page.html").title == "nothing"


def test_values_that_are_not_finite_are_shown(tmp_path, chromium):
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }\n'
        'layer { name: "log" type: "Log" bottom: "x" top: "y" }'
    )
    save(tmp_path / "in.npz", {"x": np.array([[1, 0, -1], [1, 1, 1]], np.float32)})
    done = run_prototxt("net.prototxt", "--inputs", "in.npz", "--html", "page.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    text = click(opened(chromium, tmp_path / "page.html"), "log")["top.0.data"].text
    assert "16.67 % NaN" in text and "16.67 % infinite" in text


def test_a_page_that_cannot_be_written_is_an_error_before_the_run(tmp_path):
    done = run_prototxt(SMALL, "--html", tmp_path / "nowhere" / "page.html")
    assert done.returncode != 0 and "iteration" not in done.stdout
    assert done.stderr.startswith(
        f"{tmp_path}/nowhere/page.html: error: cannot be written: there is no folder"
    )


# ---- histograms -----------------------------------------------------------------------------------------------
def test_histogram_against_numpy():
    array = np.random.RandomState(4).standard_normal((3, 5, 701)).astype(np.float32)
    array[0, :, :100], array[1, 2, 3], array[2, 4, 600], array[2, 4, 601] = 0, np.nan, np.inf, -np.inf
    finite = array[np.isfinite(array)].astype(np.float64)
    got = Histogram.of(array)
    assert (got.count, got.zeros, got.nan, got.inf) == (array.size, 500, 1, 2)
    assert (got.least, got.greatest) == (finite.min(), finite.max())
    assert got.mean == pytest.approx(finite.mean()) and got.std == pytest.approx(finite.std())
    want, _ = np.histogram(finite[finite != 0], BINS, (finite.min(), finite.max()))
    assert np.abs(np.array(got.bins) - want).sum() <= 2  # a value on an edge may round to either side
    assert sum(got.bins) == finite.size - 500


@pytest.mark.parametrize("array", [np.zeros((0, 3)), np.full(4, np.nan), np.full((2, 3), 7)])
def test_histogram_of_arrays_without_a_range(array):
    got = Histogram.of(array.astype(np.float32))
    assert got.bins == [] and got.mean in (None, 7) and (got.least is None) == (got.mean is None)
