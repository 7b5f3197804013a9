"""The face that scripts written for pycaffe see: the modules of pycaffe's own package."""
