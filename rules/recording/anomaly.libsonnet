// Bands in which a signal is expected: around what it was at this time yesterday and a week ago, as wide as it usually strays from it.
//
// Each signal has a group and is told apart by the label `anomaly`, with which two signals of the same labels stay two. All constants
// are in the expressions, so that no ruler has to find a series for them. Nothing is filtered by its value: 0 is a value.
local anomalies = import '../lib/anomalies.libsonnet';
local duration = import '../lib/duration.libsonnet';
local fill = import '../lib/fill.libsonnet';
local number = import '../lib/number.libsonnet';
local signalsOf = import '../signals.libsonnet';

// strategy -> the level of a window, and by the absolute deviations of a window what is a standard deviation of normal noise:
// by the tenth that strays most, which two bad hours of a day do not move, or by the mean, which knows of all bursts.
local strategies = {
  robust: { level: 'quantile_over_time(0.5, %s)', deviation: '0.608 * quantile_over_time(0.9, %s)' },
  adaptive: { level: 'avg_over_time(%s)', deviation: '1.253 * avg_over_time(%s)' },
};

{
  local config = $._config,
  local season = anomalies.season,
  local recorded = signalsOf(config).recorded.anomaly,

  // The larger, or smaller, of two expressions, for as much of the second as there is.
  local extreme(operator, one, other) = fill('(%s %s %s or %s)', [one, operator, other, other]),

  local rules(spec) =
    local matcher = '{anomaly="' + spec.name + '"}';
    local of(series) = series + matcher;
    local over(series, window) = of(series) + '[' + window + ']';
    local strategy = strategies[spec.strategy];
    local weekly = spec.season == 'week';
    local rule(record, expr) = { record: record, expr: expr, labels: { anomaly: spec.name } };

    // What is no number would be in every mean for as long as its window.
    local finite = '(' + spec.expression + ') > -Inf < Inf';
    local values =
      if spec.missing == 'nothing' then [rule(recorded.value, finite)]
      else [
        rule(recorded.seen, finite),
        // Where its series has ended it is 0, for the day in which it is missed. (Without a name, either is the same series.)
        rule(recorded.value, '0 + ' + of(recorded.seen) + ' or 0 * max_over_time(' + over(recorded.seen, season.spreadWindow) + ')'),
      ];

    // How far the value is from the level of then, the nearer one.
    local from(offset) = 'abs(' + of(recorded.value) + ' - ' + of(recorded.level) + ' offset ' + offset + ')';
    local deviation =
      if weekly then extreme('<=', from(season.dayCenter), from(season.weekCenter)) + ' and ' + from(season.dayCenter)
      else from(season.dayCenter);
    local samples = config.anomaly.minCoverage * duration.seconds(season.spreadWindow) / duration.seconds(config.evaluationInterval);

    // What was there within half a window of this time then: a rush hour is not always at the same minute.
    local around(operation, offset) = operation + '_over_time(' + over(recorded.level, season.window) + ' offset ' + offset + ')';
    // Last week's, as much more as the last day had more than that of last week.
    local grown(operation) =
      around(operation, season.weekOffset) + ' * clamp(' + of(recorded.mean) + ' / (' + of(recorded.mean) + ' offset 7d > 0), 0.5, 2)';
    // Both must be known: a first Saturday is no anomaly.
    local expected(operation, operator) =
      local day = around(operation, season.dayOffset);
      local week = around(operation, season.weekOffset);
      if weekly
      then extreme(operator, grown(operation), extreme(operator, day, week)) + ' and ' + day
      else day;

    local spread = of(recorded.spread);
    // A Sunday's noise says little of a Monday's.
    local ofBoth =
      local then_ = spread + ' offset ' + season.spreadOffset;
      '(' + spread + ' >= ' + then_ + ' or ' + then_ + ' and ' + spread + ' or ' + spread + ')';
    // The larger of what it strays and of a share of what is expected; never below what matters at all.
    local width(expected) =
      local stray = number(spec.deviations) + ' * ' + (if weekly then ofBoth else spread);
      local share = number(spec.margin) + ' * abs(' + of(expected) + ')';
      'clamp_min(' + stray + ' >= ' + share + ' or ' + share + ' and ' + spread + ', ' + number(spec.minDeviation) + ')';

    values + [
      rule(recorded.level, strategy.level % over(recorded.value, season.window)),
      rule(recorded.deviation, deviation),
      rule(
        recorded.spread,
        strategy.deviation % over(recorded.deviation, season.spreadWindow)
        + ' and count_over_time(' + over(recorded.deviation, season.spreadWindow) + ') >= ' + number(std.ceil(samples))
      ),
    ] + (
      if weekly then [rule(recorded.mean, 'avg_over_time(' + over(recorded.value, season.spreadWindow) + ')')] else []
    ) + [
      rule(recorded.high, expected('max', '>=')),
      rule(recorded.low, expected('min', '<=')),
      rule(recorded.upper, of(recorded.high) + ' + ' + width(recorded.high)),
      rule(recorded.lower, of(recorded.low) + ' - ' + width(recorded.low)),
    ],

  prometheusRules+:: {
    local all = anomalies.of(config),
    groups+: [
      { name: 'runtime-anomaly-%d.rules' % (index + 1), interval: config.evaluationInterval, rules: rules(all[index]) }
      for index in std.range(0, std.length(all) - 1)
    ],
  },
}
