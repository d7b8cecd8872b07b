// Adds runbook_url, dashboard_url and profile_url to every alert that has none: written once here, not in each rule.
local ask = import 'ask.libsonnet';
local has = import 'has.libsonnet';
local fill = import 'fill.libsonnet';
local labels = import 'labels.libsonnet';
local profiled = import 'profiled.libsonnet';
local signalsOf = import '../signals.libsonnet';

function(config, groups)
  local hidden(rule, key, default) = std.get(rule, key, default, inc_hidden=true);
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
    // Alerts on profiles are about who shows them. Of other processes, an agent may profile those that we are not in.
    local known = hidden(rule, 'dashboard', '') == 'profiling' || !ofInstance(url);
    local native = signalsOf(config).native;
    local where =
      if known then url
      else if ask.asking(config) then ask.profilePage(config, url, native)
      else if native then url
      else '';
    if config.profileUrlPattern == '' || !std.member(profiled, rule.alert) || where == '' || lacking && !ask.asking(config) then {}
    else { profile_url: if lacking then ask.withInstance(config, instance.expr, instance.labels, where) else where };

  local linked(rule) =
    if std.objectHas(rule, 'alert')
    then rule { annotations: runbook(rule) + dashboard(rule) + profile(rule) + rule.annotations }
    else rule;
  [group { rules: std.map(linked, group.rules) } for group in groups]
