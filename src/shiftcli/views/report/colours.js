"use strict";

/* Colours of quantities and elements, as [red, green, blue] from 0 to 255. */

// Dark to light, so that they also read in grey; a difference has its lightest colour at 0.
const SCALES = {
  shielding: [
    [58, 42, 130], [46, 92, 170], [30, 140, 160], [82, 176, 116], [172, 200, 74], [246, 214, 84],
  ],
  uncertainty: [[238, 238, 232], [244, 214, 150], [238, 160, 84], [206, 92, 60], [138, 34, 58]],
  difference: [[33, 80, 166], [110, 160, 216], [236, 236, 232], [232, 150, 96], [176, 52, 30]],
};
SCALES.shift = [...SCALES.shielding].reverse();
const ELEMENT_COLOURS = { H: [214, 220, 226], C: [96, 106, 118], N: [70, 110, 214], O: [214, 68, 60] };
const PLAIN = [168, 176, 184];

// What cannot be trusted, and what may be odd.
const BAD = [200, 0, 70];
const DOUBTFUL = [214, 128, 0];

function mix(one, other, part) {
  return one.map((x, k) => Math.round(x + (other[k] - x) * part));
}

function css(colour) {
  return `rgb(${colour.join(",")})`;
}

/** The colour at a part (0 to 1) of a scale. */
function scaleColour(scale, part) {
  const place = Math.min(Math.max(part, 0), 1) * (scale.length - 1);
  const below = Math.min(Math.floor(place), scale.length - 2);
  return mix(scale[below], scale[below + 1], place - below);
}

function scaleGradient(scale) {
  return `linear-gradient(to right, ${scale.map(css).join(", ")})`;
}

/** Lowest and highest value of a quantity by element; of a difference, as far both ways. */
function rangesOf({ elements, sites, marks, values }, quantity) {
  const ranges = {};
  const add = (element, value) => {
    const range = (ranges[element] ??= [Infinity, -Infinity]);
    range[0] = Math.min(range[0], value);
    range[1] = Math.max(range[1], value);
  };
  sites.forEach((site, atom) => {
    const value = values[quantity][site];
    // One bad value would leave no colours for the others.
    if (value === null || marks[site] === 2) return;
    add(elements[atom], value);
    if (quantity === "difference") add(elements[atom], -value);
    if (quantity === "uncertainty") add(elements[atom], 0);
  });
  return ranges;
}

/** Colour of an atom by a quantity in the range of its element. */
function quantityColour(structure, quantity, ranges, atom) {
  const site = structure.sites[atom];
  const value = structure.values[quantity][site];
  if (structure.marks[site] === 2) return BAD;
  if (value === null) return PLAIN;
  const [low, high] = ranges[structure.elements[atom]];
  if (low === high) return ELEMENT_COLOURS[structure.elements[atom]] ?? PLAIN;
  return scaleColour(SCALES[quantity], (value - low) / (high - low));
}
