"""Known crystals among distorted copies of themselves: is the true one found, and how surely?

The experiment is a crystal's GIPAW shieldings as shifts, with noise; the candidates are the
crystal and five distortions of it. `pytest -m slow -s tests/nmr/test_ranking_published.py` prints
the tables of docs/comparing-and-ranking.md.
"""

import re
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shiftcli.benchmark.rankings import CandidateSet, Constants, Tally, pose_all
from shiftcli.errors import StructureError
from shiftcli.nmr.averaging import average
from shiftcli.nmr.candidates import unassigned
from shiftcli.nmr.experiment import Experiment, Peak
from shiftcli.nmr.kinds import WIDTH_FACTORS
from shiftcli.nmr.likelihood import COMMON, FREEDOM
from shiftcli.nmr.ranking import CREDIBLE, rank
from shiftcli.prediction.predictor import Prediction, Predictor, SitePrediction
from shiftcli.structure.bonds import find_bonds
from shiftcli.structure.checks import check
from shiftcli.structure.crystal import Crystal
from shiftcli.structure.neighbours import find_neighbours
from shiftcli.structure.symmetry import SYMMETRY_TOLERANCE

ROOT = Path(__file__).parents[2]

#: Validation crystals that the model of the probabilities was chosen on, and those it is tested on.
CHOSEN_ON, TESTED_ON = range(160, 400, 8), range(0, 160, 8)

#: Standard deviation (ppm) of the noise, and a reference (ppm) that the ranking does not know.
NOISE, REFERENCE = {"H": 0.1, "C": 0.5}, {"H": 30.6, "C": 169.5}

#: Draws of the noise.
DRAWS = 20


class Symmetry:
    """The operations of a crystal, as permutations of its atoms and Cartesian rotations."""

    def __init__(self, crystal: Crystal):
        import spglib

        self.cell = crystal.cell
        fractional = crystal.positions @ np.linalg.inv(crystal.cell)
        numbers = np.unique(crystal.elements, return_inverse=True)[1] + 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # spglib announces its next interface at every call
            found = spglib.get_symmetry_dataset(
                (crystal.cell, fractional, numbers), SYMMETRY_TOLERANCE
            )
        self.operations = []
        for rotation, translation in zip(found.rotations, found.translations, strict=True):
            moved = fractional @ rotation.T + translation
            apart = moved[:, None] - fractional[None]
            apart = np.linalg.norm((apart - np.round(apart)) @ crystal.cell, axis=2)
            turned = crystal.cell.T @ rotation @ np.linalg.inv(crystal.cell.T)
            self.operations.append((apart.argmin(axis=1), turned))

    def total(self, vectors):
        """Sum of the images of one vector an atom under all operations, shape (n, 3)."""
        total = np.zeros_like(vectors)
        for image, rotation in self.operations:
            total[image] += vectors @ rotation.T
        return total

    def mean_tensor(self, tensor):
        """Mean of the images of a tensor under all operations, shape (3, 3)."""
        return np.mean([r @ tensor @ r.T for _, r in self.operations], axis=0)


def molecules(crystal):
    """Number of the molecule of each atom, and the positions with every molecule in one piece."""
    neighbours = find_bonds(crystal).neighbours
    positions, molecule = crystal.positions.copy(), np.full(len(crystal), -1)
    for start in range(len(crystal)):
        if molecule[start] >= 0:
            continue
        molecule[start] = molecule.max() + 1
        queue = [start]
        for k in queue:
            for other in neighbours[k]:
                if molecule[other] >= 0:
                    continue
                step = (positions[other] - positions[k]) @ np.linalg.inv(crystal.cell)
                positions[other] -= np.round(step) @ crystal.cell
                molecule[other] = molecule[start]
                queue.append(other)
    return molecule, positions


def with_positions(crystal, positions, cell=None):
    """The crystal with its atoms moved; the sites keep their labels and copies."""
    ids = np.empty(len(crystal), dtype=int)
    for k, site in enumerate(crystal.sites):
        ids[site.atoms] = k
    cell = crystal.cell if cell is None else cell
    return replace(crystal, positions=positions, cell=cell, site_ids=ids, shieldings=None)


