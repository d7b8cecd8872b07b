// What a process uses: CPU, the floors of memory and threads, memory as a share of its limit.
local excess = import '../lib/excess.libsonnet';
local fill = import '../lib/fill.libsonnet';
local lives = import '../lib/lives.libsonnet';
local on = import '../lib/on.libsonnet';
local signalsOf = import '../signals.libsonnet';

{
  local config = $._config,
  local signals = signalsOf(config),
  local recorded = signals.recorded,
  local leak = std.get(config.alerts, 'memoryLeak'),
  local looksFor(way) = on(config.alerts, 'memoryLeak') && on(leak, way),

  prometheusRules+:: {
    groups+: [{
      name: 'runtime-process.rules',
      interval: config.evaluationInterval,
      rules: [
        // Cores in use. Reset-aware, and the base of the CPU's past.
        { record: recorded.cpu, expr: fill('rate(%s[%s])', [signals.cpu, config.rateInterval]) },
        // The lower envelope of the resident memory: what stays after a collection. A leak lifts it, garbage does not.
        { record: recorded.memoryFloor, expr: fill('min_over_time(%s[%s])', [signals.memory, config.memory.floorWindow]) },
      ] + (
        if looksFor('daily') then excess.recorded(config, signals, leak) else []
      ) + (
        // What stays after hours: a leak lifts it under the slowest teeth.
        if looksFor('long') then [{ record: recorded.memoryLongFloor, expr: fill('min_over_time(%s[%s])', [signals.memory, leak.long.floorWindow]) }] else []
      ) + (
        if looksFor('restarts') then lives.recorded(signals, leak.restarts) else []
      ) + (
        // What counts against the limit as a share of it, and its lower envelope; absent where there is no limit.
        if signals.has('memoryLimit')
        then [
          { record: recorded.memoryRatio, expr: fill('(%s or %s) / (%s > 0)', [signals.memoryLimitUsed, signals.memory, signals.memoryLimit]) },
          {
            record: recorded.memoryLimitUsedFloor,
            expr: fill('min_over_time(%s[%s]) or %s and %s', [signals.memoryLimitUsed, config.memory.floorWindow, recorded.memoryFloor, signals.memoryLimit]),
          },
        ]
        else []
      ) + (
        // The lower envelope of the number of threads: what stays after a burst of work.
        if signals.has('threads')
        then [{ record: recorded.threadsFloor, expr: fill('min_over_time(%s[%s])', [signals.threads, config.threads.floorWindow]) }]
        else []
      ),
    }],
  },
}
