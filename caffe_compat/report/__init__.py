"""One HTML page: `of_net`, `of_run`, `of_training` or `of_diff` collects what it shows, `write` writes it."""

from caffe_compat.report.collect import BlobHistograms, of_diff, of_net, of_run, of_training
from caffe_compat.report.mining_log import MiningLog
from caffe_compat.report.numbers import Compared, Report
from caffe_compat.report.page import write

__all__ = [
    "BlobHistograms",
    "Compared",
    "MiningLog",
    "Report",
    "of_diff",
    "of_net",
    "of_run",
    "of_training",
    "write",
]
