// One alerting rule from its settings. Returns a list, which is empty when the alert is switched off or deleted (null).
//
// settings: {severity, for, keepFiringFor} of `_config.alerts`; a `for` of null or '0s' is left out, as is keepFiringFor.
// spec: {name, level (none|job|instance|route), dashboard, expr, summary, description, actions, labels}
//   and for the link to a profile: subject (the label that names a function), and where the alert has no instance,
//   instance {expr, labels}: PromQL with %q for each of the labels, whose first series is by the instance, and the agent, that matter.
//   beside, part: the settings of the alert's other half, of another severity by default, and the name of this one; where both have the
//   same severity, the label `part` tells the two from each other.
//   level, dashboard, subject and instance stay hidden fields: lib/links.libsonnet makes the URLs from them.
local duration = import 'duration.libsonnet';
local enabled = import 'enabled.libsonnet';

local given(settings, key) = local value = std.get(settings, key); value != null && duration.seconds(value) > 0;

// std.rstripChars and slices look at every character of the text, and take 20 ms for a long expression; a replacement takes one.
local end = '\u0001';
local withoutNewline(text) = std.strReplace(std.strReplace(text + end, '\n' + end, end), end, '');

function(settings, spec)
  local beside = std.get(spec, 'beside');
  local alike = enabled(beside) && beside.severity == settings.severity;
  if !enabled(settings) then []
  else [{
    level:: spec.level,
    dashboard:: spec.dashboard,
    subject:: std.get(spec, 'subject', ''),
    instance:: std.get(spec, 'instance'),
    alert: spec.name,
    expr: withoutNewline(spec.expr),
    [if given(settings, 'for') then 'for']: settings['for'],
    [if given(settings, 'keepFiringFor') then 'keep_firing_for']: settings.keepFiringFor,
    labels: { severity: settings.severity } + (if alike then { part: spec.part } else {}) + std.get(spec, 'labels', {}),
    annotations: {
      summary: spec.summary,
      description: spec.description,
      suggested_actions: std.join('\n', ['- ' + action for action in spec.actions]),
    },
  }]
