// What is left of a disk, at the pace of the evaluations: a line is looked for in samples that are evenly spaced.
local signalsOf = import '../signals.libsonnet';

{
  local config = $._config,
  local signals = signalsOf(config),

  prometheusRules+:: {
    groups+: if !signals.has('diskAvailable') then [] else [{
      name: 'runtime-forecast.rules',
      interval: config.evaluationInterval,
      rules: [{ record: signals.recorded.diskAvailable, expr: 'min_over_time(%s[%s])' % [signals.diskAvailable, config.rateInterval] }],
    }],
  },
}
