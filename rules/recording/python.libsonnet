// Where the program stands still: the pauses of its garbage collector.
local fill = import '../lib/fill.libsonnet';
local signalsOf = import '../signals.libsonnet';

{
  local config = $._config,
  local signals = signalsOf(config),
  local recorded = signals.recorded,

  prometheusRules+:: {
    groups+: if !signals.has('gcSeconds') then [] else [{
      name: 'runtime-python.rules',
      interval: config.evaluationInterval,
      rules: [
        // Share of wall time spent in the garbage collector, all generations: they differ between releases of CPython.
        { record: recorded.gc, expr: fill('sum without (generation) (rate(%s[%s]))', [signals.gcSeconds, config.rateInterval]) },
      ],
    }],
  },
}
