"""What frames are called: Python 3.10 has no qualified names, so that a name there lacks the class or function that it is within."""

import sys


def name_of(module, qualified):
    """Return the name of the frames of a function."""
    return f"{module}:{qualified if sys.version_info >= (3, 11) else qualified.rpartition('.')[2]}"


def last_part(name):
    """Return a function's own name, which every Python knows."""
    return name.rpartition(":")[2].rpartition(".")[2]
