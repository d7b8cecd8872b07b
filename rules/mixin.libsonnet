// The monitoring mixin of runtime_exporter: prometheusAlerts, prometheusRules and _config, as every mixin has them.
//
//   local mixin = (import 'mixin.libsonnet') + { _config+:: { selector: 'job="shop"' } };
//   std.manifestYamlDoc(mixin.prometheusAlerts)
local cause = import 'lib/cause.libsonnet';
local custom = import 'lib/custom.libsonnet';
local links = import 'lib/links.libsonnet';
local outside = import 'lib/outside.libsonnet';

{ prometheusRules+:: { groups+: [] }, prometheusAlerts+:: { groups+: [] } }
+ (import 'recording/process.libsonnet')
+ (import 'recording/python.libsonnet')
+ (import 'recording/http.libsonnet')
+ (import 'recording/baselines.libsonnet')
+ (import 'recording/profiles.libsonnet')
+ (import 'recording/slo.libsonnet')
+ (import 'recording/regression.libsonnet')
+ (import 'recording/anomaly.libsonnet')
+ (import 'recording/forecast.libsonnet')
+ (import 'recording/business.libsonnet')
+ (import 'alerts/memory.libsonnet')
+ (import 'alerts/cpu.libsonnet')
+ (import 'alerts/threads.libsonnet')
+ (import 'alerts/fds.libsonnet')
+ (import 'alerts/gc.libsonnet')
+ (import 'alerts/asyncio.libsonnet')
+ (import 'alerts/http.libsonnet')
+ (import 'alerts/slo.libsonnet')
+ (import 'alerts/regression.libsonnet')
+ (import 'alerts/anomaly.libsonnet')
+ (import 'alerts/forecast.libsonnet')
+ (import 'alerts/profiles.libsonnet')
+ (import 'alerts/targets.libsonnet')
+ (import 'alerts/exporter.libsonnet')
+ (import 'alerts/prometheus.libsonnet')
+ (import 'alerts/act.libsonnet')
+ { prometheusAlerts+:: { groups: links($._config, cause($._config, super.groups)) + custom($._config) + outside($._config) } }
// Last, so that what a user overrides reaches every rule.
+ (import 'config.libsonnet')
