#!/usr/bin/env python
"""Records one forward and backward pass of a net inside the original Caffe, for `caffe-compat diff`.

One file for Python 2.7 and 3, with nothing but numpy and Caffe's own Python module: copy it to where Caffe runs.

    python record_in_caffe.py train.prototxt recording.npz --weights F.caffemodel --seed 3
    docker run --rm -v "$PWD:/data" -w /data bvlc/caffe:cpu python record_in_caffe.py train.prototxt recording.npz

then, anywhere:

    caffe-compat diff train.prototxt --against recording.npz

Layers that the old Caffe has on a GPU only (ROIPooling's backward, SmoothL1Loss) need --gpu 0. Dropout on a GPU draws
other numbers than on a CPU, so record such nets with --phase test.

Inputs are noise from the seed, or the arrays of --inputs F.npz, by blob; these may also be the tops of a data layer,
which then is not run. In a script that has a net with its data already:

    from record_in_caffe import record
    record(net, 'recording.npz', prototxt='train.prototxt', seed=3)

What is recorded (LAYER, BLOB: names; I: number of a param):

    prototxt, phase, seed       the net's text, TRAIN or TEST, the random seed set before forward
    in:BLOB                     what inputs and data layers give
    param:LAYER:I               params before forward
    data:BLOB, diff:BLOB        what stands in the blobs after forward, and after backward
    data@LAYER:BLOB, diff@...   where layers change a blob in place: what LAYER left in it, and its gradient
    seed:BLOB                   random diffs of outputs that are no losses, set before backward
    pdiff:LAYER:I               gradients of params
    head:KEY, asum:KEY          instead of an array above --max-size: its first values, its sum of absolute values
"""

from __future__ import print_function

import argparse
import io
import os
import sys

import numpy as np

HEAD = 2000


class Recorder(object):
    """Collects arrays by key; of large ones only the first values and the sum of absolute values."""

    def __init__(self, max_size):
        self.arrays = {}
        self.max_size = max_size

    def keep(self, key, array):
        array = np.array(array, np.float32)
        if array.nbytes <= self.max_size:
            self.arrays[key] = array
        else:
            self.arrays["head:" + key] = array.reshape(-1)[:HEAD].copy()
            self.arrays["asum:" + key] = np.abs(array).sum(dtype=np.float64)

    def write(self, path):
        temporary = path + ".part"
        with open(temporary, "wb") as out:
            np.savez_compressed(out, **self.arrays)
        if os.path.exists(path) and not hasattr(os, "replace"):
            os.remove(path)  # Python 2 on Windows does not rename onto a file
        getattr(os, "replace", os.rename)(temporary, path)


def record(net, path, prototxt=None, seed=0, inputs=None, phase="train", max_size=64, backward=True):
    """Run a net forward and backward once and write what it did to an .npz.

    net: a caffe.Net. path: the file to write. prototxt: the file that the net was made from, kept with the recording.
    inputs: arrays by blob, for inputs and for tops of data layers (which then are not run); noise where there is none.
    max_size: MiB above which an array is kept as its first values and its sum of absolute values. phase: the net's.
    """
    recorder = Recorder(max_size * 2**20)
    if prototxt is not None:
        with io.open(prototxt, encoding="utf-8") as text:
            recorder.arrays["prototxt"] = np.array(text.read())
    recorder.arrays["phase"] = np.array(phase.upper())
    for name, blobs in net.params.items():
        for index, blob in enumerate(blobs):
            recorder.keep("param:%s:%d" % (name, index), blob.data)
    if set_seed(seed):
        recorder.arrays["seed"] = np.array(seed)
    np.random.seed(seed % 2**32)  # of Python layers
    names = list(net._layer_names)
    tops, bottoms = topology(net)
    skipped = feed(net, tops, bottoms, inputs or {}, np.random.RandomState(seed % 2**32))
    print("forward: %d layers" % len(names))
    forward(net, recorder, names, tops, bottoms, skipped)
    if backward:
        print("backward")
        run_backward(net, recorder, names, tops, bottoms, np.random.RandomState(seed % 2**32))
    recorder.write(path)
    print("wrote %s: %d arrays" % (path, len(recorder.arrays)))


def set_seed(seed):
    """Seed Caffe's random numbers; returns whether this Caffe can."""
    import caffe

    if hasattr(caffe, "set_random_seed"):
        caffe.set_random_seed(seed)
        return True
    print("note: this Caffe cannot be seeded from Python; masks of Dropout will be its own", file=sys.stderr)
    return False


def topology(net):
    """Names of the tops and of the bottoms of each layer."""
    blobs = list(net._blob_names)
    if not hasattr(net, "_top_ids"):
        print(
            "note: this Caffe does not tell which layer has which blobs; blobs that are changed in place "
            "are recorded only as they end",
            file=sys.stderr,
        )
        return None, None
    count = len(net._layer_names)
    return (
        [[blobs[k] for k in net._top_ids(i)] for i in range(count)],
        [[blobs[k] for k in net._bottom_ids(i)] for i in range(count)],
    )


