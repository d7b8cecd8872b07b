// Whether a part of some settings is there and switched on: `alerts` an alert, an alert its `prediction`.
local enabled = import 'enabled.libsonnet';

function(settings, key)
  settings != null && enabled(std.get(settings, key))
