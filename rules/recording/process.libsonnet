// What a process uses: CPU, the floors of memory and threads, memory as a share of its limit.
local signalsOf = import '../signals.libsonnet';

{
  local config = $._config,
  local signals = signalsOf(config),
  local recorded = signals.recorded,

  prometheusRules+:: {
    groups+: [{
      name: 'runtime-process.rules',
      interval: config.evaluationInterval,
      rules: [
        // Cores in use. Read by the CPU spike, whose baseline would otherwise need a subquery over a day.
        { record: recorded.cpu, expr: 'rate(%s[%s])' % [signals.cpu, config.rateInterval] },
        // The lower envelope of the resident memory: what stays after a collection. A leak lifts it, garbage does not.
        { record: recorded.memoryFloor, expr: 'min_over_time(%s[%s])' % [signals.memory, config.memory.floorWindow] },
      ] + (
        // Resident memory as a share of the limit; absent where there is none.
        if signals.has('memoryLimit')
        then [{ record: recorded.memoryRatio, expr: '%s / (%s > 0)' % [signals.memory, signals.memoryLimit] }]
        else []
      ) + (
        // The lower envelope of the number of threads: what stays after a burst of work.
        if signals.has('threads')
        then [{ record: recorded.threadsFloor, expr: 'min_over_time(%s[%s])' % [signals.threads, config.threads.floorWindow] }]
        else []
      ),
    }],
  },
}
