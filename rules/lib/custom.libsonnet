// The user's own alerts, from `_config.customAlerts`: {<AlertName>: {expression, summary, description, …}}.
//
// `runtime-exporter generate` checks what a user's YAML says, makes `expression` of metric, operator and threshold, and fills in
// a summary and a description (exporter/runtime_exporter/mixin/custom.py). Who writes jsonnet gives these three directly, and
// may give severity ('warning'), for ('5m'), keepFiringFor, enabled, labels, suggested_actions (a list), runbook_url and
// dashboard_url. There is no runbook page for a user's alert, so its URL is not made up.
local alert = import 'alert.libsonnet';
local fill = import 'fill.libsonnet';

// Mimir takes no more rules in one group.
local groupSize = 20;

local annotations(config, spec) = {
  summary: spec.summary,
  description: spec.description,
  [if std.get(spec, 'suggested_actions', []) != [] then 'suggested_actions']:
    std.join('\n', ['- ' + action for action in spec.suggested_actions]),
  [if std.objectHas(spec, 'runbook_url') then 'runbook_url']: spec.runbook_url,
  dashboard_url: std.get(spec, 'dashboard_url', fill('%s/d/%s', [std.rstripChars(config.grafanaUrl, '/'), config.dashboardUids.overview])),
};

local rules(config, name, spec) = [
  rule { annotations: annotations(config, spec) }
  for rule in alert(
    { severity: 'warning', 'for': '5m' } + spec,
    {
      name: name,
      level: 'none',
      dashboard: 'overview',
      expr: spec.expression,
      summary: spec.summary,
      description: spec.description,
      actions: [],
      labels: std.get(spec, 'labels', {}),
    },
  )
];

function(config)
  local all = std.flattenArrays([
    rules(config, name, config.customAlerts[name])
    for name in std.objectFields(config.customAlerts)
    if config.alerts.enabled && config.customAlerts[name] != null
  ]);
  local count = std.ceil(std.length(all) / groupSize);
  [
    {
      name: fill('runtime-custom%s.alerts', (if count == 1 then '' else '-%d' % (index + 1))),
      interval: config.evaluationInterval,
      rules: all[index * groupSize:(index + 1) * groupSize],
    }
    for index in std.range(0, count - 1)
  ]
