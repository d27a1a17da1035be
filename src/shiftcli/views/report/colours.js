"use strict";

/* Colours of shieldings and elements, as [red, green, blue] from 0 to 255. */

// From shielded least to most; dark to light, so that it also reads in grey.
const SCALE = [
  [58, 42, 130], [46, 92, 170], [30, 140, 160], [82, 176, 116], [172, 200, 74], [246, 214, 84],
];
const ELEMENT_COLOURS = { H: [214, 220, 226], C: [96, 106, 118], N: [70, 110, 214], O: [214, 68, 60] };
const PLAIN = [168, 176, 184];

function mix(one, other, part) {
  return one.map((x, k) => Math.round(x + (other[k] - x) * part));
}

function css(colour) {
  return `rgb(${colour.join(",")})`;
}

/** The colour at a part (0 to 1) of the scale. */
function scaleColour(part) {
  const place = Math.min(Math.max(part, 0), 1) * (SCALE.length - 1);
  const below = Math.min(Math.floor(place), SCALE.length - 2);
  return mix(SCALE[below], SCALE[below + 1], place - below);
}

function scaleGradient() {
  return `linear-gradient(to right, ${SCALE.map(css).join(", ")})`;
}

/** Lowest and highest shielding of each element among rows. */
function shieldingRanges(rows) {
  const ranges = {};
  for (const row of rows) {
    if (row.shielding === null) continue;
    const range = (ranges[row.element] ??= [Infinity, -Infinity]);
    range[0] = Math.min(range[0], row.shielding);
    range[1] = Math.max(range[1], row.shielding);
  }
  return ranges;
}

/** Colour of a shielding in the range of its element; that of the element where all are alike. */
function shieldingColour(element, shielding, ranges) {
  if (shielding === null) return PLAIN;
  const [low, high] = ranges[element];
  if (low === high) return ELEMENT_COLOURS[element];
  return scaleColour((shielding - low) / (high - low));
}
