"""The scenario against a world of its own, with a clock of its own: faults have their alerts after a few seconds."""

from dataclasses import replace

import pytest

from runtime_exporter.demo.cases import CASES
from runtime_exporter.demo.scenario import Limits, Scenario
from runtime_exporter.demo.watch import Alert, Message, Observation

FAULTS = list(dict.fromkeys(case.fault for case in CASES))
SLOW = [case for case in CASES if case.fault == "slow-search"]
LIMITS = Limits(quiet=5.0, calm=2.0, notified=20.0, resolved=15.0, whole=200.0)


def page_of(function, share="44.00%"):
    cells = "".join(f"<td>{cell}</td>" for cell in ("", "1 s", "40.00%", "1.1 s", share))
    return f"<h2>Functions that cost most</h2><table><tr>{cells}<td><code>{function}</code></td></tr></table>"


class World:
    """A fault's alert is pending after 3 s, fires after 5, is told after 6; 4 s without the fault it is over and told."""

    def __init__(self):
        self.now = 1000.0
        self.watchdog = True
        self.deaf = set()  # alerts that notice nothing
        self.always = ()  # alerts that fire whatever happens
        self.switched = []
        self.messages = []
        self.since = {}
        self.pages = {f"http://shop/{case.alert}": page_of(case.function) for case in CASES if case.function}

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds

    def switch(self, fault, on, settings=None):
        self.switched.append((fault, on))
        self.since[fault] = (on, self.now)

    def query(self, expr):
        return 42.0

    def page(self, url):
        return self.pages.get(url, "")

    def observe(self):
        alerts = [Alert("Watchdog", "firing", 0.0)] if self.watchdog else []
        for case in CASES:
            on, since = self.since.get(case.fault, (False, -1e9))
            if case.alert in self.deaf:
                continue
            lasted = self.now - since
            if (on and lasted >= 3) or (not on and lasted < 4):
                alerts.append(Alert(case.alert, "firing" if not on or lasted >= 5 else "pending", since + 3))
            if on and lasted >= 6:
                self.tell(case, "WARNING", since + 6)
            if not on and since > 0 and lasted >= 5:
                self.tell(case, "RESOLVED", since + 5)
        return Observation(self.now, (*alerts, *self.always), tuple(self.messages))

    def tell(self, case, state, at):
        for channel in ("slack", "mail"):
            text, link = f"It is {case.function}.", f"http://shop/{case.alert}"
            message = Message(channel, f"{state} {case.alert}", at, text, (link,))
            if message not in self.messages:
                self.messages.append(message)


class Silent:
    def __getattr__(self, _):
        return lambda *_: None


@pytest.fixture
def world():
    return World()


def run(world, cases=CASES, limits=LIMITS):
    return Scenario(world, Silent(), limits, clock=world.clock, sleep=world.sleep).run(cases)


def test_all_faults_pass_one_after_the_other(world):
    result = run(world)
    assert (True, ()) == (result.passed, result.misfired)
    assert [(fault, on) for fault in FAULTS for on in (True, False)] == world.switched


def test_times_are_those_of_the_world(world):
    (trial,) = run(world, CASES[:1]).trials
    assert (3.0, 6.0, 5.0) == (trial.pending - trial.on, trial.notified - trial.on, trial.resolved - trial.off)


def test_a_fault_that_nobody_notices_fails_with_what_was_seen_and_the_run_goes_on(world):
    world.deaf = {CASES[0].alert}
    result = run(world)
    assert "waited 20 s for pending (resident memory 0 MB)" == result.trials[0].failure
    assert [False, *[True] * (len(CASES) - 1)] == [trial.passed for trial in result.trials]
    assert not result.passed
    assert (CASES[0].fault, False) in world.switched


def test_an_alert_without_a_fault_fails_the_run(world):
    world.always = (Alert("RuntimeTargetDown", "firing", 990.0),)
    result = run(world, CASES[:1])
    assert (False, ("RuntimeTargetDown",)) == (result.passed, result.misfired)
    assert (
        "waited 15 s for the alert to resolve (resident memory 0 MB; active: RuntimeTargetDown)"
        == result.trials[0].failure
    )


def test_a_pending_alert_in_a_quiet_time_has_not_fired(world):
    world.always = (Alert("RuntimeTargetDown", "pending", 990.0),)
    assert () == run(world, ()).misfired


def test_a_missing_watchdog_fails_the_run(world):
    world.watchdog = False
    assert not run(world, CASES[:1]).passed


def test_the_whole_run_is_bounded_and_what_was_not_tried_says_so(world):
    world.deaf = {case.alert for case in CASES}
    result = run(world, limits=Limits(quiet=5.0, calm=2.0, notified=20.0, resolved=15.0, whole=60.0))
    assert result.seconds <= 62.5
    assert "not tried: the run took too long" == result.trials[-1].failure


def test_the_defaults_leave_time_for_every_fault_that_goes_as_usual():
    limits = Limits()
    assert limits.quiet + limits.calm + len(FAULTS) * 25 <= limits.whole


def test_a_fault_with_two_alerts_is_switched_once_and_waits_for_both(world):
    result = run(world, SLOW)
    assert [("slow-search", True), ("slow-search", False)] == world.switched
    assert ["RuntimeHttpLatencyHigh", "RuntimeProfileRegression"] == [trial.case.alert for trial in result.trials]
    assert [(True, frozenset())] * 2 == [(trial.passed, trial.also_fired) for trial in result.trials]


def test_if_one_of_two_alerts_is_deaf_the_other_still_passes(world):
    world.deaf = {"RuntimeProfileRegression"}
    assert [True, False] == [trial.passed for trial in run(world, SLOW).trials]


def test_the_profile_behind_the_links_shows_whose_fault_it_is(world):
    trial = run(world, SLOW).trials[1]
    assert {"slack": 0.44, "mail": 0.44} == {channel: shown.share for channel, shown in trial.shown.items()}
    assert {"http://shop/RuntimeProfileRegression"} == {shown.url for shown in trial.shown.values()}


@pytest.mark.parametrize("page", ["", page_of("shop.faults:Innocent"), page_of(SLOW[1].function, share="3.00%")])
def test_a_link_that_leads_nowhere_or_to_another_profile_fails_the_fault(world, page):
    world.pages["http://shop/RuntimeProfileRegression"] = page
    trial = run(world, SLOW).trials[1]
    assert (False, {}) == (trial.passed, trial.shown)
    assert "waited 20 s for the profile that they link to (threads that read every row 42.0)" == trial.failure


def test_a_message_that_does_not_name_the_function_is_not_the_one(world):
    told = world.tell
    world.tell = lambda case, state, at: told(replace(case, function="something"), state, at)
    trial = run(world, SLOW).trials[1]
    assert {} == trial.told
    assert trial.failure.startswith(f"waited 20 s for the messages that name {SLOW[1].function} (")
    assert "; told was: " in trial.failure
    assert "something" in trial.failure
