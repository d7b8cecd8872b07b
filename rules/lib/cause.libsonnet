// What else is wrong with the service meanwhile, said in the description of alerts about what users feel.
//
// Asked while the alert is told; where nothing is found nothing is said. vmalert's templates cannot query: nothing there.
local ask = import 'ask.libsonnet';
local fill = import 'fill.libsonnet';
local labelsOf = import 'labels.libsonnet';
local number = import 'number.libsonnet';
local on = import 'on.libsonnet';
local quoted = import 'quoted.libsonnet';
local signalsOf = import '../signals.libsonnet';

// The alerts that are symptoms: each has the label `job`.
local symptoms = [
  'RuntimeHttpErrorBudgetBurn',
  'RuntimeHttpLatencyHigh',
  'RuntimeHttpLatencyRegression',
  'RuntimeHttpThroughputDrop',
  'RuntimeSloBudgetBurn',
];

local hints(config) =
  local signals = signalsOf(config);
  local names = labelsOf(config).names.job;
  local place = std.join(',', [fill('%s=%%q', name) for name in names]);
  // The series of the alert's job. What is no %q of ours is text to printf.
  local of(selector) =
    local text = std.strReplace(selector, '%', '%%');
    text[:std.length(text) - 1] + (if std.endsWith(text, '{}') then '' else ',') + place + '}';
  local rate(selector) = 'rate(' + of(selector) + '[' + config.rateInterval + '])';
  // Each asks for the worst instance: in a mean of many the one that is stuck is not seen, and many that hardly wait are no cause.
  local all = [
    {
      needs: ['gcSeconds'],
      expr(settings): 'max(' + of(signals.recorded.gc + '{}') + ') > ' + number(settings.gcRatio),
      times: 1,
      text: 'garbage collection, {{ . | first | value | humanizePercentage }} of the time',
    },
    {
      needs: ['cpuPeriods', 'cpuThrottledPeriods'],
      expr(settings): 'max(' + rate(signals.cpuThrottledPeriods) + ' / (' + rate(signals.cpuPeriods) + ' > 0)) > ' + number(settings.throttledRatio),
      times: 2,
      text: 'a CPU limit that holds it back in {{ . | first | value | humanizePercentage }} of the periods',
    },
    {
      needs: ['loopLagBuckets'],
      expr(settings):
        'max(histogram_quantile(0.95, sum by (instance, worker, le) (' + rate(signals.workerLoopLagBuckets) + ') or sum by (instance, le) ('
        + rate(signals.loopLagBuckets) + '))) > ' + number(settings.loopLagSeconds),
      times: 2,
      text: 'a blocked event loop, {{ . | first | value | humanizeDuration }} late',
    },
    {
      needs: ['profileWait'],
      expr(settings): 'max(sum by (instance) (' + rate(signals.profileWait('profile="mutex"')) + ')) > ' + number(settings.lockWaitSeconds),
      times: 1,
      text: 'waits for locks, {{ . | first | value | humanizeDuration }} of each second',
    },
    {
      needs: ['startTime'],
      expr(settings): 'min(time() - ' + of(signals.startTime) + ') < ' + number(settings.startedSeconds),
      times: 1,
      text: 'a start {{ . | first | value | humanizeDuration }} ago, as of a deployment or a crash',
    },
  ];
  local labels = std.join(' ', ['$labels.' + name for name in names]);
  std.join('', [
    '{{ with query (printf ' + quoted(hint.expr(config.causes)) + ' ' + std.join(' ', std.repeat([labels], hint.times)) + ') }}'
    + '; likely cause: ' + hint.text + '{{ end }}'
    for hint in all
    if std.all([signals.has(signal) for signal in hint.needs])
  ]);

// A character that no text has: a slice of a long text takes tens of milliseconds, a replacement one.
local end = '\u0001';

function(config, groups)
  local said = if on(config, 'causes') && ask.asking(config) then hints(config) else '';
  local explained(rule) =
    if said == '' || !std.member(symptoms, std.get(rule, 'alert', '')) then rule
    else rule { annotations+: { description: std.strReplace(rule.annotations.description + end, '.' + end, said + '.') } };
  [group { rules: std.map(explained, group.rules) } for group in groups]
