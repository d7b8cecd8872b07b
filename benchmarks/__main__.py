"""`python -m benchmarks [--quick] [NAME…]`: prints figures with their noise floor. `make bench` calls it."""

from __future__ import annotations

import argparse
import os
import platform
from datetime import datetime, timezone

from benchmarks import codec, comparison, exposition, locks, profiling, requests, shop

REPORTS = {
    "codec": codec.report,
    "comparison": comparison.report,
    "exposition": exposition.report,
    "locks": locks.report,
    "profiling": profiling.report,
    "requests": requests.report,
    "shop": shop.report,
}


def main() -> None:
    """Run the reports that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which of {', '.join(REPORTS)} (all)")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, smaller inputs")
    options = parser.parse_args()
    unknown = set(options.names) - set(REPORTS)
    if unknown:
        parser.error(f"no such report: {', '.join(sorted(unknown))}; there are {', '.join(REPORTS)}")
    now = datetime.now(timezone.utc).date().isoformat()
    print(f"{now}, Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}")
    print("CPU time; medians, ratios with quartiles; A/A is the same thing against itself: the noise.")
    for name in options.names or REPORTS:
        print(f"\n{name}")
        for line in REPORTS[name](quick=options.quick):
            print(f"  {line}", flush=True)


if __name__ == "__main__":
    main()
