// Error budgets: ratios weighted by events, and the alert that fires when the budget burns too fast.
local fill = import 'fill.libsonnet';
local duration = import 'duration.libsonnet';
local number = import 'number.libsonnet';
local seconds = duration.seconds;

// The windows of `_config.alerts.httpErrorBudgetBurn`, without those that were set to null.
local burns(config) =
  local windows = std.get(std.get(config.alerts, 'httpErrorBudgetBurn', {}), 'windows', {});
  [windows[name] for name in std.objectFields(windows) if windows[name] != null];

{
  burns:: burns,

  // Every window once, the shortest first.
  windows(config)::
    std.set(std.flattenArrays([[burn.long, burn.short] for burn in burns(config)]), keyF=seconds),

  // The share of requests that may fail, as a literal.
  allowed(config)::
    local objective = config.http.objective;
    assert objective > 0 && objective < 1 : 'http.objective is %g: it must lie between 0 and 1, as 0.999' % objective;
    number(1 - objective),

  // Failed requests / all requests over a window. The two sums are over the same evaluations, so each request weighs the same:
  // a mean of ratios would let a night's few requests weigh as much as a day's many, and one NaN would spoil the period.
  eventRatio(recorded, window)::
    'sum_over_time(%s[%s]) / (sum_over_time(%s[%s]) > 0)' % [recorded.errors, window, recorded.requests, window],

  // The same, where the window may be the one that the rates already have.
  errorRatio(config, recorded, window)::
    local shortest = seconds(config.rateInterval);
    assert seconds(window) >= shortest :
           'alerts.httpErrorBudgetBurn: the window %s is shorter than rateInterval, %s' % [window, config.rateInterval];
    if seconds(window) == shortest
    then '%s / (%s > 0)' % [recorded.errors, recorded.requests]
    else self.eventRatio(recorded, window),

  // More bad events than chance deals a service that just keeps its objective. The square root of a count strays by a half, however
  // large the count is (Poisson's distribution, its variance stabilised), so a few bad ones of few events must be far more than they may.
  // A sum of rates, one each evaluation, times the pause between evaluations is a number of events.
  beyondChance(config, bad, events, window, objective, deviations)::
    local step = seconds(config.evaluationInterval);
    'sqrt(sum_over_time(' + bad + '[' + window + ']) * ' + number(step) + ') > '
    + 'sqrt(sum_over_time(' + events + '[' + window + ']) * ' + number(step * (1 - objective)) + ') + ' + number(deviations / 2),

  // One burn rate: the value is the share of failed requests over the long window.
  burnExpr(config, recorded, burn)::
    local settings = config.alerts.httpErrorBudgetBurn;
    local threshold = burn.factor * (1 - config.http.objective);
    assert threshold < 1 :
           'alerts.httpErrorBudgetBurn: a factor of %g at an objective of %g asks for %g of all requests to fail: it can never fire'
           % [burn.factor, config.http.objective, threshold];
    fill(|||
      %(longRatio)s > %(threshold)s
      and %(shortRatio)s > %(threshold)s
      # of enough to mean something
      and sum_over_time(%(requests)s[%(long)s]) * %(step)s >= %(minRequests)s
      # and more than chance
      and %(beyondChance)s
    |||, {
      beyondChance: $.beyondChance(config, recorded.errors, recorded.requests, burn.long, config.http.objective, settings.minDeviations),
      longRatio: recorded.errorRatio(burn.long),
      shortRatio: recorded.errorRatio(burn.short),
      threshold: number(threshold),
      requests: recorded.requests,
      long: burn.long,
      // A sum of rates, one each evaluation, times the pause between evaluations: a number of requests.
      step: number(seconds(config.evaluationInterval)),
      minRequests: number(settings.minRequests),
    }),
}
