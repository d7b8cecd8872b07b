"""What goes into the rules and what comes out: Evidence, Rule, Finding, Recommendation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from runtime_exporter.profiling.advice.facts import Facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from runtime_exporter.profiling.advice.weights import Weights
    from runtime_exporter.profiling.bias import Bias

Severity = Literal["info", "warning", "critical"]
Language = Literal["python", "go", "any"]
Number = float | int | str

PROCESS: Final = "process"
"""The target of a recommendation that is about no single function."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that is known of one process over one window. What is unknown is left out, and the rules on it are silent."""

    language: Literal["python", "go"]
    window: float
    """Seconds that the profiles and the facts cover."""
    profiles: Mapping[str, Weights] = field(default_factory=dict)
    """Kind (cpu, wall, block, mutex, heap, goroutineleak) to its weighted stacks."""
    facts: Facts = field(default_factory=Facts)
    backend: str = ""
    """What took the samples: remote, py-spy, signal, thread, pprof, file."""
    bias: Bias = "none"
    age: float | None = None
    """Seconds from the start of the process to the end of the window."""

    @property
    def cpu_cores(self) -> float | None:
        """CPU that the profile saw, in cores; None without a CPU profile or a window."""
        cpu = self.profiles.get("cpu")
        return cpu.total / self.window if cpu is not None and self.window > 0 else None


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A rule has something to say: the part of a recommendation that differs from time to time."""

    claim: str
    """One sentence with numbers."""
    evidence: Mapping[str, Number]
    target: str = PROCESS
    """A function, a site in the code, or `process`."""
    gain: float | None = None
    """Upper bound of the gain, as a share of `gain_of`; None where it cannot be stated."""
    severity: Severity | None = None
    """Instead of the rule's own."""
    do: str = ""
    """What to do with this process's own numbers, before what the rule says in general."""
    claims: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """Kind of profile to the places of the stacks that this finding explains: no later rule counts them again."""
    causes: frozenset[str] = frozenset()
    """Names of what is behind it. A later finding with one of them is the same cause and is left out."""


@dataclass(frozen=True)
class Threshold:
    """A number that decides whether a rule speaks."""

    what: str
    value: float
    unit: Literal["ratio", "seconds", "bytes", "count"]
    source: str
    """Where the number is from."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One recommendation: when it speaks, what it says and when it is wrong."""

    name: str
    """The label value; never changes."""
    language: Language
    title: str
    judge: Callable[[Evidence, Claimed], Iterable[Finding]]
    speaks: str
    silent: str
    do: str
    verify: str
    wrong: str
    thresholds: tuple[Threshold, ...] = ()
    """The numbers that decide, apart from one that `judge` has as its own."""
    least_age: float = 0.0
    """Seconds since the start of the process before which it is silent."""
    severity: Severity = "info"
    gain_of: str = "CPU time"
    kind: str = ""
    """The profile that it reads; empty when it reads facts. Shared suppression follows from it."""
    needs_leaf: bool = False
    """It rests on what the leaf of a stack is, so a biased profile silences it."""
    reads_facts: bool = False
    """It reads facts beside its profile."""
    yields_to: frozenset[str] = frozenset()
    """Rules that name the cause of what this one would see: it is silent when one of them spoke."""

    @property
    def of_one_process(self) -> bool:
        """Whether it is about something that each process has of its own, such as a GIL, an event loop, a heap or an age.

        Of several processes together there is no such thing: it is asked of each. All others read profiles, which add up.
        """
        return not self.kind or self.reads_facts or self.least_age > 0


@dataclass(frozen=True)
class Claimed:
    """Which stacks of each profile a rule has already explained."""

    claims: Mapping[str, frozenset[int]] = field(default_factory=dict)

    def of(self, kind: str) -> frozenset[int]:
        """Return the places of the explained stacks of this kind of profile."""
        return self.claims.get(kind, frozenset())

    def plus(self, claims: Mapping[str, frozenset[int]]) -> Claimed:
        """Return the same with more stacks explained."""
        return Claimed({**self.claims, **{kind: self.of(kind) | places for kind, places in claims.items()}})


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """What to change, why that is believed, what it can bring at most, how to check it, and when it is wrong."""

    rule: str
    title: str
    severity: Severity
    target: str
    claim: str
    evidence: Mapping[str, Number]
    gain_upper_bound: float | None
    """0 to 1 of `gain_of`; None where no bound can be stated. Bounds of one kind of time add up to at most 1."""
    gain_of: str
    what_to_do: str
    how_to_verify: str
    wrong_when: str
