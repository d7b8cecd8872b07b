"""Our log: one logger, never the root's business, one line for a change of state."""

from __future__ import annotations

import io
import json
import logging
import sys
from contextlib import contextmanager

from runtime_exporter import logs


@contextmanager
def no_application_handlers():
    """Pretend that nobody configured logging: pytest itself has handlers at the root while a test runs."""
    root, own = logging.getLogger(), logs.LOGGER
    before = root.handlers, own.handlers, own.level, sys.stderr
    root.handlers, own.handlers, sys.stderr = [], [], io.StringIO()
    try:
        yield sys.stderr
    finally:
        root.handlers, own.handlers, own.level, sys.stderr = before


def test_where_nobody_configured_logging_we_write_to_standard_error():
    with no_application_handlers() as stderr:
        logs.configure()
        logs.LOGGER.info("serving %s", "http://127.0.0.1:9464")
        logs.LOGGER.debug("unseen")

    assert stderr.getvalue().endswith("Z INFO runtime_exporter: serving http://127.0.0.1:9464\n")
    assert 1 == stderr.getvalue().count("\n")


def test_json_is_one_object_a_line_with_the_exception_in_it():
    with no_application_handlers() as stderr:
        logs.configure(level="debug", form="json")
        try:
            raise ValueError("two\nlines")
        except ValueError:
            logs.LOGGER.exception("it broke: ü")

    (line,) = stderr.getvalue().splitlines()
    fields = json.loads(line)
    assert ("error", "runtime_exporter", "it broke: ü") == (fields["level"], fields["logger"], fields["message"])
    assert "ValueError: two\nlines" in fields["exception"]
    assert fields["time"].endswith("Z")


def test_configuring_twice_writes_each_line_once():
    with no_application_handlers() as stderr:
        logs.configure()
        logs.configure(form="json")
        logs.LOGGER.warning("once")

    assert ["once"] == [json.loads(line)["message"] for line in stderr.getvalue().splitlines()]


def test_an_application_that_configured_logging_finds_our_lines_in_its_own_log_only():
    own = io.StringIO()
    with no_application_handlers() as stderr:
        root = logging.getLogger()
        level = root.level
        root.addHandler(logging.StreamHandler(own))
        logs.configure()
        logs.LOGGER.warning("hello")
        touched = (len(root.handlers), logs.LOGGER.handlers, root.level)

    assert ("hello\n", "") == (own.getvalue(), stderr.getvalue())
    assert (1, [], level) == touched


def test_an_application_that_configures_logging_after_our_start_finds_each_line_once():
    own = io.StringIO()
    with no_application_handlers() as stderr:
        logs.configure()
        logs.LOGGER.warning("before")
        logging.getLogger().addHandler(logging.StreamHandler(own))
        logs.LOGGER.warning("after")

    assert "after\n" == own.getvalue()
    assert ["before"] == [line.rpartition(" ")[2] for line in stderr.getvalue().splitlines()]


def test_a_state_is_logged_when_it_changes_and_not_when_it_stays(caplog):
    states = logs.StateLog()
    with caplog.at_level(logging.INFO, "runtime_exporter"):
        said = [
            states.report("gc", state, f"gc is {state}")
            for state in ("ok", "ok", "broken", "broken", "ok", "ok", "broken")
        ]

    assert [False, False, True, False, True, False, True] == said
    assert ["gc is broken", "gc is ok", "gc is broken"] == [record.message for record in caplog.records]
    assert ["WARNING", "INFO", "WARNING"] == [record.levelname for record in caplog.records]


def test_states_of_two_things_do_not_mix(caplog):
    states = logs.StateLog()
    states.report("a", "broken", "a broke")
    states.report("b", "ok", "b is fine")
    states.report("b", "broken", "b broke")

    assert ["a broke", "b broke"] == [record.message for record in caplog.records]
