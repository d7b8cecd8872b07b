import io
import json
from dataclasses import replace

import pytest

from runtime_exporter.demo import report
from runtime_exporter.demo.cases import CASES
from runtime_exporter.demo.report import Report
from runtime_exporter.demo.scenario import Result
from runtime_exporter.demo.terminal import Terminal
from runtime_exporter.demo.trial import Shown, Trial
from runtime_exporter.demo.watch import Message

SLOW = [case for case in CASES if case.fault == "slow-search"]
TABLE = """\
fault        alert                       pending  firing  notified  resolved  slack  mail  profile  verdict
───────────────────────────────────────────────────────────────────────────────────────────────────────────
memory leak  RuntimeMemoryLeakSuspected    8.1 s  10.5 s    11.2 s     6.0 s  ✓✓     ✓✓             ok
CPU spike    RuntimeCpuSpike               3.0 s       -         -         -  --     --    --       FAILED"""


SLACK_TEXT = "*Memory grows.*\nIt has grown by `50MiB`.\n\n*What to do*\n• Look for what grows.\n• Restart it."


def messages(state, alert, at):
    return {
        "slack": Message("slack", f"{state} · {alert}", at, SLACK_TEXT),
        "mail": Message("mail", f"[{state}] {alert}", at + 0.2),
    }


@pytest.fixture
def good():
    alert = CASES[0].alert
    return Trial(
        CASES[0],
        on=100.0,
        pending=108.1,
        firing=110.5,
        off=111.3,
        cleared=116.0,
        told=messages("WARNING", alert, 111.0),
        told_over=messages("RESOLVED", alert, 117.1),
    )


@pytest.fixture
def bad():
    return Trial(
        CASES[1], on=200.0, pending=203.0, off=230.0, cleared=231.0, failure="waited 30 s for firing (CPU 0.10 cores)"
    )


class TTY(io.StringIO):
    def isatty(self):
        return True


def test_the_table_says_what_came_of_every_fault(good, bad):
    assert TABLE == report.table([good, bad])


def test_the_summary_of_a_good_run(good):
    result = Result((good,), (), 40.0, watchdog=True)
    assert "1 of 1 faults noticed, told and resolved in 40 s; nothing fired without a fault" == report.summary(result)


def test_the_summary_of_a_bad_run_names_every_reason(bad):
    expected = (
        "CPU spike: waited 30 s for firing (CPU 0.10 cores)\n"
        "fired while no fault was on: RuntimeTargetDown\n"
        "the Watchdog does not fire\n"
        "0 of 1 faults noticed, told and resolved in 40 s"
    )
    assert expected == report.summary(Result((bad,), ("RuntimeTargetDown",), 40.0, watchdog=False))


def test_the_result_is_json_with_times_from_the_fault(good):
    answer = json.loads(json.dumps(report.as_json(Result((good,), (), 40.04, watchdog=True))))
    fault = answer["faults"][0]
    assert (True, 40.0, "ok", "resolved") == (answer["passed"], answer["seconds"], fault["verdict"], fault["stage"])
    assert [8.1, 10.5, 11.2, 11.3, 17.3] == [fault[key] for key in ("pending", "firing", "notified", "off", "resolved")]
    assert {"slack": "WARNING · RuntimeMemoryLeakSuspected", "mail": "[WARNING] RuntimeMemoryLeakSuspected"} == fault[
        "messages"
    ]


def story(stream, good, environ):
    listener = Report(Terminal(stream, environ), CASES, clock=lambda: 103.5)
    new = Trial(CASES[0], on=100.0)
    listener.began(CASES[:1])
    listener.waiting("waiting for pending   resident memory 90 MB", 100.0, 30.0)
    listener.changed(new, good)
    listener.ended(good)
    return stream.getvalue()


PLAIN = """\

1/6 memory leak: a cache that never forgets → RuntimeMemoryLeakSuspected
     0.0 s  fault on
     8.1 s  pending
    10.5 s  firing
    11.3 s  fault off
    16.0 s  resolved
    11.0 s  → Slack  WARNING · RuntimeMemoryLeakSuspected
                     It has grown by 50MiB.
                     • Look for what grows.
    11.2 s  → mail   [WARNING] RuntimeMemoryLeakSuspected
    17.1 s  → Slack  RESOLVED · RuntimeMemoryLeakSuspected
    17.3 s  → mail   [RESOLVED] RuntimeMemoryLeakSuspected
"""


def test_a_file_gets_plain_lines_without_any_control_character(good):
    assert PLAIN == story(io.StringIO(), good, {})


def test_a_terminal_gets_a_line_that_moves_and_goes(good):
    written = story(TTY(), good, {"NO_COLOR": "1"})
    assert "3.5 s  waiting for pending   resident memory 90 MB   (at most 30 s)" in written
    assert PLAIN == "\n".join(line.rpartition("\x1b[2K")[2] for line in written.split("\n"))


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_who_wants_no_colour_gets_none(good, environ):
    assert "\x1b[3" not in story(TTY(), good, environ)


