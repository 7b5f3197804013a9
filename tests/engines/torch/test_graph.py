"""The torch engine's one graph, against the strict engine and against itself layer by layer."""

import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import caffe_compat as caffe  # noqa: E402
from caffe_compat.engines.torch.graph import Graph  # noqa: E402
from caffe_compat.errors import CaffeCompatError  # noqa: E402

# in place, split, shared params, a bottom switched off, losses, one weighted, layers without a torch counterpart
NET = """\
layer { name: "x" type: "Input" top: "x" top: "t" top: "u" top: "n"
        input_param { shape { dim: 3 dim: 2 dim: 7 dim: 5 } shape { dim: 3 dim: 4 } shape { dim: 3 dim: 4 }
                      shape { dim: 3 } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "conv"
        convolution_param { num_output: 6 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "tanh" type: "TanH" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: STOCHASTIC kernel_size: 1 } }
layer { name: "a" type: "InnerProduct" bottom: "pool" top: "a" param { name: "w" } param { name: "b" }
        inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "a" top: "a" relu_param { negative_slope: 0.2 } }
layer { name: "b" type: "InnerProduct" bottom: "pool" top: "b" param { name: "w" } param { name: "b" }
        propagate_down: false inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "bias" type: "Bias" bottom: "b" top: "c" bias_param { num_axes: 0 } }
layer { name: "one" type: "EuclideanLoss" bottom: "a" bottom: "t" top: "one" }
layer { name: "two" type: "EuclideanLoss" bottom: "c" bottom: "u" top: "two" loss_weight: 0.3 }
layer { name: "e" type: "Embed" bottom: "n" top: "e"
        embed_param { input_dim: 5 num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "three" type: "EuclideanLoss" bottom: "e" bottom: "t" top: "three" }
"""


def net_of(tmp_path, engine, text=NET, compiled=False):
    path = tmp_path / "net.prototxt"
    path.write_text(text)
    caffe.set_random_seed(2)
    net = caffe.Net(path, caffe.TRAIN, engine=engine, compiled=compiled)
    rng = np.random.RandomState(4)
    for name in net.inputs:
        net.blobs[name].data[...] = rng.standard_normal(net.blobs[name].shape)
    net.blobs["n"].data[...] = 4, 0, 4
    return net


def results(net):
    arrays = {f"data {name}": blob.data.copy() for name, blob in net.blobs.items()}
    arrays |= {f"diff {name}": blob.diff.copy() for name, blob in net.blobs.items()}
    for name, blobs in net.params.items():
        arrays |= {f"pdiff {name}:{j}": blob.diff.copy() for j, blob in enumerate(blobs)}
    return arrays


def assert_same(got, want):
    assert got.keys() == want.keys()
    for key, value in want.items():
        np.testing.assert_allclose(got[key], value, rtol=1e-4, atol=1e-6, err_msg=key)


@pytest.fixture
def at_once(monkeypatch):
    """How often backward went through the whole graph."""
    times = []
    whole = Graph._backward_at_once
    monkeypatch.setattr(Graph, "_backward_at_once", lambda graph: (times.append(1), whole(graph))[1])
    return times


@pytest.mark.filterwarnings("ignore:no torch counterpart")
def test_at_once_layer_by_layer_and_the_strict_engine_agree(tmp_path, at_once):
    want = net_of(tmp_path, "strict")
    want.forward()
    want.backward()
    got = net_of(tmp_path, "torch")
    got.forward()
    got.backward()
    assert at_once
    assert_same(results(got), results(want))

    seen = []
    listened = net_of(tmp_path, "torch")
    listened.after_backward(seen.append)
    listened.forward()
    listened.backward()
    assert len(at_once) == 1 and seen == [
        i for i in reversed(range(len(want.layers))) if want.plan[i].need_backward
    ]
    assert_same(results(listened), results(want))

    in_parts = net_of(tmp_path, "torch")
    in_parts.forward(end="pool")
    in_parts.forward(start=in_parts.layer_names[in_parts.layer_names.index("pool") + 1])
    in_parts.backward(end="one")
    in_parts.backward(start=in_parts.layer_names[in_parts.layer_names.index("one") - 1])
    assert len(at_once) == 1
    assert_same(results(in_parts), results(want))


