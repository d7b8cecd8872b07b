"""Services that fall ill: what of them must be told, and how soon (promises.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gauntlet.cases import DAY
from gauntlet.faults.memory import (
    leak,
    leak_in_one_cluster,
    leak_in_one_of_three,
    leak_of_a_release,
    leak_of_the_first_day,
    leak_under_restarts,
    near_the_limit,
)
from gauntlet.faults.process import (
    cpu_spike,
    cpu_spike_after_a_deploy,
    files_left_open,
    garbage,
    goroutine_leak,
    thread_leak,
    threads_to_their_limit,
    throttled,
)
from gauntlet.faults.profiles import (
    confirmed_regression,
    lock_hot_spot,
    new_dominant_function,
    suspected_by_the_profiler,
)
from gauntlet.faults.requests import (
    breaks_latency_objective,
    breaks_objective,
    failing,
    failing_in_one_cluster,
    failing_rarely,
    fewer_requests,
    slower,
    slower_than_last_week,
)
from gauntlet.faults.targets import (
    answers_no_more,
    crash_loop,
    looked_for_no_more,
    one_of_three_answers_no_more,
    workers_die,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from gauntlet.cases import Case, Draw

# Recipe, how many of it, and what else to know of it: the length of the history, the world (worlds.py).

FAULTS: dict[str, tuple[Callable[[Draw], Case], int, dict[str, object]]] = {
    "leak 10 %/h": (leak(0.10), 3, {}),
    "leak 5 %/h": (leak(0.05), 2, {}),
    "leak 2 %/h": (leak(0.02), 3, {}),
    "leak 10 %/h, day and night": (leak(0.10, amplitude=0.5), 3, {"minutes": 3 * DAY}),
    "leak 2 %/h, day and night": (leak(0.02, amplitude=0.5), 2, {"minutes": 3 * DAY}),
    "leak 10 %/h, sawtooth 10m": (leak(0.10, period=10), 1, {}),
    "leak 10 %/h, sawtooth 30m": (leak(0.10, period=30), 1, {}),
    "leak 10 %/h, sawtooth 90m": (leak(0.10, period=90), 2, {}),
    "leak 10 %/h, sawtooth 5h": (leak(0.10, period=300), 2, {}),
    "leak 5 %/h, sawtooth 90m": (leak(0.05, period=90), 1, {}),
    "leak 10 %/h, scrapes lost": (leak(0.10, lost=0.33), 2, {}),
    "leak of a release": (leak_of_a_release, 2, {}),
    "leak of the first day": (leak_of_the_first_day, 1, {}),
    "leak under hourly restarts": (leak_under_restarts(1, 0.3, 0.8), 3, {}),
    "leak under restarts every 4h": (leak_under_restarts(4, 0.1, 0.25), 2, {}),
    "leak in one of three": (leak_in_one_of_three, 1, {}),
    "leak in one of two clusters": (leak_in_one_cluster, 1, {"world": "two clusters"}),
    "near the memory limit": (near_the_limit, 2, {}),
    "cpu spike": (cpu_spike(), 3, {}),
    "cpu spike, day and night": (cpu_spike(amplitude=0.5), 2, {}),
    "cpu spike, nightly batch": (cpu_spike(batch=True), 2, {}),
    "cpu spike, new instance": (cpu_spike_after_a_deploy, 2, {}),
    "cpu spike in one of two clusters": (cpu_spike(clusters=True), 1, {"world": "two clusters"}),
    "garbage collection": (garbage, 2, {}),
    "thread leak": (thread_leak, 3, {}),
    "threads to their limit": (threads_to_their_limit, 2, {}),
    "CPU throttled": (throttled, 1, {}),
    "files left open": (files_left_open, 2, {}),
    "latency step above 1 s": (slower(0.6, 3), 2, {}),
    "latency step below 1 s": (slower(0.12, 0.3), 2, {}),
    "latency step, day and night": (slower(0.15, 0.3, amplitude=0.5), 2, {}),
    "error burst": (failing(0.1, 0.6, 15), 3, {}),
    "error burst, low traffic": (failing_rarely, 1, {}),
    "all requests fail": (failing(0.98, 1.0, 15), 1, {}),
    "budget burn, 2 to 4 %": (failing(0.02, 0.04), 2, {}),
    "budget burn, 0.8 %": (failing(0.0075, 0.0085), 2, {"minutes": 5 * DAY}),
    "budget burn, 0.4 %": (failing(0.0038, 0.0045), 2, {"minutes": 5 * DAY}),
    "budget burn, 0.2 %": (failing(0.0018, 0.0022), 1, {"minutes": 5 * DAY}),
    "errors in one of two clusters": (failing_in_one_cluster, 1, {"world": "two clusters"}),
    "no more requests": (fewer_requests(0, 0), 2, {"minutes": 8 * DAY}),
    "a tenth of the requests": (fewer_requests(0.03, 0.12), 2, {"minutes": 8 * DAY}),
    "slower than last week": (slower_than_last_week, 2, {"minutes": 8 * DAY}),
    "objective burns fast": (breaks_objective(0.1, 0.4), 2, {"world": "objectives", "minutes": 4 * DAY}),
    "objective burns slowly": (breaks_objective(0.02, 0.028), 1, {"world": "objectives", "minutes": 4 * DAY}),
    "latency objective burns fast": (
        breaks_latency_objective(0.2, 0.5),
        2,
        {"world": "objectives", "minutes": 4 * DAY},
    ),
    "latency objective burns slowly": (
        breaks_latency_objective(0.085, 0.095),
        1,
        {"world": "objectives", "minutes": 4 * DAY},
    ),
    "answers no more": (answers_no_more, 2, {}),
    "one of three answers no more": (one_of_three_answers_no_more, 1, {}),
    "looked for no more": (looked_for_no_more, 1, {}),
    "crash loop": (crash_loop, 2, {}),
    "workers die": (workers_die(), 2, {}),
    "workers die together": (workers_die(together=True), 1, {}),
    "workers of a release die": (workers_die(released=True), 1, {}),
    "new dominant function": (new_dominant_function, 2, {}),
    "confirmed regression": (confirmed_regression, 1, {}),
    "lock hot spot": (lock_hot_spot, 2, {}),
    "leak seen by the profiler": (suspected_by_the_profiler, 1, {}),
    "Go: goroutine leak": (goroutine_leak, 3, {"world": "Go"}),
    "Go: leak 10 %/h": (leak(0.10), 2, {"world": "Go"}),
    "Go: leak 2 %/h": (leak(0.02), 1, {"world": "Go"}),
    "Go: cpu spike": (cpu_spike(), 1, {"world": "Go"}),
    "Go: error burst": (failing(0.1, 0.6, 15), 1, {"world": "Go"}),
    "Go: latency step": (slower(0.15, 1), 1, {"world": "Go"}),
}
