// Commands that are run for alerts (`runtime-exporter act`): who relies on them has to hear that they do nothing.
//
// It has to be scraped for it. Where it is not there is no series, and no alert.
local alert = import '../lib/alert.libsonnet';
local fill = import '../lib/fill.libsonnet';
local group = import '../lib/group.libsonnet';
local labelsOf = import '../lib/labels.libsonnet';
local signalsOf = import '../signals.libsonnet';

{
  local config = $._config,
  local labels = labelsOf(config),
  local signals = signalsOf(config),
  local spec = { level: 'instance', dashboard: 'alerts' },
  local grown(series, settings) = fill('increase(%(series)s[%(window)s]) > 0', { series: series, window: settings.window }),

  prometheusAlerts+:: {
    groups+: group(config, 'act', {
      actCommandFailing:
        local settings = config.alerts.actCommandFailing;
        alert(settings, spec {
          name: 'RuntimeActCommandFailing',
          expr: grown(signals.actRuns('result="failed"'), settings),
          summary: 'A command that is run for an alert fails.',
          description: 'The action {{ $labels.action }} of ' + labels.where.instance + ' has failed {{ $value | printf "%.0f" }} times within the last '
                       + settings.window + ': what it should mend is not mended.',
          actions: [
            'Read what it said: the rows "ended" of the audit log have its code, why it was ended, and the end of its output.',
            'Mend by hand what the alert was about, since the command did not.',
            'Run the command as the user that act runs as, with no more than PATH, HOME and LANG: rights and environment differ from yours.',
            'Too slow: raise its timeout. Its program may be written to by others: chmod go-w.',
          ],
        }),
      actRefused:
        local settings = config.alerts.actRefused;
        alert(settings, spec {
          name: 'RuntimeActRefused',
          expr: grown(signals.actRefused(fill('reason=~"%s"', settings.reasons)), settings),
          summary: 'Commands for alerts are refused.',
          description: labels.where.instance + ' has refused {{ $value | printf "%.0f" }} times within the last ' + settings.window
                       + ' to run a command, by the reason "{{ $labels.reason }}".',
          actions: [
            'secret: somebody asks without it. Compare the credentials file of Alertmanager with secret_file; else see who it is.',
            'value: a label does not match what the action allows. Read the row "refused" of the audit log before you allow more.',
            'rate_limit, busy: more alerts than commands may be run. Look at what all of them have in common, by hand.',
            'notification: what is posted is none of Alertmanager (version 4, JSON, 1 MiB at most).',
          ],
        }),
      actAuditFailing:
        local settings = config.alerts.actAuditFailing;
        alert(settings, spec {
          name: 'RuntimeActAuditFailing',
          expr: grown(signals.actRefused('reason="audit"'), settings),
          summary: 'Nothing is run for alerts, since the audit log cannot be written.',
          description: labels.where.instance + ' could not write its audit log {{ $value | printf "%.0f" }} times within the last ' + settings.window
                       + ', and runs nothing without it.',
          actions: [
            'Read the reason in the log of act: "the audit log cannot be written".',
            'No space left: RuntimeDiskFilling. Permission denied: it belongs to another user, or the unit may not write there (ReadWritePaths=).',
            'A symbolic link, or no plain file: somebody has put something else in its place. Find out who before you remove it.',
          ],
        }),
    }),
  },
}
