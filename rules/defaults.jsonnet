// What a user's configuration is checked against before anything is generated: the defaults and the names that are taken.
local mixin = import 'mixin.libsonnet';

{
  config: mixin._config,
  alerts: [rule.alert for group in mixin.prometheusAlerts.groups for rule in group.rules],
}
