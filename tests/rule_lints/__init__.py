"""What linters of rules ask for, written anew, since none of them can be had from a package index: mixtool's lint and pint's checks.

Each check takes the rules and returns the names of what is wrong. What a check is told to overlook stands in rules/.lint with its reason.
"""

from __future__ import annotations

from rule_lints import alerting, expressions, mixtool
from rule_lints.bundle import Bundle, name

__all__ = ["ALL_OF_PINT", "CHECKS", "MIXTOOL", "PINT", "Bundle", "name"]

MIXTOOL = mixtool.CHECKS
PINT = expressions.CHECKS | alerting.CHECKS
CHECKS = MIXTOOL | PINT
ALL_OF_PINT = {
    *PINT, "promql/series", "promql/range_query", "promql/offset", "query/cost", "alerts/count", "rule/owner", "rule/report", "ignore/file",
}  # fmt: skip
"""Every check that pint has; of those without a function here rules/.lint says why there is none."""