def test_a_terminal_gets_colour(good):
    assert "\x1b[36mRuntimeMemoryLeakSuspected\x1b[0m" in story(TTY(), good, {})


def test_a_file_gets_a_sign_of_life_every_ten_seconds():
    stream = io.StringIO()
    terminal = Terminal(stream, {})
    for tenth in range(350):
        terminal.progress("waiting", tenth / 10)
    assert ["     10.0 s  waiting", "     20.0 s  waiting", "     30.0 s  waiting"] == stream.getvalue().splitlines()


def test_the_moving_line_is_cut_to_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    stream = TTY()
    Terminal(stream, {"NO_COLOR": "1"}).progress("x" * 200, 1.0)
    assert 39 == len(stream.getvalue().rpartition("\x1b[2K")[2])


GROUPED = (
    "*A route answers slowly.*\n"
    "• http_route `/search` The route /search of shop is slow &amp; late."
    " _since <!date^1767261600^{date_short_pretty} at {time_secs}|Thu 1 Jan 2026, 10:00:00 UTC>_\n"
    "• http_route `/orders` The route /orders of shop is slow."
    " _since <!date^1767261600^{date_short_pretty} at {time_secs}|Thu 1 Jan 2026, 10:00:00 UTC>_\n"
    "\n*What to do*\n• See a_b and c_d first.\n• Then the rest."
)


def test_of_several_alerts_in_one_message_the_first_is_shown_as_people_read_it_and_the_first_action():
    stream = io.StringIO()
    slow = SLOW[0]
    message = Message("slack", f"WARNING · {slow.alert}", 111.0, GROUPED)
    Report(Terminal(stream, {}), CASES).changed(Trial(slow, on=100.0), Trial(slow, on=100.0, told={"slack": message}))
    shown = " ".join(stream.getvalue().split("\n", 1)[1].split())
    expected = (
        "• http_route /search The route /search of shop is slow & late. since Thu 1 Jan 2026, 10:00:00 UTC"
        " • See a_b and c_d first."
    )
    assert expected == shown


GUILTY = Trial(CASES[1], on=100.0, pending=101.0, beside=frozenset({"RuntimeHttpLatencyHigh"}))


def test_the_profile_behind_a_link_is_shown_with_the_share_of_the_guilty_function():
    stream = io.StringIO()
    shown = {"mail": Shown("http://shop/profiles/alert/RuntimeCpuSpike", 109.0, 0.876)}
    Report(Terminal(stream, {}), CASES).changed(GUILTY, replace(GUILTY, shown=shown))
    expected = (
        "     9.0 s  → profile behind the mail link: 88% in shop.faults:CpuHeavyOrder.try_every_permutation\n"
        "                     http://shop/profiles/alert/RuntimeCpuSpike\n"
    )
    assert expected == stream.getvalue()
    result = report.as_json(Result((replace(GUILTY, shown=shown),), (), 40.0, watchdog=True))["faults"][0]
    assert "shop.faults:CpuHeavyOrder.try_every_permutation" == result["function"]
    assert {"mail": {"url": shown["mail"].url, "share": 0.876}} == result["profiles"]
    assert "-✓" == report.rows([replace(GUILTY, shown=shown)])[0][8]


def test_of_several_alerts_of_a_fault_each_is_named_and_the_end_is_told_once():
    stream = io.StringIO()
    listener = Report(Terminal(stream, {}), CASES)
    listener.began(SLOW)
    for case, pending in zip(SLOW, (102.0, 105.0), strict=True):
        trial = Trial(case, on=100.0, beside=frozenset({"another"}))
        listener.changed(trial, replace(trial, pending=pending, off=108.0))
    expected = """
4/6 slow requests: a search without an index → RuntimeHttpLatencyHigh, RuntimeProfileRegression
     0.0 s  fault on
     2.0 s  pending RuntimeHttpLatencyHigh
     8.0 s  fault off
     5.0 s  pending RuntimeProfileRegression
"""
    assert expected == stream.getvalue()


def test_a_fault_is_counted_once_however_many_alerts_it_has(good):
    trials = (good, replace(good, failure="waited"), replace(good, case=CASES[1]))
    assert (
        "1 of 2 faults noticed, told and resolved in 40 s"
        == report.summary(Result(trials, (), 40.0, watchdog=True)).splitlines()[-1]
    )


def test_of_several_alerts_in_one_message_the_one_about_the_guilty_function_is_shown():
    stream = io.StringIO()
    text = "*A function costs more.*\n• The share of `a:b` has risen.\n• The share of `shop.faults:SlowSearch.read_every_row` has risen."
    told = {"slack": Message("slack", "WARNING", 111.0, text)}
    Report(Terminal(stream, {}), CASES).changed(Trial(SLOW[1], on=100.0), Trial(SLOW[1], on=100.0, told=told))
    shown = stream.getvalue().splitlines()[1:]
    assert ["• The share of shop.faults:SlowSearch.read_every_row has risen."] == [line.strip() for line in shown]
