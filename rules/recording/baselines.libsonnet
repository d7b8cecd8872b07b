// What is usual, from a day of the past: recorded seldom, because each value looks at thousands of others.
local fill = import '../lib/fill.libsonnet';
local duration = import '../lib/duration.libsonnet';
local labelsOf = import '../lib/labels.libsonnet';
local number = import '../lib/number.libsonnet';
local on = import '../lib/on.libsonnet';
local signalsOf = import '../signals.libsonnet';

{
  local config = $._config,
  local alerts = config.alerts,
  local labels = labelsOf(config),
  local recorded = signalsOf(config).recorded,

  local past(series, settings, offset) = '%s[%s] offset %s' % [series, settings.baseline, offset],
  // So many evaluations found something: the past is known.
  local enough(settings) = number(duration.seconds(settings.minHistory) / duration.seconds(config.evaluationInterval)),

  // Three conditions, because each alone errs: the score takes a quiet service's twitch for a spike (so: minCores, minDeviation),
  // and a job that runs an hour a day for an outlier (so: the quantile of the past, which has seen that job).
  local cpuThreshold(settings) = fill(|||
    clamp_min(
      (avg_over_time(%(past)s) + %(minZScore)s * clamp_min(stddev_over_time(%(past)s), %(minDeviation)s))
        > %(minRatio)s * quantile_over_time(%(quantile)s, %(past)s)
        or %(minRatio)s * quantile_over_time(%(quantile)s, %(past)s),
      %(minCores)s
    )
    and count_over_time(%(past)s) >= %(enough)s
  |||, {
    past: past(recorded.cpu, settings, settings.offset),
    minCores: number(settings.minCores),
    minDeviation: number(settings.minDeviation),
    minZScore: number(settings.minZScore),
    minRatio: number(settings.minRatio),
    quantile: number(settings.baselineQuantile),
    enough: enough(settings),
  }),

  // The quantile of the durations that is slow for a route: above its busiest of the past, by a factor.
  local latencyThreshold(settings) = fill(|||
    clamp_min(%(minRatio)s * quantile_over_time(%(quantile)s, %(past)s), %(minThreshold)s)
    and count_over_time(%(past)s) >= %(enough)s
  |||, {
    past: past(recorded.routeLatency, settings, settings.offset),
    minRatio: number(settings.minRatio),
    minThreshold: number(duration.seconds(settings.minThreshold)),
    quantile: number(settings.baselineQuantile),
    enough: enough(settings),
  }),

  // The highest of the past. Without its name, which VictoriaMetrics keeps: beside one that has none it would be another series.
  local high(series, settings, offset) = fill(|||
    0 + max_over_time(%(past)s)
    and count_over_time(%(past)s) > %(enough)s
  |||, { past: past(series, settings, offset), enough: enough(settings) }),

  // A new instance has no past: that of its job counts then, whose other instances are what it replaces.
  local highOfMemory(settings) =
    local own = high(recorded.memoryFloor, settings, settings.offset);
    own + fill(|||
      or max_over_time(%(floor)s[%(pace)s]) * 0 + on (%(job)s) group_left () (
        max by (%(job)s) (max_over_time(%(past)s))
        and group by (%(job)s) (%(floor)s offset %(minHistory)s)
      )
    |||, {
      floor: recorded.memoryFloor,
      pace: config.baselineInterval,
      past: past(recorded.memoryFloor, settings, settings.offset),
      minHistory: settings.minHistory,
      job: labels.job,
    }),

  local leak = std.get(alerts, 'memoryLeak'),
  local rules = [
    { record: recorded.cpuThreshold, [if on(alerts, 'cpuSpike') then 'expr']: cpuThreshold(alerts.cpuSpike) },
    {
      record: recorded.routeLatencyThreshold,
      [if on(alerts, 'httpLatencyHigh') && on(alerts.httpLatencyHigh, 'rise') then 'expr']: latencyThreshold(alerts.httpLatencyHigh.rise),
    },
    { record: recorded.memoryHigh, [if on(alerts, 'memoryLeak') && on(leak, 'fast') then 'expr']: highOfMemory(leak.fast) },
    // Before the window of the slow line: a leak of hours must not raise what it is compared with.
    { record: recorded.memoryDeltaHigh, [if on(alerts, 'memoryLeak') && on(leak, 'daily') then 'expr']: high(recorded.memoryDelta, leak.daily, leak.window) },
  ],
  local wanted = std.filter(function(rule) std.objectHas(rule, 'expr'), rules),

  prometheusRules+:: {
    groups+: if wanted == [] then [] else [{ name: 'runtime-baselines.rules', interval: config.baselineInterval, rules: wanted }],
  },
}