def move_hydrogens(crystal, symmetry, distance, rng):
    """All hydrogens moved by one distance (Å), copies of a site alike."""
    steps = rng.normal(size=(len(crystal), 3))
    steps[crystal.elements != "H"] = 0.0
    steps = symmetry.total(steps)
    length = np.linalg.norm(steps, axis=1, keepdims=True)
    return with_positions(crystal, crystal.positions + distance * steps / np.maximum(length, 1e-9))


def strain(crystal, symmetry, size, rng, *, rigid):
    """The cell strained by 2–3 %; molecules with it, or rigid ones that only move."""
    tensor = symmetry.mean_tensor(np.diag(rng.choice([-1.0, 1.0], 3)) + 0.3 * rng.normal(size=3))
    tensor = (tensor + tensor.T) / 2
    tensor *= size / np.abs(np.linalg.eigvalsh(tensor)).max()
    stretch = np.eye(3) + tensor
    molecule, whole = molecules(crystal)
    centres = np.stack([whole[molecule == k].mean(axis=0) for k in range(molecule.max() + 1)])
    moved = whole @ stretch
    if rigid:
        moved = whole + (centres @ stretch - centres)[molecule]
    return with_positions(crystal, moved, crystal.cell @ stretch)


def turn_a_group(crystal, symmetry, rng):
    """Another conformer: a part of each molecule turned about an acyclic bond; None without one."""
    bonds = find_bonds(crystal)
    _, whole = molecules(crystal)
    edges = [(int(i), int(j)) for i in range(len(crystal)) for j in bonds.neighbours[i]]
    rng.shuffle(edges)
    for axis, first in edges:
        part = beyond(bonds, axis, first)
        if part is None or not 1 < len(part) <= 13:
            continue
        for angle in (60, 180, 90, 30):
            steps = np.zeros_like(whole)
            direction = whole[first] - whole[axis]
            turned = rotate(whole[part] - whole[axis], direction, np.radians(angle))
            steps[part] = turned - (whole[part] - whole[axis])
            candidate = with_positions(crystal, crystal.positions + symmetry.total(steps))
            if is_sound(candidate, bonds):
                return candidate
    return None


def beyond(bonds, axis, first):
    """Atoms on the far side of a bond; None where a ring closes it."""
    seen = [first]
    for k in seen:
        for other in bonds.neighbours[k]:
            if other == axis and k != first:
                return None
            if other not in seen and other != axis:
                seen.append(int(other))
    return np.array(seen)


def rotate(vectors, axis, angle):
    """Turn vectors about an axis (Rodrigues)."""
    axis = axis / np.linalg.norm(axis)
    along = np.outer(vectors @ axis, axis)
    return along + np.cos(angle) * (vectors - along) + np.sin(angle) * np.cross(axis, vectors)


def is_sound(crystal, bonds):
    """Whether no atoms clash and every atom is still bonded to the same ones."""
    try:
        check(crystal)
    except StructureError:
        return False
    now = find_bonds(crystal).neighbours
    same = all(sorted(a) == sorted(b) for a, b in zip(now, bonds.neighbours, strict=True))
    apart = shortest_contact(crystal, bonds)
    return same and apart > 1.6


def shortest_contact(crystal, bonds):
    """Shortest distance (Å) of two atoms that are neither bonded nor neighbours of one atom."""
    near = [set(map(int, n)) for n in bonds.neighbours]
    second = [set().union(*(near[k] for k in own)) | own for own in near]
    for limit in (1.2, 1.4, 1.6):
        pairs = find_neighbours(crystal.cell, crystal.positions, limit)
        if any(j not in second[i] for i, j in zip(pairs.first, pairs.second, strict=True)):
            return limit
    return np.inf


