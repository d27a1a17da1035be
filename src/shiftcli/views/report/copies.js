/* Which copies of the atoms are drawn: distinct molecules, the unit cell, or several cells. */

/** Atoms drawn at most; more would not turn smoothly. */
const MOST_DRAWN = 3000;

/** Whether so many cells along each axis can be drawn. */
function canPack(structure, packing) {
  return structure.positions.length * packing ** 3 <= MOST_DRAWN;
}

/** Atoms of the fewest molecules, from the first on, in which each distinct site is. */
function distinctAtoms({ sites, molecules }) {
  const seen = new Set();
  const kept = new Set();
  sites.forEach((site, atom) => {
    if (seen.has(site)) return;
    kept.add(molecules[atom]);
    sites.forEach((other, k) => molecules[k] === molecules[atom] && seen.add(other));
  });
  return sites.map((_, atom) => atom).filter((atom) => kept.has(molecules[atom]));
}

/**
 * What is drawn: atoms by number, their places, half bonds and half or whole hydrogen bonds, each
 * as the number where it begins and the place where it ends.
 */
function copiesOf(structure, packing) {
  const { positions, bonds, stubs, contacts, cell } = structure;
  const cells = [...Array(Math.max(packing, 1)).keys()];
  const shifts = cells.flatMap((i) => cells.flatMap((j) => cells.map((k) => [i, j, k])));
  const kept = packing === 0 ? distinctAtoms(structure) : [...positions.keys()];
  const drawn = { atoms: [], positions: [], halves: [], contacts: [] };
  const numbers = new Map();
  const key = (atom, shift) => `${atom} ${shift.join(" ")}`;
  for (const shift of shifts) {
    const way = cell === null ? [0, 0, 0] : latticePoint(cell, shift);
    for (const atom of kept) {
      numbers.set(key(atom, shift), drawn.atoms.length);
      drawn.atoms.push(atom);
      drawn.positions.push(positions[atom].map((x, k) => x + way[k]));
    }
  }
  for (const shift of shifts) {
    const at = (atom) => numbers.get(key(atom, shift));
    for (const [i, j] of bonds) {
      if (at(i) === undefined) continue;
      const [one, other] = [drawn.positions[at(i)], drawn.positions[at(j)]];
      const middle = one.map((x, k) => (x + other[k]) / 2);
      drawn.halves.push([at(i), middle], [at(j), middle]);
    }
    for (const [i, ...way] of stubs) {
      if (at(i) !== undefined) drawn.halves.push([at(i), drawn.positions[at(i)].map((x, k) => x + way[k])]);
    }
    for (const [hydrogen, acceptor, ...away] of contacts) {
      const from = drawn.positions[at(hydrogen)];
      if (from === undefined) continue;
      const lattice = cell === null ? [0, 0, 0] : latticePoint(cell, away.map((x, k) => x + shift[k]));
      const end = positions[acceptor].map((x, k) => x + lattice[k]);
      const isThere = numbers.has(key(acceptor, away.map((x, k) => x + shift[k])));
      drawn.contacts.push([at(hydrogen), isThere ? end : from.map((x, k) => (x + end[k]) / 2)]);
    }
  }
  return drawn;
}
