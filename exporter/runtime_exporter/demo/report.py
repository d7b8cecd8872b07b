"""What the demo says while it runs, and the table at its end."""

from __future__ import annotations

import html
import re
import textwrap
import time
from typing import TYPE_CHECKING, Any

from runtime_exporter.demo.trial import CHANNELS, Shown, Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runtime_exporter.demo.cases import Case
    from runtime_exporter.demo.scenario import Result
    from runtime_exporter.demo.terminal import Terminal
    from runtime_exporter.demo.watch import Message

HEADINGS = ("fault", "alert", "pending", "firing", "notified", "resolved", "slack", "mail", "profile", "verdict")
_RIGHT = range(2, 6)
_INDENT = " " * 21
_NAMES = {"slack": "Slack", "mail": "mail"}


class Report:
    """The listener of a scenario that writes to a terminal."""

    def __init__(self, terminal: Terminal, cases: Sequence[Case], clock: Callable[[], float] = time.time) -> None:
        self._terminal = terminal
        self._clock = clock
        self._off: float | None = None
        faults = list(dict.fromkeys(case.fault for case in cases))
        self._numbers = {fault: f"{number}/{len(faults)}" for number, fault in enumerate(faults, 1)}

    def waiting(self, what: str, since: float, limit: float) -> None:
        """Show what goes on."""
        self._terminal.progress(f"{what}   (at most {limit:.0f} s)", self._clock() - since)

    def quiet(self, seconds: float, misfired: Sequence[str]) -> None:
        """Say how a quiet time was."""
        if misfired:
            self._event("✗", f"{seconds:.0f} s without a fault, but {', '.join(misfired)} fired", "red")
        else:
            self._event("✓", f"{seconds:.0f} s without a fault: no alert fired", "green")

    def began(self, cases: Sequence[Case]) -> None:
        """Say which fault begins."""
        style, first = self._terminal.style, cases[0]
        self._terminal.line()
        self._terminal.line(
            f"{style(self._numbers[first.fault], 'dim')} {style(first.title, 'bold')}: {first.story}"
            f" {style('→', 'dim')} {', '.join(style(case.alert, 'cyan') for case in cases)}"
        )
        self._moment(0.0, style("fault on", "bold"))

    def changed(self, before: Trial, after: Trial) -> None:
        """Say what is new, in the order in which it happened."""
        alert = f" {after.case.alert}" if after.beside else ""
        news = [
            (moment, text, styles)
            for earlier, moment, text, styles in (
                (before.pending, after.pending, f"pending{alert}", ("yellow",)),
                (before.firing, after.firing, f"firing{alert}", ("red",)),
                (before.cleared, after.cleared, f"resolved{alert}", ("green",)),
            )
            if earlier is None and moment is not None
        ]
        if before.off is None and after.off is not None and after.off != self._off:  # once for all alerts of a fault
            self._off = after.off
            news.append((after.off, "fault off", ("bold",)))
        for moment, text, styles in sorted(news, key=lambda event: event[0]):
            self._moment(moment - after.on, self._terminal.style(text, *styles))
        for earlier, told in ((before.told, after.told), (before.told_over, after.told_over)):
            for channel in sorted(set(told) - set(earlier), key=CHANNELS.index):
                self._message(told[channel], after)
        for channel in sorted(set(after.shown) - set(before.shown), key=CHANNELS.index):
            self._profile(channel, after.shown[channel], after)

    def ended(self, trial: Trial) -> None:
        """Say what was wrong or remarkable."""
        if trial.also_fired:
            self._event(" ", f"also fired, as symptoms: {', '.join(sorted(trial.also_fired))}", "dim")
        if trial.misfired:
            self._event("✗", f"fired without a fault: {', '.join(sorted(trial.misfired))}", "red")
        if trial.failure:
            self._event("✗", trial.failure, "red")

    def _message(self, message: Message, trial: Trial) -> None:
        """Show a message as it arrived; of Slack's, which comes first, also what it says and advises."""
        self._moment(message.received - trial.on, f"→ {_NAMES[message.channel]:<6} {message.headline}")
        if message.channel == "slack" and not message.resolved:
            for line in _excerpt(message.text, self._terminal.width - len(_INDENT), trial.case.function):
                self._terminal.line(self._terminal.style(_INDENT + line, "dim"))

    def _profile(self, channel: str, shown: Shown, trial: Trial) -> None:
        """Show where the link of a message led."""
        share = self._terminal.style(f"{shown.share:.0%} in {trial.case.function}", "bold")
        self._moment(shown.at - trial.on, f"→ profile behind the {_NAMES[channel]} link: {share}")
        self._terminal.line(self._terminal.style(_INDENT + shown.url, "dim"))

    def _moment(self, seconds: float, text: str) -> None:
        self._terminal.line(f"{self._terminal.style(f'{seconds:8.1f} s', 'dim')}  {text}")

    def _event(self, mark: str, text: str, *styles: str) -> None:
        self._terminal.line(self._terminal.style(f"{mark} {text}", *styles))


