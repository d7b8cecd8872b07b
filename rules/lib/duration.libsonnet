// Prometheus durations ('1h30m') as numbers of seconds: PromQL before 3.x takes no duration where a number stands.
local units = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86400, w: 604800, y: 31536000 };

local isDigit(char) = std.member('0123456789', char);

// '1h30m' -> ['1', 'h', '30', 'm']
local tokens(text) = std.foldl(
  function(found, char)
    local last = std.length(found) - 1;
    if last >= 0 && isDigit(found[last][0]) == isDigit(char)
    then found[:last] + [found[last] + char]
    else found + [char],
  std.stringChars(text),
  [],
);

{
  // The number of seconds in a Prometheus duration; fails with the text that is none.
  seconds(text)::
    local malformed = '%s is not a Prometheus duration such as 30s, 5m or 1h30m' % std.manifestJsonMinified(text);
    local parts = if std.isString(text) then tokens(text) else [];
    local pairs = std.range(0, std.length(parts) / 2 - 1);
    if text == '0' then 0
    else if std.length(parts) < 2 || std.length(parts) % 2 == 1 || !isDigit(parts[0][0]) then error malformed
    else std.sum([std.parseInt(parts[2 * i]) * std.get(units, parts[2 * i + 1], error malformed) for i in pairs]),
}
