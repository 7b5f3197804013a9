"""Text and wire format of Caffe: the schema, the reader with its errors, legacy upgrades, the writer."""

if __name__ != "caffe_compat.prototxt":
    raise ImportError(
        f"this folder is the package caffe_compat.prototxt and was imported as '{__name__}'; "
        "import caffe_compat.prototxt"
    )
