// File descriptors that run out.
local alert = import '../lib/alert.libsonnet';
local duration = import '../lib/duration.libsonnet';
local fill = import '../lib/fill.libsonnet';
local group = import '../lib/group.libsonnet';
local labelsOf = import '../lib/labels.libsonnet';
local number = import '../lib/number.libsonnet';
local reaching = import '../lib/reaching.libsonnet';
local signalsOf = import '../signals.libsonnet';

{
  local config = $._config,
  local labels = labelsOf(config),
  local signals = signalsOf(config),
  local ratio = fill('%s / (%s > 0)', [signals.openFds, signals.maxFds]),
  local spec = {
    name: 'RuntimeFdExhaustion',
    level: 'instance',
    dashboard: 'runtime',
    actions: [
      'See what is open: ls -l /proc/PID/fd | awk \'{print $NF}\' | sed \'s/[0-9]*//g\' | sort | uniq -c | sort -n | tail.',
      'Sockets: use one requests.Session or httpx.Client for all calls and close responses; count CLOSE-WAIT with ss -tnp.',
      'Files: open them in a with block; run the tests with python -X dev -W error::ResourceWarning.',
      'To gain time, raise the limit (ulimit -n, LimitNOFILE=) and restart the workers one after the other.',
    ],
  },

  prometheusAlerts+:: {
    groups+: group(config, 'fds', {
      fdExhaustion:
        local settings = config.alerts.fdExhaustion;
        local prediction = std.get(settings, 'prediction');
        alert(settings, spec {
          expr: fill('%s > %s', [ratio, number(settings.ratio)]),
          summary: 'A process has hardly any file descriptors left.',
          description: labels.where.instance + ' has {{ $value | humanizePercentage }} of its file descriptors open. '
                       + 'Without one it accepts no connection and opens no file.',
        })
        + alert(prediction, spec {
          beside: settings,
          part: 'prediction',
          expr: reaching(config, signals, prediction, ratio, signals.recorded.fdsFloor, signals.maxFds, 1.5 * duration.seconds(prediction.window)),
          summary: 'A process will soon run out of file descriptors.',
          description: labels.where.instance + ' has {{ $value | humanizePercentage }} of its file descriptors open, and at its present rate'
                       + ' all of them within ' + prediction.horizon + '.',
        }),
    }),
  },
}
