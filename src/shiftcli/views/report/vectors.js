/* Vectors as lists of three numbers, matrices as lists of rows; the corners of a cell. */

const CORNERS = [0, 1, 2, 3, 4, 5, 6, 7].map((k) => [k & 1, (k >> 1) & 1, (k >> 2) & 1]);
/** Edges of so many cells along each axis, each once: where they begin, and their axis. */
function gridEdges(cells) {
  const edges = [];
  const ends = [0, 1, 2].map(() => [...Array(cells + 1).keys()]);
  for (const i of ends[0]) {
    for (const j of ends[1]) {
      for (const k of ends[2]) {
        [0, 1, 2].forEach((axis) => {
          if ([i, j, k][axis] < cells) edges.push([[i, j, k], axis]);
        });
      }
    }
  }
  return edges;
}

function latticePoint(cell, part) {
  return [0, 1, 2].map((k) => part[0] * cell[0][k] + part[1] * cell[1][k] + part[2] * cell[2][k]);
}

function turn(axis, angle) {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  const [i, j] = [(axis + 1) % 3, (axis + 2) % 3];
  const matrix = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
  matrix[i][i] = matrix[j][j] = c;
  matrix[i][j] = -s;
  matrix[j][i] = s;
  return matrix;
}

function multiply(one, other) {
  return one.map((row) => [0, 1, 2].map((k) => row.reduce((s, x, m) => s + x * other[m][k], 0)));
}

function cross(one, other) {
  return [0, 1, 2].map((k) => {
    const [i, j] = [(k + 1) % 3, (k + 2) % 3];
    return one[i] * other[j] - one[j] * other[i];
  });
}

function unit(vector) {
  const length = Math.hypot(...vector);
  return vector.map((x) => x / length);
}

function line(pen, from, to) {
  pen.beginPath();
  pen.moveTo(from.x, from.y);
  pen.lineTo(to.x, to.y);
  pen.stroke();
}

function ring(pen, { x, y }, radius, colour, width) {
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.stroke();
}

function parseColour(text) {
  const hex = text.trim().slice(1);
  return [0, 2, 4].map((k) => parseInt(hex.slice(k, k + 2), 16));
}
