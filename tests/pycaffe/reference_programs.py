"""Programs in the shape of Fast R-CNN's: tools/ with train_net.py and test_net.py, lib/ with the modules of the same
names, of which the Cython parts are not built; Python 2 after 2to3. Only the calls and the names are the reference's.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

FILES = {
    "tools/_init_paths.py": """
        import os.path as osp
        import sys

        sys.path.insert(0, osp.join(osp.dirname(__file__), '..', 'lib'))
        """,
    "lib/fast_rcnn/__init__.py": "",
    "lib/fast_rcnn/config.py": """
        from easydict import EasyDict as edict
        import numpy as np
        import yaml

        cfg = edict({'TRAIN': {'FG_THRESH': 0.5, 'STDS': (0.1, 0.1, 0.2, 0.2)}})
        cfg.TEST = edict()
        cfg.TEST.NMS = 0.3
        cfg.MEANS = np.array([[[102.9801, 115.9465, 122.7717]]])

        def cfg_from_file(name):
            with open(name) as f:
                for key, value in edict(yaml.load(f)).items():
                    assert type(value) is type(cfg[key]), key
                    cfg[key].update(value)
        """,
    "lib/nms/__init__.py": "",
    "lib/nms/gpu_nms.pyx": "def gpu_nms(dets, thresh, device_id=0): ...",
    "lib/utils/__init__.py": "",
    "lib/utils/bbox.pyx": "def bbox_overlaps(boxes, query_boxes): ...",
    "lib/datasets/__init__.py": "",
    "lib/datasets/screws.py": """
        import os
        import pickle
        import xml.etree.ElementTree as ET
        import cv2
        import numpy as np

        CLASSES = ('__background__', 'bolt', 'gear')

        def get_roidb(folder, proposals):
            cache = os.path.join(folder, 'gt.pkl')
            if not os.path.exists(cache):
                with open(cache, 'w') as f:
                    pickle.dump([one(folder, name) for name in sorted(proposals)], f)
            with open(cache, 'r') as f:
                roidb = pickle.load(f)
            for entry in roidb:
                entry['boxes'] = proposals[entry['name']].astype(np.uint16)
            return roidb

        def one(folder, name):
            objects = ET.parse(os.path.join(folder, 'Annotations', name + '.xml')).findall('object')
            boxes = [[float(b.text) - 1 for b in o.find('bndbox')] for o in objects]
            return {'name': name, 'image': os.path.join(folder, 'JPEGImages', name + '.png'),
                    'gt_boxes': np.array(boxes, dtype=np.uint16),
                    'gt_classes': np.array([CLASSES.index(o.find('name').text) for o in objects], dtype=np.int32)}
        """,
    "lib/roi_data_layer/__init__.py": "",
    "lib/roi_data_layer/layer.py": """
        import caffe
        from fast_rcnn.config import cfg
        from utils.cython_bbox import bbox_overlaps
        import cv2
        import numpy as np
        import numpy.random as npr
        import yaml

        class RoIDataLayer(caffe.Layer):
            def setup(self, bottom, top):
                self._num_classes = yaml.load(self.param_str_)['num_classes']
                n = 4 * self._num_classes
                for blob, shape in zip(top, [(1, 3, 72, 96), (1, 5), (1,), (1, n), (1, n), (1, n)]):
                    blob.reshape(*shape)
                self._cur = 0

            def set_roidb(self, roidb):
                self._roidb = roidb

            def reshape(self, bottom, top):
                pass

            def forward(self, bottom, top):
                entry = self._roidb[self._cur]
                self._cur = (self._cur + 1) % len(self._roidb)
                for blob, array in zip(top, self.minibatch(entry)):
                    blob.reshape(*array.shape)
                    blob.data[...] = array.astype(np.float32, copy=False)

            def minibatch(self, entry):
                im = cv2.imread(entry['image']).astype(np.float32) - cfg.MEANS
                overlaps = bbox_overlaps(entry['boxes'].astype(np.float), entry['gt_boxes'].astype(np.float))
                fg = np.where(overlaps.max(axis=1) >= cfg.TRAIN.FG_THRESH)[0]
                fg = npr.choice(fg, size=min(4 / 2., fg.size), replace=False)
                bg = np.where(overlaps.max(axis=1) < cfg.TRAIN.FG_THRESH)[0][:16]
                rows = np.append(fg, bg)
                labels = entry['gt_classes'][overlaps.argmax(axis=1)][rows].astype(np.float32)
                labels[fg.size:] = 0
                targets = np.zeros((rows.size, 4 * self._num_classes), dtype=np.float32)
                inside = np.zeros(targets.shape, dtype=np.float32)
                for ind in np.where(labels > 0)[0]:
                    start = 4 * labels[ind]
                    end = start + 4
                    targets[ind, start:end] = 0.5
                    inside[ind, start:end] = 1
                rois = np.hstack((np.zeros((rows.size, 1)), entry['boxes'][rows]))
                return im.transpose(2, 0, 1)[np.newaxis], rois, labels, targets, inside, inside

            def backward(self, top, propagate_down, bottom):
                pass
        """,
    "lib/fast_rcnn/nms_wrapper.py": """
        from nms.gpu_nms import gpu_nms
        from nms.cpu_nms import cpu_nms

        def nms(dets, thresh, force_cpu=False):
            if dets.shape[0] == 0:
                return []
            return cpu_nms(dets, thresh) if force_cpu else gpu_nms(dets, thresh, device_id=0)
        """,
    "tools/train_net.py": """
        import _init_paths
        import argparse
        import caffe
        import numpy as np
        from caffe.proto import caffe_pb2
        import google.protobuf as pb2
        from datasets.screws import get_roidb
        from fast_rcnn.config import cfg, cfg_from_file

        parser = argparse.ArgumentParser()
        for name in ('--solver', '--cfg', '--data', '--proposals', '--out'):
            parser.add_argument(name)
        parser.add_argument('--iters', type=int)
        args = parser.parse_args()
        cfg_from_file(args.cfg)
        np.random.seed(3)
        caffe.set_random_seed(3)
        caffe.set_mode_gpu()
        caffe.set_device(0)
        roidb = get_roidb(args.data, np.load(args.proposals))
        solver = caffe.SGDSolver(args.solver)
        solver_param = caffe_pb2.SolverParameter()
        with open(args.solver, 'rt') as f:
            pb2.text_format.Merge(f.read(), solver_param)
        solver.net.layers[0].set_roidb(roidb)
        while solver.iter < args.iters:
            solver.step(1)
            print('loss {:.6f}'.format(float(solver.net.blobs['loss_cls'].data)))
        stds = np.tile(cfg.TRAIN.STDS, 3)
        net = solver.net
        kept = net.params['bbox_pred'][0].data.copy()
        net.params['bbox_pred'][0].data[...] = net.params['bbox_pred'][0].data * stds[:, np.newaxis]
        net.save(str(args.out))
        net.params['bbox_pred'][0].data[...] = kept
        """,
    "tools/test_net.py": """
        import _init_paths
        import caffe
        import cv2
        import numpy as np
        import pickle
        import sys
        from datasets.screws import CLASSES, get_roidb
        from fast_rcnn.config import cfg
        from fast_rcnn.nms_wrapper import nms

        def im_detect(net, im, boxes):
            blob = (im.astype(np.float32) - cfg.MEANS).astype(np.float32).transpose(2, 0, 1)[np.newaxis]
            rois = np.hstack((np.zeros((len(boxes), 1)), boxes)).astype(np.float32)
            net.blobs['data'].reshape(*blob.shape)
            net.blobs['rois'].reshape(*rois.shape)
            out = net.forward(data=blob, rois=rois)
            d = out['bbox_pred']
            boxes = boxes.astype(d.dtype)
            result = np.zeros(d.shape, d.dtype)
            for i in (0, 1):
                size = (boxes[:, i + 2] - boxes[:, i] + 1.0)[:, np.newaxis]
                middle = d[:, i::4] * size + (boxes[:, i] + 0.5 * size[:, 0])[:, np.newaxis]
                reach = 0.5 * (np.exp(d[:, i + 2::4]) * size)
                last = im.shape[1 - i] - 1
                result[:, i::4] = np.maximum(np.minimum(middle - reach, last), 0)
                result[:, i + 2::4] = np.maximum(np.minimum(middle + reach, last), 0)
            return out['cls_prob'], result

        prototxt, weights, data, proposals, to = sys.argv[1:]
        net = caffe.Net(prototxt, weights, caffe.TEST)
        all_boxes = [[] for _ in CLASSES]
        for entry in get_roidb(data, np.load(proposals)):
            scores, boxes = im_detect(net, cv2.imread(entry['image']), entry['boxes'])
            for j in range(1, len(CLASSES)):
                inds = np.where(scores[:, j] > 0.25)[0]
                dets = np.hstack((boxes[inds, 4 * j:4 * j + 4], scores[inds, j][:, np.newaxis]))
                all_boxes[j].append(dets[nms(dets.astype(np.float32), cfg.TEST.NMS), :])
        print([dets == [] for dets in all_boxes[1]])
        with open(to, 'wb') as f:
            pickle.dump(all_boxes, f, pickle.HIGHEST_PROTOCOL)
        """,
}


def write_programs(folder: Path) -> None:
    """Write tools/ and lib/ into the folder."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(textwrap.dedent(text))
