// Every knob of the mixin, with its default. Overridden by the user's YAML (a JSON merge patch: null deletes).
{
  _config+:: {
    // --- rules (rules/) -----------------------------------------------------------------------------------------
    // Durations are Prometheus durations: '30s', '5m', '1h30m'. An alert's `for` of '0s' or null is left out of its rule.
    //
    // Which targets the rules look at: label matchers, put between {} in every query. Narrow it where the same Prometheus
    // scrapes things that are none of your services.
    selector: 'job=~".+"',
    // What instruments the applications: 'native' is runtime_exporter. Others: starlette_exporter, prometheus_fastapi_instrumentator,
    // prometheus_flask_exporter, django_prometheus, opentelemetry, opentelemetry_milliseconds, go. See docs/signals.md.
    source: 'native',
    // With several clusters in one Prometheus: keep and show this label everywhere.
    showMultiCluster: false,
    clusterLabel: 'cluster',
    namespaceLabel: 'namespace',
    // How the targets are scraped: prometheus.yml's scrape_interval and scrape_timeout.
    scrapeInterval: '15s',
    scrapeTimeout: '10s',
    // How often the rules are evaluated: set on every group, because expressions count in it.
    evaluationInterval: '1m',
    // How often what is usual is computed anew, which looks at a day of the past.
    baselineInterval: '5m',
    // The window of rate(): at least four scrapes.
    rateInterval: '5m',
    // Where the links of a notification lead.
    grafanaUrl: 'http://localhost:3000',
    prometheusUrl: 'http://localhost:9090',
    alertmanagerUrl: 'http://localhost:9093',
    // The exporter serves the runbook pages itself; %s is the alert's name. '' leaves the links out.
    runbookURLPattern: 'http://localhost:9464/runbooks/%s',
    // So it does the profiles that an alert has had taken; %s as above. What an agent has taken, it serves itself: the label
    // `agent` of its series is the address. '' leaves the links out.
    profileUrlPattern: 'http://{{ if $labels.agent }}{{ $labels.agent }}{{ else }}{{ $labels.instance }}{{ end }}/profiles/alert/%s',
    // What evaluates the rules: 'prometheus' (Mimir and Thanos too) or 'vmalert', whose templates cannot query.
    target: 'prometheus',

    // The floor of the resident memory is its minimum over this window: longer than a cycle of garbage or cache.
    memory: { floorWindow: '30m' },
    threads: { floorWindow: '15m' },

    profiles: {
      // The window of the rates of profile series: at least four intervals of the profiler (profile_interval).
      rateInterval: '5m',
      // So many functions that use most CPU are named in the descriptions of alerts about CPU and latency. 0 names none.
      topFunctions: 3,
    },

    http: {
      // The share of requests that must not fail, over budgetPeriod.
      objective: 0.999,
      budgetPeriod: '30d',
      // The budget's remainder is a sum over the whole period: evaluated seldom, at most every 5m (staleness).
      budgetInterval: '5m',
      // Which requests count at all (more matchers: 'http_route!~"/health|/metrics"'), and which of those have failed.
      selector: '',
      errorSelector: 'http_response_status_code=~"5.."',
      // A p95 is recorded, to be compared with next week, where there were so many requests in rateInterval.
      minBaselineRequests: 30,
    },

    // Every alert: enabled, severity (critical, warning, info, none), for, and what it compares with. `enabled: false` of an
    // alert removes it, of `alerts` removes all. keepFiringFor keeps an alert that flickers from resolving and firing again.
    alerts: {
      enabled: true,

      // The floor grows in a straight line: see lib/leak.libsonnet for each condition. It is looked for in hours, in an hour, and over many lives.
      memoryLeak: {
        enabled: true,
        severity: 'warning',
        'for': '15m',
        keepFiringFor: '1h',
        // The line is looked for in `window`; the process must have run for window + memory.floorWindow.
        window: '6h',
        // and still grow in `recentWindow`, by this share of the slope over the whole window: all of it in a leak, half in a warm-up.
        recentWindow: '2h',
        minRecentSlopeRatio: 0.7,
        // Growth over the window: in bytes, and as a share of the memory.
        minGrowth: 8 * 1024 * 1024,
        minGrowthRatio: 0.05,
        // A step has .866, a warm-up .92, a leak from .96.
        minCorrelation: 0.95,
        // The share of the window's evaluations that must have found a value.
        minCoverage: 0.6,
        // Above what was there around this time yesterday, by this factor; asked when the process is old enough. Memory that goes by
        // the load is noisy: in 94 quiet services 5 % more than yesterday came once a day, 8 % never; a leak of 2 % an hour has 12 % in `window`.
        seasonOffset: '23h',
        seasonWindow: '2h',
        seasonRatio: 1.08,
        // Requests that are more than around this time yesterday by this share, and by minLoadGrowth a second, explain the growth;
        // without a yesterday, those that grow by maxLoadGrowthRatio of their mean. A leak is then told once they grow no more.
        maxLoadRatio: 0.05,
        maxLoadGrowthRatio: 0.3,
        minLoadGrowth: 0.1,
        // A steep line of an hour, above all that the memory was within `baseline`, up to `offset` ago, by minRecordRatio. So much of that
        // past must be known, be it that of the job's other instances; a younger process than minUptime may still be warming up.
        fast: {
          enabled: true,
          window: '1h',
          recentWindow: '30m',
          minRecentSlopeRatio: 0.6,
          minGrowth: 4 * 1024 * 1024,
          minGrowthRatio: 0.04,
          minCorrelation: 0.9,
          minCoverage: 0.6,
          baseline: '1d',
          offset: '1h',
          minHistory: '12h',
          minRecordRatio: 0.04,
          minUptime: '3h',
        },
        // What neither this time yesterday nor the requests explain (lib/excess.libsonnet) bends with no day and night, so lines in it may
        // be less straight: that of `window` once more, and a steep one. It was never so high within `baseline`, up to `offset` ago
        // (or `window`), by minRecordRatio of the memory. 90 min: in an hour, noise that lasts for 20 min looks straight or bends a line.
        daily: {
          enabled: true,
          window: '90m',
          recentWindow: '45m',
          // That it has grown at all in recentWindow: in so short a time noise is half of the slope.
          minRecentSlopeRatio: 0,
          minGrowth: 4 * 1024 * 1024,
          minGrowthRatio: 0.04,
          // Above a step's .866.
          minCorrelation: 0.9,
          minCoverage: 0.6,
          baseline: '1d',
          offset: '1h',
          minHistory: '12h',
          minRecordRatio: 0.04,
        },
        // The line of `window` once more in a floor that is below the teeth of a sawtooth of up to two hours. It goes up by stairs: three
        // have .943. Above all that it was within `baseline` before `window`, which must be known for so long that it has seen a day.
        long: {
          enabled: true,
          floorWindow: '2h',
          minCorrelation: 0.93,
          baseline: '1d',
          offset: '1h',
          minHistory: '18h',
          minRecordRatio: 0.06,
        },
        // Restarts cut each line short: over `window` the memory goes by the age of the process, by minGrowth and minGrowthRatio in
        // its longest life. What is younger than warmUp is not looked at. There must have been minRestarts.
        restarts: {
          enabled: true,
          window: '6h',
          warmUp: '10m',
          minCorrelation: 0.9,
          minGrowth: 4 * 1024 * 1024,
          minGrowthRatio: 0.1,
          minRestarts: 3,
          minCoverage: 0.3,
        },
      },
      memoryNearLimit: {
        enabled: true,
        severity: 'critical',
        'for': '5m',
        keepFiringFor: '0s',
        // What counts against the limit (cgroup, rlimit) as a share of it.
        ratio: 0.9,
        // Above `ratio`, and the floor's straight line over `window` crosses the limit within `horizon`.
        prediction: {
          enabled: true,
          severity: 'warning',
          'for': '30m',
          keepFiringFor: '0s',
          ratio: 0.7,
          window: '6h',
          horizon: '4h',
          minCorrelation: 0.95,
        },
      },
      // More CPU than this process has used in its past.
      cpuSpike: {
        enabled: true,
        severity: 'warning',
        // Jobs of every day that are too short to be seen in the quantile of the past are over by then.
        'for': '9m',
        keepFiringFor: '0s',
        // The past is `baseline`, up to `offset` ago: for so long a spike does not raise what it is compared with.
        baseline: '1d',
        offset: '1h',
        // How much of the past must be known, be it that of the job's other instances: a day, or the first job of the night is a
        // spike. And how long the process must run (a start-up is no spike).
        minHistory: '23h',
        minUptime: '15m',
        // Standard deviations above the mean; a quiet service has hardly any deviation, so at least minDeviation cores.
        minZScore: 4,
        minDeviation: 0.02,
        // Above this factor of what was busy in the past: the baselineQuantile. 0.995 of a day has seen what ran for seven
        // minutes, such as a job of every night, and not the minute in which a process starts.
        minRatio: 1.5,
        baselineQuantile: 0.995,
        // Cores; below it nobody cares.
        minCores: 0.3,
      },
      cpuThrottled: {
        enabled: true,
        severity: 'warning',
        'for': '15m',
        keepFiringFor: '0s',
        // The share of the scheduler's periods in which the cgroup was held back.
        ratio: 0.25,
      },
      threadLeak: {
        enabled: true,
        severity: 'warning',
        'for': '15m',
        keepFiringFor: '30m',
        window: '3h',
        recentWindow: '1h',
        minRecentSlopeRatio: 0.5,
        // Threads over the window.
        minGrowth: 20,
        minGrowthRatio: 0.2,
        minCorrelation: 0.95,
        minCoverage: 0.6,
        seasonOffset: '23h',
        seasonWindow: '2h',
        seasonRatio: 1.05,
        maxLoadRatio: 0.05,
        maxLoadGrowthRatio: 0.3,
        minLoadGrowth: 0.1,
        // A steep line, above all that there was within `baseline`, up to `offset` ago, as in memoryLeak.fast. Longer than there, since
        // the least of a few threads or goroutines trembles more than that of the memory.
        fast: {
          enabled: true,
          window: '75m',
          recentWindow: '30m',
          minRecentSlopeRatio: 0.6,
          minGrowth: 5,
          minGrowthRatio: 0.1,
          minCorrelation: 0.9,
          minCoverage: 0.6,
          baseline: '1d',
          offset: '1h',
          minHistory: '12h',
          minRecordRatio: 0.15,
          minUptime: '3h',
        },
      },
      fdExhaustion: {
        enabled: true,
        severity: 'critical',
        'for': '5m',
        keepFiringFor: '0s',
        // Open descriptors as a share of the limit.
        ratio: 0.9,
        prediction: {
          enabled: true,
          severity: 'warning',
          'for': '15m',
          keepFiringFor: '0s',
          ratio: 0.5,
          // A straight line, which a step is not: it has .866.
          window: '1h',
          horizon: '4h',
          minCorrelation: 0.9,
        },
      },
      // Threads against what the cgroup (pids.max) and the rlimit of the user allow, where there is a limit.
      threadExhaustion: {
        enabled: true,
        severity: 'critical',
        'for': '5m',
        keepFiringFor: '0s',
        // Threads as a share of those that the process may have.
        ratio: 0.9,
        prediction: {
          enabled: true,
          severity: 'warning',
          'for': '15m',
          keepFiringFor: '0s',
          ratio: 0.5,
          window: '1h',
          horizon: '4h',
          minCorrelation: 0.9,
        },
      },
      gcPressure: {
        enabled: true,
        severity: 'warning',
        'for': '10m',
        keepFiringFor: '0s',
        // The share of wall time in which the program stands still for the garbage collector.
        ratio: 0.1,
      },
      eventLoopBlocked: {
        enabled: true,
        severity: 'warning',
        'for': '5m',
        keepFiringFor: '0s',
        // This quantile of the loop's heartbeats is later than `threshold`. A blocked loop's missed beats count too, so the
        // quantile is one of time: 0.95 asks what happens in 5 % of it.
        quantile: 0.95,
        threshold: '100ms',
      },
      // Multi-window, multi-burn-rate (SRE workbook, chapter 5). The long window says that it matters, the short one that it
      // still goes on. factor = share of the budget burnt in the long window * budgetPeriod / long: 2, 5, 10 and 10 % of 30d.
      // A window of null is left out.
      httpErrorBudgetBurn: {
        enabled: true,
        windows: {
          pageFast: { severity: 'critical', long: '1h', short: '5m', 'for': '2m', factor: 14.4 },
          pageSlow: { severity: 'critical', long: '6h', short: '30m', 'for': '15m', factor: 6 },
          ticketFast: { severity: 'warning', long: '1d', short: '2h', 'for': '1h', factor: 3 },
          ticketSlow: { severity: 'warning', long: '3d', short: '6h', 'for': '3h', factor: 1 },
        },
        // In the long window; fewer say nothing about a service.
        minRequests: 50,
        // So many standard deviations more errors in the long window than a service has by chance that just keeps its objective: of few
        // requests at least five.
        minDeviations: 4,
      },
      httpLatencyHigh: {
        enabled: true,
        severity: 'warning',
        'for': '5m',
        keepFiringFor: '0s',
        // Of a route's requests over rateInterval, this quantile is slower than `threshold`.
        quantile: 0.95,
        threshold: '1s',
        // Requests of the route in rateInterval.
        minRequests: 30,
        // Or it is slower than at its busiest in the past (the baselineQuantile) by this factor, and slower than minThreshold.
        // The past is `baseline`, up to `offset` ago; so much of it must be known.
        rise: {
          enabled: true,
          baseline: '1d',
          offset: '1h',
          minHistory: '12h',
          minRatio: 2,
          minThreshold: '100ms',
          baselineQuantile: 0.95,
        },
      },
      targetDown: {
        enabled: true,
        severity: 'critical',
        'for': '2m',
        keepFiringFor: '0s',
        // No scrape has succeeded for so long; a single failed one says nothing.
        window: '1m',
        // A job with no target left is missed until it has been gone for so long, if it was there most of the time: not a
        // batch job, whose targets come and go. '0s': no job is missed.
        absentFor: '1h',
        // One target of a job that has others.
        instance: {
          enabled: true,
          severity: 'warning',
          'for': '5m',
          keepFiringFor: '0s',
        },
      },
      restarting: {
        enabled: true,
        severity: 'warning',
        'for': '0s',
        keepFiringFor: '0s',
        // More restarts than `restarts` within `window`.
        window: '1h',
        restarts: 3,
      },
      // Workers of one service, whose others live on: its start stays what it was.
      workersDying: {
        enabled: true,
        severity: 'warning',
        'for': '0s',
        keepFiringFor: '0s',
        // More often than `deaths` times within `window` workers were killed or crashed, not told to end; those between two scrapes count once.
        window: '1h',
        deaths: 3,
      },
      collectorFailing: {
        enabled: true,
        severity: 'warning',
        'for': '10m',
        keepFiringFor: '0s',
        // No run of the collector has succeeded for so long.
        window: '5m',
      },
      overBudget: {
        enabled: true,
        severity: 'warning',
        'for': '15m',
        keepFiringFor: '0s',
        // The mean overhead over `window` above the exporter's own overhead_budget, by this factor.
        window: '10m',
        ratio: 1.5,
      },
      scrapeSlow: {
        enabled: true,
        severity: 'warning',
        'for': '15m',
        keepFiringFor: '0s',
        // The mean duration of a scrape over rateInterval, as a share of scrapeTimeout.
        ratio: 0.5,
      },
      labelsFolded: {
        enabled: true,
        severity: 'info',
        'for': '15m',
        keepFiringFor: '0s',
        // More than so many observations went to `other` within `window`.
        window: '1h',
        folded: 100,
      },
      // Prometheus' and Alertmanager's own health, where they are scraped, too: `prometheus.selector`.
      prometheusRulesFailing: {
        enabled: true,
        severity: 'warning',
        'for': '5m',
        keepFiringFor: '0s',
        // A rule group failed, or was not evaluated in time, within `window`.
        window: '5m',
      },
      prometheusNotificationsLost: {
        enabled: true,
        severity: 'critical',
        // Longer than the window: what a restart of Alertmanager loses is sent again.
        'for': '10m',
        keepFiringFor: '0s',
        // Prometheus could not hand over an alert to any Alertmanager within `window`.
        window: '5m',
        // Alertmanager could not send more than `ratio` of its messages to a receiver within `window`.
        receiver: { enabled: true, severity: 'warning', 'for': '10m', keepFiringFor: '0s', ratio: 0.1 },
      },
      prometheusReloadFailed: {
        enabled: true,
        severity: 'warning',
        'for': '10m',
        keepFiringFor: '0s',
        window: '5m',
      },
      // What `runtime-exporter act` could not do, where it is scraped: `act.selector`. A command that failed, of an action, within `window`.
      actCommandFailing: { enabled: true, severity: 'warning', 'for': '0s', keepFiringFor: '0s', window: '1h' },
      // What was asked and not run within `window`, for reasons that somebody should look into; what is repeated, unlisted or within
      // its cool-down is refused every day.
      actRefused: {
        enabled: true,
        severity: 'warning',
        'for': '0s',
        keepFiringFor: '0s',
        window: '1h',
        reasons: 'busy|notification|rate_limit|secret|value',
      },
      // Its audit log cannot be written: nothing is run any more.
      actAuditFailing: { enabled: true, severity: 'critical', 'for': '0s', keepFiringFor: '0s', window: '15m' },
      // The profiler has confirmed it: beyond chance, large enough to matter, and there in 3 of 5 comparisons.
      profileRegression: {
        enabled: true,
        severity: 'warning',
        'for': '1m',
        keepFiringFor: '0s',
        // Which kinds of profile count. A function that is slower by CPU is not told again for its wall time.
        selector: 'profile=~"cpu|wall"',
        // The relative rise of its share from which it is told; the comparison has floors of its own.
        minDeltaRatio: 0,
      },
      // Something in the process grows in a straight line, as the profiler sees it from inside: it names types and stacks.
      profileLeakSuspect: {
        enabled: true,
        severity: 'warning',
        'for': '15m',
        keepFiringFor: '30m',
        // Which kinds count: rss, blocks, objects, threads, tasks.
        selector: '',
      },
      // One place has most of the time that is lost to locks, and that is much.
      lockHotSpot: {
        enabled: true,
        severity: 'warning',
        'for': '10m',
        keepFiringFor: '0s',
        // Go's block profile has waits for channels too, where nobody holds anybody up.
        selector: 'profile="mutex"',
        // Of all the wait for locks, and of wall time: seconds waited a second, of all threads together.
        minShare: 0.7,
        minWait: 0.05,
      },
      // A function that hardly mattered in the past now has much of a job's CPU.
      profileNewDominantFunction: {
        enabled: true,
        severity: 'info',
        'for': '15m',
        keepFiringFor: '0s',
        // Its share of the CPU, itself and not what it calls, is at least this, in a job that uses so many cores.
        minShare: 0.2,
        minCores: 0.1,
        // In the past it was below this at its busiest (the baselineQuantile, as in cpuSpike).
        maxPastShare: 0.05,
        baselineQuantile: 0.99,
        baseline: '1d',
        offset: '1h',
        // How much of the past must be known.
        minHistory: '12h',
      },
      // The budget of an objective (slo, slos) burns too fast. The factor is made of `budget`, the share of the budget that
      // may burn within `long` before it is told, and of the objective's period: 2 % of 30d in 1h is 14.4. null leaves one out.
      sloBudgetBurn: {
        enabled: true,
        windows: {
          pageFast: { severity: 'critical', long: '1h', short: '5m', 'for': '2m', budget: 0.02 },
          pageSlow: { severity: 'critical', long: '6h', short: '30m', 'for': '15m', budget: 0.05 },
          ticketFast: { severity: 'warning', long: '1d', short: '2h', 'for': '1h', budget: 0.1 },
          ticketSlow: { severity: 'warning', long: '3d', short: '6h', 'for': '3h', budget: 0.1 },
        },
        // In the long window; fewer are left to sloLowTraffic.
        minEvents: 50,
        // So many standard deviations more bad ones than a service has by chance that just keeps its objective: of few at least five.
        minDeviations: 4,
      },
      // So few events that no burn rate speaks, and most of them are bad.
      sloLowTraffic: {
        enabled: true,
        severity: 'warning',
        'for': '15m',
        keepFiringFor: '0s',
        // Of fewer than maxEvents events within `window`, this share is bad, at least minBadEvents, and one within `recent`.
        window: '6h',
        recent: '2h',
        ratio: 0.5,
        maxEvents: 50,
        minBadEvents: 3,
      },
      // Against the same time last week: `window` is centred there by its offset, of 7d minus half of it.
      httpLatencyRegression: {
        enabled: true,
        severity: 'warning',
        'for': '15m',
        keepFiringFor: '0s',
        recent: '15m',
        window: '1h',
        weekOffset: '167h30m',
        // The mean p95 of `recent` is above the median one of then by this factor, and above minDuration.
        minRatio: 1.5,
        minDuration: '100ms',
      },
      httpThroughputDrop: {
        enabled: true,
        severity: 'warning',
        'for': '10m',
        keepFiringFor: '0s',
        recent: '15m',
        window: '1h',
        weekOffset: '167h30m',
        dayOffset: '23h30m',
        // Fewer requests than this share of those last week, and of those yesterday, of which there were enough.
        maxRatio: 0.3,
        minRequestsPerSecond: 0.5,
      },
      // A signal is outside of its band: anomaly, anomalies. The severity is of those that have none of their own.
      anomaly: { enabled: true, severity: 'warning', 'for': '15m', keepFiringFor: '15m' },
      // The file systems of the working directory and of the exporter's `disk_paths`.
      diskFilling: {
        enabled: true,
        severity: 'critical',
        'for': '5m',
        keepFiringFor: '0s',
        // Space left, or inodes, as a share of all.
        ratio: 0.05,
        // Less than `ratio` is left, and a straight line over `window` that still goes on leads to nothing within `horizon`.
        prediction: {
          enabled: true,
          severity: 'warning',
          'for': '30m',
          keepFiringFor: '0s',
          ratio: 0.4,
          window: '6h',
          horizon: '24h',
          minCorrelation: 0.95,
          recentWindow: '1h',
          minRecentSlopeRatio: 0.5,
          minCoverage: 0.8,
        },
      },
      // Fires always: who stops hearing it knows that nobody watches any more.
      watchdog: { enabled: true, severity: 'none' },
    },
    // The user's own alerts: lib/custom.libsonnet.
    customAlerts: {},

    // Prometheus and Alertmanager themselves: which of those that are scraped. `selector` above is of your services.
    prometheus: { selector: 'job=~".+"' },
    // `runtime-exporter act`: which of those that are scraped.
    act: { selector: 'job=~".+"' },

    // What single services have of their own, by name: a job (or the job, or jobs, under `job`), and any of the keys source,
    // alerts, http, memory, threads, profiles, scrapeInterval and scrapeTimeout with what differs from the values above.
    //   services: { shop: { http: { objective: 0.99 }, alerts: { memoryLeak: { enabled: false } } } }
    // `runtime-exporter generate` makes their rules (exporter/runtime_exporter/mixin/services.py); jsonnet alone does not.
    services: {},

    // --- objectives ---------------------------------------------------------------------------------------------
    // Objectives that every service has. Availability is http.objective over http.budgetPeriod; RuntimeHttpErrorBudgetBurn
    // tells how its budget burns, all others are told by RuntimeSloBudgetBurn.
    slo: {
      availability: { enabled: true },
      // The share of requests that must be answered within `threshold`, which is one of `buckets`.
      latency: { enabled: true, objective: 0.95, threshold: '1s', period: '30d' },
      // The upper bounds of the durations' buckets in seconds, as the services expose them (the setting http_buckets).
      buckets: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
    },
    // What else is wrong with a service is said in the description of alerts about errors and latency, from these values on:
    // the share of time in garbage collection, the share of periods in which the CPU limit holds it back, the event loop's p95
    // lag, seconds waited for locks a second, and how recent a start is.
    causes: { enabled: true, gcRatio: 0.05, throttledRatio: 0.1, loopLagSeconds: 0.1, lockWaitSeconds: 0.1, startedSeconds: 1800 },
    // Bands in which a signal is expected, by what it was at this time yesterday and last week: docs/anomalies.md. What holds for
    // each that does not say otherwise.
    anomaly: {
      // robust: medians, which one bad hour does not move. adaptive: means, for what comes in bursts.
      strategy: 'robust',
      // Which side is told: both, high, low.
      direction: 'both',
      // week: yesterday and last week must be known, so a band speaks after a week and six hours. day: yesterday alone, after a
      // day and as much.
      season: 'week',
      // The band's edge is so many standard deviations from what is expected, at least this share of that, and in any case
      // so much, in the signal's unit: less is never told.
      deviations: 4,
      margin: 0.2,
      minDeviation: 0,
      // How far the signal strays is known by the last day, of which this share must be known.
      minCoverage: 0.25,
      // Every service's requests. Nobody is told of info by default: growth is no fault, and RuntimeHttpThroughputDrop tells of a fall.
      requests: { enabled: true, severity: 'info', minDeviation: 0.1 },
    },
    // Bands of your own, each by one line: an expression, or more (rules/lib/anomalies.libsonnet).
    //   anomalies: { orders: 'sum by (job) (rate(shop_orders_total[5m]))' }
    anomalies: {},
    // Objectives of your own, by a name such as checkout-latency: lib/objectives.libsonnet says what each may hold.
    slos: {},

    // --- business metrics ---------------------------------------------------------------------------------------
    // What your services count of their own, such as orders: rules, a dashboard, alerts and a page come of each entry.
    //   businessMetrics: [{ metric: 'shop_orders_total', title: 'Orders', by: ['status'], per: 'minute', alert: { below: 1 } }]
    // docs/dashboards.md says what an entry may hold.
    businessMetrics: [],

    // --- dashboards (dashboards/) -------------------------------------------------------------------------------
    // Every dashboard carries these tags; the links between the dashboards follow the first. Change them when two
    // bundles live in one Grafana.
    dashboardTags: ['runtime-exporter'],
    // In front of every dashboard's title.
    dashboardNamePrefix: 'Runtime exporter / ',
    // Alerts link to these; they stay the same over releases, so that bookmarks do. At most 40 characters.
    dashboardUids: {
      overview: 'runtime-exporter-overview',
      runtime: 'runtime-exporter-runtime',
      http: 'runtime-exporter-http',
      exporter: 'runtime-exporter-exporter',
      profiling: 'runtime-exporter-profiling',
      slo: 'runtime-exporter-slo',
      alerts: 'runtime-exporter-alerts',
      business: 'runtime-exporter-business',
      prometheus: 'runtime-exporter-prometheus',
    },
    // The time range a dashboard opens with, and how often it asks again ('' = only when told).
    dashboardPeriod: 'now-1h',
    dashboardRefresh: '30s',
    // 'browser', 'utc' or a name of the IANA time zone database.
    dashboardTimezone: 'browser',
    // The data source that is chosen at first: a name or uid in Grafana; 'default' is Grafana's default Prometheus.
    datasourceName: 'default',
    // Limits the data sources to choose from, as '/prod-.*/'; '' offers every Prometheus.
    datasourceFilterRegex: '',
    // Show the namespace variable; worth it where targets carry that label (Kubernetes). It is there, hidden, without.
    showNamespace: false,
    // --- Alertmanager (alertmanager/) ---------------------------------------------------------------------------
    alertmanager: {
      // Alerts that share these labels, and the cluster's and the namespace's, come as one message.
      groupBy: ['alertname', 'job'],
      // How long a new group waits for more members, and a changed one before it speaks again.
      groupWait: '30s',
      groupInterval: '5m',
      // An alert that Prometheus no longer reports counts as resolved after this.
      resolveTimeout: '5m',

      // Who hears of what, by the label `severity`; repeatInterval: when it is said again while it lasts.
      // slackChannel and emailTo replace those below for one severity; '' keeps them.
      // An alert whose severity is none of these is treated as a warning, so that none is lost.
      critical: { slack: true, email: true, webhook: true, repeatInterval: '4h', slackChannel: '', emailTo: '' },
      warning: { slack: true, email: false, webhook: false, repeatInterval: '12h', slackChannel: '', emailTo: '' },
      // Nobody by default. Switched on, all of a job's come together, as a digest at this pace.
      info: {
        slack: false,
        email: false,
        webhook: false,
        groupInterval: '6h',
        repeatInterval: '24h',
        slackChannel: '',
        emailTo: '',
      },

      // The file holds the incoming webhook's URL, which is a secret. A modern webhook ignores the channel.
      slack: { enabled: true, apiUrlFile: '/run/secrets/slack_api_url', channel: '#alerts', sendResolved: true },

      // The smarthost fits docker-compose.yml, whose mail catcher keeps everything; name your own relay here.
      // to: one address, or several with commas. authUsername: '' sends without a login.
      // tls: 'always', 'never' or 'auto', which demands STARTTLS as soon as there is a login: no password in clear.
      email: {
        enabled: true,
        to: 'oncall@example.org',
        from: 'alertmanager@example.org',
        smarthost: 'mail:1025',
        hello: 'localhost',
        tls: 'auto',
        authUsername: '',
        authPasswordFile: '/run/secrets/smtp_password',
        sendResolved: true,
      },

      // Alertmanager's own JSON to any URL; '' switches it off. credentialsFile: a bearer token, '' for none.
      // The URL stands in alertmanager.yml for all to read (url_file needs Alertmanager 0.26): keep tokens out of it.
      webhook: { url: '', credentialsFile: '', maxAlerts: 0, sendResolved: true },

      // The Watchdog fires always. Its posts to a dead man's switch prove that alerting works; '' sends them nowhere.
      watchdog: { url: '', credentialsFile: '', interval: '1m' },

      // Alerts that have a profile taken, and your own that carry a label `profile` (cpu, wall, heap …), are posted to the exporter, or to the agent, that takes it: its address with /-/alert.
      // It hears of each at once and beside everybody else. credentialsFile: the password of `username`, one of its basic_auth_users; without a username a bearer token, '' for none.
      profiling: {
        enabled: false,
        url: 'http://localhost:9464/-/alert',
        username: '',
        credentialsFile: '',
        sendResolved: false,
        // While an alert lasts, another profile may be taken after this.
        repeatInterval: '1h',
      },

      // `runtime-exporter act` hears of the alerts that are listed here, by their names, and runs the commands that its own file lists
      // for them; everybody else hears of them as before. secretFile holds the secret that act's secret_file holds.
      act: {
        enabled: false,
        url: 'http://localhost:9466/-/act',
        secretFile: '',
        alerts: [],
        // Only actions with `when: resolved` are about the end of an alert.
        sendResolved: false,
        // Actions with `repeat: true` are run again so often at most, while the alert lasts.
        repeatInterval: '1h',
      },

      // A critical alert mutes the warnings and infos of the same name that agree on these labels, on the cluster's and
      // on the namespace's; a label that both lack agrees. Only alerts whose name matches `alerts` and that have a job
      // take part, so that nobody else's alert is muted for lack of labels.
      // A regression mutes RuntimeProfileNewDominantFunction about the same function, and RuntimeMemoryLeakSuspected mutes
      // RuntimeProfileLeakSuspect about the same memory as a whole.
      // RuntimeTargetDown mutes what else is said of the same instance, or of the same job where all of it is down.
      inhibit: { alerts: 'Runtime.+', labels: ['job', 'instance', 'http_route', 'slo', 'anomaly', 'path', 'resource'] },

      // Relative to alertmanager.yml; `generate` puts the files there.
      templates: ['templates/*.tmpl'],
    },
  },
}