def distort(crystal, seed):
    """Five distortions of a crystal: two of its hydrogens, two of its cell, another conformer."""
    rng = np.random.default_rng(seed)
    symmetry = Symmetry(crystal)
    made = {
        "hydrogens 0.05 Å": move_hydrogens(crystal, symmetry, 0.05, rng),
        "hydrogens 0.10 Å": move_hydrogens(crystal, symmetry, 0.10, rng),
        "cell 2 %": strain(crystal, symmetry, 0.02, rng, rigid=False),
        "cell 3 %, rigid": strain(crystal, symmetry, 0.03, rng, rigid=True),
    }
    turned = turn_a_group(crystal, symmetry, rng)
    made["conformer"] = turned or move_hydrogens(crystal, symmetry, 0.075, rng)
    return [replace(c, name=f"{crystal.name}, {name}") for name, c in made.items()]


def experiment_of(crystal, seed):
    """GIPAW shieldings of H and C as measured shifts: exchange averaged, noise added."""
    rng = np.random.default_rng(seed)
    rows = tuple(
        SitePrediction(site, float(crystal.shieldings[site.atoms].mean()), 0.0, 0.0)
        for site in crystal.sites
    )
    return Experiment(
        tuple(
            Peak(
                group.labels,
                group.site.species,
                REFERENCE[group.site.element]
                - group.shielding
                + rng.normal(0, NOISE[group.site.element]),
                NOISE[group.site.element],
            )
            for group in average(Prediction(crystal, rows))
            if group.site.element in NOISE
        )
    )


@pytest.fixture(scope="module")
def predicted(published):
    """Predictions of the crystals asked for and of their distortions, the true one first."""
    predictor = Predictor(
        nuclei=tuple(NOISE), device="cpu", dtype="bfloat16", hydrogens="keep"
    )  # fmt: skip

    def predict(indices):
        return {
            k: [predictor.predict(c) for c in (published[k], *distort(published[k], k))]
            for k in indices
        }

    return predict


def rank_all(published, predictions, draws, *, labelled=True):
    """One ranking for each crystal and draw of the noise."""
    rankings = {}
    for k, candidates in predictions.items():
        for draw in range(draws):
            # Of the sites as the program finds them: within its tolerance some crystals have more
            # symmetry than their file says, and half the peaks.
            experiment = experiment_of(candidates[0].crystal, (k, draw))
            if not labelled:
                experiment = unassigned(experiment)
            # Each a family of its own, so that the probabilities within a family show.
            rankings[k, draw] = rank(candidates, experiment, theory_errors={}, tolerance=0.0)
            assert not rankings[k, draw].failures
    return rankings


class Summary:
    """How often the true structure is found, and whether the probabilities say so."""

    def __init__(self, published, rankings):
        self.rows = []
        probability, is_true = [], []
        for (k, draw), ranking in rankings.items():
            name = published[k].name
            place = next(i for i, c in enumerate(ranking.candidates, 1) if c.name == name)
            true, best = ranking.candidates[place - 1], ranking.candidates[0]
            alike = len(ranking.indistinguishable)
            self.rows.append((k, draw, name, place, true, best, alike))
            probability += [c.probability for c in ranking.candidates]
            is_true += [c is true for c in ranking.candidates]
        self.probability, self.is_true = np.array(probability), np.array(is_true)

    @property
    def first(self):
        """Fraction of rankings with the true structure first."""
        return np.mean([place == 1 for *_, place, _, _, _ in self.rows])

    @property
    def claimed_first(self):
        """Mean probability of the first candidate."""
        return np.mean([best.probability for *_, best, _ in self.rows])

    @property
    def covered(self):
        """Fraction of rankings whose indistinguishable candidates hold the true structure."""
        return np.mean([true.indistinguishable for *_, true, _, _ in self.rows])

    @property
    def log_score(self):
        """Mean logarithm of the probability of the true structure."""
        return np.mean([np.log(true.probability) for *_, true, _, _ in self.rows])

    def reliability(self):
        """Stated mean probability, observed frequency and number, in bins."""
        for low, high in ((0, 0.05), (0.05, 0.15), (0.15, 0.3), (0.3, 0.5), (0.5, 1.01)):
            here = (self.probability >= low) & (self.probability < high)
            if here.any():
                yield self.probability[here].mean(), self.is_true[here].mean(), here.sum()

    def show(self, title):
        """Print it."""
        alike = np.mean([row[-1] for row in self.rows])
        print(f"\n{title}: {len(self.rows)} rankings")
        print(f"  true first {self.first:.0%}, stated {self.claimed_first:.0%}")
        print(f"  in the set {self.covered:.0%}, stated {CREDIBLE:.0%}; mean size {alike:.1f} of 6")
        print(f"  mean ln P(true) {self.log_score:.3f}, knowing nothing {-np.log(6):.3f}")
        for stated, observed, count in self.reliability():
            print(f"  stated {stated:.2f}  observed {observed:.2f}  ({count} candidates)")


