// Whether a part of some settings is there and switched on: `alerts` an alert, an alert its `prediction`.
function(settings, key)
  local part = if settings == null then null else std.get(settings, key);
  part != null && std.get(part, 'enabled', true)
