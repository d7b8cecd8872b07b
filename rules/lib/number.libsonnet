// Numbers as PromQL literals: twelve digits, because toString writes 0.1 as 0.10000000000000001.
//
// Most numbers have few decimals: those are written digit by digit, as a format takes two milliseconds and rules have hundreds.
local most = 6;

// A number of at most `most` decimals: its whole part and the decimals that there are.
local decimal(value, decimals) =
  local scale = std.pow(10, decimals);
  local scaled = std.floor(value * scale + 0.5);
  if decimals > most then '%.12g' % value
  else if std.abs(scaled / scale - value) > 1e-15 * value then decimal(value, decimals + 1)
  else
    local fraction = std.toString(scale + scaled % scale);
    std.floor(scaled / scale) + '.' + fraction[1:];

function(value)
  if !std.isNumber(value) then error '%s is not a number' % std.manifestJsonMinified(value)
  // What is whole but for the last digit, such as 100 * (1 - 0.95), is whole.
  else if std.abs(std.round(value) - value) <= 1e-15 * std.abs(value) && std.abs(value) < 1e12 then std.toString(std.round(value))
  else if value > 0.001 && value < 1e5 then decimal(value, 1)
  else '%.12g' % value
