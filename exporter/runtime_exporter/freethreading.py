"""Whether this interpreter may run Python code of several threads at once."""

from __future__ import annotations

import sys
from typing import Final

FREE_THREADED: Final = getattr(sys.flags, "gil", 1) != 1
"""Whether there may be no GIL, for as long as this process lives.

True for a free-threaded build (PEP 703), also where an extension module made it take the GIL again. Not what
`sys._is_gil_enabled()` says: such a build has the GIL for a moment whenever an extension module is imported, by whatever
thread, and who asks just then is told of a GIL that is gone a moment later. Only with `PYTHON_GIL=1` it stays for sure.
"""

BUILD: Final = "t" in getattr(sys, "abiflags", "")
"""Whether the interpreter was built to run without a GIL, and so has a garbage collector that knows no generations."""
