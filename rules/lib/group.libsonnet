// Alert groups of one topic: `alerts` is a list of {key, rules}; keys are those of `_config.alerts`.
// No rule left, no group: switched-off alerts leave nothing behind, nor do those that the source has nothing for.
local fill = import 'fill.libsonnet';
local needs = import 'needs.libsonnet';
local on = import 'on.libsonnet';
local signalsOf = import '../signals.libsonnet';

function(config, topic, alerts)
  local signals = signalsOf(config);
  local wanted(key) =
    config.alerts.enabled && on(config.alerts, key) && std.all([signals.has(signal) for signal in std.get(needs, key, [])]);
  local rules = std.flattenArrays([alerts[key] for key in std.objectFields(alerts) if wanted(key)]);
  if rules == [] then []
  else [{ name: fill('runtime-%s.alerts', topic), interval: config.evaluationInterval, rules: rules }]
