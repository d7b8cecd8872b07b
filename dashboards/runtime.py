"""What the interpreter and the operating system do for an instance: CPU, memory, garbage collection, threads, event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime_exporter.mixin import panels
from runtime_exporter.mixin.panels import Query, Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

EACH = "job, instance"


def dashboard(config: Mapping[str, Any]) -> panels.Dashboard:
    """Return the dashboard about the runtime of the instances chosen."""
    scope = Scope.of(config)
    return panels.dashboard(
        config,
        "runtime",
        title="Runtime",
        description="Why an instance is slow, large or stuck: its CPU, memory, garbage collection, threads and event loop. "
        "Lines are instances; areas are the sum of all instances chosen.",
        subject="python_info",
        rows=[
            panels.row("", *_now(scope, config)),
            panels.row("CPU", *_cpu(scope, config)),
            panels.row("Memory", *_memory(scope)),
            panels.row("Garbage collection", *_garbage(scope, config)),
            panels.row("Go", *_go(scope)) if scope.source.word == "go" else panels.row("Threads", *_threads(scope)),
            panels.row("Workers", *_workers(scope), collapsed=True),
            panels.row("Event loop (asyncio)", *_event_loop(scope, config), collapsed=True),
            panels.row("Operating system", *_system(scope), collapsed=True),
            panels.row("Host", *_host(scope, config), collapsed=True),
        ],
    )


def _now(scope: Scope, config: Mapping[str, Any]) -> list[panels.Panel]:
    cpu = f"{scope.rate('process_cpu_seconds_total')} / {scope.select('process_cpu_limit_cores')}"
    counted = f"({scope.select('process_memory_limit_used_bytes')} or {scope.select('process_resident_memory_bytes')})"
    memory = f"{counted} / {scope.select('process_memory_limit_bytes')}"
    return [
        panels.stat(
            "Python",
            "Implementation and version of the interpreters. Two of them at once: a rollout is under way, or was forgotten half way.",
            Query(
                f"count by (implementation, version) ({scope.select('python_info')})", "{{implementation}} {{version}}"
            ),
            unit="none",
            text="name",
            sparkline=False,
        ),
        panels.stat(
            "Youngest process",
            "How long the instance that started last has been running. Shorter than you expect: it was restarted.",
            Query(f"min(time() - {scope.select('process_start_time_seconds')})"),
            unit="s",
            sparkline=False,
        ),
        panels.stat(
            "Restarts",
            "How often the processes began anew within the time range.",
            Query(f"sum(changes({scope.select('process_start_time_seconds')}[$__range]))"),
            unit="none",
            decimals=0,
            thresholds=panels.steps(
                "green",
                (1, "yellow"),
                (config["alerts"]["restarting"]["restarts"] + 1, "red"),
                unless=panels.differing(config, "alerts.restarting.restarts"),
            ),
            sparkline=False,
        ),
        panels.stat(
            "CPU of limit",
            "The instance that is nearest to its CPU limit (cgroup). From 100 % on it is throttled.",
            Query(f"max({cpu})"),
            unit="percentunit",
            thresholds=panels.steps("green", (0.8, "yellow"), (1, "red")),
            nothing="no limit",
        ),
        panels.stat(
            "Memory of limit",
            "The instance that is nearest to its memory limit (cgroup or rlimit), where the kernel kills it. Red from the ratio of RuntimeMemoryNearLimit.",
            Query(f"max({memory})"),
            unit="percentunit",
            thresholds=panels.configured_steps(
                config,
                "green",
                ("alerts.memoryNearLimit.prediction.ratio", "yellow"),
                ("alerts.memoryNearLimit.ratio", "red"),
            ),
            nothing="no limit",
        ),
        panels.stat(
            "Descriptors of limit",
            "The instance that is nearest to its limit of open files and sockets. Red from the ratio of RuntimeFdExhaustion.",
            Query(f"max({scope.select('process_open_fds')} / {scope.select('process_max_fds')})"),
            unit="percentunit",
            thresholds=panels.configured_steps(
                config,
                "green",
                ("alerts.fdExhaustion.prediction.ratio", "yellow"),
                ("alerts.fdExhaustion.ratio", "red"),
            ),
        ),
    ]


def _cpu(scope: Scope, config: Mapping[str, Any]) -> list[panels.Panel]:
    throttled = panels.ratio(scope.rate("process_cpu_throttled_periods_total"), scope.rate("process_cpu_periods_total"))
    return [
        panels.timeseries(
            "CPU and its limit",
            "Cores that each instance uses, and the cores that it may use. A flat line at 1.0 is one interpreter held by its GIL.",
            Query(scope.sum_by(EACH, scope.rate("process_cpu_seconds_total")), scope.per_instance),
            Query(scope.sum_by(EACH, scope.select("process_cpu_limit_cores")), f"{scope.per_instance} limit"),
            unit="short",
            axis="cores",
            width=6,
            overrides=[panels.line(" limit$", "red")],
        ),
        panels.timeseries(
            "CPU by mode",
            "Where the CPU time goes. Much of it in system: many small system calls, page faults, or memory given back and asked for again.",
            Query(f"sum by (mode) ({scope.rate('process_cpu_mode_seconds_total')})", "{{mode}}"),
            unit="short",
            axis="cores",
            width=6,
            stacked=True,
        ),
        panels.timeseries(
            "CPU by thread group",
            "Which threads use the CPU, from the kernel's thread clocks. A group is a thread's name without its numbers.",
            Query(f"sum by (group) ({scope.rate('process_thread_cpu_seconds_total')})", "{{group}}"),
            unit="short",
            axis="cores",
            width=6,
            stacked=True,
        ),
        panels.timeseries(
            "Throttling",
            "The cgroup had used up its CPU and stood still: the share of the scheduler's periods, and seconds per second. The line is the ratio of RuntimeCpuThrottled.",
            Query(throttled, f"{scope.per_instance} periods"),
            Query(scope.sum_by(EACH, scope.rate("process_cpu_throttled_seconds_total")), f"{scope.per_instance} time"),
            unit="percentunit",
            width=6,
            thresholds=panels.configured_steps(config, "green", ("alerts.cpuThrottled.ratio", "red")),
        ),
    ]


def _memory(scope: Scope) -> list[panels.Panel]:
    def sums(**metrics: str) -> list[Query]:
        return [Query(f"sum({scope.select(metric)})", legend.replace("_", " ")) for legend, metric in metrics.items()]

    return [
        panels.timeseries(
            "Resident memory",
            "Memory of each instance, the most it ever had, its limit, and what of the limit is used, which counts pages once that workers share, and all "
            "other processes of the cgroup. A floor that rises in a straight line for hours is a leak; a step is not.",
            Query(scope.select("process_resident_memory_bytes"), scope.per_instance),
            Query(scope.select("process_resident_memory_peak_bytes"), f"{scope.per_instance} peak"),
            Query(scope.select("process_memory_limit_used_bytes"), f"{scope.per_instance} counted"),
            Query(scope.select("process_memory_limit_bytes"), f"{scope.per_instance} limit"),
            unit="bytes",
            overrides=[
                panels.line(" peak$", "text"),
                panels.line(" counted$", "orange"),
                panels.line(" limit$", "red"),
            ],
        ),
        panels.timeseries(
            "Resident memory by kind",
            "What the resident memory is: anonymous (heaps, stacks: where leaks grow), mapped files, memory shared with others.",
            *sums(
                anonymous="process_resident_memory_anon_bytes",
                files="process_resident_memory_file_bytes",
                shared="process_resident_memory_shared_bytes",
            ),
            unit="bytes",
            stacked=True,
        ),
        panels.timeseries(
            "Proportional, swapped and stack memory",
            "PSS counts a page shared by n processes as 1/n of a page, so prefork workers add up to the truth. Swap in use makes everything slow.",
            *sums(
                proportional="process_proportional_memory_bytes",
                swap="process_swap_bytes",
                stacks="process_stack_bytes",
            ),
            unit="bytes",
        ),
        panels.timeseries(
            "Native heap (malloc)",
            "What C code and large objects got from malloc. Much that is free but kept is fragmentation: memory is not given back although nothing leaks.",
            *sums(in_use="process_malloc_inuse_bytes", free_but_kept="process_malloc_free_bytes"),
            unit="bytes",
            stacked=True,
        ),
        panels.timeseries(
            "Allocated blocks",
            "Blocks of Python's own allocator. It has no noise from caches of the kernel: a slope here is a leak of Python objects.",
            Query(scope.select("python_allocated_blocks"), scope.per_instance),
            unit="short",
            axis="blocks",
        ),
        panels.timeseries(
            "Objects by type",
            "An estimate, from samples, of how many objects of each type there are. The type that grows is what leaks.",
            Query(f"sum by (type) ({scope.select('python_object_types')})", "{{type}}"),
            unit="short",
            axis="objects",
        ),
    ]


def _garbage(scope: Scope, config: Mapping[str, Any]) -> list[panels.Panel]:
    buckets = f"sum by (generation, le) ({scope.rate('python_gc_duration_seconds_bucket')})"
    total = "python_gc_duration_seconds_sum"
    paused = scope.sum_by(f"{EACH}, worker", scope.rate(f"worker_{total}"))
    return [
        panels.timeseries(
            "Time in garbage collection",
            "The share of wall time in which each instance stands still for the collector; of several workers, the one that does so most. "
            "The line is the ratio of RuntimeGcPressure.",
            Query(f"max by ({EACH}) ({paused}) or {scope.sum_by(EACH, scope.rate(total))}", scope.per_instance),
            unit="percentunit",
            thresholds=panels.configured_steps(config, "green", ("alerts.gcPressure.ratio", "red")),
        ),
        panels.timeseries(
            "Collector pauses",
            "How long one collection stops the program, the median and the longest of 100. The oldest generation's pauses grow with the number of live objects.",
            Query(panels.quantile(0.5, buckets), "generation {{generation}} p50"),
            Query(panels.quantile(0.99, buckets), "generation {{generation}} p99"),
            unit="s",
        ),
        panels.timeseries(
            "Collections",
            "Collections per second by generation. Many of the oldest: cyclic garbage is made faster than it dies young.",
            Query(f"sum by (generation) ({scope.rate('python_gc_collections_total')})", "generation {{generation}}"),
            unit="cps",
        ),
        panels.timeseries(
            "Objects in the collector",
            "Objects that the collector tracks, by generation. The oldest one's growth is a leak of containers.",
            Query(f"sum by (generation) ({scope.select('python_gc_objects')})", "generation {{generation}}"),
            unit="short",
            axis="objects",
            width=12,
        ),
        panels.timeseries(
            "Cyclic garbage",
            "Objects per second that only the collector could free, and those that it could not free at all, which are lost for good.",
            Query(
                f"sum by (generation) ({scope.rate('python_gc_objects_collected_total')})",
                "generation {{generation}} collected",
            ),
            Query(f"sum({scope.rate('python_gc_objects_uncollectable_total')})", "uncollectable"),
            unit="cps",
            width=12,
            overrides=[panels.colored("^uncollectable$", "red")],
        ),
    ]


def _threads(scope: Scope) -> list[panels.Panel]:
    wait = f"sum by (le) ({scope.rate('python_gil_wait_seconds_bucket')})"
    return [
        panels.timeseries(
            "Threads",
            "Threads of the operating system in each instance, and how many it may have. A staircase that never comes down is a thread leak.",
            Query(scope.select("process_num_threads"), scope.per_instance),
            Query(
                f"{scope.select('process_num_threads')} + {scope.select('process_threads_left')}",
                f"{scope.per_instance} limit",
            ),
            unit="short",
            axis="threads",
            logarithmic=True,
            width=6,
            overrides=[panels.line(" limit$", "red")],
        ),
        panels.timeseries(
            "Threads by group",
            "Python's threads by group: the group that grows is started somewhere and never ends.",
            Query(f"sum by (group) ({scope.select('python_threads')})", "{{group}}"),
            unit="short",
            axis="threads",
            width=6,
            stacked=True,
        ),
        panels.timeseries(
            "Oldest thread by group",
            "The age of each group's oldest thread. Workers that should be done in seconds and are hours old hang.",
            Query(f"max by (group) ({scope.select('python_thread_oldest_age_seconds')})", "{{group}}"),
            unit="s",
            width=6,
        ),
        panels.timeseries(
            "Threads started",
            "New threads per second. A thread for each request costs more than a pool.",
            Query(scope.sum_by(EACH, scope.rate("python_threads_started_total")), scope.per_instance),
            unit="cps",
            width=6,
        ),
        panels.timeseries(
            "Wait for the GIL",
            "How late a thread that only wanted to wake up got the interpreter. Many milliseconds: other threads hold the GIL, more threads will not help.",
            Query(panels.quantile(0.5, wait), "p50"),
            Query(panels.quantile(0.99, wait), "p99"),
            unit="s",
            width=12,
        ),
        panels.timeseries(
            "Uncaught exceptions",
            "Exceptions that nobody caught, by type and where they ended: a thread, the main program, or a place that cannot raise. Empty is healthy.",
            Query(f"sum by (type, origin) ({scope.rate('python_exceptions_total')})", "{{type}} in {{origin}}"),
            unit="cps",
            width=12,
        ),
    ]


def _go(scope: Scope) -> list[panels.Panel]:
    waits = scope.sum_by(f"{EACH}, le", scope.rate("go_sched_latencies_seconds_bucket"))
    # A limit that nobody set is the largest number there is.
    limit = f"{scope.select('go_gc_gomemlimit_bytes')} < 2^62"
    return [
        panels.timeseries(
            "Go heap and its limit",
            "Heap in use, where the next collection begins, and GOMEMLIMIT where it is set. Near the limit Go collects all the time.",
            Query(scope.select("go_memstats_heap_inuse_bytes"), scope.per_instance),
            Query(scope.select("go_memstats_next_gc_bytes"), f"{scope.per_instance} next collection"),
            Query(limit, f"{scope.per_instance} limit"),
            unit="bytes",
            overrides=[panels.line(" next collection$", "text"), panels.line(" limit$", "red")],
        ),
        panels.timeseries(
            "Go heap kept",
            "Heap that is not used, and what of it was given back to the system: the rest is resident although nobody needs it.",
            Query(f"sum({scope.select('go_memstats_heap_idle_bytes')})", "idle"),
            Query(f"sum({scope.select('go_memstats_heap_released_bytes')})", "given back"),
            unit="bytes",
        ),
        panels.timeseries(
            "Go allocations",
            "Bytes allocated per second: the work of the collector follows it.",
            Query(scope.sum_by(EACH, scope.rate("go_memstats_alloc_bytes_total")), scope.per_instance),
            unit="binBps",
        ),
        panels.timeseries(
            "Goroutines",
            "Goroutines of each instance. A staircase that never comes down is a leak of goroutines.",
            Query(scope.select("go_goroutines"), scope.per_instance),
            unit="short",
            axis="goroutines",
            width=6,
        ),
        panels.timeseries(
            "Threads of Go",
            "Threads of the operating system: many are blocked in system calls, or in C code.",
            Query(scope.select("go_threads"), scope.per_instance),
            unit="short",
            axis="threads",
            width=6,
        ),
        panels.timeseries(
            "Longest pause of Go",
            "The longest of the last pauses in which everything stood still for the collector. Go's own word, which cannot be added up.",
            Query(
                scope.max_by(EACH, scope.select("go_gc_duration_seconds", 'quantile=~"1([.]0)?"')), scope.per_instance
            ),
            unit="s",
            width=6,
        ),
        panels.timeseries(
            "Wait for a thread",
            "How long goroutines that could run waited, the median and the worst of 100: too few cores, or a CPU limit. "
            "Only where the service exposes Go's own metrics of the scheduler.",
            Query(panels.quantile(0.5, waits), f"{scope.per_instance} p50"),
            Query(panels.quantile(0.99, waits), f"{scope.per_instance} p99"),
            unit="s",
            width=6,
        ),
    ]


def _workers(scope: Scope) -> list[panels.Panel]:
    worker = f"{scope.per_instance} worker {{{{worker}}}}"
    return [
        panels.timeseries(
            "CPU by worker",
            "Cores that each worker of a preforking server uses. One far above the others: it holds a long request, or the load is not spread.",
            Query(scope.rate("worker_process_cpu_seconds_total"), worker),
            unit="short",
            axis="cores",
        ),
        panels.timeseries(
            "Memory by worker",
            "Resident memory of each worker, pages shared with the others included. Lines that rise alike are a leak of the code; one alone met the request that leaks.",
            Query(scope.select("worker_process_resident_memory_bytes"), worker),
            unit="bytes",
        ),
        panels.timeseries(
            "Age of each worker",
            "How long each worker has been running. Teeth are workers that are replaced: by max_requests on purpose, by a timeout or a crash if not.",
            Query(f"time() - {scope.select('worker_process_start_time_seconds')}", worker),
            unit="s",
            width=12,
        ),
        panels.timeseries(
            "Ends of workers",
            "Workers that ended: those that left in order, those that were killed or crashed, and those of which nobody knows, since a SIGTERM ends them "
            "without a word. Many that died are RuntimeWorkersDying.",
            Query(
                f"sum by (how) (increase({scope.select('runtime_exporter_workers_ended_total')}[$__rate_interval]))",
                "{{how}}",
            ),
            unit="short",
            axis="workers",
            stacked=True,
            width=12,
            overrides=[panels.colored("^died$", "red")],
        ),
    ]


def _event_loop(scope: Scope, config: Mapping[str, Any]) -> list[panels.Panel]:
    lag = scope.sum_by(f"{EACH}, le", scope.rate("python_asyncio_loop_lag_seconds_bucket"))
    blocked = config["alerts"]["eventLoopBlocked"]
    of_workers = scope.sum_by(f"{EACH}, worker, le", scope.rate("worker_python_asyncio_loop_lag_seconds_bucket"))
    latest = panels.quantile(blocked["quantile"], of_workers)
    return [
        panels.timeseries(
            "Event loop lag",
            "How late the event loop runs what is due, the median and the worst of 100. Something blocks the loop: a slow call without await.",
            Query(panels.quantile(0.5, lag), f"{scope.per_instance} p50"),
            Query(panels.quantile(0.99, lag), f"{scope.per_instance} p99"),
            unit="s",
        ),
        panels.timeseries(
            "Event loop lateness",
            "How late the loop is in its worst moments, as RuntimeEventLoopBlocked looks at it; of several workers, the latest. The line is its threshold.",
            Query(f"max by ({EACH}) ({latest}) or {panels.quantile(blocked['quantile'], lag)}", scope.per_instance),
            unit="s",
            thresholds=panels.configured_steps(config, "green", ("alerts.eventLoopBlocked.threshold", "red")),
        ),
        panels.timeseries(
            "Tasks by coroutine",
            "Tasks that are alive, by the coroutine they run. One that only grows is created and never awaited to its end.",
            Query(f"sum by (coroutine) ({scope.select('python_asyncio_tasks')})", "{{coroutine}}"),
            unit="short",
            axis="tasks",
            stacked=True,
        ),
    ]


def _system(scope: Scope) -> list[panels.Panel]:
    return [
        panels.timeseries(
            "Open file descriptors",
            "Open files and sockets, and the limit, on a logarithmic scale. At the limit nothing can be opened and no connection accepted.",
            Query(scope.select("process_open_fds"), scope.per_instance),
            Query(scope.select("process_max_fds"), f"{scope.per_instance} limit"),
            unit="short",
            axis="descriptors",
            logarithmic=True,
            overrides=[panels.line(" limit$", "red")],
        ),
        panels.timeseries(
            "Page faults",
            "Major ones wait for the disk: memory is short. Many minor ones: memory is given back and taken again all the time.",
            Query(f"sum by (kind) ({scope.rate('process_page_faults_total')})", "{{kind}}"),
            unit="cps",
        ),
        panels.timeseries(
            "Context switches",
            "Involuntary: more threads want to run than there are cores. Voluntary: waiting for input, locks or the GIL.",
            Query(f"sum by (kind) ({scope.rate('process_context_switches_total')})", "{{kind}}"),
            unit="cps",
        ),
        panels.timeseries(
            "Disk input and output",
            "Bytes per second that really went from and to the disk, not to the page cache.",
            Query(f"sum({scope.rate('process_io_read_bytes_total')})", "read"),
            Query(f"sum({scope.rate('process_io_write_bytes_total')})", "written"),
            unit="binBps",
            width=12,
        ),
        panels.timeseries(
            "Virtual memory",
            "Address space of each instance. It matters only under a limit of address space; growth without resident memory is reserved, not used.",
            Query(scope.select("process_virtual_memory_bytes"), scope.per_instance),
            unit="bytes",
            width=12,
        ),
    ]


def _host(scope: Scope, config: Mapping[str, Any]) -> list[panels.Panel]:
    idle = f"{EACH}, cpu", scope.rate("host_cpu_seconds_total", 'mode=~"idle|iowait"')
    available = f"{scope.select('host_memory_available_bytes')} / {scope.select('host_memory_total_bytes')}"
    return [
        panels.timeseries(
            "Busy cores of the host",
            "How busy each core is, whoever uses it. One core at 100 % and the others idle: a single interpreter is the bottleneck.",
            Query(f"clamp_min(1 - {scope.sum_by(*idle)}, 0)", f"{scope.per_instance} core {{{{cpu}}}}"),
            unit="percentunit",
            maximum=1,
        ),
        panels.timeseries(
            "Load of the host",
            "Tasks that run or wait to run, averaged over a minute. Above the number of cores, some wait.",
            Query(scope.select("host_load1"), scope.per_instance),
            unit="short",
            axis="tasks",
        ),
        panels.timeseries(
            "Available memory of the host",
            "The share of the host's memory that could still be had without swapping. Near 0 the kernel kills processes.",
            Query(available, scope.per_instance),
            unit="percentunit",
            maximum=1,
        ),
        _left_on_disk(
            "Space left on disk",
            "The share of the space that is left on the file systems the process writes to. The line is the ratio of RuntimeDiskFilling.",
            *("host_filesystem_available_bytes", "host_filesystem_size_bytes"),
            scope=scope,
            config=config,
        ),
        _left_on_disk(
            "Inodes left on disk",
            "The share of the files that can still be created there: many small ones fill a disk that has space. Empty where there is no such limit.",
            *("host_filesystem_available_inodes", "host_filesystem_size_inodes"),
            scope=scope,
            config=config,
        ),
    ]


def _left_on_disk(
    title: str, description: str, available: str, size: str, *, scope: Scope, config: Mapping[str, Any]
) -> panels.Panel:
    return panels.timeseries(
        title,
        description,
        Query(f"{scope.select(available)} / {scope.select(size)}", f"{scope.per_instance} {{{{path}}}}"),
        unit="percentunit",
        maximum=1,
        width=12,
        thresholds=panels.configured_steps(config, "red", ("alerts.diskFilling.ratio", "green")),
    )
