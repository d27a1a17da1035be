"""The papers and data that predictions rest on, as text and as BibTeX."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from shiftcli import __version__
from shiftcli.errors import WeightsError

#: Why something is cited, in the order in which it is listed.
METHOD, LEVEL, DATA, GEOMETRY, PROGRAMS = (
    "The network",
    "What it predicts",
    "What it learned from",
    "The lengths that X-ray hydrogens are moved to",
    "The programs underneath",
)


@dataclass(frozen=True)
class Citation:
    """One publication."""

    key: str  #: Name in BibTeX.
    reason: str  #: `METHOD`, `LEVEL`, `DATA`, `GEOMETRY` or `PROGRAMS`.
    authors: tuple[str, ...]  #: ``Last, F.``; the last one is ``others`` where not all are named.
    #: As published; volume may be empty.
    title: str
    journal: str
    volume: str
    pages: str
    year: int  #: Of publication.
    doi: str  #: Digital object identifier.
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


_LIU = Citation(
    "liu2019", METHOD,
    ("Liu, S.", "Li, J.", "Bennett, K. C.", "Ganoe, B.", "Stauch, T.", "Head-Gordon, M.",
     "Hexemer, A.", "Ushizima, D.", "Head-Gordon, T."),
    "A Multi-Resolution 3D-DenseNet for Chemical Shift Prediction in NMR Crystallography",
    "J. Phys. Chem. Lett.", "10", "4558–4565", 2019, "10.1021/acs.jpclett.9b01570",
    "arXiv 1906.00102",
)  # fmt: skip
_PICKARD = Citation(
    "pickard2001", LEVEL, ("Pickard, C. J.", "Mauri, F."),
    "All-electron magnetic response with pseudopotentials: NMR chemical shifts",
    "Phys. Rev. B", "63", "245101", 2001, "10.1103/PhysRevB.63.245101",
)  # fmt: skip
_PARUZZO = Citation(
    "paruzzo2018", DATA,
    ("Paruzzo, F. M.", "Hofstetter, A.", "Musil, F.", "De, S.", "Ceriotti, M.", "Emsley, L."),
    "Chemical shifts in molecular solids by machine learning",
    "Nat. Commun.", "9", "4501", 2018, "10.1038/s41467-018-06972-x", "data under CC BY 4.0",
)  # fmt: skip
_GUAN = Citation(
    "guan2021", DATA,
    ("Guan, Y.", "Shree Sowndarya, S. V.", "Gallegos, L. C.", "St. John, P. C.", "Paton, R. S."),
    "Real-time prediction of 1H and 13C chemical shifts with DFT accuracy using a 3D graph "
    "neural network",
    "Chem. Sci.", "12", "12012–12026", 2021, "10.1039/D1SC03343C",
    "CASCADE, data set DFT8K under MIT",
)  # fmt: skip
_ALLEN = Citation(
    "allen2010", GEOMETRY, ("Allen, F. H.", "Bruno, I. J."),
    "Bond lengths in organic and metal-organic compounds revisited: X-H bond lengths from "
    "neutron diffraction data",
    "Acta Cryst. B", "66", "380–386", 2010, "10.1107/S0108768110012048",
)  # fmt: skip
_PROGRAMS = (
    Citation(
        "wojdyr2022", PROGRAMS, ("Wojdyr, M.",), "GEMMI: A library for structural biology",
        "J. Open Source Softw.", "7", "4200", 2022, "10.21105/joss.04200",
    ),
    Citation(
        "larsen2017", PROGRAMS, ("Larsen, A. H.", "others"),
        "The atomic simulation environment—a Python library for working with atoms",
        "J. Phys.: Condens. Matter", "29", "273002", 2017, "10.1088/1361-648X/aa680e",
    ),
    Citation(
        "togo2024", PROGRAMS, ("Togo, A.", "Shinohara, K.", "Tanaka, I."),
        "Spglib: a software library for crystal symmetry search",
        "Sci. Technol. Adv. Mater. Methods", "4", "2384822", 2024, "10.1080/27660400.2024.2384822",
    ),
    Citation(
        "ansel2024", PROGRAMS, ("Ansel, J.", "others"),
        "PyTorch 2: Faster Machine Learning Through Dynamic Python Bytecode Transformation and "
        "Graph Compilation",
        "Proc. 29th ACM Int. Conf. Architectural Support for Programming Languages and Operating "
        "Systems, Volume 2", "", "929–947", 2024, "10.1145/3620665.3640366",
    ),
    Citation(
        "harris2020", PROGRAMS, ("Harris, C. R.", "others"), "Array programming with NumPy",
        "Nature", "585", "357–362", 2020, "10.1038/s41586-020-2649-2",
    ),
    Citation(
        "virtanen2020", PROGRAMS, ("Virtanen, P.", "others"),
        "SciPy 1.0: fundamental algorithms for scientific computing in Python",
        "Nat. Methods", "17", "261–272", 2020, "10.1038/s41592-019-0686-2",
    ),
)  # fmt: skip

#: Data that networks are known to have learned from, by what their manifest may call them.
_KNOWN_DATA = {
    "10.1038/s41467-018-06972-x": _PARUZZO,
    "dft8k": _GUAN,
    "10.1039/d1sc03343c": _GUAN,
}


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
    data, unknown = _recognise(said)
    works = (_LIU, _PICKARD, *data, _ALLEN, *_PROGRAMS)
    return Citations(files[0].model, works, unknown, bool(said))


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


def _recognise(said: Iterable[str]) -> tuple[Sequence[Citation], tuple[str, ...]]:
    """The known publications that are meant, and the statements that mean none of them."""
    works: dict[Citation, None] = {}
    unknown = []
    for statement in said:
        meant = [work for name, work in _KNOWN_DATA.items() if name in statement.lower()]
        works |= dict.fromkeys(meant)
        if not meant:
            unknown.append(statement)
    return tuple(works), tuple(unknown)
