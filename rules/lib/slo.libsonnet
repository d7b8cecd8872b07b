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
    fill('sum_over_time(%s[%s]) / (sum_over_time(%s[%s]) > 0)', [recorded.errors, window, recorded.requests, window]),

  // The same, where the window may be the one that the rates already have.
  errorRatio(config, recorded, window)::
    local shortest = seconds(config.rateInterval);
    assert seconds(window) >= shortest :
           fill('alerts.httpErrorBudgetBurn: the window %s is shorter than rateInterval, %s', [window, config.rateInterval]);
    if seconds(window) == shortest
    then fill('%s / (%s > 0)', [recorded.errors, recorded.requests])
    else self.eventRatio(recorded, window),

  // Enough events to mean something, and so many bad ones of them as chance hardly deals a service that just keeps its objective. The
  // square root of a count strays by a half, however large the count is (Poisson's distribution, its variance stabilised): so the bad
  // ones are more than chance where sqrt(bad) > sqrt(allowed * events) + deviations / 2. Solved for the events, which are summed once.
  // A sum of rates, one each evaluation, times the pause between evaluations is a number of events.
  beyondChance(config, bad, events, window, objective, least, deviations)::
    local count(series) = 'sum_over_time(' + series + '[' + window + ']) * ' + number(seconds(config.evaluationInterval));
    '(' + count(events) + ' >= ' + number(least) + ') < clamp_min(sqrt(' + count(bad) + ') - ' + number(deviations / 2) + ', 0) ^ 2 / '
    + number(1 - objective),

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
      # of requests enough to mean something, and too few to have so many errors by chance
      and %(beyondChance)s
    |||, {
      beyondChance:
        $.beyondChance(config, recorded.errors, recorded.requests, burn.long, config.http.objective, settings.minRequests, settings.minDeviations),
      longRatio: recorded.errorRatio(burn.long),
      shortRatio: recorded.errorRatio(burn.short),
      threshold: number(threshold),
    }),
}
