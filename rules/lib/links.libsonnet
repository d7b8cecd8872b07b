// Adds runbook_url and dashboard_url to every alert that has none: written once here, not in each rule.
local labels = import 'labels.libsonnet';

function(config, groups)
  // A URL may hold other percent signs; without a pattern there are no pages.
  local runbook(rule) = {
    [if config.runbookURLPattern != '' then 'runbook_url']: std.strReplace(config.runbookURLPattern, '%s', rule.alert),
  };
  local dashboard(rule) = {
    dashboard_url: '%s/d/%s%s' % [
      std.rstripChars(config.grafanaUrl, '/'),
      config.dashboardUids[std.get(rule, 'dashboard', 'overview', inc_hidden=true)],
      labels(config).variables[std.get(rule, 'level', 'none', inc_hidden=true)],
    ],
  };
  local linked(rule) =
    if std.objectHas(rule, 'alert')
    then rule { annotations: runbook(rule) + dashboard(rule) + rule.annotations }
    else rule;
  [group { rules: std.map(linked, group.rules) } for group in groups]
