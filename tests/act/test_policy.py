"""What is run for an alert, and what is not: the decisions, without a server and without a clock."""

from __future__ import annotations

import re

import pytest

from runtime_exporter.act.config import Action
from runtime_exporter.act.policy import Order, Policy, Refusal, Run
from runtime_exporter.act.template import RefusedError, filled, labels_in
from runtime_exporter.web.notification import Alert

RESTART = Action(name="restart", alert="Down", labels={"job": "shop"}, command=("/bin/true", "shop"), cool_down=60)


def alert(name="Down", status="firing", fingerprint="f1", starts_at="t1", **labels):
    return Alert(name, status, {"alertname": name, "job": "shop", **labels}, fingerprint, starts_at)


def policy(*actions, runs=100, per=3600.0):
    return Policy(actions or (RESTART,), runs=runs, per=per)


def reason(decisions):
    [refusal] = decisions
    assert isinstance(refusal, Refusal)
    return refusal.reason


def test_what_is_listed_is_run_with_the_arguments_that_are_listed():
    [order] = policy().decide(alert(), 0)
    assert (order.action, order.alert, order.command) == (RESTART, alert(), ("/bin/true", "shop"))
    assert order.run == Run("restart", ("/bin/true", "shop"), alert().episode, 0)


def test_what_could_not_be_passed_on_was_never_asked_for():
    decided = policy(runs=1)
    [order] = decided.decide(alert(), 0)
    decided.take_back(order)
    assert isinstance(decided.decide(alert(), 1)[0], Order)


def test_what_is_taken_back_leaves_the_cool_down_of_others_alone():
    decided = policy()
    [first] = decided.decide(alert(), 0)
    [second] = decided.decide(alert(starts_at="t2"), 100)
    decided.take_back(first)
    assert second.run.at == 100
    assert reason(decided.decide(alert(starts_at="t3"), 150)).startswith("cool-down: the last run was 50 s ago")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (alert("Other"), "no action is listed for this alert"),
        (alert("down"), "no action is listed for this alert"),
        (alert(job="shop2"), "no action is listed for an alert with these labels"),
        (Alert("Down", "firing", {"alertname": "Down"}), "no action is listed for an alert with these labels"),
        (alert(status="resolved"), "the alert is resolved, and no action is listed for that"),
        (alert(status=""), "the alert is in no state, and no action is listed for that"),
    ],
)
def test_what_is_not_listed_is_refused(asked, said):
    assert reason(policy().decide(asked, 0)) == said


def test_an_alert_that_lasts_is_answered_once():
    decided = policy()
    assert isinstance(decided.decide(alert(), 0)[0], Order)
    assert reason(decided.decide(alert(), 1000)) == "it was run for this alert already"
    assert isinstance(decided.decide(alert(starts_at="t2"), 1000)[0], Order)


def test_who_wants_it_again_while_it_lasts_waits_for_the_cool_down():
    decided = policy(Action(name="again", alert="Down", command=("/bin/true",), cool_down=60, repeat=True))
    assert isinstance(decided.decide(alert(), 0)[0], Order)
    assert reason(decided.decide(alert(), 59)).startswith("cool-down: the last run was 59 s ago")
    assert isinstance(decided.decide(alert(), 60)[0], Order)


def test_a_cool_down_is_that_of_a_command_with_its_arguments():
    own = Action(
        name="x",
        alert="Down",
        command=("/bin/true", "{instance}"),
        values={"instance": re.compile("[ab]")},
        cool_down=60,
    )
    decided = policy(own)
    assert isinstance(decided.decide(alert(instance="a", fingerprint="a"), 0)[0], Order)
    assert isinstance(decided.decide(alert(instance="b", fingerprint="b"), 1)[0], Order)
    assert "cool-down" in reason(decided.decide(alert(instance="a", fingerprint="c"), 2))


def test_all_commands_together_have_a_rate_limit():
    decided = policy(Action(name="x", alert="Down", command=("/bin/true",), cool_down=0.0), runs=3, per=100)
    asked = [decided.decide(alert(fingerprint=str(at)), at)[0] for at in (0, 10, 20, 30, 99, 100, 101)]
    assert [isinstance(each, Order) for each in asked] == [True, True, True, False, False, True, False]
    assert asked[3].reason == "rate limit: 3 commands in 100 s are the most"


def test_what_was_run_before_a_restart_counts():
    decided = policy()
    decided.remember(Run("restart", ("/bin/true", "shop"), alert().episode, 0))
    assert reason(decided.decide(alert(), 1000)) == "it was run for this alert already"
    assert "cool-down" in reason(decided.decide(alert(fingerprint="new"), 30))


def test_two_actions_for_one_alert_are_two_answers():
    both = policy(RESTART, Action(name="profile", alert="Down", command=("/bin/true",)))
    assert [order.action.name for order in both.decide(alert(), 0)] == ["restart", "profile"]


@pytest.mark.parametrize(
    ("word", "labels", "expected"),
    [
        ("{unit}", {"unit": "shop"}, "shop"),
        ("unit={unit}.service", {"unit": "shop"}, "unit=shop.service"),
        ("{{x}}", {}, "{x}"),
        ("{unit}{unit}", {"unit": "a"}, "aa"),
        # Nothing is read twice, and no shell reads it at all.
        ("{unit}", {"unit": "{other}$(id);`id`"}, "{other}$(id);`id`"),
    ],
)
def test_labels_are_filled_in(word, labels, expected):
    values = {"unit": re.compile(r".*")}
    assert filled(("/bin/true", word), labels, values) == ("/bin/true", expected)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("shop; rm -rf /", "has a value that is not allowed"),
        ("shop\n", "has a value that is not allowed"),
        ("shop\x00", "has a value that is not allowed"),
        ("x" * 201, "has a value that is not allowed"),
        ("", "the alert has no label unit"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused(value, said):
    pattern = {"unit": re.compile(r"[a-z]+")}
    with pytest.raises(RefusedError, match=said):
        filled(("/bin/true", "{unit}"), {"unit": value}, pattern)
    # What a pattern lets through by mistake: control characters and what is too long are never allowed.
    if value and value[-1] != "/":
        with pytest.raises(RefusedError):
            filled(("/bin/true", "{unit}"), {"unit": value}, {"unit": re.compile(r"(?s).*")})


def test_a_value_cannot_become_an_option():
    with pytest.raises(RefusedError, match="would become an option"):
        filled(("/bin/true", "{unit}"), {"unit": "--force"}, {"unit": re.compile(".*")})
    assert filled(("/bin/true", "--unit={unit}"), {"unit": "-x"}, {"unit": re.compile(".*")})[1] == "--unit=-x"


@pytest.mark.parametrize("word", ["{", "}", "{a b}", "{}", "{a", "{0}"])
def test_a_brace_that_names_no_label_is_refused(word):
    with pytest.raises(ValueError, match="names a label"):
        labels_in(word)
