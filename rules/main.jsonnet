// The entry of the bundle: one evaluation returns everything that is generated from one configuration.
//
// External variable `config`: the user's overrides. `runtime-exporter generate` passes it; with go-jsonnet:
// jsonnet --ext-code config='{}' rules/main.jsonnet
local evaluated = (import 'rules.libsonnet')(std.extVar('config'));

evaluated { alertmanager: (import '../alertmanager/main.jsonnet')(evaluated.config) }
