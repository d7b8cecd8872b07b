"""One Alertmanager for all tests of notifications; each uses a job of its own, which is a group of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import notifications

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[notifications.Delivery]:
    """A running Alertmanager and its sinks."""
    with notifications.running(tmp_path_factory.mktemp("alertmanager")) as started:
        yield started
