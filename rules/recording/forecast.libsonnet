// What runs out, at the pace of the evaluations: a line is looked for in samples that are evenly spaced, and without what comes and goes.
local fill = import '../lib/fill.libsonnet';
local signalsOf = import '../signals.libsonnet';

{
  local config = $._config,
  local signals = signalsOf(config),
  local lowest(record, gauge) = { record: record, expr: fill('min_over_time(%s[%s])', [gauge, config.rateInterval]) },

  prometheusRules+:: {
    groups+: [{
      name: 'runtime-forecast.rules',
      interval: config.evaluationInterval,
      rules: [lowest(signals.recorded.fdsFloor, signals.openFds)]
             + (if signals.has('diskAvailable') then [lowest(signals.recorded.diskAvailable, signals.diskAvailable)] else [])
             + (if signals.has('inodesAvailable') then [lowest(signals.recorded.inodesAvailable, signals.inodesAvailable)] else []),
    }],
  },
}