def feed(net, tops, bottoms, inputs, rng):
    """Put arrays into inputs and data layers; returns the numbers of the layers that are not to be run."""
    given = dict(inputs)
    for name in net.inputs:
        if name not in given:
            shape = tuple(net.blobs[name].data.shape)
            given[name] = rng.standard_normal(shape) * (60 if len(shape) == 4 else 1)
            print("input %s %s: noise" % (name, shape))
    unknown = sorted(set(given) - set(net.blobs.keys()))
    if unknown:
        raise SystemExit("the net has no blob named %s" % ", ".join(unknown))
    for name, array in given.items():
        net.blobs[name].reshape(*array.shape)
        net.blobs[name].data[...] = array
    if tops is None:
        return set()
    return set(i for i in range(len(tops)) if not bottoms[i] and tops[i] and all(t in given for t in tops[i]))


def forward(net, recorder, names, tops, bottoms, skipped):
    """Run forward layer by layer; keep what is about to be overwritten, and in the end all data."""
    for name in net.inputs:
        recorder.arrays["in:" + name] = np.array(net.blobs[name].data, np.float32)
    if tops is None:
        net._forward(0, len(names) - 1)
    else:
        writer = {}
        for i in range(len(names)):
            for top in tops[i]:
                if top in bottoms[i]:
                    recorder.keep("data@%s:%s" % (writer[top], top), net.blobs[top].data)
                writer[top] = names[i]
            if i not in skipped:
                net._forward(i, i)
            if not bottoms[i]:
                for top in tops[i]:
                    recorder.arrays["in:" + top] = np.array(net.blobs[top].data, np.float32)
    for name, blob in net.blobs.items():
        recorder.keep("data:" + name, blob.data)


def run_backward(net, recorder, names, tops, bottoms, rng):
    """Run backward layer by layer; keep what is about to be overwritten, and in the end all gradients."""
    weights = dict(zip(net._blob_names, net._blob_loss_weights))
    for blobs in net.params.values():
        for blob in blobs:
            blob.diff[...] = 0
    for name, blob in net.blobs.items():
        if not weights[name]:
            blob.diff[...] = 0
    for name in net.outputs:
        if not weights[name]:
            blob = net.blobs[name]
            blob.diff[...] = rng.standard_normal(blob.diff.shape)
            recorder.arrays["seed:" + name] = np.array(blob.diff, np.float32)
    if tops is None:
        net._backward(len(names) - 1, 0)
    else:
        for i in reversed(range(len(names))):
            for top in tops[i]:
                if top in bottoms[i]:
                    recorder.keep("diff@%s:%s" % (names[i], top), net.blobs[top].diff)
            net._backward(i, i)
    for name, blob in net.blobs.items():
        recorder.keep("diff:" + name, blob.diff)
    for name, blobs in net.params.items():
        for index, blob in enumerate(blobs):
            recorder.keep("pdiff:%s:%d" % (name, index), blob.diff)


def make_net(caffe, prototxt, weights, phase):
    """A net, whichever order of arguments this Caffe has."""
    phase = caffe.TEST if phase == "test" else caffe.TRAIN
    return caffe.Net(prototxt, weights, phase) if weights else caffe.Net(prototxt, phase)


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("net", help="a prototxt")
    parser.add_argument("output", help="the .npz to write")
    parser.add_argument("--weights", metavar="F", help="a .caffemodel; default: what the fillers give")
    parser.add_argument("--inputs", metavar="F.npz", help="arrays by blob; default: noise")
    parser.add_argument("--phase", choices=["train", "test"], default="train", help="default: train")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers; default: 0")
    parser.add_argument(
        "--max-size",
        type=float,
        default=64,
        metavar="MIB",
        help="of larger arrays only the first values and the sum are kept; default: 64",
    )
    parser.add_argument("--gpu", type=int, metavar="N", help="run on this GPU; default: the CPU")
    parser.add_argument("--forward-only", action="store_true", help="run no backward")
    parser.add_argument(
        "--python-path",
        action="append",
        default=[],
        metavar="DIR",
        help="where Caffe's Python module is, or those of Python layers; may be repeated",
    )
    args = parser.parse_args(argv)
    sys.path[:0] = args.python_path + [os.getcwd()]
    import caffe

    if args.gpu is None:
        caffe.set_mode_cpu()
    else:
        caffe.set_device(args.gpu)
        caffe.set_mode_gpu()
    set_seed(args.seed)
    inputs = None
    if args.inputs:
        with np.load(args.inputs) as arrays:
            inputs = dict((name, arrays[name]) for name in arrays.files)
    net = make_net(caffe, args.net, args.weights, args.phase)
    record(net, args.output, args.net, args.seed, inputs, args.phase, args.max_size, not args.forward_only)


if __name__ == "__main__":
    main()
