// The metrics that rules read, each with its selector, and the names of what rules record. Written once, here.
function(config)
  local metric(name, extra='') = '%s{%s}' % [name, std.join(',', [part for part in [config.selector, extra] if part != ''])];
  local requests = 'http_server_request_duration_seconds';
  {
    up: metric('up'),
    scrapeDuration: metric('scrape_duration_seconds'),
    startTime: metric('process_start_time_seconds'),
    cpu: metric('process_cpu_seconds_total'),
    cpuPeriods: metric('process_cpu_periods_total'),
    cpuThrottledPeriods: metric('process_cpu_throttled_periods_total'),
    memory: metric('process_resident_memory_bytes'),
    memoryLimit: metric('process_memory_limit_bytes'),
    threads: metric('process_num_threads'),
    openFds: metric('process_open_fds'),
    maxFds: metric('process_max_fds'),
    gcSeconds: metric('python_gc_duration_seconds_sum'),
    loopLagBuckets: metric('python_asyncio_loop_lag_seconds_bucket'),
    requests: metric(requests + '_count', config.http.selector),
    failedRequests: metric(requests + '_count', std.join(',', [part for part in [config.http.selector, config.http.errorSelector] if part != ''])),
    requestBuckets: metric(requests + '_bucket', config.http.selector),
    collectorSuccess: metric('runtime_exporter_collector_success'),
    overhead: metric('runtime_exporter_overhead_ratio'),
    overheadBudget: metric('runtime_exporter_overhead_budget_ratio'),
    folded: metric('runtime_exporter_folded_total'),
    profileTotal: metric('profile_total_seconds_total', 'profile="cpu"'),
    // `other` is the rest and `idle` does nothing: no functions.
    profileFunctions: metric('profile_self_seconds_total', 'profile="cpu",function!~"other|idle"'),
    profileWait(selector): metric('profile_wait_seconds_total', selector),
    leakSuspects(selector): metric('profile_leak_suspects', selector),
    regression(selector): metric('profile_regression_active', selector),
    regressionDelta(selector): metric('profile_regression_delta_ratio', selector),

    // level:metric:operations
    recorded: {
      local rate = 'rate' + config.rateInterval,
      cpu: 'instance:process_cpu_seconds:' + rate,
      memoryFloor: 'instance:process_resident_memory_bytes:min' + config.memory.floorWindow,
      memoryRatio: 'instance:process_resident_memory_per_limit:ratio',
      threadsFloor: 'instance:process_num_threads:min' + config.threads.floorWindow,
      gc: 'instance:python_gc_duration_seconds:' + rate,
      instanceRequests: 'instance:http_server_requests:' + rate,
      routeRequests: 'job_route:http_server_requests:' + rate,
      routeBuckets: 'job_route:http_server_request_duration_seconds_bucket:' + rate,
      requests: 'job:http_server_requests:' + rate,
      errors: 'job:http_server_errors:' + rate,
      buckets: 'job:http_server_request_duration_seconds_bucket:' + rate,
      errorRatio(window): 'job:http_server_errors_per_requests:ratio_rate' + window,
      local profileRate = 'rate' + config.profiles.rateInterval,
      profiledCpu: 'job:profile_cpu_seconds:' + profileRate,
      functionShare: 'job_function:profile_self_cpu_seconds_per_total:ratio_' + profileRate,
      budgetRemaining: 'job:http_server_error_budget_remaining:ratio' + config.http.budgetPeriod,
    },
  }
