"""What a process that trains DRAWN takes longest to load, to be loaded once for many of them."""

from recordings import net_of

from solvers.nets import DRAWN

net_of(DRAWN)
