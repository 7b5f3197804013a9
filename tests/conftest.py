"""What all tests share: they leave the process as they found it."""

import signal

# A shell that starts the tests in the background lets them ignore Ctrl-C, and the commands that they start with them;
# tests that interrupt a command would wait for it forever
signal.signal(signal.SIGINT, signal.default_int_handler)
