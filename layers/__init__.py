"""What each layer type computes: one file a layer, registered by its Caffe name."""

if __name__ != "caffe_compat.layers":
    raise ImportError(
        f"this folder is the package caffe_compat.layers and was imported as '{__name__}'; "
        "import caffe_compat.layers, or put your own 'layers' package in front of this folder on sys.path"
    )
