// Requests, errors and durations of HTTP, from the one histogram; and how fast the error budget burns.
local duration = import '../lib/duration.libsonnet';
local fill = import '../lib/fill.libsonnet';
local labelsOf = import '../lib/labels.libsonnet';
local number = import '../lib/number.libsonnet';
local on = import '../lib/on.libsonnet';
local slo = import '../lib/slo.libsonnet';
local signalsOf = import '../signals.libsonnet';

{
  local config = $._config,
  local labels = labelsOf(config),
  local signals = signalsOf(config),
  local recorded = signals.recorded,

  local routeLatency(settings) = fill('histogram_quantile(%s, %s) and %s * %s >= %s', [
    number(settings.quantile),
    recorded.routeBuckets,
    recorded.routeRequests,
    number(duration.seconds(config.rateInterval)),
    number(settings.minRequests),
  ]),

  prometheusRules+:: {
    groups+: [
      {
        name: 'runtime-http.rules',
        interval: config.evaluationInterval,
        rules: [
          // Requests per second by instance: is the load spread evenly?
          {
            record: recorded.instanceRequests,
            expr: fill('sum by (%s) (rate(%s[%s]))', [labels.instance, signals.requests, config.rateInterval]),
          },
          // Requests per second by route and by job.
          {
            record: recorded.routeRequests,
            expr: fill('sum by (%s) (%s)', [labels.route, signals.requestRate(config.rateInterval)]),
          },
          // Of the target's own series, as the errors below are: whoever evaluates the one must have the other.
          { record: recorded.requests, expr: fill('sum by (%s) (%s)', [labels.job, signals.requestRate(config.rateInterval)]) },
          // Failed requests per second: 0 where none has ever failed, so that a ratio is 0 and not "no data".
          {
            record: recorded.errors,
            expr: local rate(requests) = fill('sum by (%s) (rate(%s[%s]))', [labels.job, requests, config.rateInterval]);
                  // The zeros from the target's own series: what another bundle records of other jobs is nothing to this one.
                  fill('%s or 0 * %s', [rate(signals.failedRequests), rate(signals.requests)]),
          },
          // The durations' buckets by route and by job: histogram_quantile() of these gives every quantile, cheaply.
          {
            record: recorded.routeBuckets,
            expr: fill('sum by (%s, le) (%s)', [labels.route, signals.bucketRate(config.rateInterval)]),
          },
          { record: recorded.buckets, expr: fill('sum by (%s, le) (%s)', [labels.job, recorded.routeBuckets]) },
        ] + (
          // What the alert about slow routes looks at, now and in the past; not where the requests are too few to mean something.
          if on(config.alerts, 'httpLatencyHigh') then [{ record: recorded.routeLatency, expr: routeLatency(config.alerts.httpLatencyHigh) }] else []
        ),
      },
      {
        name: 'runtime-http-slo.rules',
        interval: config.evaluationInterval,
        // The share of failed requests over every window that a burn rate looks at.
        rules: [
          { record: recorded.errorRatio(window), expr: slo.errorRatio(config, recorded, window) }
          for window in slo.windows(config)
        ],
      },
      {
        name: 'runtime-http-budget.rules',
        interval: config.http.budgetInterval,
        // What is left of the error budget: 1 = all, 0 = none, below = the objective is missed.
        rules: [{
          record: recorded.budgetRemaining,
          expr: fill('1 - %s / %s', [slo.eventRatio(recorded, config.http.budgetPeriod), slo.allowed(config)]),
        }],
      },
    ],
  },
}
