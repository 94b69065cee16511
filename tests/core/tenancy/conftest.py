from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.fakes.database import memory_database


@pytest.fixture
async def database() -> AsyncIterator[None]:
    async with memory_database():
        yield
