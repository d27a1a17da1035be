"""The papers and data that predictions rest on, as text and as BibTeX."""

from __future__ import annotations

import textwrap
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shiftcli import __version__
from shiftcli.errors import WeightsError

#: The reason of works that are not told where room is scarce.
PROGRAMS = "The programs underneath"


@dataclass(frozen=True)
class Citation:
    """One publication."""

    key: str  #: Name in BibTeX.
    reason: str  #: Why it is cited, a heading.
    authors: Sequence[str]  #: ``Last, F.``; the last one is ``others`` where not all are named.
    #: As published; volume may be empty.
    title: str
    journal: str
    volume: str
    pages: str
    year: int  #: Of publication.
    doi: str  #: Digital object identifier.
    known_as: Sequence[str] = ()  #: What manifests may call data, in lower case.
    note: str = ""  #: Licence of data, or another number of the paper.

    def to_text(self) -> str:
        """One line."""
        names = [" ".join(reversed(name.split(", "))) for name in self.authors]
        if names[-1] == "others":
            names[-2:] = [f"{names[-2]} et al."]
        place = " ".join(part for part in (self.journal, self.volume) if part)
        note = f" ({self.note})" if self.note else ""
        return (
            f"{', '.join(names)}: {self.title}. {place}, {self.pages} ({self.year}). "
            f"https://doi.org/{self.doi}{note}"
        )

    def to_bibtex(self) -> str:
        """An ``@article``, or the paper of a conference."""
        kind, place = ("article", "journal") if self.volume else ("inproceedings", "booktitle")
        fields = {
            "author": " and ".join(self.authors),
            "title": f"{{{self.title}}}",  # keeps its capitals
            place: self.journal,
            "volume": self.volume,
            "pages": self.pages.replace("–", "--"),
            "year": str(self.year),
            "doi": self.doi,
            "note": self.note,
        }
        lines = [f"  {name} = {{{text}}}" for name, text in fields.items() if text]
        return f"@{kind}{{{self.key},\n" + ",\n".join(lines) + "\n}\n"


@dataclass(frozen=True)
class Citations:
    """What to cite for the predictions of some networks.

    Attributes
    ----------
    model : str
        Name of the model.
    works : tuple of Citation
        Publications, in the order of their reasons.
    statements : tuple of str
        What the networks' manifest says of data of which no publication is known here.
    is_documented : bool
        Whether a manifest says what the networks learned from.
    """

    model: str
    works: tuple[Citation, ...]
    statements: tuple[str, ...]
    is_documented: bool

    def to_text(self) -> str:
        """Works under their reasons."""
        lines = [f"Predictions of shiftcli {__version__}, model {self.model}, rest on:"]
        for reason in dict.fromkeys(work.reason for work in self.works):
            lines += ["", reason]
            for work in self.works:
                if work.reason == reason:
                    # Names and addresses that are to be copied stay in one piece.
                    lines += textwrap.wrap(
                        work.to_text(), 78, initial_indent="  ", subsequent_indent="    ",
                        break_long_words=False, break_on_hyphens=False,
                    )  # fmt: skip
        return "\n".join(lines) + "\n"

    @property
    def notes(self) -> list[str]:
        """What nobody here knows how to cite."""
        notes = [f"no publication is known here of: {said}" for said in self.statements]
        if not self.is_documented:
            notes.append("no manifest says what these networks learned from; cite that too")
        return notes

    def to_bibtex(self) -> str:
        """BibTeX entries of all works, the program first."""
        program = (
            f"@misc{{shiftcli,\n  author = {{{{The shiftcli developers}}}},\n"
            f"  title = {{{{shiftcli: NMR shieldings of molecular crystals}}}},\n"
            f"  note = {{version {__version__}, model {self.model}}}\n}}\n"
        )
        return "\n".join([program, *(work.to_bibtex() for work in self.works)])


def find_citations(weights: str | Path | None = None) -> Citations:
    """What to cite, from what the networks' manifest says that they learned from.

    Parameters
    ----------
    weights : str or pathlib.Path, optional
        Directory of networks; without it the ones that `shiftcli.Predictor` would take.

    Raises
    ------
    WeightsError
        If there are no networks, or they are broken.
    """
    from shiftcli.weights import find_networks

    files = find_networks(weights)
    said = _said_of_data({file.sha256 for file in files}, files[0].path.parent)
    text = Path(__file__).with_name("citations.toml").read_text(encoding="utf-8")
    works = [Citation(key, **values) for key, values in tomllib.loads(text).items()]
    texts = [statement.lower() for statement in said]
    meant = [w for w in works if not w.known_as or any(n in t for n in w.known_as for t in texts)]
    known = [name for work in works for name in work.known_as]
    unknown = (own for own, t in zip(said, texts, strict=True) if not any(n in t for n in known))
    return Citations(files[0].model, tuple(meant), tuple(unknown), bool(said))


def _said_of_data(hashes: set[str], folder: Path) -> list[str]:
    """What manifests, the one beside the networks or the program's own, say of their data."""
    from shiftcli.weights import packaged, read_manifest

    said: dict[str, None] = {}
    for place in (folder, packaged("weights")):
        try:
            manifest = read_manifest(place / "manifest.json")
        except WeightsError:
            continue  # a training run has none
        networks = (n for model in manifest.models.values() for n in model.networks)
        said |= dict.fromkeys(n.data for n in networks if n.sha256 in hashes and n.data)
    return list(said)
