// Threads that are started and never end.
local alert = import '../lib/alert.libsonnet';
local duration = import '../lib/duration.libsonnet';
local fill = import '../lib/fill.libsonnet';
local group = import '../lib/group.libsonnet';
local labelsOf = import '../lib/labels.libsonnet';
local leak = import '../lib/leak.libsonnet';
local on = import '../lib/on.libsonnet';
local signalsOf = import '../signals.libsonnet';

{
  local config = $._config,
  local labels = labelsOf(config),
  local signals = signalsOf(config),
  local recorded = signals.recorded,

  // A line of hours, and a steep one above all that there has been.
  local leakExpr(settings) =
    local floor = recorded.threadsFloor;
    local steep(scale) = leak.line(
      config,
      signals,
      floor,
      floor,
      scale,
      duration.seconds(scale.minUptime),
      leak.aboveHigh(config, floor, floor, leak.known(config, recorded.threadsHigh), scale.minRecordRatio)
    );
    leak.expr(
      config,
      signals,
      settings,
      [leak.slow(config, signals, floor, config.threads.floorWindow, settings)]
      + if on(settings, 'fast') then [steep(settings.fast)] else []
    ),

  prometheusAlerts+:: {
    groups+: group(config, 'threads', {
      threadLeak:
        local settings = config.alerts.threadLeak;
        alert(settings, {
          name: 'RuntimeThreadLeakSuspected',
          level: 'instance',
          dashboard: 'runtime',
          expr: leakExpr(settings),
          summary: fill('The number of %s of a process grows in a straight line.', signals.threadsNoun),
          description: labels.where.instance + ' gains {{ $value | printf "%.0f" }} ' + signals.threadsNoun + ' an hour, steadily and still.',
          actions: [
            'See which group grows: python_threads by group on the dashboard names the threads or their target.',
            'See where they wait: py-spy dump --pid PID, or faulthandler.dump_traceback(all_threads=True).',
            'Look for a Thread, ThreadPoolExecutor or Timer that is made for each request and never joined or shut down.',
            'Give each blocking call a timeout (sockets, queue.get, requests, database): a thread that waits for ever never ends.',
            'To gain time, restart the workers one after the other.',
          ],
        }),
    }),
  },
}
