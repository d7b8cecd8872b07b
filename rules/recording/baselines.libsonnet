// What is usual, from a day of the past: recorded seldom, because each value looks at thousands of others.
local excess = import '../lib/excess.libsonnet';
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
  local signals = signalsOf(config),
  local recorded = signals.recorded,

  local past(series, settings, offset) = fill('%s[%s] offset %s', [series, settings.baseline, offset]),
  // What is usual (lines), once enough of the past is known: so many evaluations found something.
  local known(series, usual, settings, offset) = fill('%sand count_over_time(%s) >= %s\n', [
    usual,
    past(series, settings, offset),
    number(duration.seconds(settings.minHistory) / duration.seconds(config.evaluationInterval)),
  ]),
  // A new instance has no past: that of its job counts then, whose other instances are what it replaces.
  local knownOfJob(series, usual, settings) = known(series, usual, settings, settings.offset) + fill(|||
    or max_over_time(%(series)s[%(pace)s]) * 0 + on (%(job)s) group_left () (
      max by (%(job)s) (
      %(usual)s)
      and group by (%(job)s) (%(series)s offset %(begin)ss)
    )
  |||, {
    usual: usual,
    series: series,
    pace: config.baselineInterval,
    begin: number(duration.seconds(settings.minHistory) + duration.seconds(settings.offset)),
    job: labels.job,
  }),

  // Three conditions, because each alone errs: the score takes a quiet service's twitch for a spike (so: minCores, minDeviation),
  // and a job that runs an hour a day for an outlier (so: the quantile of the past, which has seen that job).
  local cpuThreshold(settings) = fill(|||
    clamp_min(
      (avg_over_time(%(past)s) + %(minZScore)s * clamp_min(stddev_over_time(%(past)s), %(minDeviation)s))
        > %(minRatio)s * quantile_over_time(%(quantile)s, %(past)s)
        or %(minRatio)s * quantile_over_time(%(quantile)s, %(past)s),
      %(minCores)s
    )
  |||, {
    past: past(recorded.cpu, settings, settings.offset),
    minCores: number(settings.minCores),
    minDeviation: number(settings.minDeviation),
    minZScore: number(settings.minZScore),
    minRatio: number(settings.minRatio),
    quantile: number(settings.baselineQuantile),
  }),

  // The quantile of the durations that is slow for a route: above its busiest of the past, by a factor.
  local latencyThreshold(settings) = fill('clamp_min(%s * quantile_over_time(%s, %s), %s)\n', [
    number(settings.minRatio),
    number(settings.baselineQuantile),
    past(recorded.routeLatency, settings, settings.offset),
    number(duration.seconds(settings.minThreshold)),
  ]),

  // The highest of the past. Without its name, which VictoriaMetrics keeps: beside one that has none it would be another series.
  local high(series, settings, offset) = fill('0 + max_over_time(%s)\n', past(series, settings, offset)),
  local highOfJob(series, settings) = knownOfJob(series, high(series, settings, settings.offset), settings),

  local leak = std.get(alerts, 'memoryLeak'),
  local threads = std.get(alerts, 'threadLeak'),
  local rules = [
    {
      record: recorded.cpuThreshold,
      [if on(alerts, 'cpuSpike') then 'expr']: knownOfJob(recorded.cpu, cpuThreshold(alerts.cpuSpike), alerts.cpuSpike),
    },
    {
      record: recorded.routeLatencyThreshold,
      [if on(alerts, 'httpLatencyHigh') && on(alerts.httpLatencyHigh, 'rise') then 'expr']:
        local rise = alerts.httpLatencyHigh.rise;
        known(recorded.routeLatency, latencyThreshold(rise), rise, rise.offset),
    },
    { record: recorded.memoryHigh, [if on(alerts, 'memoryLeak') && on(leak, 'fast') then 'expr']: highOfJob(recorded.memoryFloor, leak.fast) },
    {
      record: recorded.threadsHigh,
      [if on(alerts, 'threadLeak') && on(threads, 'fast') && signals.has('threads') then 'expr']: highOfJob(recorded.threadsFloor, threads.fast),
    },
    {
      record: recorded.memoryLongHigh,
      [if on(alerts, 'memoryLeak') && on(leak, 'long') then 'expr']:
        known(recorded.memoryLongFloor, high(recorded.memoryLongFloor, leak.long, leak.long.offset), leak.long, leak.long.offset),
    },
    {
      record: recorded.memorySlope,
      [if on(alerts, 'memoryLeak') && on(leak, 'daily') then 'expr']:
        known(recorded.requestsFloor, excess.slope(signals, leak.daily), leak.daily, leak.daily.offset),
    },
    {
      record: recorded.memoryExcessHigh,
      [if on(alerts, 'memoryLeak') && on(leak, 'daily') then 'expr']:
        known(recorded.memoryExcess, high(recorded.memoryExcess, leak.daily, leak.daily.offset), leak.daily, leak.daily.offset),
    },
  ],
  local wanted = std.filter(function(rule) std.objectHas(rule, 'expr'), rules),

  prometheusRules+:: {
    groups+: if wanted == [] then [] else [{ name: 'runtime-baselines.rules', interval: config.baselineInterval, rules: wanted }],
  },
}
