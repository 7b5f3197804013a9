"""A shell that starts the tests in the background lets them ignore Ctrl-C, and the commands that they start with them;
tests that interrupt a command would wait for it forever."""

import signal

signal.signal(signal.SIGINT, signal.default_int_handler)
