// Adds runbook_url, dashboard_url and profile_url to every alert that has none: written once here, not in each rule.
local ask = import 'ask.libsonnet';
local fill = import 'fill.libsonnet';
local labels = import 'labels.libsonnet';
local profiled = import 'profiled.libsonnet';
local signalsOf = import '../signals.libsonnet';

function(config, groups)
  local hidden(rule, key, default) = std.get(rule, key, default, inc_hidden=true);
  // std.findSubstr looks at every character, 120 ms for a thousand of them.
  local has(text, part) = std.strReplace(text, part, '') != text;
  // A URL may hold other percent signs; without a pattern there are no pages.
  local runbook(rule) = {
    [if config.runbookURLPattern != '' then 'runbook_url']: std.strReplace(config.runbookURLPattern, '%s', rule.alert),
  };
  local dashboard(rule) = {
    dashboard_url: fill('%s/d/%s%s', [
      std.rstripChars(config.grafanaUrl, '/'),
      config.dashboardUids[hidden(rule, 'dashboard', 'overview')],
      labels(config).variables[hidden(rule, 'level', 'none')],
    ]),
  };

  // The page of what was taken for the alert, which marks the function that the alert is about.
  local page(rule) =
    local url = std.strReplace(config.profileUrlPattern, '%s', rule.alert);
    local subject = hidden(rule, 'subject', '');
    local separator = if has(url, '?') then '&' else '?';
    url + if subject == '' then '' else fill('%sfunction={{ $labels.%s | urlquery }}', [separator, subject]);
  local ofInstance(url) = has(url, '$labels.instance');
  // An alert about a job has no instance to link to: the one that matters is asked for, where that can be done.
  local profile(rule) =
    local url = page(rule);
    local instance = hidden(rule, 'instance', null);
    local lacking = instance != null && ofInstance(url);
    // Where others instrument the process, an agent may profile it, and nobody inside of it shows what was taken.
    local shown = signalsOf(config).native || hidden(rule, 'dashboard', '') == 'profiling' || !ofInstance(url);
    if config.profileUrlPattern == '' || !std.member(profiled, rule.alert) || !shown || lacking && !ask.asking(config) then {}
    else { profile_url: if lacking then ask.withInstance(config, instance.expr, instance.labels, url) else url };

  local linked(rule) =
    if std.objectHas(rule, 'alert')
    then rule { annotations: runbook(rule) + dashboard(rule) + profile(rule) + rule.annotations }
    else rule;
  [group { rules: std.map(linked, group.rules) } for group in groups]
