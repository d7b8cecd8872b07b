// An event loop that something blocks.
local alert = import '../lib/alert.libsonnet';
local ask = import '../lib/ask.libsonnet';
local duration = import '../lib/duration.libsonnet';
local fill = import '../lib/fill.libsonnet';
local group = import '../lib/group.libsonnet';
local labelsOf = import '../lib/labels.libsonnet';
local number = import '../lib/number.libsonnet';
local signalsOf = import '../signals.libsonnet';

{
  local config = $._config,
  local labels = labelsOf(config),
  local signals = signalsOf(config),
  local quantile(settings, buckets) = fill('histogram_quantile(%s, rate(%s[%s]))', [number(settings.quantile), buckets, config.rateInterval]),

  prometheusAlerts+:: {
    groups+: group(config, 'asyncio', {
      eventLoopBlocked:
        local settings = config.alerts.eventLoopBlocked;
        alert(settings, {
          name: 'RuntimeEventLoopBlocked',
          level: 'instance',
          dashboard: 'runtime',
          // Of several workers the one whose loop is blocked most: among the heartbeats of many it would hardly count.
          expr: fill('(max without (worker) (%s) or %s) > %s', [
            quantile(settings, signals.workerLoopLagBuckets),
            quantile(settings, signals.loopLagBuckets),
            number(duration.seconds(settings.threshold)),
          ]),
          summary: 'Something blocks an event loop.',
          description: 'The event loop of ' + labels.where.instance + ' is blocked: for ' + number(100 * (1 - settings.quantile))
                       + '% of the time, what is due waits longer than {{ $value | humanizeDuration }} (threshold ' + settings.threshold + ')'
                       + ask.topFunctions(config, 'instance') + '.',
          actions: [
            'See what blocks it: open the profile, or py-spy dump --pid PID a few times; the frame above asyncio/events.py _run is the one.',
            'Let asyncio tell: PYTHONASYNCIODEBUG=1 logs each callback that takes more than loop.slow_callback_duration.',
            'Move blocking calls (requests, a synchronous database driver, time.sleep, files) to await asyncio.to_thread(...).',
            'Move computing (JSON of megabytes, images, hashing of passwords) to a process pool.',
          ],
        }),
    }),
  },
}