@pytest.mark.filterwarnings("ignore:no torch counterpart")
def test_params_add_up_and_a_seed_that_somebody_writes_counts(tmp_path, at_once):
    nets = [net_of(tmp_path, engine) for engine in ("strict", "torch", "torch")]
    nets[2].after_backward(lambda i: None)
    for net in nets:
        net.forward()
        net.backward()
        net.blobs["two"].diff[...] = 5
        net.backward()
    assert len(at_once) == 2
    assert_same(results(nets[1]), results(nets[0]))
    assert_same(results(nets[2]), results(nets[0]))


@pytest.mark.filterwarnings("ignore:no torch counterpart")
def test_what_a_listener_writes_counts(tmp_path):
    nets = [net_of(tmp_path, engine, NET.replace("STOCHASTIC", "MAX")) for engine in ("strict", "torch")]
    for net in nets:
        index = net.layer_names.index("conv")

        def change(i, net=net, index=index):
            if i == index:
                net.blobs["conv"].data[:, 1] = 0.25

        net.after_forward(change)
        net.forward()
        net.backward()
    assert_same(results(nets[1]), results(nets[0]))


@pytest.mark.filterwarnings("ignore:no torch counterpart")
def test_diffs_of_blobs_are_those_before_the_update(tmp_path):
    """A bias of one number a column has the gradient of its top, which the solver moves the param by in place."""
    found = []
    for engine in ("strict", "torch"):
        net = net_of(
            tmp_path, engine, NET.replace("STOCHASTIC", "MAX").replace("num_axes: 0", "axis: 0 num_axes: -1")
        )
        (tmp_path / "solver.prototxt").write_text(
            'net: "net.prototxt" base_lr: 0.5 lr_policy: "fixed" type: "AdaGrad"'
        )
        solver = caffe.get_solver(tmp_path / "solver.prototxt", engine=engine)
        for name, blob in net.blobs.items():
            if name in net.inputs:
                solver.net.blobs[name].data[...] = blob.data
        for layer, blobs in net.params.items():
            for mine, its in zip(solver.net.params[layer], blobs, strict=True):
                mine.data[...] = its.data
        solver.step(1)
        found.append({name: blob.diff.copy() for name, blob in solver.net.blobs.items()})
        found[-1] |= {
            f"{n}:{j}": b.data.copy() for n, bs in solver.net.params.items() for j, b in enumerate(bs)
        }
    assert np.abs(found[0]["c"]).max() > 0.01
    assert_same(found[1], found[0])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:no torch counterpart")
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a compiler")
def test_compiled_it_is_the_same_and_compiles_twice_for_all_batches(tmp_path):
    text, found = NET.replace("STOCHASTIC", "MAX"), {}
    for compiled in (False, True):
        net = net_of(tmp_path, "torch", text, compiled)
        rng = np.random.RandomState(5)
        for batch in (3, 5, 4, 7):
            for name in net.inputs:
                blob = net.blobs[name]
                blob.reshape(batch, *blob.shape[1:])
                blob.data[...] = rng.standard_normal(blob.shape) if name != "n" else rng.randint(0, 5, batch)
            net.forward()
            net.backward()
        found[compiled] = {name: blob.data.copy() for name, blob in net.blobs.items()}
        found[compiled] |= {
            f"{n}:{j}": b.diff.copy() for n, bs in net.params.items() for j, b in enumerate(bs)
        }
    assert_same(found[True], found[False])
    made = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    segments = net.engine.graph._segments.values()
    assert 0 < made <= 2 * len(segments)  # the second one is of any batch
    with pytest.raises(CaffeCompatError, match="with --compile there are no gradients of blobs"):
        print(net.blobs["pool"].diff)


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a compiler")
@pytest.mark.parametrize("type", ["Convolution3D", "Deconvolution3D"])
def test_convolutions_over_three_axes_are_not_compiled(type, tmp_path):
    """torch's compiler fails at them when their sizes change."""
    path = tmp_path / "net.prototxt"
    path.write_text(
        f'''force_backward: true
        layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ dim: 2 dim: 3 dim: 5 dim: 7 dim: 6 }} }} }}
        layer {{ name: "y" type: "{type}" bottom: "x" top: "y"
                convolution3d_param {{ num_output: 4 kernel_size: 3 kernel_depth: 2 }} }}'''
    )
    net = caffe.Net(path, caffe.TRAIN, engine="torch", compiled=True)
    total = 0
    for depth in (5, 4):
        net.blobs["x"].reshape(2, 3, depth, 7, 6)
        net.blobs["x"].data[...] = 1
        net.forward()
        net.blobs["y"].diff[...] = 1
        net.backward()
        total += net.blobs["y"].count // 4
    assert (net.params["y"][1].diff == total).all()


