// Prometheus durations ('1h30m') as numbers of seconds: PromQL before 3.x takes no duration where a number stands.
//
// One pass over the characters: this is called hundreds of times, and jsonnet's own string functions take milliseconds each.
// `i` stands for 'ms', so that every unit is one character.
local fill = import 'fill.libsonnet';

local units = { i: 0.001, s: 1, m: 60, h: 3600, d: 86400, w: 604800, y: 31536000 };
local digits = { [std.toString(digit)]: digit for digit in std.range(0, 9) };

{
  // The number of seconds in a Prometheus duration; fails with the text that is none.
  seconds(text)::
    local malformed = fill('%s is not a Prometheus duration such as 30s, 5m or 1h30m', std.manifestJsonMinified(text));
    local step(state, char) =
      if std.objectHas(digits, char)
      then { seconds: state.seconds, number: 10 * state.number + digits[char], open: true }
      else if state.open && std.objectHas(units, char)
      then { seconds: state.seconds + state.number * units[char], number: 0, open: false }
      else error malformed;
    local read = std.foldl(step, std.stringChars(std.strReplace(std.strReplace(text, 'i', '?'), 'ms', 'i')), { seconds: 0, number: 0, open: false });
    if text == '0' then 0
    else if !std.isString(text) || text == '' || read.open then error malformed
    else read.seconds,
}
