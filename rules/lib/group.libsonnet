// Alert groups of one topic: `alerts` is a list of {key, rules}; keys are those of `_config.alerts`.
// No rule left, no group: switched-off alerts leave nothing behind, nor do those that the source has nothing for.
local needs = import 'needs.libsonnet';
local signalsOf = import '../signals.libsonnet';

function(config, topic, alerts)
  local signals = signalsOf(config);
  local on(key) =
    local settings = std.get(config.alerts, key);
    config.alerts.enabled && settings != null && std.get(settings, 'enabled', true)
    && std.all([signals.has(signal) for signal in std.get(needs, key, [])]);
  local rules = std.flattenArrays([alerts[key] for key in std.objectFields(alerts) if on(key)]);
  if rules == [] then []
  else [{ name: 'runtime-%s.alerts' % topic, interval: config.evaluationInterval, rules: rules }]
