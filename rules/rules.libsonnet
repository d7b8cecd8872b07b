// The rules of one configuration, and that configuration, complete: `overrides` is a JSON merge patch over `_config`
// (RFC 7396: null deletes).
function(overrides)
  local overridden = (import 'mixin.libsonnet') + { _config:: std.mergePatch(super._config, overrides) };
  // jsonnet computes a field anew at every use, and every rule uses the configuration: merged once, it is plain data.
  local config = std.parseJson(std.toString(overridden._config));
  local mixin = overridden { _config:: config };
  // For the same reason: a local is computed once.
  local recording = mixin.prometheusRules.groups;
  local alerting = mixin.prometheusAlerts.groups;
  {
    config: config,
    rules: {
      [if std.length(recording) > 0 then 'recording.yaml']: { groups: recording },
      [if std.length(alerting) > 0 then 'alerts.yaml']: { groups: alerting },
    },
  }
