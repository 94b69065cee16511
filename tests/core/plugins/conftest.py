from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.core.plugins import strangers


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[strangers.Write]:
    yield strangers.writer(tmp_path / "site", monkeypatch)
    strangers.forget()
