// The labels that every level keeps, from `_config`: the cluster first, where there are several.
local fill = import 'fill.libsonnet';

function(config)
  local cluster = if config.showMultiCluster then [config.clusterLabel] else [];
  local identity = cluster + [config.namespaceLabel, 'job'];
  {
    // The same as lists. `agent` says who has taken a profile, and where it is: one process may be profiled from inside and
    // by an agent. It is empty where there is none, as in the series of the process itself.
    names: { job: identity, instance: identity + ['instance'], profiled: identity + ['instance', 'agent'] },
    // For `by (…)` and `on (…)`.
    job: std.join(', ', identity),
    instance: std.join(', ', identity + ['instance']),
    route: std.join(', ', identity + ['http_route']),
    'function': std.join(', ', identity + ['function']),
    profiledFunction: std.join(', ', self.names.profiled + ['function']),
    // "shop on 10.0.0.7:9464 in cluster eu": where a description says it happened. One cluster: no empty words about it.
    where: {
      local inCluster = if config.showMultiCluster then fill(' in cluster {{ $labels.%s }}', config.clusterLabel) else '',
      job: '{{ $labels.job }}' + inCluster,
      instance: '{{ $labels.job }} on {{ $labels.instance }}' + inCluster,
      route: '{{ $labels.http_route }} of {{ $labels.job }}' + inCluster,
    },
    // Variables of a dashboard's URL; urlquery escapes what a label may hold.
    variables: {
      local variable(name, label) = fill('var-%s={{ $labels.%s | urlquery }}', [name, label]),
      local common = (if config.showMultiCluster then [variable('cluster', config.clusterLabel)] else [])
                     + [variable('job', 'job')],
      none: '',
      job: '?' + std.join('&', common),
      route: self.job,
      instance: '?' + std.join('&', common + [variable('instance', 'instance')]),
    },
  }
