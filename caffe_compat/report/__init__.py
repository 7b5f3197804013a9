"""One HTML page of a run, a training or a comparison: `of_run`, `of_training`, `of_diff`, then `write`."""

from caffe_compat.report.collect import BlobHistograms, of_diff, of_run, of_training
from caffe_compat.report.numbers import Compared, Report
from caffe_compat.report.page import write

__all__ = ["BlobHistograms", "Compared", "Report", "of_diff", "of_run", "of_training", "write"]
