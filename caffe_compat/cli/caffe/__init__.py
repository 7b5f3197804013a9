"""The actions of the caffe binary and its tools, with their flags, as subcommands of caffe-compat."""
