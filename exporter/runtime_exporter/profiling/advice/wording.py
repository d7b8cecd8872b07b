"""What several rules say alike."""

from __future__ import annotations

from typing import Final

SMALL: Final = "chosen: a cost that one line takes away is worth telling from a few percent on"
LARGE: Final = "chosen: the work is part of the job, so only a share well above the usual one is a finding"
COMPARE: Final = (
    "Capture a profile before and after under the same load: `runtime-exporter diff before.pb.gz after.pb.gz`."
)
