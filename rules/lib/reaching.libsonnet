// A gauge that a straight line leads over its limit: already high, straight over a window, in a process that has run for as long.
//
// prediction: {ratio, window, horizon, minCorrelation}. ratio: the expression of the gauge as a share of its limit, which is the value;
// floor: the recorded minimum of the gauge, since what comes and goes in between bends the line; age: seconds that the process must run.
local duration = import 'duration.libsonnet';
local fill = import 'fill.libsonnet';
local leak = import 'leak.libsonnet';
local number = import 'number.libsonnet';

function(config, signals, prediction, ratio, floor, limit, age)
  fill(|||
    %(ratio)s > %(minRatio)s
    # and a straight line leads over the limit
    and predict_linear(%(floor)s[%(window)s], %(horizon)s) > %(limit)s
    and %(correlation)s > %(minCorrelation)s
    and %(uptime)s > %(minUptime)s
  |||, {
    ratio: ratio,
    minRatio: number(prediction.ratio),
    floor: floor,
    limit: limit,
    window: prediction.window,
    horizon: number(duration.seconds(prediction.horizon)),
    correlation: leak.correlation(config, floor, prediction.window),
    minCorrelation: number(prediction.minCorrelation),
    uptime: leak.uptime(config, signals),
    minUptime: number(age),
  })
