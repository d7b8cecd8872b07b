// Every metric that rules read, and what else of a foreign source dashboards show, once: type, unit, help, and what it is called where. docs/signals.md is made of it.
//
// sources: by `runtime` of rules/sources.libsonnet; `http` signals are called what their source says, by its `http`.
local everywhere(name) = { native: name, python: name, go: name };
local native(name) = { native: name };
local python(name) = { native: name, python: name };
local go(name) = { go: name };

{
  up: { type: 'gauge', unit: 'none', help: 'Whether the last scrape succeeded.', sources: everywhere('up') },
  scrapeDuration: { type: 'gauge', unit: 's', help: 'How long the last scrape took.', sources: everywhere('scrape_duration_seconds') },
  startTime: { type: 'gauge', unit: 's', help: 'When the process started.', sources: everywhere('process_start_time_seconds') },
  workerStartTime: { type: 'gauge', unit: 's', help: 'When each of several workers started.', sources: native('worker_process_start_time_seconds') },
  cpu: { type: 'counter', unit: 's', help: 'CPU time of the process.', sources: everywhere('process_cpu_seconds_total') },
  cpuPeriods: { type: 'counter', unit: 'none', help: "Periods of the scheduler under the cgroup's CPU limit.", sources: native('process_cpu_periods_total') },
  cpuThrottledPeriods: { type: 'counter', unit: 'none', help: 'Such periods in which the cgroup was held back.', sources: native('process_cpu_throttled_periods_total') },
  memory: { type: 'gauge', unit: 'bytes', help: 'Resident memory.', sources: everywhere('process_resident_memory_bytes') },
  memoryLimit: { type: 'gauge', unit: 'bytes', help: 'What the cgroup or an rlimit allows.', sources: native('process_memory_limit_bytes') },
  // What the kernel compares with the limit: not the resident memory of one process, nor the sum of several, which share pages.
  memoryLimitUsed: { type: 'gauge', unit: 'bytes', help: 'What counts against that limit.', sources: native('process_memory_limit_used_bytes') },
  // What leaks in Go is goroutines; its threads follow the blocking system calls.
  threads: { type: 'gauge', unit: 'none', help: 'Threads; in Go goroutines.', sources: native('process_num_threads') + { go: 'go_goroutines' } },
  maxThreads: { type: 'gauge', unit: 'none', help: 'Threads that the process may have: its own and what its cgroup still allows, or an rlimit.', sources: native('process_max_threads') },
  threadsLeft: { type: 'gauge', unit: 'none', help: 'Threads that may still be started.', sources: native('process_threads_left') },
  openFds: { type: 'gauge', unit: 'none', help: 'Open file descriptors.', sources: everywhere('process_open_fds') },
  maxFds: { type: 'gauge', unit: 'none', help: 'The limit of open file descriptors.', sources: everywhere('process_max_fds') },
  // Go's summary has the pauses alone, in which everything stands still, and not what collects beside the program.
  gcSeconds: { type: 'counter', unit: 's', help: 'Time in which the garbage collector stopped the program.', sources: native('python_gc_duration_seconds_sum') + { go: 'go_gc_duration_seconds_sum' } },
  diskAvailable: { type: 'gauge', unit: 'bytes', help: 'Space left on the file system of a directory.', sources: native('host_filesystem_available_bytes') },
  diskSize: { type: 'gauge', unit: 'bytes', help: 'Size of that file system.', sources: native('host_filesystem_size_bytes') },
  inodesAvailable: { type: 'gauge', unit: 'none', help: 'Files that can still be created there.', sources: native('host_filesystem_available_inodes') },
  inodesSize: { type: 'gauge', unit: 'none', help: 'Files that there is room for.', sources: native('host_filesystem_size_inodes') },
  // Of a service with several workers, of each that lives.
  workerGcSeconds: { type: 'counter', unit: 's', help: 'Time in which it stopped each of several workers.', sources: native('worker_python_gc_duration_seconds_sum') },
  loopLagBuckets: { type: 'histogram', unit: 's', help: 'How late the heartbeats of an event loop come.', sources: native('python_asyncio_loop_lag_seconds_bucket') },
  workerLoopLagBuckets: { type: 'histogram', unit: 's', help: 'How late the heartbeats of each of several workers come.', sources: native('worker_python_asyncio_loop_lag_seconds_bucket') },
  workersEnded: { type: 'counter', unit: 'none', help: 'Workers that are gone, by how they ended.', sources: native('runtime_exporter_workers_ended_total') },
  requests: { type: 'counter', unit: 'none', help: 'Requests, by route, method and status.', http: 'requests', suffix: '' },
  requestSeconds: { type: 'counter', unit: 's', help: 'Time spent on requests.', http: 'durations', suffix: '_sum' },
  requestBuckets: { type: 'histogram', unit: 's', help: 'Durations of requests.', http: 'durations', suffix: '_bucket' },
  activeRequests: { type: 'gauge', unit: 'none', help: 'Requests that are being answered.', http: 'active', suffix: '' },
  collectorSuccess: { type: 'gauge', unit: 'none', help: 'Whether a collector of the exporter works.', sources: native('runtime_exporter_collector_success') },
  overhead: { type: 'gauge', unit: 'ratio', help: 'What the exporter costs, in cores.', sources: native('runtime_exporter_overhead_ratio') },
  overheadBudget: { type: 'gauge', unit: 'ratio', help: 'What it may cost.', sources: native('runtime_exporter_overhead_budget_ratio') },
  folded: { type: 'counter', unit: 'none', help: 'Observations under `other`, for want of room for more values of a label.', sources: native('runtime_exporter_folded_total') },
  // Profiles are runtime_exporter's, or its agent's, which profiles what others instrument.
  profileTotal: { type: 'counter', unit: 's', help: 'What a kind of profile has seen in all.', sources: everywhere('profile_total_seconds_total') },
  profileFunctions: { type: 'counter', unit: 's', help: 'What of it each function has used itself.', sources: everywhere('profile_self_seconds_total') },
  profileWait: { type: 'counter', unit: 's', help: 'Time waited for locks, by place.', sources: everywhere('profile_wait_seconds_total') },
  leakSuspects: { type: 'gauge', unit: 'none', help: 'What grows in a straight line inside of the process.', sources: everywhere('profile_leak_suspects') },
  regression: { type: 'gauge', unit: 'none', help: 'Functions that have become more expensive, confirmed.', sources: everywhere('profile_regression_active') },
  regressionDelta: { type: 'gauge', unit: 'ratio', help: 'By how much.', sources: everywhere('profile_regression_delta_ratio') },
  // Prometheus' and Alertmanager's own.
  ruleFailures: { type: 'counter', unit: 'none', help: 'Evaluations of rules that failed, by group.', sources: everywhere('prometheus_rule_evaluation_failures_total') },
  ruleIterationsMissed: { type: 'counter', unit: 'none', help: 'Evaluations of groups that were left out, since the one before took too long.', sources: everywhere('prometheus_rule_group_iterations_missed_total') },
  notificationsDropped: { type: 'counter', unit: 'none', help: 'Alerts that no Alertmanager took.', sources: everywhere('prometheus_notifications_dropped_total') },
  configReloaded: { type: 'gauge', unit: 'none', help: "Whether Prometheus' last reload of its configuration succeeded.", sources: everywhere('prometheus_config_last_reload_successful') },
  messages: { type: 'counter', unit: 'none', help: 'Messages that Alertmanager tried to send, by integration.', sources: everywhere('alertmanager_notifications_total') },
  messagesFailed: { type: 'counter', unit: 'none', help: 'Those of them that failed.', sources: everywhere('alertmanager_notifications_failed_total') },
  alertmanagerConfigReloaded: { type: 'gauge', unit: 'none', help: "Whether Alertmanager's last reload of its configuration succeeded.", sources: everywhere('alertmanager_config_last_reload_successful') },
  // Of `runtime-exporter act`, which runs beside whatever instruments the services.
  actRuns: { type: 'counter', unit: 'none', help: 'Commands that were run for alerts, by action and result.', sources: everywhere('runtime_exporter_act_runs_total') },
  actRefused: { type: 'counter', unit: 'none', help: 'Commands that were asked for and not run, by reason.', sources: everywhere('runtime_exporter_act_refused_total') },
  // Only dashboards read these.
  runtimeInfo: { type: 'gauge', unit: 'none', help: 'Which interpreter, or which Go, in labels.', sources: { native: 'python_info', python: 'python_info', go: 'go_info' } },
  virtualMemory: { type: 'gauge', unit: 'bytes', help: 'Address space.', sources: everywhere('process_virtual_memory_bytes') },
  gcCollections: { type: 'counter', unit: 'none', help: 'Collections, by generation.', sources: python('python_gc_collections_total') },
  gcCollected: { type: 'counter', unit: 'none', help: 'Objects that the collector has freed.', sources: python('python_gc_objects_collected_total') },
  gcUncollectable: { type: 'counter', unit: 'none', help: 'Objects that it could not free.', sources: python('python_gc_objects_uncollectable_total') },
  // Of Go alone; the last two where client_golang is new, or the service asks Go for them.
  goHeap: { type: 'gauge', unit: 'bytes', help: 'Heap in use.', sources: go('go_memstats_heap_inuse_bytes') },
  goHeapIdle: { type: 'gauge', unit: 'bytes', help: 'Heap that is kept and not used.', sources: go('go_memstats_heap_idle_bytes') },
  goHeapReleased: { type: 'gauge', unit: 'bytes', help: 'What of it was given back.', sources: go('go_memstats_heap_released_bytes') },
  goNextCollection: { type: 'gauge', unit: 'bytes', help: 'Heap at which the next collection begins.', sources: go('go_memstats_next_gc_bytes') },
  goAllocated: { type: 'counter', unit: 'bytes', help: 'Allocated in all.', sources: go('go_memstats_alloc_bytes_total') },
  goPauses: { type: 'summary', unit: 's', help: 'Pauses for the collector, by quantile; the largest is 1.', sources: go('go_gc_duration_seconds') },
  goCollections: { type: 'counter', unit: 'none', help: 'Pauses for the collector.', sources: go('go_gc_duration_seconds_count') },
  goThreads: { type: 'gauge', unit: 'none', help: "Threads of the operating system, which are none of Go's.", sources: go('go_threads') },
  goMemoryLimit: { type: 'gauge', unit: 'bytes', help: 'GOMEMLIMIT.', sources: go('go_gc_gomemlimit_bytes') },
  goSchedulerLatency: { type: 'histogram', unit: 's', help: 'How long goroutines wait for a thread.', sources: go('go_sched_latencies_seconds_bucket') },
}
