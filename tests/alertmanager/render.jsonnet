// alertmanager.yml without the rules around it: the defaults, patched by the external variable `config`.
local config = std.mergePatch((import '../../rules/config.libsonnet')._config, std.extVar('config'));
(import '../../alertmanager/main.jsonnet')(config)
