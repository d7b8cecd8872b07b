// alertmanager.yml as an object, from the same `_config` as the rules. Holds no secret: those are read from files.
//
// A severity is a receiver of its own, so that what it does is seen in one place; a channel that is switched off leaves
// nothing behind, and a receiver without channels tells nobody. Valid for Alertmanager 0.25 and newer.
local fill = import '../rules/lib/fill.libsonnet';
local profiled = import '../rules/lib/profiled.libsonnet';
local receivers = import 'receivers.libsonnet';

// A matcher as Alertmanager's classic and its UTF-8 parser both read it.
local quoted(value) = std.strReplace(std.strReplace(value, '\\', '\\\\'), '"', '\\"');
local is(label, value) = fill('%s="%s"', [label, quoted(value)]);
local isNot(label, value) = fill('%s!="%s"', [label, quoted(value)]);
local matches(label, pattern) = fill('%s=~"%s"', [label, quoted(pattern)]);

// A text as a regular expression of RE2 that fits nothing else.
local literally(text) = std.join('', [
  if std.member('\\.+*?()|[]{}^$', char) then '\\' + char else char
  for char in std.stringChars(text)
]);

local route(config, severity) = {
  local settings = config.alertmanager[severity],
  receiver: severity,
  matchers: [is('severity', severity)],
  repeat_interval: settings.repeatInterval,
};

// Alertmanager refuses a label that is named twice, and '...' (every label) with others beside it.
local groupBy(config, own) =
  local labels = [config.clusterLabel, config.namespaceLabel] + own;
  if std.member(labels, '...') then ['...']
  else [labels[i] for i in std.range(0, std.length(labels) - 1) if !std.member(labels[:i], labels[i])];

// Infos come as one message per job, at their own pace.
local digest(config) = route(config, 'info') {
  group_by: groupBy(config, ['job']),
  group_interval: config.alertmanager.info.groupInterval,
};

// Its own pace, and a repetition at every beat: with repeat_interval equal to group_interval every second one is skipped,
// because the last one is then a moment younger than the interval.
local heartbeat(config) = {
  receiver: 'watchdog',
  matchers: [is('alertname', 'Watchdog')],
  group_wait: '0s',
  group_interval: config.alertmanager.watchdog.interval,
  repeat_interval: '1ms',
};

// Beside everybody else: each alert alone and at once, since what it is about may be over soon. An alert of one's own is
// among them by its label `profile`.
local profiling(config) =
  local settings = config.alertmanager.profiling;
  local ours = std.join('|', profiled);
  local beside(matchers) = {
    receiver: 'profiling',
    matchers: matchers,
    continue: true,
    group_by: ['...'],
    group_wait: '0s',
    repeat_interval: settings.repeatInterval,
  };
  if !settings.enabled then []
  else [
    beside([matches('alertname', ours), isNot('job', '')]),
    beside([fill('alertname!~"%s"', ours), isNot('profile', '')]),
  ];

// Beside everybody else, too: those that are named, and nothing else; each alert alone and at once.
local acting(config) =
  local settings = config.alertmanager.act;
  if !settings.enabled then []
  else if settings.alerts == [] then error 'alertmanager.act.alerts: is empty; name the alerts that actions.yaml has commands for'
  else [{
    receiver: 'act',
    matchers: [matches('alertname', std.join('|', std.map(literally, settings.alerts)))],
    continue: true,
    group_by: ['...'],
    group_wait: '0s',
    repeat_interval: settings.repeatInterval,
  }];

local routes(config) = {
  // What has no known severity is nobody's to drop.
  receiver: 'warning',
  group_by: groupBy(config, config.alertmanager.groupBy),
  group_wait: config.alertmanager.groupWait,
  group_interval: config.alertmanager.groupInterval,
  repeat_interval: config.alertmanager.warning.repeatInterval,
  routes: [
    heartbeat(config),
  ] + profiling(config) + acting(config) + [
    { receiver: 'null', matchers: [is('severity', 'none')] },
    route(config, 'critical'),
    route(config, 'warning'),
    digest(config),
  ],
};

// Labels that are missing on both sides count as equal. Hence matchers name the labels that must be there (or must not be),
// and every rule is about our own alerts alone; what else stands in `equal` may be missing on both, and then rightly agrees.
local inhibitions(config) =
  local settings = config.alertmanager.inhibit;
  local place = [config.clusterLabel, config.namespaceLabel];
  local ours = [matches('alertname', settings.alerts), isNot('job', '')];
  local down = [is('alertname', 'RuntimeTargetDown'), isNot('job', '')];
  [
    {
      source_matchers: [is('severity', 'critical')] + ours,
      target_matchers: [matches('severity', 'warning|info')] + ours,
      equal: ['alertname'] + place + settings.labels,
    },
    // Confirmed says more than new at the top.
    {
      source_matchers: [is('alertname', 'RuntimeProfileRegression'), isNot('job', ''), isNot('function', '')],
      target_matchers: [is('alertname', 'RuntimeProfileNewDominantFunction'), isNot('job', ''), isNot('function', '')],
      equal: place + ['job', 'function'],
    },
    // A route that is slow says more than a service that is slower than last week.
    {
      source_matchers: [is('alertname', 'RuntimeHttpLatencyHigh'), isNot('job', '')],
      target_matchers: [is('alertname', 'RuntimeHttpLatencyRegression'), isNot('job', '')],
      equal: place + ['job'],
    },
    // The growth of the process as a whole is the same growth, seen from outside. What has a site is worth saying beside it.
    {
      source_matchers: [is('alertname', 'RuntimeMemoryLeakSuspected'), isNot('job', ''), isNot('instance', '')],
      target_matchers: [is('alertname', 'RuntimeProfileLeakSuspect'), is('kind', 'rss')],
      equal: place + ['job', 'instance'],
    },
    // Nothing else is worth saying of an instance that is gone, nor of a service whose instances all are. An alert that is
    // on both sides never mutes itself.
    {
      source_matchers: down + [isNot('instance', '')],
      target_matchers: ours + [isNot('alertname', 'RuntimeTargetDown'), isNot('instance', '')],
      equal: place + ['job', 'instance'],
    },
    {
      source_matchers: down + [is('instance', '')],
      target_matchers: ours,
      equal: place + ['job'],
    },
  ];

function(config) {
  global: { resolve_timeout: config.alertmanager.resolveTimeout },
  templates: config.alertmanager.templates,
  route: routes(config),
  inhibit_rules: inhibitions(config),
  receivers: receivers(config),
}
