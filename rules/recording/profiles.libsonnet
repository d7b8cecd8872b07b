// Profiles by job: how much CPU they account for, and the share that each function has of it.
local fill = import '../lib/fill.libsonnet';
local labelsOf = import '../lib/labels.libsonnet';
local signalsOf = import '../signals.libsonnet';

{
  local config = $._config,
  local labels = labelsOf(config),
  local signals = signalsOf(config),
  local recorded = signals.recorded,
  local window = config.profiles.rateInterval,

  prometheusRules+:: {
    groups+: [{
      name: 'runtime-profiles.rules',
      interval: config.evaluationInterval,
      rules: [
        // Cores that the profiles account for.
        { record: recorded.profiledCpu, expr: fill('sum by (%s) (rate(%s[%s]))', [labels.job, signals.profileTotal, window]) },
        // The share of the CPU that a function uses itself. By job, so that the past outlives a restart.
        {
          record: recorded.functionShare,
          expr: fill('sum by (%s) (rate(%s[%s])) / on (%s) group_left () (%s > 0)', [
            labels['function'],
            signals.profileFunctions,
            window,
            labels.job,
            recorded.profiledCpu,
          ]),
        },
      ],
    }],
  },
}
