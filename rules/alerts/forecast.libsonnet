// What runs out: a disk's space or its room for files, and the threads that a process may have, by a straight line that a correlation proves.
local alert = import '../lib/alert.libsonnet';
local duration = import '../lib/duration.libsonnet';
local fill = import '../lib/fill.libsonnet';
local group = import '../lib/group.libsonnet';
local labelsOf = import '../lib/labels.libsonnet';
local leak = import '../lib/leak.libsonnet';
local number = import '../lib/number.libsonnet';
local reaching = import '../lib/reaching.libsonnet';
local signalsOf = import '../signals.libsonnet';

{
  local config = $._config,
  local labels = labelsOf(config),
  local signals = signalsOf(config),
  local where = '{{ $labels.path }} of ' + labels.where.instance,
  // What there may be none of any more. Of a file system that makes room for files as it needs it there are no inodes.
  local space = {
    ratio: fill('%s / (%s > 0)', [signals.diskAvailable, signals.diskSize]),
    available: signals.recorded.diskAvailable,
    noun: 'space',
    nothing: 'Without any, nothing can be written.',
  },
  local files = {
    ratio: fill('%s / (%s > 0)', [signals.inodesAvailable, signals.inodesSize]),
    available: signals.recorded.inodesAvailable,
    noun: 'inodes',
    nothing: 'Without any, no file can be created, however much space there is.',
  },
  local spec = {
    name: 'RuntimeDiskFilling',
    level: 'instance',
    dashboard: 'runtime',
    actions: [
      'See what has grown: du -xh --max-depth=2 PATH | sort -h | tail; files that are deleted and still open: lsof +L1.',
      'Logs: rotate and compress them, lower the level; look for one message that is repeated.',
      'Temporary files and caches: delete what is old, and bound what the program keeps (profile_bytes_limit, cache sizes).',
      'To gain time, grow the volume or move the data.',
    ],
  },

  local filling(settings, what, more) =
    local prediction = std.get(settings, 'prediction');
    local disk = spec + more;
    alert(settings, disk {
      expr: fill('%s < %s', [what.ratio, number(settings.ratio)]),
      summary: 'A disk is almost full.',
      description: where + ' has {{ $value | humanizePercentage }} of its ' + what.noun + ' left. ' + what.nothing,
    })
    + alert(prediction, disk {
      beside: settings,
      part: 'prediction',
      expr: fill(|||
        %(ratio)s < %(minRatio)s
        # and by the straight line of the window nothing is left within the horizon
        and predict_linear(%(available)s[%(window)s], %(horizon)s) < 0
        # which is a straight line, as a clean-up every hour or one large file is not
        and %(correlation)s < -%(minCorrelation)s
        # of a window that is known
        and count_over_time(%(available)s[%(window)s]) >= %(minSamples)s
        # and it still goes on
        and deriv(%(available)s[%(recent)s]) < %(minRecentSlopeRatio)s * deriv(%(available)s[%(window)s])
      |||, {
        ratio: what.ratio,
        minRatio: number(prediction.ratio),
        available: what.available,
        window: prediction.window,
        recent: prediction.recentWindow,
        horizon: number(duration.seconds(prediction.horizon)),
        correlation: leak.correlation(config, what.available, prediction.window),
        minCorrelation: number(prediction.minCorrelation),
        minRecentSlopeRatio: number(prediction.minRecentSlopeRatio),
        minSamples: number(std.ceil(prediction.minCoverage * duration.seconds(prediction.window) / duration.seconds(config.evaluationInterval))),
      }),
      summary: 'A disk will soon be full.',
      description: where + ' has {{ $value | humanizePercentage }} of its ' + what.noun + ' left, and at its present growth nothing within '
                   + prediction.horizon + '.',
    }),

  prometheusAlerts+:: {
    groups+: group(config, 'forecast', {
      diskFilling:
        local settings = config.alerts.diskFilling;
        filling(settings, space, {})
        + (if signals.has('inodesAvailable') then filling(settings, files, { labels: { resource: 'inodes' } }) else []),
      threadExhaustion:
        local settings = config.alerts.threadExhaustion;
        local prediction = std.get(settings, 'prediction');
        local ratio = fill('%s / (%s > 0)', [signals.threads, signals.threadsLimit]);
        local threads = {
          name: 'RuntimeThreadExhaustion',
          level: 'instance',
          dashboard: 'runtime',
          actions: [
            'See which group grows: python_threads by group on the dashboard names the threads or their target.',
            'See who else takes of the limit: all processes of a cgroup share pids.max, all of a user RLIMIT_NPROC (ps -eLo user,pid,comm | sort | uniq -c | sort -n | tail).',
            'Bound the pools: ThreadPoolExecutor(max_workers=…), gunicorn --threads, OMP_NUM_THREADS for libraries that start one a core.',
            'To gain time, raise the limit (docker --pids-limit, TasksMax= of systemd, ulimit -u) and restart the workers one after the other.',
          ],
        };
        alert(settings, threads {
          expr: fill('%s > %s', [ratio, number(settings.ratio)]),
          summary: 'A process can start hardly any more threads.',
          description: labels.where.instance + ' has {{ $value | humanizePercentage }} of the threads that it may have. Without one more no thread'
                       + ' and no process can be started.',
        })
        + alert(prediction, threads {
          beside: settings,
          part: 'prediction',
          expr: reaching(config, signals, prediction, ratio, signals.recorded.threadsFloor, signals.threadsLimit, 1.5 * duration.seconds(prediction.window)),
          summary: 'A process will soon have all the threads that it may have.',
          description: labels.where.instance + ' has {{ $value | humanizePercentage }} of the threads that it may have, and at its present growth'
                       + ' all of them within ' + prediction.horizon + '.',
        }),
    }),
  },
}
