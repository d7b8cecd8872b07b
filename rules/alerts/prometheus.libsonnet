// Who watches the watchman: rules that are not evaluated, alerts that reach nobody, a configuration that is not the one in force.
//
// Prometheus and Alertmanager have to be scraped for it, as deploy/prometheus.yml does. The Watchdog covers what they cannot tell.
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
  local spec = { level: 'instance', dashboard: 'prometheus' },

  prometheusAlerts+:: {
    groups+: group(config, 'prometheus', {
      prometheusRulesFailing:
        local settings = config.alerts.prometheusRulesFailing;
        alert(settings, spec {
          name: 'RuntimePrometheusRulesFailing',
          expr: fill(|||
            increase(%(failures)s[%(window)s]) > 0
            # or the group takes longer than its interval
            or increase(%(missed)s[%(window)s]) > 0
          |||, { failures: signals.ruleFailures, missed: signals.ruleIterationsMissed, window: settings.window }),
          summary: 'Prometheus does not evaluate its rules.',
          description: 'Rules of {{ $labels.rule_group }} in ' + labels.where.instance + ' failed or were left out {{ $value | humanize }} times within '
                       + settings.window + ': alerts of that group are blind.',
          actions: [
            'Read the error beside the rule: Status > Rules in Prometheus, or its log.',
            '"many-to-many matching" or "duplicate series": two targets have the same labels, or two sets of rules record the same name.',
            'Left out: see which group takes longer than its interval, and record in it what several rules compute.',
          ],
        }),
      prometheusNotificationsLost:
        local settings = config.alerts.prometheusNotificationsLost;
        local receiver = std.get(settings, 'receiver');
        local lost = spec { name: 'RuntimePrometheusNotificationsLost' };
        alert(settings, lost {
          // Newer versions count for each Alertmanager: an alert that one of them took is not lost.
          expr: fill('min by (%s) (increase(%s[%s])) > 0', [labels.instance, signals.notificationsDropped, settings.window]),
          summary: 'Prometheus cannot hand over its alerts.',
          description: labels.where.instance + ' could not hand over {{ $value | humanize }} alerts to any Alertmanager within ' + settings.window + '.',
          actions: [
            'See that an Alertmanager runs and answers: curl -fsS ADDRESS/-/ready.',
            'See that Prometheus knows it: Status > Runtime, and alerting.alertmanagers in its configuration.',
            'Look at firing alerts in Prometheus itself until it works again: nobody is told of them.',
          ],
        })
        + alert(receiver, lost {
          beside: settings,
          part: 'receiver',
          expr: fill('sum by (%(by)s, integration) (rate(%(failed)s[%(window)s])) / (sum by (%(by)s, integration) (rate(%(all)s[%(window)s])) > 0) > %(ratio)s', {
            by: labels.instance,
            failed: signals.messagesFailed,
            all: signals.messages,
            window: settings.window,
            ratio: if receiver == null then '' else number(receiver.ratio),
          }),
          summary: 'Alertmanager cannot send its messages.',
          description: '{{ $value | humanizePercentage }} of the messages by {{ $labels.integration }} of ' + labels.where.instance + ' fail: people are not told of alerts.',
          actions: [
            "Read the reason in Alertmanager's log: it names the receiver and the answer.",
            '401, 403, 404: the secret or the channel has changed. See the file of the webhook or of the password.',
            'Timeout or refused: see that the host reaches Slack or the mail relay.',
            'Watch the alerts in Alertmanager itself until it works again.',
          ],
        }),
      prometheusReloadFailed:
        local settings = config.alerts.prometheusReloadFailed;
        alert(settings, spec {
          name: 'RuntimePrometheusReloadFailed',
          expr: fill(|||
            max_over_time(%(prometheus)s[%(window)s]) == 0
            or max_over_time(%(alertmanager)s[%(window)s]) == 0
          |||, { prometheus: signals.configReloaded, alertmanager: signals.alertmanagerConfigReloaded, window: settings.window }),
          summary: 'A changed configuration is not in force.',
          description: labels.where.instance + ' could not load its configuration (value {{ $value }}): it goes on with the one before, and will not start with the new one.',
          actions: [
            'Check it: promtool check config prometheus.yml, or amtool check-config alertmanager.yml.',
            'Read the error in its log: it names the file and the line.',
            'Put it right, or back, and reload: a restart now would end in no monitoring at all.',
          ],
        }),
    }),
  },
}
