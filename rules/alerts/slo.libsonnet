// Budgets of objectives: burning too fast, or with so few events that no burn rate speaks.
local alert = import '../lib/alert.libsonnet';
local duration = import '../lib/duration.libsonnet';
local fill = import '../lib/fill.libsonnet';
local labelsOf = import '../lib/labels.libsonnet';
local number = import '../lib/number.libsonnet';
local objectives = import '../lib/objectives.libsonnet';
local on = import '../lib/on.libsonnet';
local slo = import '../lib/slo.libsonnet';
local signalsOf = import '../signals.libsonnet';

// Mimir takes no more rules in one group.
local groupSize = 20;

{
  local config = $._config,
  local labels = labelsOf(config),
  local recorded = signalsOf(config).recorded,
  local all = objectives.of(config),
  local step = number(duration.seconds(config.evaluationInterval)),

  local level(objective) = if objective.by == 'route' then 'route' else 'job',
  // A share of events, in words: which of them are bad.
  local bad(objective) = {
    availability: 'of the requests have failed',
    latency: fill('of the requests have taken longer than %s', std.get(objective, 'threshold', '')),
    custom: 'of the events were bad',
  }[objective.sli],
  local ofSlo(objective) = '{slo="' + objective.name + '"}',
  local ofObjective(objective) = objective.name + ' (' + number(100 * objective.objective) + '% over ' + objective.period + ')',
  local actions = {
    availability: 'See which route and which status fail: the panel of errors by route on the HTTP dashboard.',
    latency: 'See which route is slow and since when: the p95 by route on the HTTP dashboard, and the profile of the service.',
    custom: 'See which of the bad events grow: the counter by all its labels.',
  },
  local suggested(objective) = [
    actions[objective.sli],
    'See how much of the budget is left and when it was spent: the SLO dashboard.',
    'Compare with the last deployment and with what the service depends on (database, cache, other services); roll back if they meet.',
  ],

  local burnExpr(objective, burn) =
    local settings = config.alerts.sloBudgetBurn;
    local matcher = ofSlo(objective);
    local factor = objectives.factor(objective, burn);
    local threshold = factor * (1 - objective.objective);
    assert threshold < 1 :
           'slos.%s: a factor of %g at an objective of %g asks for %g of all events to be bad: it can never fire'
           % [objective.name, factor, objective.objective, threshold];
    // Joined, not formatted: jsonnet's formats take tens of milliseconds each, and there are four for every objective.
    std.join('\n', [
      recorded.sloBadRatio(burn.long) + matcher + ' > ' + number(threshold),
      'and ' + recorded.sloBadRatio(burn.short) + matcher + ' > ' + number(threshold),
      '# of events enough to mean something, and too few to have so many bad ones by chance',
      'and ' + slo.beyondChance(
        config,
        recorded.sloBadEvents + matcher,
        recorded.sloEvents + matcher,
        burn.long,
        objective.objective,
        settings.minEvents,
        settings.minDeviations
      ),
    ]),

  local burnAlert(objective, burn) = alert(burn, {
    name: 'RuntimeSloBudgetBurn',
    level: level(objective),
    dashboard: 'slo',
    // The label slo is there already; said again, it tells the rules of two objectives apart.
    labels: { slo: objective.name, long: burn.long, short: burn.short },
    expr: burnExpr(objective, burn),
    summary: 'The budget of an objective burns too fast.',
    description: labels.where[level(objective)] + ': {{ $value | humanizePercentage }} ' + bad(objective) + ' within the last ' + burn.long
                 + ', and it goes on (' + burn.short + '). This burns the budget of the objective ' + ofObjective(objective)
                 + ' more than ' + number(objectives.factor(objective, burn)) + ' times as fast as it may.',
    actions: suggested(objective),
  }),

  local lowTraffic(objective) =
    local settings = config.alerts.sloLowTraffic;
    local events = recorded.sloEvents + ofSlo(objective);
    local bads = recorded.sloBadEvents + ofSlo(objective);
    alert(settings, {
      name: 'RuntimeSloLowTraffic',
      level: level(objective),
      dashboard: 'slo',
      labels: { slo: objective.name },
      expr: std.join('\n', [
        slo.eventRatio({ errors: bads, requests: events }, settings.window) + ' >= ' + number(settings.ratio),
        '# a few, but not by chance, and it goes on',
        // A sum of rates, one each evaluation, times the pause between evaluations: a number of events. Half an event of tolerance: a
        // rate is an estimate.
        'and sum_over_time(' + bads + '[' + settings.window + ']) * ' + step + ' >= ' + number(settings.minBadEvents - 0.5),
        'and sum_over_time(' + bads + '[' + settings.recent + ']) > 0',
        '# so few that no burn rate speaks',
        'and sum_over_time(' + events + '[' + settings.window + ']) * ' + step + ' < ' + number(settings.maxEvents),
      ]),
      summary: 'Of the few events of an objective most are bad.',
      description: labels.where[level(objective)] + ': {{ $value | humanizePercentage }} ' + bad(objective) + ' within the last ' + settings.window
                   + ', of fewer than ' + number(settings.maxEvents) + '. That is too few for a burn rate of the objective '
                   + ofObjective(objective) + '.',
      actions: suggested(objective),
    }),

  local told(key) = config.alerts.enabled && on(config.alerts, key),
  local named(objective) =
    local windows = objectives.windows(config);
    [windows[name] for name in std.objectFields(windows) if objective.windows == null || std.member(objective.windows, name)],
  local burns = if !told('sloBudgetBurn') then [] else std.flattenArrays([
    burnAlert(objective, burn)
    for objective in all
    if objective.alert
    for burn in named(objective)
  ]),
  local few = if !told('sloLowTraffic') then [] else std.flattenArrays(std.map(lowTraffic, all)),
  local rules = burns + few,

  prometheusAlerts+:: {
    groups+: [
      {
        name: fill('runtime-slo%s.alerts', (if index == 0 then '' else '-%d' % (index + 1))),
        interval: config.evaluationInterval,
        rules: rules[index * groupSize:(index + 1) * groupSize],
      }
      for index in std.range(0, std.ceil(std.length(rules) / groupSize) - 1)
    ],
  },
}
