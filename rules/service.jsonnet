// The rules alone, as they would be if what one service has of its own (external variable `config`) held for all.
(import 'rules.libsonnet')(std.extVar('config'))
