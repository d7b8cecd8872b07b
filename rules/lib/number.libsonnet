// Numbers as PromQL literals: twelve digits, because toString writes 0.1 as 0.10000000000000001. (It is many times faster than a
// format, though, and right for whole numbers.)
local fill = import 'fill.libsonnet';

function(value)
  if !std.isNumber(value) then error fill('%s is not a number', std.manifestJsonMinified(value))
  else if value == std.floor(value) && std.abs(value) < 1e12 then std.toString(value)
  else '%.12g' % value