def test_where_there_is_no_compiler_one_line_says_so(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(
        CaffeCompatError, match=r"--compile needs a C\+\+ compiler, and there is no no-such-compiler"
    ):
        caffe.set_engine("torch", compiled=True)
    with pytest.raises(CaffeCompatError, match="the engine 'fast' is compiled as it is"):
        caffe.set_engine("fast", compiled=True)


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a compiler")
def test_nets_and_solvers_are_asked_to_compile_where_they_are_given_an_engine(tmp_path, monkeypatch):
    net = net_of(tmp_path, "torch", compiled=True)
    assert net.engine.compiled and not net_of(tmp_path, "torch").engine.compiled
    (tmp_path / "solver.prototxt").write_text('net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed"')
    monkeypatch.chdir(tmp_path)
    for make in (caffe.get_solver, caffe.SGDSolver):
        assert make("solver.prototxt", engine="torch", compiled=True).net.engine.compiled
    with pytest.raises(CaffeCompatError, match="the engine 'fast' is compiled as it is"):
        caffe.Net("net.prototxt", caffe.TRAIN, compiled=True)


@pytest.mark.parametrize(
    "settings", ["", "ignore_label: 255", "ignore_label: -1", "ignore_label: 3 normalization: FULL"]
)
def test_labels_count_or_are_refused_as_by_the_strict_engine(settings, tmp_path):
    text = f"""\
force_backward: true
layer {{ name: "x" type: "Input" top: "x" top: "l"
         input_param {{ shape {{ dim: 3 dim: 4 dim: 2 }} shape {{ dim: 3 dim: 2 }} }} }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "x" bottom: "l" top: "loss" loss_param {{ {settings} }} }}
"""
    path = tmp_path / "net.prototxt"
    path.write_text(text)
    nets = [caffe.Net(path, caffe.TRAIN, engine=engine) for engine in ("strict", "torch")]
    for label in (0, 1.7, -0.5, 3, -1, 4, 255, 1e30, np.nan):
        for net in nets:
            net.blobs["x"].data[...] = 3 * np.random.RandomState(4).standard_normal((3, 4, 2))
            net.blobs["l"].data[...] = [[0, 1], [2, label], [3, 2]]
        want, got = (_loss_or_error(net) for net in nets)
        assert type(got) is type(want), label
        if isinstance(want, str):
            assert got == want
        else:
            assert_same(got, want)


def _loss_or_error(net):
    try:
        net.forward()
        net.backward()
    except CaffeCompatError as error:
        return str(error)
    return {"loss": net.blobs["loss"].data.copy(), "diff": net.blobs["x"].diff.copy()}


@pytest.mark.parametrize("phase", [caffe.TRAIN, caffe.TEST])
def test_averages_move_in_arrays_that_somebody_holds(phase, tmp_path):
    """What the layer has moved is not taken back by what stands in the array; what its holder writes counts."""
    text = """layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 4 dim: 3 dim: 5 dim: 2 } } }
    layer { name: "bn" type: "BatchNorm" bottom: "x" top: "y" batch_norm_param { use_global_stats: false } }"""
    found = []
    for engine in ("strict", "torch"):
        (tmp_path / "net.prototxt").write_text(text)
        net = caffe.Net(tmp_path / "net.prototxt", phase, engine=engine)
        net.blobs["x"].data[...] = np.random.RandomState(1).standard_normal((4, 3, 5, 2)) + 1
        net.forward()
        held = [blob.data for blob in net.params["bn"]]
        net.forward()
        held[0][...] *= 1.5
        net.forward()
        found.append([array.copy() for array in held])
    assert found[0][2] == pytest.approx(1 + 0.999 + 0.999**2)
    for got, want in zip(found[1], found[0], strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5)
