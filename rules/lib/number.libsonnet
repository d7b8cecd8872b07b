// Numbers as PromQL literals: twelve digits, because `%s` writes 14.4 * (1 - 0.999) as 0.014400000000000013.
function(value)
  if std.isNumber(value) then '%.12g' % value
  else error '%s is not a number' % std.manifestJsonMinified(value)
