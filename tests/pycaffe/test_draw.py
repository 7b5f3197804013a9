"""Graphs of nets by pydot; pictures where Graphviz's dot is installed."""

from __future__ import annotations

import shutil

import pytest

import caffe_compat as caffe
from caffe_compat.prototxt.reader import parse_net
from caffe_compat.pycaffe import draw

NET = """
name: "small"
layer { name: "data" type: "Data" top: "data" data_param { batch_size: 7 } include { phase: TRAIN } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "a/b:0" param { lr_mult: 3 }
        convolution_param { num_output: 9 kernel_size: 5 stride: 2 pad: 1 } }
layer { name: "relu" type: "ReLU" bottom: "a/b:0" top: "a/b:0" }
layer { name: "pool" type: "Pooling" bottom: "a/b:0" top: "pool" pooling_param { pool: AVE kernel_size: 3 } }
"""


def net():
    return parse_net(NET)[0]


def test_labels():
    data, conv, _, pool = net().layer
    assert draw.get_layer_label(conv, "TB", display_lrm=True) == (
        '"conv (Convolution) kernel size: 5 stride: 2 pad: 1 lr mult: 3.0, 1.0"'
    )
    assert draw.get_layer_label(pool, "LR") == r'"pool\n(Pooling AVE)\nkernel size: 3\nstride: 1\npad: 0"'
    assert [draw.get_edge_label(layer) for layer in (data, conv, pool)] == ["Batch 7", "9", '""']
    assert draw.choose_color_by_layertype("Pooling") != draw.choose_color_by_layertype("ReLU")
    with pytest.raises(ValueError, match="Pooling layers"):
        draw.get_layer_lr_mult(pool)


def test_the_graph():
    pytest.importorskip("pydot")
    graph = draw.get_pydot_graph(net(), "LR")
    assert len(graph.get_nodes()) == 4 + 3 and len(graph.get_edges()) == 1 + 2 + 2 + 2
    assert len(draw.get_pydot_graph(net(), "LR", phase=caffe.TEST).get_nodes()) == 3 + 3
    raw = draw.draw_net(net(), "TB", "raw").decode()
    assert "rankdir=TB" in raw and '"a/b:0"' in raw and "label=9" in raw


def test_a_file(tmp_path):
    pytest.importorskip("pydot")
    draw.draw_net_to_file(net(), tmp_path / "net.raw")
    assert (tmp_path / "net.raw").read_text().startswith("digraph")
    if shutil.which("dot"):
        draw.draw_net_to_file(net(), str(tmp_path / "net.png"))
        assert (tmp_path / "net.png").read_bytes().startswith(b"\x89PNG")


def test_without_dot(monkeypatch):
    pytest.importorskip("pydot")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(caffe.CaffeCompatError, match="'dot' is not installed"):
        draw.draw_net(net(), "LR")


def test_without_pydot(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pydot", None)
    with pytest.raises(caffe.CaffeCompatError, match=r"pip install 'caffe-compat\[draw\]'"):
        draw.draw_net(net(), "LR")
