// Templates that ask Prometheus while an alert is told: `query` with the labels of the alert filled in.
//
// Where nothing is found nothing is said, so that an alert reads well without profiles. vmalert's templates cannot query: there
// every function returns ''.
local labelsOf = import 'labels.libsonnet';
local signalsOf = import '../signals.libsonnet';

local asking(config) =
  local targets = { prometheus: true, vmalert: false };
  if std.objectHas(targets, config.target) then targets[config.target]
  else error "target: '%s' is not 'prometheus' or 'vmalert'" % config.target;

// The text is a format of Go's printf, which writes %q for each label as PromQL's strings are.
local verbatim(text) = std.strReplace(text, '%', '%%');
local call(expr, names) = 'query (printf %s %s)' % [
  std.manifestJsonMinified(expr),
  std.join(' ', ['$labels.%s' % name for name in names]),
];
local selected(config, metric, names, more='') = '%s{%s}' % [
  metric,
  std.join(',', [verbatim(part) for part in [config.selector, more] if part != ''] + ['%s=%%q' % name for name in names]),
];

{
  asking:: asking,

  // The functions that use most CPU: '{{ with … }}; most CPU goes to a (64%), b (12%){{ end }}'. level: job or instance.
  topFunctions(config, level)::
    local names = labelsOf(config).names[level];
    local rate(metric, more) = 'rate(%s[%s])' % [selected(config, metric, names, more), config.profiles.rateInterval];
    if !asking(config) || config.profiles.topFunctions < 1 then ''
    else '{{ with %s }}; most CPU goes to {{ range $i, $top := . }}{{ if $i }}, {{ end }}{{ .Labels.function }} ({{ .Value | printf "%%.0f%%%%" }}){{ end }}{{ end }}' % [
      call(
        'sort_desc(topk(%d, 100 * sum by (function) (%s) / on () group_left () sum(%s) >= 1))' % [
          config.profiles.topFunctions,
          rate('profile_self_seconds_total', signalsOf(config).ofFunctions),
          rate('profile_total_seconds_total', 'profile="cpu"'),
        ],
        names + names,
      ),
    ],

  // What of a kind of leak suspects grows fastest, in bytes or in numbers: '; most grows dict, by 1200 an hour'.
  steepest(config)::
    local names = labelsOf(config).names.profiled + ['kind'];
    local text(metric, amount) = '{{ with %s }}; most grows {{ . | first | label "site" }}, by {{ . | first | value | %s an hour{{ end }}' % [
      call('topk(1, 3600 * %s)' % selected(config, metric, names), names),
      amount,
    ];
    if !asking(config) then ''
    else text('profile_leak_slope_bytes_per_second', 'humanize1024 }}B') + text('profile_leak_slope_per_second', 'humanize }}'),

  // A text in which $labels.instance and $labels.agent are of a series that the alert itself does not name: the first that `expr` finds.
  // names: the labels that stand for each %q in expr.
  withInstance(config, expr, names, text)::
    '{{ with %s }}{{ $instance := . | first | label "instance" }}{{ $agent := . | first | label "agent" }}%s{{ end }}' % [
      call(expr, names),
      std.strReplace(std.strReplace(text, '$labels.instance', '$instance'), '$labels.agent', '$agent'),
    ],

  // A selector with the alert's labels, for expr above.
  selected:: selected,
}
