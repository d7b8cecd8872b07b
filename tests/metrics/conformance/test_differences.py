"""Every difference that is listed is true, and every row of docs/drop-in.md is one of them."""

from __future__ import annotations

from pathlib import Path

import prometheus_client
import pytest

from metrics.conformance.differences import DIFFERENCES
from runtime_exporter import metrics

PAGE = Path(__file__).resolve().parents[3] / "docs" / "drop-in.md"


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.name)
def test_a_difference_is_what_the_list_says(difference):
    assert difference.ours != difference.theirs
    found = (difference.behaviour(prometheus_client), difference.behaviour(metrics))
    assert found == (difference.theirs, difference.ours)


def test_the_page_has_a_row_with_a_reason_for_each_and_no_other():
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in PAGE.read_text().splitlines()
        if line.startswith("| ") and not line.startswith("| what | ")
    ]
    assert {4} == {len(row) for row in rows}
    assert all(reason for *_, reason in rows)
    assert [name for name, *_ in rows] == [difference.name for difference in DIFFERENCES]