@pytest.mark.slow
def test_twenty_known_crystals(published, predicted):
    predictions = predicted(TESTED_ON)
    once = Summary(published, rank_all(published, predictions, 1))
    print("\n| crystal | place | P(true) | P(first) | in the set | 1H RMSE true / first |")
    for _, _, name, place, true, best, alike in once.rows:
        inside = f"yes, of {alike}" if true.indistinguishable else f"no, of {alike}"
        pair = " / ".join(f"{c.rmse['1H']:.2f}" for c in (true, best))
        print(
            f"| {name} | {place} | {true.probability:.2f} | {best.probability:.2f} "
            f"| {inside} | {pair} |"
        )
    assert sum(true.indistinguishable for *_, true, _, _ in once.rows) >= 18
    many = Summary(published, rank_all(published, predictions, DRAWS))
    many.show("20 crystals, labelled peaks")
    assert many.covered >= 0.9
    assert abs(many.first - many.claimed_first) < 0.15
    assert many.log_score > -np.log(6)
    for stated, observed, count in many.reliability():
        # Draws of one crystal are alike, so they count as one in the standard error.
        # Fewer candidates than these are but a few crystals.
        error = np.sqrt(stated * (1 - stated) / (count / DRAWS))
        assert abs(stated - observed) < max(0.05, 2 * error) or count < 10 * DRAWS
    free = Summary(published, rank_all(published, predictions, 1, labelled=False))
    free.show("20 crystals, peaks without labels")
    assert free.covered >= 0.9


@pytest.mark.slow
def test_the_common_share_helps(published, predicted):
    """The constants that ship, among others, on the crystals that ν was chosen on."""
    predictions = predicted(CHOSEN_ON)
    sets = [
        CandidateSet(published[k], tuple(own), (), (), tuple(range(len(own))))
        for k, own in predictions.items()
    ]
    posed = pose_all(sets, tuple(NOISE), 5, WIDTH_FACTORS)
    scores = {}
    for freedom in (3.0, FREEDOM, 1e6):
        for common in (COMMON, dict.fromkeys(COMMON, (0.0, 0.0))):
            constants = Constants(freedom, common)
            tally = Tally([questions.outcome(constants) for questions in posed])
            scores[freedom, common is COMMON] = tally.mean_log
            print(f"nu {freedom:g}, {common}: ln P {tally.mean_log:.3f}")
    assert scores[FREEDOM, True] > scores[1e6, False]


@pytest.mark.slow
def test_the_walk_through(published, tmp_path, monkeypatch):
    """The blocks of the page run as they stand, and the true structure comes out first."""
    page = (ROOT / "docs" / "comparing-and-ranking.md").read_text()
    files, ranking = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "shared").symlink_to(ROOT.parent / "shared")
    (tmp_path / "main").mkdir()
    monkeypatch.chdir(tmp_path / "main")
    names = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of ASE's and spglib's interfaces
        exec(files, names)
    exec(ranking, names)
    candidates = names["ranking"].candidates
    assert candidates[0].file == "candidates/itself.xyz"
    line = re.search(r"candidates/itself.xyz +1 +[\d.]+ % +31 +([\d.]+) +[\d.]+ +([\d.]+)", page)
    assert candidates[0].rmse["13C"] == pytest.approx(float(line[1]), abs=0.05)
    assert candidates[0].rmse["1H"] == pytest.approx(float(line[2]), abs=0.02)
