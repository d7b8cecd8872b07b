// Is a gauge leaking? PromQL over its floor (the recorded min_over_time, which cuts away the sawtooth of collections).
//
// Measured on 26 h series: predict_linear and a bare deriv take steps, warm-ups and daily curves for leaks and miss slow
// leaks. What tells them apart is how straight the growth is: the correlation of the floor with time is .96 to 1.00 for a
// leak, at most .866 (sqrt(3) / 2) for a step, .92 for a warm-up, and .99 for the flank of a daily curve, which only the
// comparison with yesterday finds out, and with the requests where there is no yesterday, or it was a Sunday.
local fill = import 'fill.libsonnet';
local duration = import 'duration.libsonnet';
local labelsOf = import 'labels.libsonnet';
local number = import 'number.libsonnet';
local seconds = duration.seconds;

{
  // Seconds since the process started; lasts over failed scrapes, and takes the younger one at a restart.
  uptime(config, signals):: fill('(time() - %s)', [$.started(config, signals.startTime)]),

  started(config, start):: fill('max_over_time(%s[%s])', [start, config.rateInterval]),

  // The same of what may warm up: of several workers the oldest. After a reload all of them are new, though the service goes on.
  age(config, signals)::
    if !signals.has('workerStartTime') then $.uptime(config, signals)
    else fill('(time() - (min without (worker) (%s) or %s))', [
      $.started(config, signals.workerStartTime),
      $.started(config, signals.startTime),
    ]),

  // Pearson's correlation of a recorded series with time: slope * deviation of time / deviation of value. The deviation of
  // n evenly spaced times is step * sqrt((n² - 1) / 12), the W / sqrt(12) of a continuous window. A window holds W / step
  // samples in Prometheus 3 and one more in 2, when aligned: half a sample more is right to 3 % even in windows of 15 samples.
  correlation(config, series, window)::
    local step = seconds(config.evaluationInterval);
    local samples = seconds(window) / step + 0.5;
    local deviation = step * std.sqrt((samples * samples - 1) / 12);
    fill('deriv(%(series)s[%(window)s]) * %(deviation)s / (stddev_over_time(%(series)s[%(window)s]) > 0)', {
      series: series,
      window: window,
      deviation: number(deviation),
    }),

  // One time scale: `series` grows in a straight line over scale.window, in a process that is older than `age` seconds.
  // floor: the recorded floor, which growth is a share of; series: the floor itself, or what it is above this time yesterday;
  // unusual: the expression that tells it from what the gauge does every day. The value is in the gauge's unit, a second.
  line(config, signals, floor, series, scale, age, unusual)::
    fill(|||
      %(slope)s > %(minSlope)s
      and %(slope)s * %(windowSeconds)s > %(minGrowthRatio)s * %(floor)s
      # in a straight line, which a step or a sawtooth is not
      and %(correlation)s > %(minCorrelation)s
      # and still growing, which a warm-up is not
      and deriv(%(series)s[%(recent)s]) > %(minRecentSlopeRatio)s * %(slope)s
      # seen without large gaps
      and count_over_time(%(series)s[%(window)s]) > %(minSamples)s
      # in one process
      and %(uptime)s > %(age)s
      %(unusual)s
    |||, {
      floor: floor,
      series: series,
      slope: fill('deriv(%s[%s])', [series, scale.window]),
      correlation: $.correlation(config, series, scale.window),
      window: scale.window,
      windowSeconds: number(seconds(scale.window)),
      recent: scale.recentWindow,
      minSlope: number(scale.minGrowth / seconds(scale.window)),
      minGrowthRatio: number(scale.minGrowthRatio),
      minCorrelation: number(scale.minCorrelation),
      minRecentSlopeRatio: number(scale.minRecentSlopeRatio),
      minSamples: number(scale.minCoverage * seconds(scale.window) / seconds(config.evaluationInterval)),
      uptime: $.age(config, signals),
      age: number(age),
      unusual: unusual,
    }),

  // A line of hours, and more than at the same time yesterday. A process that has none, but was restarted, or has others beside
  // it, is above what was before (`past`, an expression without a value where that is not known): it may be warming up to it.
  slow(config, signals, floor, floorWindow, leak, past=null, also='')::
    local age = seconds(leak.window) + seconds(floorWindow);
    $.line(config, signals, floor, floor, leak, age, fill(|||
      # and more than the same time yesterday, once there was one
      and (
        %(floor)s > %(ratio)s * max_over_time(%(floor)s[%(window)s] offset %(offset)s)
        or %(uptime)s < %(age)s%(before)s
      )
    |||, {
      uptime: $.age(config, signals),
      age: number($.ageOfYesterday(leak)),
      before: if past == null then '' else fill('\n  unless %s < %s', [floor, past]),
      floor: floor,
      ratio: number(leak.seasonRatio),
      window: leak.seasonWindow,
      offset: leak.seasonOffset,
    }) + also),

  // `series` is above the highest of its past, which is recorded, by a share of the floor.
  aboveHigh(config, floor, series, high, ratio)::
    fill('# and higher than ever\nand %s - %s > %s * %s', [series, high, number(ratio), floor]),

  // The last value of what is recorded each baselineInterval: one or two may be missing.
  known(config, recorded, offset=''):: fill('last_over_time(%s[%ss]%s)', [recorded, number(3 * seconds(config.baselineInterval)), offset]),

  // The same of so long ago that its past, which ends `offset` before, was over when `window` began: a leak of hours must not raise
  // what it is compared with.
  knownBefore(config, recorded, window, offset)::
    local before = seconds(window) - seconds(offset);
    $.known(config, recorded, if before > 0 then fill(' offset %ss', number(before)) else ''),

  // Seconds after which yesterday's values are those of this process, and not of another one, or of this one warming up.
  ageOfYesterday(leak):: seconds(leak.seasonOffset) + 1.5 * seconds(leak.seasonWindow),

  // Requests that are more than around this time yesterday, or, where that says nothing of this process, grow over the window: they
  // explain the growth. The memory of a process that was started last night follows its first morning.
  load(config, signals, leak)::
    fill(|||
      %(requests)s > %(ratio)s * max_over_time(%(requests)s[%(seasonWindow)s] offset %(seasonOffset)s) + %(minLoad)s
      or (
        deriv(%(requests)s[%(window)s]) * %(windowSeconds)s > clamp_min(%(growth)s * avg_over_time(%(requests)s[%(window)s]), %(minLoad)s)
        unless (
          max_over_time(%(requests)s[%(seasonWindow)s] offset %(seasonOffset)s)
          and on (%(by)s) %(uptime)s >= %(age)s
        )
      )
    |||, {
      requests: signals.recorded.instanceRequests,
      ratio: number(1 + leak.maxLoadRatio),
      growth: number(leak.maxLoadGrowthRatio),
      minLoad: number(leak.minLoadGrowth),
      window: leak.window,
      windowSeconds: number(seconds(leak.window)),
      seasonWindow: leak.seasonWindow,
      seasonOffset: leak.seasonOffset,
      by: labelsOf(config).instance,
      uptime: $.age(config, signals),
      age: number($.ageOfYesterday(leak)),
    }),

  // One of the `ways` tells of a leak, and there is not simply more to do. The value is in the gauge's unit, an hour.
  expr(config, signals, leak, ways)::
    fill(|||
      3600 * (
      %s)
      # and not because there is more to do
      unless on (%s) (
      %s)
    |||, [std.join('or\n', ways), labelsOf(config).instance, $.load(config, signals, leak)]),
}
