from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.fakes.database import fresh_database


@pytest.fixture
async def database() -> AsyncIterator[None]:
    async with fresh_database():
        yield
