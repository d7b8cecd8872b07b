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
  uptime(config, signals):: '(time() - max_over_time(%s[%s]))' % [signals.startTime, config.rateInterval],

  // Pearson's correlation of a recorded series with time: slope * deviation of time / deviation of value. The deviation of
  // n evenly spaced times is step * sqrt((n² - 1) / 12), the W / sqrt(12) of a continuous window. A window holds W / step
  // samples in Prometheus 3 and one more in 2, when aligned: half a sample more is right to 3 % even in windows of 15 samples.
  correlation(config, series, window)::
    local step = seconds(config.evaluationInterval);
    local samples = seconds(window) / step + 0.5;
    local deviation = step * std.sqrt((samples * samples - 1) / 12);
    'deriv(%(series)s[%(window)s]) * %(deviation)s / (stddev_over_time(%(series)s[%(window)s]) > 0)' % {
      series: series,
      window: window,
      deviation: number(deviation),
    },

  // floor: name of the recorded floor over `floorWindow`; leak: the alert's settings.
  // The value is the growth over the window, in the gauge's unit.
  expr(config, signals, floor, floorWindow, leak)::
    local window = seconds(leak.window);
    local vars = {
      floor: floor,
      correlation: $.correlation(config, floor, leak.window),
      uptime: $.uptime(config, signals),
      window: leak.window,
      windowSeconds: number(window),
      recent: leak.recentWindow,
      minGrowth: number(leak.minGrowth),
      minGrowthRatio: number(leak.minGrowthRatio),
      minCorrelation: number(leak.minCorrelation),
      minRecentSlopeRatio: number(leak.minRecentSlopeRatio),
      minSamples: number(leak.minCoverage * window / seconds(config.evaluationInterval)),
      minUptime: number(window + seconds(floorWindow)),
      by: labelsOf(config).instance,
      requests: signals.recorded.instanceRequests,
      maxLoadGrowthRatio: number(leak.maxLoadGrowthRatio),
      minLoadGrowth: number(leak.minLoadGrowth),
      seasonRatio: number(leak.seasonRatio),
      seasonWindow: leak.seasonWindow,
      seasonOffset: leak.seasonOffset,
      // Before that age, yesterday's values are those of another process, or of this one warming up.
      seasonUptime: number(seconds(leak.seasonOffset) + 1.5 * seconds(leak.seasonWindow)),
    };
    fill(|||
      # Grown, absolutely and relatively
      deriv(%(floor)s[%(window)s]) * %(windowSeconds)s > %(minGrowth)s
      and deriv(%(floor)s[%(window)s]) * %(windowSeconds)s > %(minGrowthRatio)s * avg_over_time(%(floor)s[%(window)s])
      # in a straight line, which a step or a sawtooth is not
      and %(correlation)s > %(minCorrelation)s
      # and still growing, which a warm-up is not
      and deriv(%(floor)s[%(recent)s]) > %(minRecentSlopeRatio)s * deriv(%(floor)s[%(window)s])
      # seen without large gaps
      and count_over_time(%(floor)s[%(window)s]) > %(minSamples)s
      # in one process
      and %(uptime)s > %(minUptime)s
      # and more than the same time yesterday, once there was one
      and (
        %(floor)s > %(seasonRatio)s * max_over_time(%(floor)s[%(seasonWindow)s] offset %(seasonOffset)s)
        or %(uptime)s < %(seasonUptime)s
      )
      # and not because there is more to do, as in a morning
      unless on (%(by)s) deriv(%(requests)s[%(window)s]) * %(windowSeconds)s
        > clamp_min(%(maxLoadGrowthRatio)s * avg_over_time(%(requests)s[%(window)s]), %(minLoadGrowth)s)
    |||, vars),
}
