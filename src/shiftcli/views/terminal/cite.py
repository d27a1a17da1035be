"""What to cite, as text."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from shiftcli import __version__

if TYPE_CHECKING:
    from shiftcli.results.citations import Citations


def citations_text(found: Citations) -> str:
    """Works under their reasons."""
    lines = [f"Predictions of shiftcli {__version__}, model {found.model}, rest on:"]
    for reason in dict.fromkeys(work.reason for work in found.works):
        lines += ["", reason]
        for work in found.works:
            if work.reason == reason:
                # Names and addresses that are to be copied stay in one piece.
                lines += textwrap.wrap(
                    work.to_text(), 88, initial_indent="  ", subsequent_indent="    ",
                    break_long_words=False, break_on_hyphens=False,
                )  # fmt: skip
    return "\n".join(lines) + "\n"


def undocumented(found: Citations) -> list[str]:
    """What nobody here knows how to cite."""
    notes = [f"note: no publication is known here of: {said}" for said in found.statements]
    if not found.is_documented:
        notes.append("note: no manifest says what these networks learned from; cite that too")
    return notes
