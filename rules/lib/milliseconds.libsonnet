// The bounds of a histogram's buckets from milliseconds to seconds: le="250.0" becomes le="0.25".
//
// PromQL does not calculate with labels, so the digits move: a bound of one, two, three or more digits before its point has them
// all behind one in seconds, or all but the last three. Each pattern reads the old bound, so that none meets another's result.
local fill = import 'fill.libsonnet';

local shifts = [
  { digits: '([0-9])', seconds: '0.00$1$2' },
  { digits: '([0-9]{2})', seconds: '0.0$1$2' },
  { digits: '([0-9]{3})', seconds: '0.$1$2' },
];
local fraction = '(?:[.]([0-9]+))?';

function(expr)
  local short = std.foldl(
    function(inner, shift) fill('label_replace(%s, "seconds", "%s", "le", "%s%s")', [inner, shift.seconds, shift.digits, fraction]),
    shifts,
    expr
  );
  local long = fill('label_replace(%s, "seconds", "$1.$2$3", "le", "([0-9]+)([0-9]{3})%s")', [short, fraction]);
  // Written as prometheus_client does, without zeros at the end: 1.0, 0.25. +Inf has no digits, and stays.
  fill('label_replace(%s, "le", "$1$2", "seconds", "([0-9]+[.][0-9]*[1-9])0*|([0-9]+[.]0)0*")', long)