def _excerpt(text: str, width: int, naming: str) -> list[str]:
    """Return a description of a Slack message, the first or that with `naming`, and the first action, in lines of at most `width`."""
    # Above the actions, a bullet is one of several alerts.
    said, _, advised = text.partition("*What to do*")
    descriptions, action = _plain(said).splitlines()[1:], _plain(advised).strip().splitlines()[:1]
    description = [line for line in descriptions if naming in line] or descriptions
    return [
        *(part for line in description[:1] for part in textwrap.wrap(line, width, max_lines=3, placeholder=" …")),
        *(part for line in action for part in textwrap.wrap(line, width, subsequent_indent="  ")),
    ]


def _plain(text: str) -> str:
    """Return Slack's markup as a terminal shows it: `<link|what is read>`, `code`, _emphasis_ and three escaped characters."""
    read = re.sub(r"<[^<>|]*\|([^<>|]*)>", r"\1", text)
    read = re.sub(r"(?<!\w)_([^_\n]+)_(?!\w)", r"\1", read)
    return html.unescape(read.replace("`", ""))


def rows(trials: Sequence[Trial]) -> list[tuple[str, ...]]:
    """Return the cells of the table: seconds from the fault's beginning, and from its end where it says resolved."""
    return [
        (
            trial.case.title,
            trial.case.alert,
            _seconds(trial.pending, trial.on),
            _seconds(trial.firing, trial.on),
            _seconds(trial.notified, trial.on),
            _seconds(trial.resolved, trial.off),
            *(_both(trial, channel) for channel in CHANNELS),
            _opened(trial),
            "ok" if trial.passed else "FAILED",
        )
        for trial in trials
    ]


def table(trials: Sequence[Trial]) -> str:
    """Return the table as text."""
    cells = [HEADINGS, *rows(trials)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEADINGS))]
    lines = [
        "  ".join(
            cell.rjust(width) if column in _RIGHT else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    return "\n".join([lines[0], "─" * max(map(len, lines)), *lines[1:]])


def summary(result: Result) -> str:
    """Return what the run comes to, and what is behind each failure."""
    lines = [f"{trial.case.title}: {trial.failure}" for trial in result.trials if trial.failure]
    lines += [
        f"{trial.case.title}: then fired {', '.join(sorted(trial.misfired))}"
        for trial in result.trials
        if trial.misfired
    ]
    lines += [f"fired while no fault was on: {', '.join(result.misfired)}"] if result.misfired else []
    lines += [] if result.watchdog else ["the Watchdog does not fire"]
    faults = {trial.case.fault for trial in result.trials}
    passed = len(faults - {trial.case.fault for trial in result.trials if not trial.passed})
    verdict = f"{passed} of {len(faults)} faults noticed, told and resolved in {result.seconds:.0f} s"
    also = sorted({name for trial in result.trials for name in trial.also_fired})
    notes = [textwrap.fill(f"also fired, as symptoms: {', '.join(also)}", 100)] if also else []
    return "\n".join([*notes, *lines, verdict + ("; nothing fired without a fault" if result.passed else "")])


def as_json(result: Result) -> dict[str, Any]:
    """Return the result for other programs; times are seconds from the fault's beginning."""
    return {
        "passed": result.passed,
        "seconds": round(result.seconds, 1),
        "misfired": list(result.misfired),
        "watchdog": result.watchdog,
        "faults": [_trial_json(trial) for trial in result.trials],
    }


def _trial_json(trial: Trial) -> dict[str, Any]:
    return {
        "fault": trial.case.fault,
        "alert": trial.case.alert,
        "verdict": "ok" if trial.passed else "failed",
        "reason": trial.failure,
        "stage": trial.stage.name.lower(),
        **{
            name: None if moment is None else round(moment - trial.on, 1)
            for name, moment in (
                ("pending", trial.pending),
                ("firing", trial.firing),
                ("notified", trial.notified),
                ("off", trial.off),
                ("resolved", trial.resolved),
            )
        },
        "function": trial.case.function,
        "profiles": {channel: {"url": one.url, "share": round(one.share, 3)} for channel, one in trial.shown.items()},
        "messages": {channel: message.headline for channel, message in trial.told.items()},
        "resolved_messages": {channel: message.headline for channel, message in trial.told_over.items()},
        "also_fired": sorted(trial.also_fired),
        "misfired": sorted(trial.misfired),
    }


def _seconds(moment: float | None, since: float | None) -> str:
    return "-" if moment is None or since is None else f"{moment - since:.1f} s"


def _both(trial: Trial, channel: str) -> str:
    """Return whether a channel heard of the beginning and of the end."""
    return "".join("✓" if channel in told else "-" for told in (trial.told, trial.told_over))


def _opened(trial: Trial) -> str:
    """Return whether the links of both messages led to a profile that shows the guilty function; empty where none has to."""
    return "".join("✓" if channel in trial.shown else "-" for channel in CHANNELS) if trial.case.function else ""
