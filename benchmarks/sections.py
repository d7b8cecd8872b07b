"""Which reports there are, in the order in which they run and in which docs/performance.md tells of them."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.plots import Curves, Dots, Lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.figures import Item


@dataclass(frozen=True)
class Section:
    """A report, and what its part of the page says before the figures."""

    report: str
    """The module, benchmarks/<report>.py."""
    title: str
    text: str = ""
    """How it is measured and what is to be seen: Markdown, no figures."""
    plots: tuple[Dots | Lines | Curves, ...] = ()
    long: bool = False
    """Whether it takes longer in full than all the others: it runs only where it is asked for."""

    def run(self, *, quick: bool) -> Iterator[Item]:
        """Yield what the report finds. It is imported only now: what it needs, no other report does."""
        found: Iterator[Item] = importlib.import_module(f"benchmarks.{self.report}").report(quick=quick)
        return found


SECTIONS = (
    Section(
        "requests",
        "What a request pays",
        "An application that answers at once, bare, with our middleware, and with what others offer. Requests are driven in process: no socket, no server.\n"
        "*Nothing* stands for a middleware that counts nothing, and only passes a request on, looks at what it sends, or reads a clock twice, too: no middleware\n"
        "in Python that measures can cost less. Ours counts in compiled code, where an installation has it; *not compiled* is what it costs elsewhere.\n\n"
        "Either application has short turns, of some hundred microseconds, in one process with one event loop. A pair of turns, one of either, has one difference; of the quarter\n"
        "of pairs that took least, the median is told, as a share of the bare application, and as CPU time by what that one took in all processes of the round. Each turn begins at\n"
        "another depth of the stack: by its place alone an application of 100 routes took up to 5 % more or less, which is more than what a middleware adds to it. Four threads stay,\n"
        "too, and each has its own clock.",
        (
            Dots(
                "requests",
                "What a middleware adds to a request",
                "CPU time over the bare application, logarithmic; less is better",
                ("* over the bare application",),
            ),
        ),
    ),
    Section(
        "served",
        "What is left of a loaded server",
        "uvicorn with a Starlette application of one route on one core, `wrk` on another. Each of three servers of a round has it bare, with our middleware (twice, for A/A), with prometheus_client by\n"
        "hand and with a package, another of them every 35 ms, in random order: where chance puts something in a process makes a percent of what an application costs there. Told are the requests that each answered, a second of CPU time of the server's one thread: of a server that has all of its core that\n"
        "is requests a second. Counted by the second, of servers of their own, the same application differed from itself by a quarter, since this kind of machine is now slow, now half as fast again.\n"
        "A server that waits is no loaded one, so a goal is told only where the bare application had nearly all of its core.",
        (
            Dots(
                "served",
                "A server under load",
                "requests a second of CPU time, logarithmic; more is better",
                ("Requests a second*",),
            ),
        ),
    ),
    Section(
        "exposition",
        "What a scrape pays",
        "A registry of one family with many children is written as text and as OpenMetrics, by ours and by `generate_latest`, each in processes of its own. Both have the same series.\n"
        "Ours makes text again only of what changed since the last scrape. *A busy service* answers 100 requests a second, all that one interpreter can where each takes 10 ms, is scraped\n"
        "every 15 s, and each request counts in one child, by Zipf's law. Beside it are told nothing, a tenth, spread evenly, and everything changed; the goal is held to the last, too, in\n"
        "which no service is. Counters *of seconds* are no whole numbers: `repr` takes a third of a microsecond to find the shortest digits of one, more than twice what a series of whole\n"
        "numbers takes in all, and both pay it. So where all of them have changed, 35 times faster than the other is out of reach without compiled code. \"prometheus_client's own\" are an application's\n"
        "metrics of that library, which ours reads, and the other writes itself.\n\n"
        "All processes of a round run on one core, those of the next on another. On a virtual machine one core takes half as long again for seconds at a time while the other does not (46 and 72 µs\n"
        "for the same loop), but no longer for instructions that wait for each other: that is how somebody else's work on the other half of the same real core looks from inside. With\n"
        "a core for each process it could decide a ratio. Whether the process had been idle before, or the caches were emptied, changed a scrape by 6 to 19 %.",
        (
            Dots(
                "exposition",
                "What writing a scrape of a busy service costs",
                "CPU time, logarithmic; less is better",
                ("*a busy service",),
            ),
            Lines(
                "exposition-series",
                "A scrape of histograms, by the number of series",
                "CPU time of the text format; both axes logarithmic; less is better",
                ("histograms, text, * by the number of series",),
            ),
        ),
    ),
    Section(
        "prefork",
        "What a scrape of several workers pays",
        "Four processes count, each in files of its own, and one scrape answers for all of them: merged and written as text by ours, and by `MultiProcessCollector` and `generate_latest`.",
        (Dots("prefork", "A scrape of four workers", "CPU time, logarithmic; less is better", ("*",)),),
    ),
    Section(
        "memory",
        "What a series takes in memory",
        "A fresh process for each library and kind makes the series and writes them three times. Told is what a series takes of what Python says is in use, with our mapped cells, and of\n"
        "what the kernel says is resident once the allocator gave back what is free.",
        (Dots("memory", "Memory of a series", "Bytes, logarithmic; less is better", ("*",)),),
    ),
    Section(
        "startup",
        "What importing and starting costs",
        "Fresh processes in alternation; each tells what the statement cost it. `import runtime_exporter` by itself imports nothing else: its names are imported when they are\n"
        "used. So what a service really imports is told, too. Ours imports prometheus_client, whose own import is taken off.",
        (),
    ),
    Section(
        "profiling",
        "What profiling costs, and how right it is",
        "A busy program does the same work with a profiler and without, in blocks of four (off, on, on, off). In the place of quartiles stand the ends of a 95 % interval. The noise of\n"
        "a shared machine is often wider than what is to be told, so the CPU that each profiler runs itself is told beside it, by the kernel's clocks. The distance to the truth is\n"
        "measured on programs whose functions time themselves.",
        (
            Dots(
                "profiling",
                "What profilers run themselves",
                "percent of a core, helper processes counted, logarithmic; less is better",
                ("CPU that it runs itself, helpers counted, *",),
            ),
        ),
    ),
    Section(
        "locks",
        "What a profiled lock costs",
        "`with lock: pass` that nobody else wants, over an empty loop: beside a lock that is not profiled, and beside one that reads the clock at each acquisition.",
        (
            Dots(
                "locks",
                "An uncontended lock",
                "CPU time of one with statement, logarithmic; less is better",
                ("profiled *",),
            ),
        ),
    ),
    Section(
        "codec",
        "What reading and writing profiles costs",
        "Profiles recorded from Go programs, one made up as large as the largest of pprof's own tests, and one of a Python service.",
        (),
    ),
    Section(
        "comparison",
        "What the comparison of profiles sees, and how often it cries wolf",
        "A simulation with fixed seeds of processes whose truth is known: of functions in which nothing changed, how many are told of in a day, by windows of the baseline; of real rises,\n"
        "how many are seen within twelve comparisons. The upper end in brackets is that of a 95 % interval.",
        (),
    ),
    Section(
        "overhead",
        "What the exporter costs a process, and how true it tells",
        "A program of so many threads and series, idle or as busy as the interpreter lets it be, scraped every 15 s for three minutes; those that are busy have a core each. Outside, the exporter's is the CPU of the process\n"
        "less that of the program's threads, by the kernel's clocks, and what signal handlers took of these. Beside it stands what the exporter tells of the same minutes, in seconds and as a ratio.\n"
        "Each program runs once, so that no noise stands beside it: that two figures differ by a tenth says nothing.",
        (
            Dots(
                "overhead",
                "What everything together takes",
                "percent of a core, of which it may take one; less is better",
                ("*: overhead",),
            ),
        ),
        long=True,
    ),
    Section(
        "load",
        "What a scraper in a hurry gets",
        "A program of 1,000 routes, 17,000 samples and more, is scraped so often that a million a minute come out of it, and by a hundred at once. Every answer is looked at.",
        (),
    ),
    Section(
        "past",
        "What the past of profiles takes",
        "Profiles are compared with those of up to eight days, of which each process keeps sums by hour. Nine days of a program of 2,000 functions pass minute by minute, new functions\n"
        "come every hour, and one is slow for six hours: memory grows for eight days, and then no more.",
        (Curves("past", "Memory of the past of profiles", "resident, over that before the first minute", ("*past*",)),),
        long=True,
    ),
    Section(
        "soak",
        "What stays behind after a day",
        "A service in which everything comes and goes: routes, labels, threads, tasks, worker processes of which half are killed, profiles, scrapes and pages. The time of day runs so fast\n"
        "that 24 hours are over in minutes. After each quarter of an hour it looks at itself. `make soak MINUTES=60` gives it longer.",
        (Curves("soak", "Memory along a day", "after a collection", ("resident memory",)),),
        long=True,
    ),
    Section(
        "shop",
        "What a service pays as a whole",
        "The demo's shop, a Flask application, is scraped under load; and a small Flask application with the exporter is held beside itself without.",
        (),
    ),
)
REPORTS = {section.report: section for section in SECTIONS}
