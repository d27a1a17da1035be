"""The report of an installation as text; imports nothing that may be what is broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shiftcli.results.installation import Installation


def installation_text(found: Installation) -> str:
    """Sections with a line for each entry, then the problems."""
    lines = []
    for title, entries in found.sections.items():
        lines.append(title if entries else f"{title}: none")
        lines += [f"  {line}" for line in _entries(entries)]
    lines.append("problems" if found.problems else "problems: none")
    lines += [f"  {_plain(problem)}" for problem in found.problems]
    return "\n".join(lines) + "\n"


def _entries(entries: dict[str, object]) -> list[str]:
    width = max((len(name) for name in entries), default=0)
    lines = []
    for name, value in entries.items():
        if isinstance(value, dict):
            lines.append(name)
            lines += [f"  {line}" for line in _entries(value)]
            continue
        if isinstance(value, list):
            value = ", ".join(map(str, value)) or "none"
        elif isinstance(value, bool):
            value = "yes" if value else "no"
        lines.append(f"{_plain(name):{width}}  {_plain(value)}".rstrip())
    return lines


def _plain(value: object) -> str:
    """One line whatever a path or a variable holds."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(value))
