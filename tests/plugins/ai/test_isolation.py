"""piper-tts is GPL-3.0: it is imported by one file, which the main process never loads."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

SCRIPT = """
import asyncio, sys
from pathlib import Path
from importlib.metadata import entry_points
for plugin in entry_points(group="antiphon.plugins"):
    plugin.load()
from antiphon_ai.engine import PiperEngine
from antiphon_ai.voices import VoiceLibrary

class Jobs:
    async def run(self, target, arguments, **options):
        Path(arguments["destination"]).touch()
        return {"frames": 1}

async def main():
    engine = PiperEngine(VoiceLibrary(Path("nowhere")), Jobs())
    await engine.speak("Hello", (await engine.voices())[0], Path(sys.argv[1]))

asyncio.run(main())
print(sorted({"piper", "onnxruntime", "antiphon_ai.piper_worker"} & set(sys.modules)))
"""


def test_the_main_process_speaks_without_importing_piper(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "spoken.wav")]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_one_file_alone_imports_piper() -> None:
    statement = re.compile(r"^\s*(?:from|import)\s+piper\b", re.MULTILINE)
    files = [
        path for part in ("core", "devices", "plugins") for path in (ROOT / part).rglob("*.py")
    ]
    importing = [path.name for path in files if statement.search(path.read_text(encoding="utf-8"))]
    assert importing == ["piper_worker.py"]
