// Where the interpreter stands still: the garbage collector's pauses and the lateness of the event loop.
local signalsOf = import '../signals.libsonnet';

{
  local config = $._config,
  local signals = signalsOf(config),
  local recorded = signals.recorded,

  prometheusRules+:: {
    groups+: [{
      name: 'runtime-python.rules',
      interval: config.evaluationInterval,
      rules: [
        // Share of wall time spent in the garbage collector, all generations: they differ between releases of CPython.
        { record: recorded.gc, expr: 'sum without (generation) (rate(%s[%s]))' % [signals.gcSeconds, config.rateInterval] },
        // Seconds per second by which the event loop's callbacks came late: about the share of time in which it was blocked.
        { record: recorded.loopLag, expr: 'rate(%s[%s])' % [signals.loopLagSeconds, config.rateInterval] },
      ],
    }],
  },
}
