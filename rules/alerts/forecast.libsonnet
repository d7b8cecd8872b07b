// What runs out: a disk, by a straight line that a correlation proves.
local alert = import '../lib/alert.libsonnet';
local duration = import '../lib/duration.libsonnet';
local group = import '../lib/group.libsonnet';
local labelsOf = import '../lib/labels.libsonnet';
local leak = import '../lib/leak.libsonnet';
local number = import '../lib/number.libsonnet';
local signalsOf = import '../signals.libsonnet';

{
  local config = $._config,
  local labels = labelsOf(config),
  local signals = signalsOf(config),
  local available = signalsOf(config).recorded.diskAvailable,
  local ratio = '%s / (%s > 0)' % [signals.diskAvailable, signals.diskSize],
  local where = '{{ $labels.path }} of ' + labels.where.instance,
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

  prometheusAlerts+:: {
    groups+: group(config, 'forecast', {
      diskFilling:
        local settings = config.alerts.diskFilling;
        local prediction = std.get(settings, 'prediction');
        alert(settings, spec {
          expr: '%s < %s' % [ratio, number(settings.ratio)],
          summary: 'A disk is almost full.',
          description: where + ' has {{ $value | humanizePercentage }} of its space left. Without any, nothing can be written.',
        })
        + alert(prediction, spec {
          beside: settings,
          part: 'prediction',
          expr: |||
            %(ratio)s < %(minRatio)s
            # and by the straight line of the window nothing is left within the horizon
            and predict_linear(%(available)s[%(window)s], %(horizon)s) < 0
            # which is a straight line, as a clean-up every hour or one large file is not
            and %(correlation)s < -%(minCorrelation)s
            # of a window that is known
            and count_over_time(%(available)s[%(window)s]) >= %(minSamples)s
            # and it still goes on
            and deriv(%(available)s[%(recent)s]) < %(minRecentSlopeRatio)s * deriv(%(available)s[%(window)s])
          ||| % {
            ratio: ratio,
            minRatio: number(prediction.ratio),
            available: available,
            window: prediction.window,
            recent: prediction.recentWindow,
            horizon: number(duration.seconds(prediction.horizon)),
            correlation: leak.correlation(config, available, prediction.window),
            minCorrelation: number(prediction.minCorrelation),
            minRecentSlopeRatio: number(prediction.minRecentSlopeRatio),
            minSamples: number(std.ceil(prediction.minCoverage * duration.seconds(prediction.window) / duration.seconds(config.evaluationInterval))),
          },
          summary: 'A disk will soon be full.',
          description: where + ' has {{ $value | humanizePercentage }} of its space left, and at its present growth nothing within ' + prediction.horizon + '.',
        }),
    }),
  },
}
