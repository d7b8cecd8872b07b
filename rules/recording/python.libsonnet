// Where the program stands still: the pauses of its garbage collector.
local fill = import '../lib/fill.libsonnet';
local signalsOf = import '../signals.libsonnet';

{
  local config = $._config,
  local signals = signalsOf(config),
  local recorded = signals.recorded,
  local paused(seconds) = fill('sum without (generation) (rate(%s[%s]))', [seconds, config.rateInterval]),

  prometheusRules+:: {
    groups+: if !signals.has('gcSeconds') then [] else [{
      name: 'runtime-python.rules',
      interval: config.evaluationInterval,
      rules: [
        // Share of wall time spent in the garbage collector, all generations: they differ between releases of CPython.
        // Of several workers, each of which stands still by itself, of the one that does so most.
        {
          record: recorded.gc,
          expr: (if signals.has('workerGcSeconds') then fill('max without (worker) (%s)\nor ', paused(signals.workerGcSeconds)) else '') + paused(signals.gcSeconds),
        },
      ],
    }],
  },
}
