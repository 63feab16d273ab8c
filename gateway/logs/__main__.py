"""Write `docs/log-events.md` from the catalogue: `python -m gateway.logs`."""

from pathlib import Path

from gateway.logs.catalogue import markdown

if __name__ == "__main__":
    Path("docs/log-events.md").write_text(markdown(), encoding="utf-8")
