// Whether some settings are there (not deleted with null) and switched on.
function(settings)
  settings != null && std.get(settings, 'enabled', true)
