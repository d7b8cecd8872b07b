"""Pages as the exporter's own web server writes them, and pages that show no profile."""

from __future__ import annotations

import pytest

from runtime_exporter.demo import pages
from runtime_exporter.profiling.profile import Frame, build
from runtime_exporter.profiling.table import tabulate
from runtime_exporter.web import profile_views

SECOND = 10**9
IDLE = (Frame("selectors:EpollSelector.select", "selectors.py"), Frame("socketserver:BaseServer.serve_forever", "s.py"))
BUSY = (Frame("shop:<lambda>", "shop.py", start_line=7), Frame("shop:search", "shop.py"))
OTHER = (Frame("shop:order", "shop.py"),)


def page(kind="cpu", *, idle=0):
    stacks = [(BUSY, (3, 3 * SECOND), ()), (OTHER, (1, SECOND), ())]
    stacks += [(IDLE, (idle, idle * SECOND), ())] if idle else []
    profile = build(kind, stacks, time_nanos=1, duration_nanos=10 * SECOND)
    table = tabulate(profile, kind=kind, idle=lambda stack: stack == IDLE)
    return f"<h1>x</h1><h2>Functions that cost most</h2>\n{profile_views.functions(table)}<h2>Flame graph</h2>"


def test_a_function_and_all_that_it_calls_are_a_part_of_the_profile():
    assert {"shop:<lambda:7>": 0.75, "shop:search": 0.75, "shop:order": 0.25} == pages.functions(page())
    assert 0.75 == pages.share(page(), "shop:search")


def test_threads_that_wait_for_work_are_no_part_of_the_whole():
    written = page("wall", idle=36)
    assert 0.9 == pages.functions(written)[pages.IDLE]
    assert 0.75 == pytest.approx(pages.share(written, "shop:search"))


@pytest.mark.parametrize("nothing", ["", "<h2>Other</h2><table><tr><td><code>shop:search</code></td></tr></table>"])
def test_where_there_is_no_table_of_functions_no_function_is_named(nothing):
    assert {} == pages.functions(nothing)
    assert pages.share(nothing, "shop:search") is None


def test_a_function_that_is_only_asked_for_is_not_named():
    assert pages.share(f"<p>shop:tea is not in this profile</p>{page()}", "shop:tea") is None
