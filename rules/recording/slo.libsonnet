// Objectives: events, bad events, their share over every window, and what is left of each budget.
//
// Every objective is recorded under the same names, told apart by the labels slo, sli and period. So the shares over the
// windows are one rule each, however many objectives there are.
local duration = import '../lib/duration.libsonnet';
local fill = import '../lib/fill.libsonnet';
local labelsOf = import '../lib/labels.libsonnet';
local number = import '../lib/number.libsonnet';
local objectives = import '../lib/objectives.libsonnet';
local slo = import '../lib/slo.libsonnet';
local signalsOf = import '../signals.libsonnet';

// Mimir takes no more rules in one group.
local groupSize = 20;

{
  local config = $._config,
  local labels = labelsOf(config),
  local signals = signalsOf(config),
  local recorded = signals.recorded,
  local all = objectives.of(config),

  local matching(series, matchers) =
    series + (local given = std.filter(function(matcher) matcher != '', matchers); if given == [] then '' else fill('{%s}', std.join(', ', given))),
  local by(objective) = if objective.by == 'route' then labels.route else labels.job,
  local rate(counter) = fill('rate(%s[%s])', [counter, config.rateInterval]),

  // Events per second, and the bad ones: 0 where there is none, so that a share is 0 and not "no data".
  local sources = {
    availability(objective):: {
      events: matching(recorded.routeRequests, [objective.selector]),
      bad: matching(recorded.routeErrors, [objective.selector]),
    },
    latency(objective):: {
      events: matching(recorded.routeRequests, [objective.selector]),
      // Of the buckets that a route has, none but the bound's: a route whose buckets lack it has no share, rather than a wrong one.
      within: matching(recorded.routeBuckets, [objective.selector, objectives.bound(objective.threshold)]),
    },
    custom(objective):: { events: rate(objective.events), bad: rate(objective.badEvents) },
  },
  local tagged(objective, name, expr) = {
    record: name,
    expr: expr,
    labels: { slo: objective.name, sli: objective.sli, period: objective.period },
  },
  local rulesOf(objective) =
    local source = sources[objective.sli](objective);
    local events = fill('sum by (%s) (%s)', [by(objective), source.events]);
    [
      tagged(objective, recorded.sloEvents, events),
      tagged(
        objective,
        recorded.sloBadEvents,
        if std.objectHas(source, 'within')
        then fill('clamp_min(%s - sum by (%s) (%s), 0)', [events, by(objective), source.within])
        else fill('sum by (%s) (%s) or %s * 0', [by(objective), source.bad, events])
      ),
      tagged(objective, recorded.sloObjective, fill('%s * 0 + %s', [events, number(objective.objective)])),
    ],

  local windows = std.set(
    std.flattenArrays([[burn.long, burn.short] for burn in std.objectValues(objectives.windows(config))]), keyF=duration.seconds
  ),
  local ratio(window) =
    local shortest = duration.seconds(config.rateInterval);
    assert duration.seconds(window) >= shortest :
           fill('alerts.sloBudgetBurn: the window %s is shorter than rateInterval, %s', [window, config.rateInterval]);
    if duration.seconds(window) == shortest
    then fill('%s / (%s > 0)', [recorded.sloBadEvents, recorded.sloEvents])
    else slo.eventRatio({ errors: recorded.sloBadEvents, requests: recorded.sloEvents }, window),

  local left(period) =
    local matcher = fill('{period="%s"}', period);
    local spent = slo.eventRatio({ errors: recorded.sloBadEvents + matcher, requests: recorded.sloEvents + matcher }, period);
    // The objective outlives a service that is down: that is when its budget matters.
    fill('1 - %s / (1 - last_over_time(%s%s[1d]))', [spent, recorded.sloObjective, matcher]),

  local sourceRules = [{
    // Failed requests per second by route: 0 where none has ever failed, of the requests that this bundle's selector finds.
    record: recorded.routeErrors,
    expr: local sum(rate) = fill('sum by (%s) (%s)', [labels.route, rate]);
          fill('%s or 0 * %s', [sum(signals.failedRate(config.rateInterval)), sum(signals.requestRate(config.rateInterval))]),
  }] + std.flattenArrays(std.map(rulesOf, all)),

  prometheusRules+:: {
    groups+: if all == [] then [] else [
      {
        name: fill('runtime-slo-events%s.rules', (if index == 0 then '' else '-%d' % (index + 1))),
        interval: config.evaluationInterval,
        rules: sourceRules[index * groupSize:(index + 1) * groupSize],
      }
      for index in std.range(0, std.ceil(std.length(sourceRules) / groupSize) - 1)
    ] + [
      {
        name: 'runtime-slo-windows.rules',
        interval: config.evaluationInterval,
        rules: [{ record: recorded.sloBadRatio(window), expr: ratio(window) } for window in windows],
      },
      {
        name: 'runtime-slo-budgets.rules',
        interval: config.http.budgetInterval,
        rules: [
          // The label is there already; said again, it tells the rules of two periods apart.
          { record: recorded.sloBudgetRemaining, expr: left(period), labels: { period: period } }
          for period in std.set([objective.period for objective in all])
        ],
      },
    ],
  },
}
