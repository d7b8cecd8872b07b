// Templates that ask Prometheus while an alert is told: `query` with the labels of the alert filled in.
//
// Where nothing is found nothing is said, so that an alert reads well without profiles. vmalert's templates cannot query: there
// every function returns ''.
local fill = import 'fill.libsonnet';
local has = import 'has.libsonnet';
local labelsOf = import 'labels.libsonnet';
local number = import 'number.libsonnet';
local quoted = import 'quoted.libsonnet';
local signalsOf = import '../signals.libsonnet';

local asking(config) =
  local targets = { prometheus: true, vmalert: false };
  if std.objectHas(targets, config.target) then targets[config.target]
  else error fill("target: '%s' is not 'prometheus' or 'vmalert'", config.target);

// The text is a format of Go's printf, which writes %q for each label as PromQL's strings are.
local verbatim(text) = std.strReplace(text, '%', '%%');
// Put together with +, since std.format looks at every character of a text.
local call(expr, names) = 'query (printf ' + quoted(expr) + ' ' + std.join(' ', ['$labels.' + name for name in names]) + ')';
// called: what the metric calls a label that the alert has under another name.
local selected(config, metric, names, more='', called={}) =
  local ours = [verbatim(part) for part in [config.selector, more] if part != ''];
  metric + '{' + std.join(',', ours + [std.get(called, name, name) + '=%q' for name in names]) + '}';

{
  asking:: asking,

  // The functions that use most CPU: '{{ with … }}; most CPU goes to a (64%), b (12%){{ end }}'. level: job or instance.
  topFunctions(config, level)::
    local names = labelsOf(config).names[level];
    local rate(metric, more) = 'rate(' + selected(config, metric, names, more) + '[' + config.profiles.rateInterval + '])';
    if !asking(config) || config.profiles.topFunctions < 1 then ''
    else
      local share = 'sum by (function) (' + rate('profile_self_seconds_total', signalsOf(config).ofFunctions) + ') / on () group_left () sum('
                    + rate('profile_total_seconds_total', 'profile="cpu"') + ')';
      '{{ with ' + call('sort_desc(topk(' + number(config.profiles.topFunctions) + ', 100 * ' + share + ' >= 1))', names + names) + ' }}; most CPU goes to '
      + '{{ range $i, $top := . }}{{ if $i }}, {{ end }}{{ .Labels.function }} ({{ .Value | printf "%.0f%%" }}){{ end }}{{ end }}',

  // What of a kind of leak suspects grows fastest, in bytes or in numbers: '; most grows dict, by 1200 an hour'.
  steepest(config)::
    local names = labelsOf(config).names.profiled + ['kind'];
    local text(metric, amount) =
      '{{ with ' + call('topk(1, 3600 * ' + selected(config, metric, names) + ')', names) + ' }}; most grows {{ . | first | label "site" }}, by '
      + '{{ . | first | value | ' + amount + ' an hour{{ end }}';
    if !asking(config) then ''
    else text('profile_leak_slope_bytes_per_second', 'humanize1024 }}B') + text('profile_leak_slope_per_second', 'humanize }}'),

  // A text in which $labels.instance and $labels.agent are of a series that the alert itself does not name: the first that `expr` finds.
  // names: the labels that stand for each %q in expr.
  withInstance(config, expr, names, text)::
    '{{ with ' + call(expr, names) + ' }}{{ $instance := . | first | label "instance" }}{{ $agent := . | first | label "agent" }}'
    + std.strReplace(std.strReplace(text, '$labels.instance', '$instance'), '$labels.agent', '$agent') + '{{ end }}',

  // A link to a profile's page: that of an agent which profiles the alert's instance, and of others only where the instance has
  // one, which a service in Go has not. inProcess: whether runtime_exporter is in the services that the rules are about.
  profilePage(config, url, inProcess)::
    local names = labelsOf(config).names.instance;
    local byAgent = 'max by (instance, agent) (' + selected(config, 'profile_total_seconds_total', names, 'agent!=""') + ')';
    local ofAgent = if has(url, '$labels.agent') then self.withInstance(config, byAgent, names, url) else '';
    if !inProcess then ofAgent
    else '{{ if ' + call(selected(config, 'go_goroutines', names), names) + ' }}' + ofAgent + '{{ else }}' + url + '{{ end }}',

  // A selector with the alert's labels, for expr above.
  selected:: selected,
}
