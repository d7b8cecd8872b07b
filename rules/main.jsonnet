// The entry of the bundle: one evaluation returns everything that is generated from one configuration.
//
// External variable `config`: the user's overrides, a JSON merge patch over `_config` (RFC 7396: null deletes).
// `runtime-exporter generate` passes it; with go-jsonnet: jsonnet --ext-code config='{}' rules/main.jsonnet
local overrides = std.extVar('config');
local overridden = (import 'mixin.libsonnet') + { _config:: std.mergePatch(super._config, overrides) };
// jsonnet computes a field anew at every use, and every rule uses the configuration: merged once, it is plain data.
local config = std.parseJson(std.toString(overridden._config));
local mixin = overridden { _config:: config };

{
  config: config,
  rules: {
    [if std.length(mixin.prometheusRules.groups) > 0 then 'recording.yaml']: mixin.prometheusRules,
    [if std.length(mixin.prometheusAlerts.groups) > 0 then 'alerts.yaml']: mixin.prometheusAlerts,
  },
  alertmanager: (import '../alertmanager/main.jsonnet')(config),
}
