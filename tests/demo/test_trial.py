from dataclasses import replace

import pytest

from runtime_exporter.demo.cases import CASES
from runtime_exporter.demo.trial import AFTERMATH, Shown, Stage, Trial, advance
from runtime_exporter.demo.watch import Alert, Message, Observation

CASE = CASES[0]
ALERT = CASE.alert
WATCHDOG = Alert("Watchdog", "firing", 0.0)
FIRED = (Message("slack", f"WARNING · {ALERT} · shop", 112.0), Message("mail", f"[WARNING] {ALERT}", 113.0))
OVER = (Message("slack", f"RESOLVED · {ALERT} · shop", 122.0), Message("mail", f"[RESOLVED] {ALERT}", 123.0))


def pending(at=105.0):
    return Alert(ALERT, "pending", at)


def firing(at=105.0):
    return Alert(ALERT, "firing", at)


def see(trial, at, *alerts, messages=()):
    return advance(trial, Observation(at, (WATCHDOG, *alerts), tuple(messages)))


@pytest.fixture
def new():
    return Trial(CASE, on=100.0)


@pytest.fixture
def notified(new):
    return see(new, 114.0, firing(), messages=FIRED)


@pytest.fixture
def off(notified):
    return replace(notified, off=115.0)


def test_a_new_trial_waits_for_its_alert(new):
    assert Stage.ON is see(new, 101.0).stage


def test_another_alert_is_a_symptom_and_not_the_one(new):
    trial = see(new, 101.0, Alert("RuntimeCpuSpike", "firing", 100.5))
    assert (Stage.ON, {"RuntimeCpuSpike"}) == (trial.stage, trial.also_fired)


def test_another_alert_that_is_only_pending_is_nothing(new):
    assert frozenset() == see(new, 101.0, Alert("RuntimeCpuSpike", "pending", 100.5)).also_fired


def test_pending_since_when_prometheus_says(new):
    trial = see(new, 106.0, pending())
    assert (Stage.PENDING, 105.0) == (trial.stage, trial.pending)


def test_firing_since_it_was_seen(new):
    trial = see(see(new, 106.0, pending()), 108.0, firing())
    assert (Stage.FIRING, 105.0, 108.0) == (trial.stage, trial.pending, trial.firing)


def test_a_message_that_arrived_before_it_was_seen_firing_says_when(new):
    assert 112.0 == see(new, 114.0, firing(), messages=FIRED).firing


def test_a_pending_time_that_nobody_saw_is_still_known(new):
    assert 105.0 == see(new, 108.0, firing()).pending


def test_one_message_is_not_enough(new):
    trial = see(new, 113.0, firing(), messages=FIRED[:1])
    assert (Stage.FIRING, None) == (trial.stage, trial.notified)


def test_notified_when_the_last_channel_has_heard(notified):
    assert (Stage.NOTIFIED, 113.0) == (notified.stage, notified.notified)


def test_a_message_from_before_the_fault_does_not_count(new):
    old = [replace(message, received=99.0) for message in FIRED]
    assert Stage.FIRING is see(new, 113.0, firing(), messages=old).stage


def test_a_message_about_another_alert_does_not_count(new):
    other = [replace(message, headline="WARNING RuntimeCpuSpike") for message in FIRED]
    assert Stage.FIRING is see(new, 113.0, firing(), messages=other).stage


def test_without_the_fault_the_alert_must_resolve(off):
    assert Stage.OFF is see(off, 116.0, firing()).stage


def test_an_alert_that_is_gone_must_be_told_so(off):
    trial = see(off, 121.0, messages=FIRED)
    assert (Stage.CLEARED, 121.0, None) == (trial.stage, trial.cleared, trial.resolved)


def test_resolved_when_everybody_was_told_so(off):
    trial = see(off, 124.0, messages=FIRED + OVER)
    assert (Stage.RESOLVED, 123.0, True) == (trial.stage, trial.resolved, trial.passed)


def test_a_message_that_arrived_before_it_was_seen_to_be_gone_says_when(off):
    assert 122.0 == see(off, 124.0, messages=FIRED + OVER).cleared


def test_an_alert_that_comes_back_is_not_resolved(off):
    trial = see(see(off, 121.0), 122.0, pending(121.5), messages=FIRED + OVER)
    assert (Stage.OFF, None) == (trial.stage, trial.cleared)


def test_a_symptom_must_be_over_too(off):
    trial = see(off, 124.0, Alert("RuntimeCpuSpike", "firing", 110.0), messages=FIRED + OVER)
    assert (Stage.OFF, {"RuntimeCpuSpike"}) == (trial.stage, trial.still_active)
    assert Stage.RESOLVED is see(trial, 125.0, messages=FIRED + OVER).stage


@pytest.mark.parametrize(
    ("after", "misfired"), [(AFTERMATH - 0.1, frozenset()), (AFTERMATH + 0.1, {"RuntimeGcPressure"})]
)
def test_an_alert_that_begins_long_after_the_fault_is_a_misfire(off, after, misfired):
    trial = see(off, 130.0, Alert("RuntimeGcPressure", "firing", off.off + after), messages=FIRED + OVER)
    assert misfired == trial.misfired
    over = see(trial, 132.0, messages=FIRED + OVER)
    assert (not misfired) == over.passed


def test_who_was_never_told_is_not_told_that_it_is_over(new):
    trial = see(replace(new, off=130.0, failure="waited"), 131.0)
    assert (Stage.RESOLVED, False) == (trial.stage, trial.passed)


NAMED = tuple(replace(message, text="Most CPU goes to shop:order.") for message in FIRED)


@pytest.fixture
def guilty():
    return Trial(replace(CASE, function="shop:order"), on=100.0)


def test_a_message_must_name_the_guilty_function(guilty):
    trial = see(guilty, 114.0, firing(), messages=FIRED)
    assert (Stage.FIRING, "the messages that name shop:order") == (trial.stage, trial.waits_for)
    assert Stage.TOLD is see(trial, 115.0, firing(), messages=FIRED + NAMED).stage


def test_the_profile_behind_both_links_must_be_seen(guilty):
    told = see(guilty, 114.0, firing(), messages=NAMED)
    slack, mail = Shown("http://a", 115.0, 0.5), Shown("http://b", 115.0, 0.5)
    assert Stage.TOLD is replace(told, shown={"slack": slack}).stage
    assert Stage.NOTIFIED is replace(told, shown={"slack": slack, "mail": mail}).stage


def test_another_alert_that_the_fault_must_have_is_no_symptom():
    trial = Trial(CASE, on=100.0, beside=frozenset({"RuntimeCpuSpike"}))
    assert frozenset() == see(trial, 101.0, Alert("RuntimeCpuSpike", "firing", 100.5)).also_fired


def test_an_alert_that_ended_before_its_fault_was_told_to_be_over_too(notified):
    early = replace(notified, off=130.0)
    trial = see(early, 131.0, messages=FIRED + OVER)
    assert (Stage.RESOLVED, 130.0) == (trial.stage, trial.resolved)
