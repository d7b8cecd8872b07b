// The metrics that rules read, each with its selector, as `_config.source` calls them, and the names of what rules record.
//
// What they are is written once, in catalogue.libsonnet; who calls them what, in sources.libsonnet. A signal that a source does
// not have is an error to use: `has` tells, and lib/group.libsonnet leaves out the alerts that need it.
local catalogue = import 'catalogue.libsonnet';
local fill = import 'lib/fill.libsonnet';
local milliseconds = import 'lib/milliseconds.libsonnet';
local sources = import 'sources.libsonnet';

function(config)
  local source =
    if std.objectHas(sources, config.source) then sources[config.source]
    else error fill('source: %s is none of %s', [std.manifestJsonMinified(config.source), std.join(', ', std.objectFields(sources))]);
  local http = source.http;
  // The configuration speaks of OpenTelemetry's labels, whatever the source calls them.
  local renamed = std.filter(function(label) http.labels[label] != label, std.objectFields(http.labels));
  local translated(matchers) = std.foldl(function(text, label) std.strReplace(text, label, http.labels[label]), renamed, matchers);
  local nameOf(signal) =
    local row = catalogue[signal];
    if !std.objectHas(row, 'http') then std.get(row.sources, source.runtime)
    else if std.objectHas(http, row.http) then http[row.http] + row.suffix
    else null;
  local metric(signal, extra='') =
    local name = nameOf(signal);
    if name == null then error fill('source: %s has no %s', [config.source, signal])
    else fill('%s{%s}', [name, std.join(',', [part for part in [config.selector, extra] if part != ''])]);
  // Of Prometheus itself, which is none of the services.
  local ofServer(signal) = fill('%s{%s}', [nameOf(signal), config.prometheus.selector]);
  // Of the verb that runs commands for alerts, which is none of them either.
  local ofAct(signal, matcher) = fill('%s{%s}', [nameOf(signal), std.join(',', [part for part in [config.act.selector, matcher] if part != ''])]);
  local both(first, second) = std.join(',', [part for part in [first, second] if part != '']);
  // A series that has the route under its own name has it under OpenTelemetry's, too.
  local routed(expr) =
    if http.labels.http_route == 'http_route' then expr
    else fill('label_replace(%s, "http_route", "$1", "%s", "(.*)")', [expr, http.labels.http_route]);
  local counted = translated(config.http.selector);
  local inMilliseconds = std.get(http, 'milliseconds', false);
  {
    has(signal):: nameOf(signal) != null,
    nameOf:: nameOf,
    // Whether runtime_exporter itself is in the process: profiles, and pages about them.
    native:: source.runtime == 'native',
    // What the alert about threads counts.
    threadsNoun: if source.runtime == 'go' then 'goroutines' else 'threads',
    routeLabel: http.labels.http_route,

    up: metric('up'),
    scrapeDuration: metric('scrapeDuration'),
    startTime: metric('startTime'),
    workerStartTime: metric('workerStartTime'),
    cpu: metric('cpu'),
    cpuPeriods: metric('cpuPeriods'),
    cpuThrottledPeriods: metric('cpuThrottledPeriods'),
    memory: metric('memory'),
    memoryLimit: metric('memoryLimit'),
    memoryLimitUsed: metric('memoryLimitUsed'),
    threads: metric('threads'),
    maxThreads: metric('maxThreads'),
    threadsLeft: metric('threadsLeft'),
    // All that there may be. What several workers have adds up, and what is left is left for all. An exporter of before tells only of each.
    threadsLimit: fill('(%s + %s or %s)', [self.threads, self.threadsLeft, self.maxThreads]),
    openFds: metric('openFds'),
    maxFds: metric('maxFds'),
    gcSeconds: metric('gcSeconds'),
    workerGcSeconds: metric('workerGcSeconds'),
    diskAvailable: metric('diskAvailable'),
    diskSize: metric('diskSize'),
    inodesAvailable: metric('inodesAvailable'),
    inodesSize: metric('inodesSize'),
    loopLagBuckets: metric('loopLagBuckets'),
    workerLoopLagBuckets: metric('workerLoopLagBuckets'),
    workersDied: metric('workersEnded', 'how="died"'),
    requests: metric('requests', counted),
    failedRequests: metric('requests', both(counted, translated(config.http.errorSelector))),
    requestBuckets: metric('requestBuckets', counted),
    // Rates by route, the bounds of buckets in seconds.
    requestRate(window):: routed(fill('rate(%s[%s])', [self.requests, window])),
    failedRate(window):: routed(fill('rate(%s[%s])', [self.failedRequests, window])),
    bucketRate(window)::
      local rate = routed(fill('rate(%s[%s])', [self.requestBuckets, window]));
      if inMilliseconds then milliseconds(rate) else rate,
    collectorSuccess: metric('collectorSuccess'),
    overhead: metric('overhead'),
    overheadBudget: metric('overheadBudget'),
    folded: metric('folded'),
    profileTotal: metric('profileTotal', 'profile="cpu"'),
    profileFunctions: metric('profileFunctions', self.ofFunctions),
    // `other` is the rest, `idle` does nothing, and what stands in parentheses is CPU that no stack was seen of: no functions.
    ofFunctions:: 'profile="cpu",function!~"other|idle|[(].*"',
    profileWait(selector): metric('profileWait', selector),
    leakSuspects(selector): metric('leakSuspects', selector),
    regression(selector): metric('regression', selector),
    regressionDelta(selector): metric('regressionDelta', selector),

    actRuns(matcher): ofAct('actRuns', matcher),
    actRefused(matcher): ofAct('actRefused', matcher),

    ruleFailures: ofServer('ruleFailures'),
    ruleIterationsMissed: ofServer('ruleIterationsMissed'),
    notificationsDropped: ofServer('notificationsDropped'),
    configReloaded: ofServer('configReloaded'),
    messages: ofServer('messages'),
    messagesFailed: ofServer('messagesFailed'),
    alertmanagerConfigReloaded: ofServer('alertmanagerConfigReloaded'),

    // level:metric:operations
    recorded: {
      local rate = 'rate' + config.rateInterval,
      cpu: 'instance:process_cpu_seconds:' + rate,
      // Above it the CPU is far above its past.
      cpuThreshold: 'instance:process_cpu_seconds:threshold',
      memoryFloor: 'instance:process_resident_memory_bytes:min' + config.memory.floorWindow,
      memoryHigh: 'instance:process_resident_memory_bytes:high',
      // The floor over hours, below the teeth of a slow sawtooth.
      memoryLongFloor: 'instance:process_resident_memory_bytes:min_long',
      memoryLongHigh: 'instance:process_resident_memory_bytes:high_long',
      // Above this time yesterday, less what the requests explain; and what that is made from.
      memoryExcess: 'instance:process_resident_memory_bytes:excess',
      memoryExcessHigh: 'instance:process_resident_memory_bytes:high_excess',
      requestsFloor: 'instance:http_server_requests:min' + config.memory.floorWindow,
      memoryProduct: 'instance:process_resident_memory_requests_product:min' + config.memory.floorWindow,
      memorySlope: 'instance:process_resident_memory_bytes_per_request:slope',
      // Of processes that were started a while ago: their age, their memory, and the product of both.
      lifeAge: 'instance:process_age_seconds:life',
      lifeMemory: 'instance:process_resident_memory_bytes:life',
      lifeProduct: 'instance:process_resident_memory_age_product:life',
      // Of what counts against the limit; of an exporter that does not tell, the resident memory.
      memoryRatio: 'instance:process_memory_per_limit:ratio',
      memoryLimitUsedFloor: 'instance:process_memory_limit_used_bytes:min' + config.memory.floorWindow,
      threadsFloor: fill('instance:%s:min%s', [nameOf('threads'), config.threads.floorWindow]),
      threadsHigh: fill('instance:%s:high', nameOf('threads')),
      fdsFloor: 'instance:process_open_fds:min' + config.rateInterval,
      diskAvailable: 'instance:host_filesystem_available_bytes:min' + config.rateInterval,
      inodesAvailable: 'instance:host_filesystem_available_inodes:min' + config.rateInterval,
      gc: fill('instance:%s:%s', [std.strReplace(nameOf('gcSeconds'), '_sum', ''), rate]),
      instanceRequests: 'instance:http_server_requests:' + rate,
      routeRequests: 'job_route:http_server_requests:' + rate,
      // A quantile of a route's durations, where there are enough requests for one; and above which it is slow for that route.
      routeLatency: 'job_route:http_server_request_duration_seconds:quantile_' + rate,
      routeLatencyThreshold: 'job_route:http_server_request_duration_seconds:threshold',
      routeBuckets: 'job_route:http_server_request_duration_seconds_bucket:' + rate,
      routeErrors: 'job_route:http_server_errors:' + rate,
      requests: 'job:http_server_requests:' + rate,
      errors: 'job:http_server_errors:' + rate,
      buckets: 'job:http_server_request_duration_seconds_bucket:' + rate,
      errorRatio(window): 'job:http_server_errors_per_requests:ratio_rate' + window,
      local profileRate = 'rate' + config.profiles.rateInterval,
      profiledCpu: 'job:profile_cpu_seconds:' + profileRate,
      functionShare: 'job_function:profile_self_cpu_seconds_per_total:ratio_' + profileRate,
      p95: 'job:http_server_request_duration_seconds:p95_' + rate,
      sloEvents: 'slo:events:' + rate,
      sloBadEvents: 'slo:bad_events:' + rate,
      sloObjective: 'slo:objective:ratio',
      sloBadRatio(window): 'slo:bad_events_per_events:ratio_rate' + window,
      sloBudgetRemaining: 'slo:error_budget_remaining:ratio',
      anomaly: {
        seen: 'anomaly:signal:seen',
        value: 'anomaly:signal:value',
        level: 'anomaly:signal:level1h',
        mean: 'anomaly:signal:mean1d',
        deviation: 'anomaly:signal:deviation',
        spread: 'anomaly:signal:spread1d',
        high: 'anomaly:signal:expected_high',
        low: 'anomaly:signal:expected_low',
        upper: 'anomaly:signal:upper_bound',
        lower: 'anomaly:signal:lower_bound',
      },
      budgetRemaining: 'job:http_server_error_budget_remaining:ratio' + config.http.budgetPeriod,
    },
  }
