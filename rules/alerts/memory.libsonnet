// Memory that only grows, and memory that is about to be the end of the process.
local alert = import '../lib/alert.libsonnet';
local duration = import '../lib/duration.libsonnet';
local fill = import '../lib/fill.libsonnet';
local group = import '../lib/group.libsonnet';
local labelsOf = import '../lib/labels.libsonnet';
local leak = import '../lib/leak.libsonnet';
local lives = import '../lib/lives.libsonnet';
local number = import '../lib/number.libsonnet';
local on = import '../lib/on.libsonnet';
local reaching = import '../lib/reaching.libsonnet';
local signalsOf = import '../signals.libsonnet';

{
  local config = $._config,
  local labels = labelsOf(config),
  local signals = signalsOf(config),
  local recorded = signals.recorded,

  // A line of hours, a steep line of an hour, both again in what neither yesterday nor the requests explain, a line below the teeth
  // of a slow sawtooth, and growth over many lives.
  local leakExpr(settings) =
    local floor = recorded.memoryFloor;
    local window = duration.seconds(settings.window);
    local now(high) = leak.known(config, high);
    local before(high, past) = leak.knownBefore(config, high, settings.window, past.offset);
    local line(series, scale, age, high, ratio, also='') =
      leak.line(config, signals, floor, series, scale, age, leak.aboveHigh(config, floor, series, high, ratio) + also);
    // Where yesterday is known, it does not explain as much either.
    local unexplained =
      if on(settings, 'daily') then fill('unless %s < %s * %s', [recorded.memoryExcess, number(settings.daily.minRecordRatio), floor]) else '';
    local fast(scale) = line(
      floor,
      scale,
      duration.seconds(scale.minUptime),
      now(recorded.memoryHigh),
      scale.minRecordRatio,
      '\n' + unexplained
    );
    local daily(scale, high) = line(recorded.memoryExcess, scale, leak.ageOfYesterday(settings), high, settings.daily.minRecordRatio);
    local long(scale) = line(
      recorded.memoryLongFloor,
      settings { minCorrelation: scale.minCorrelation },
      window + duration.seconds(scale.floorWindow),
      before(recorded.memoryLongHigh, scale),
      scale.minRecordRatio
    );
    local past = if on(settings, 'fast') then fill('%s * %s', [number(1 + settings.fast.minRecordRatio), before(recorded.memoryHigh, settings.fast)]);
    local ways = [
      leak.slow(config, signals, floor, config.memory.floorWindow, settings, past, unexplained),
      if on(settings, 'fast') then fast(settings.fast),
      if on(settings, 'daily') then daily(settings { minCorrelation: settings.daily.minCorrelation }, before(recorded.memoryExcessHigh, settings.daily)),
      if on(settings, 'daily') then daily(settings.daily, now(recorded.memoryExcessHigh)),
      if on(settings, 'long') then long(settings.long),
    ];
    leak.expr(config, signals, settings, std.filter(function(way) way != null, ways))
    + if on(settings, 'restarts') then 'or\n' + lives.expr(config, signals, settings.restarts) else '',

  prometheusAlerts+:: {
    groups+: group(config, 'memory', {
      memoryLeak:
        local settings = config.alerts.memoryLeak;
        alert(settings, {
          name: 'RuntimeMemoryLeakSuspected',
          level: 'instance',
          dashboard: 'runtime',
          expr: leakExpr(settings),
          summary: 'The memory of a process grows in a straight line.',
          description: labels.where.instance + ' grows by {{ $value | humanize1024 }}B an hour, steadily and still. Garbage collection does not give it back.',
          actions: [
            'Look for what grows: compare python_object_types of now and of some hours ago on the dashboard.',
            'Look at what outlives a request: dicts and lists of modules, lru_cache(maxsize=None), listeners that nobody removes.',
            'Take two tracemalloc snapshots ten minutes apart and print snapshot.compare_to(earlier, "lineno")[:10].',
            'If python_allocated_blocks is flat meanwhile, the leak is native: look at C extensions and at malloc fragmentation.',
            'To gain time, recycle the workers: gunicorn --max-requests 1000 --max-requests-jitter 100, or a rolling restart.',
          ],
        }),
      memoryNearLimit:
        local settings = config.alerts.memoryNearLimit;
        local prediction = std.get(settings, 'prediction');
        local spec = { name: 'RuntimeMemoryNearLimit', level: 'instance', dashboard: 'runtime' };
        alert(settings, spec {
          expr: fill('%s > %s', [recorded.memoryRatio, number(settings.ratio)]),
          summary: 'A process is close to its memory limit.',
          description: labels.where.instance + ' uses {{ $value | humanizePercentage }} of its memory limit. At the limit the kernel kills it.',
          actions: [
            'Raise the limit or add replicas now, if the kernel has killed it before: dmesg | grep -i "killed process".',
            'See whether it grew slowly (a leak: RuntimeMemoryLeakSuspected) or at once (one request, one job).',
            'Bound what one request may load: page queries, iterate over rows, stream bodies and files.',
            'Count the workers: each gunicorn or uWSGI worker has its own heap. Load the application before the fork (--preload).',
          ],
        })
        + alert(prediction, spec {
          beside: settings,
          part: 'prediction',
          expr: reaching(
            config,
            signals,
            prediction,
            recorded.memoryRatio,
            recorded.memoryLimitUsedFloor,
            signals.memoryLimit,
            duration.seconds(prediction.window) + duration.seconds(config.memory.floorWindow)
          ),
          summary: 'A process will soon reach its memory limit.',
          description: labels.where.instance + ' uses {{ $value | humanizePercentage }} of its memory limit, and at its present growth'
                       + ' reaches it within ' + prediction.horizon + '.',
          actions: [
            'Restart the worker at a time of your choice, before the kernel does it at another.',
            'Look for what grows: compare python_object_types of now and of some hours ago on the dashboard.',
            'Take two tracemalloc snapshots ten minutes apart and print snapshot.compare_to(earlier, "lineno")[:10].',
            'Recycle workers meanwhile: gunicorn --max-requests 1000 --max-requests-jitter 100.',
          ],
        }),
    }),
  },
}
