// The p95 of a service, where there were requests enough: a night's few must not be next week's baseline.
local duration = import '../lib/duration.libsonnet';
local fill = import '../lib/fill.libsonnet';
local number = import '../lib/number.libsonnet';
local signalsOf = import '../signals.libsonnet';

{
  local config = $._config,
  local recorded = signalsOf(config).recorded,

  prometheusRules+:: {
    groups+: [{
      name: 'runtime-regression.rules',
      interval: config.evaluationInterval,
      rules: [{
        record: recorded.p95,
        expr: fill('histogram_quantile(0.95, %s) and %s >= %s', [
          recorded.buckets,
          recorded.requests,
          number(config.http.minBaselineRequests / duration.seconds(config.rateInterval)),
        ]),
      }],
    }],
  },
}
