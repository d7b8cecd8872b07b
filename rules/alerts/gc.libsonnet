// Time lost to the garbage collector.
local alert = import '../lib/alert.libsonnet';
local fill = import '../lib/fill.libsonnet';
local group = import '../lib/group.libsonnet';
local labelsOf = import '../lib/labels.libsonnet';
local number = import '../lib/number.libsonnet';
local signalsOf = import '../signals.libsonnet';

{
  local config = $._config,
  local labels = labelsOf(config),
  local signals = signalsOf(config),

  prometheusAlerts+:: {
    groups+: group(config, 'gc', {
      gcPressure:
        local settings = config.alerts.gcPressure;
        alert(settings, {
          name: 'RuntimeGcPressure',
          level: 'instance',
          dashboard: 'runtime',
          expr: fill('%s > %s', [signals.recorded.gc, number(settings.ratio)]),
          summary: 'A process spends much of its time in the garbage collector.',
          description: labels.where.instance + ' stands still for garbage collection {{ $value | humanizePercentage }} of the time.',
          actions: [
            'See which generation costs it: rate(python_gc_duration_seconds_sum[5m]) by generation. The oldest walks every object.',
            'Call gc.freeze() after start-up (before the fork): what lives for ever is then never walked again.',
            'Raise the first threshold, as gc.set_threshold(50_000, 10, 10), and compare latency and memory.',
            'Break the cycles: exceptions kept with their traceback, parent links (use weakref), closures that hold their owner.',
            'Look for a loop that calls gc.collect(), and for millions of small objects that an array or __slots__ would hold.',
          ],
        }),
    }),
  },
}
