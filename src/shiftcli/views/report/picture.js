/* The structure: shaded spheres and sticks, sorted by depth, turned with mouse, touch or keys. */

const RADII = { H: 0.3 };
const RADIUS = 0.44;
const STICK = 0.13;
const FOG_STEPS = 10;

/** More labels cannot be read. */
const MOST_LABELS = 400;

const MANY_HALVES = 2000;

/** A little aside from the third axis, so that depth is seen at once. */
const ASIDE = multiply(turn(0, -1.25), turn(2, -0.45));

class Picture {
  constructor(canvas, structure, onChoose, onHover) {
    this.canvas = canvas;
    this.structure = structure;
    this.onChoose = onChoose;
    this.onHover = onHover;
    this.colours = structure.positions.map(() => PLAIN);
    this.marks = structure.positions.map(() => 0);
    this.chosen = new Set();
    this.faded = new Set();
    this.ends = [];
    this.labels = false;
    this.contacts = true;
    this.sprites = new Map();
    this.rotation = ASIDE;
    this.show(structure.cell === null ? 0 : 1);
    this.reset();
    this.listen();
  }

  /** Draw the distinct molecules (0), the unit cell (1), or so many cells along each axis. */
  show(packing) {
    this.packing = packing;
    this.drawn = copiesOf(this.structure, packing);
    this.ends = [];
    this.frame();
    this.fit();
    this.request();
  }

  /** Centre and size of what is drawn. */
  frame() {
    const { cell } = this.structure;
    const cells = Math.max(this.packing, 1);
    const corners =
      cell === null || this.packing === 0
        ? []
        : CORNERS.map((corner) => latticePoint(cell, corner.map((x) => x * cells)));
    const points = [...this.drawn.positions, ...corners];
    const low = [0, 1, 2].map((k) => points.reduce((least, p) => Math.min(least, p[k]), Infinity));
    const high = [0, 1, 2].map((k) => points.reduce((most, p) => Math.max(most, p[k]), -Infinity));
    this.centre = low.map((x, k) => (x + high[k]) / 2);
    const far = (p) => Math.hypot(...p.map((x, k) => x - this.centre[k]));
    this.size = points.reduce((most, p) => Math.max(most, far(p)), 0) + 1;
    this.outline = points;
  }

  /** The zoom at which everything is just seen. */
  fit() {
    this.zoom = 1;
    this.shift = [0, 0];
    const [width, height] = this.measure();
    const places = this.outline.map((point) => this.project(point));
    const reach = (of) => places.reduce((most, place) => Math.max(most, of(place)), 1);
    const across = reach(({ x }) => Math.abs(x - width / 2));
    const down = reach(({ y }) => Math.abs(y - height / 2));
    this.zoom = Math.min((width / 2 - 38) / across, (height / 2 - 38) / down);
    if (!(this.zoom > 0)) this.zoom = 1;
    this.isFitted = true;
  }

  reset() {
    this.ends = [];
    this.rotation = ASIDE;
    this.fit();
    this.request();
  }

  /** Look along a lattice vector (0, 1, 2), the next one to the right as far as it goes. */
  lookAlong(axis) {
    const towards = unit(this.structure.cell[axis]);
    const other = this.structure.cell[(axis + 1) % 3];
    const along = other.reduce((sum, x, k) => sum + x * towards[k], 0);
    const right = unit(other.map((x, k) => x - along * towards[k]));
    this.rotation = [right, cross(towards, right), towards];
    this.fit();
    this.request();
  }

  setColours(colours) {
    this.colours = colours;
    this.request();
  }

  /** Atoms that are seen as through fog. */
  fade(atoms) {
    this.faded = new Set(atoms);
    this.request();
  }

  /** A click on what is drawn: the second one after another measures their distance. */
  pick(number) {
    if (number === null) this.ends = [];
    else if (this.ends.length === 1 && this.ends[0] !== number) this.ends.push(number);
    else this.ends = [number];
    this.onChoose(number === null ? null : this.drawn.atoms[number]);
  }

  /** Å between the two that were clicked last, or null. */
  distance() {
    if (this.ends.length < 2) return null;
    const [one, other] = this.ends.map((number) => this.drawn.positions[number]);
    return Math.hypot(...one.map((x, k) => x - other[k]));
  }

  choose(atoms) {
    this.chosen = new Set(atoms);
    this.canvas.dataset.chosen = [...this.chosen].sort((a, b) => a - b).join(" ");
    this.request();
  }

  request() {
    this.pending ??= requestAnimationFrame(() => {
      this.pending = undefined;
      this.draw();
    });
  }

  /** Place of a point on the canvas, and how large a length of 1 Å is there. */
  project(point) {
    const moved = point.map((x, k) => x - this.centre[k]);
    const [x, y, z] = this.rotation.map((row) => row.reduce((s, m, k) => s + m * moved[k], 0));
    const near = 1 / (1 - z / (5 * this.size));
    const scale = this.scale * near;
    return { x: this.middle[0] + x * scale, y: this.middle[1] - y * scale, z, scale };
  }

  measure() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    this.scale = (Math.min(width, height) / 2 / this.size) * (this.zoom ?? 1);
    this.shift ??= [0, 0];
    this.middle = [width / 2 + this.shift[0], height / 2 + this.shift[1]];
    return [width, height];
  }

  /** Place of an atom on the canvas. */
  place(atom) {
    this.measure();
    return this.project(this.drawn.positions[this.drawn.atoms.indexOf(atom)]);
  }

  draw(forPrint = false) {
    const [width, height] = this.measure();
    const ratio = forPrint ? 3 : window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    const style = getComputedStyle(this.canvas);
    this.ink = forPrint ? "#1b2530" : style.getPropertyValue("--ink");
    this.accent = forPrint ? "#0b62a8" : style.getPropertyValue("--accent");
    this.fog = forPrint ? [255, 255, 255] : parseColour(style.getPropertyValue("--panel"));
    const pen = this.canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.lineCap = "round";
    this.points = this.drawn.positions.map((p) => this.project(p));
    const things = [
      ...this.spheres(), ...this.sticks(), ...this.dashes(), ...this.cellLines(),
    ];
    things.sort((one, other) => one.z - other.z);
    for (const thing of things) thing.draw(pen);
    this.drawLabels(pen);
    this.drawDistance(pen);
  }

  /** A colour as it is seen through the fog at a depth. */
  dimmed(colour, z) {
    const part = Math.max(0, Math.min(1, 0.5 - z / (2 * this.size)));
    return mix(colour, this.fog, (0.55 * Math.round(part * FOG_STEPS)) / FOG_STEPS);
  }

  /** The colour of an atom: faint where it was left out by a filter. */
  colour(atom) {
    return this.faded.has(atom) ? mix(this.colours[atom], this.fog, 0.85) : this.colours[atom];
  }

  radius(atom) {
    return RADII[this.structure.elements[atom]] ?? RADIUS;
  }

  spheres() {
    return this.points.map((point, number) => ({
      z: point.z,
      draw: (pen) => {
        const atom = this.drawn.atoms[number];
        const radius = this.radius(atom) * point.scale;
        const sprite = this.sprite(this.dimmed(this.colour(atom), point.z));
        pen.drawImage(sprite, point.x - radius, point.y - radius, 2 * radius, 2 * radius);
        if (this.marks[atom] > 0 && !this.faded.has(atom)) this.warn(pen, point, radius, atom);
        if (!this.chosen.has(atom)) return;
        ring(pen, point, radius + 3, this.accent, 3);
      },
    }));
  }

  /** A ring about an atom that is odd; about one that is bad another one, and a sign on it. */
  warn(pen, point, radius, atom) {
    const isBad = this.marks[atom] === 2;
    ring(pen, point, radius + 1.5, isBad ? css(BAD) : css(DOUBTFUL), isBad ? 3 : 2);
    if (!isBad) return;
    pen.fillStyle = "#fff";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.font = `bold ${Math.max(9, 1.5 * radius)}px system-ui, sans-serif`;
    pen.fillText("!", point.x, point.y);
  }

  /** A sphere lit from above left, drawn once for each colour. */
  sprite(colour) {
    const key = colour.join();
    if (!this.sprites.has(key)) {
      if (this.sprites.size > 4000) this.sprites.clear();
      const sprite = document.createElement("canvas");
      sprite.width = sprite.height = 96;
      const pen = sprite.getContext("2d");
      const light = pen.createRadialGradient(34, 30, 3, 48, 48, 47);
      light.addColorStop(0, css(mix(colour, [255, 255, 255], 0.75)));
      light.addColorStop(0.35, css(mix(colour, [255, 255, 255], 0.12)));
      light.addColorStop(0.75, css(mix(colour, [0, 0, 0], 0.12)));
      light.addColorStop(1, css(mix(colour, [0, 0, 0], 0.5)));
      pen.fillStyle = light;
      pen.beginPath();
      pen.arc(48, 48, 47, 0, 2 * Math.PI);
      pen.fill();
      this.sprites.set(key, sprite);
    }
    return this.sprites.get(key);
  }

  /** Bonds as two halves, each in the colour of its atom. */
  sticks() {
    // Of many, one line each: two would not turn smoothly, and could not be told apart.
    const widths = this.drawn.halves.length > MANY_HALVES ? [1.6] : [2, 1.1];
    return this.drawn.halves.map(([number, end]) => {
      const from = this.points[number];
      const to = this.project(end);
      const colour = this.dimmed(this.colour(this.drawn.atoms[number]), (from.z + to.z) / 2);
      return {
        z: Math.min(from.z, to.z) - 0.05,
        draw: (pen) => {
          widths.forEach((width, inner) => {
            pen.strokeStyle = css(inner ? mix(colour, [255, 255, 255], 0.15) : mix(colour, [0, 0, 0], 0.35));
            pen.lineWidth = width * STICK * from.scale;
            line(pen, from, to);
          });
        },
      };
    });
  }

  /** Hydrogen bonds, dashed; half of those whose acceptor is not drawn. */
  dashes() {
    if (!this.contacts) return [];
    return this.drawn.contacts.map(([number, end]) => {
      const from = this.points[number];
      const to = this.project(end);
      return {
        z: Math.min(from.z, to.z) - 0.05,
        draw: (pen) => {
          pen.strokeStyle = css(this.dimmed(parseColour(this.accent), (from.z + to.z) / 2));
          pen.lineWidth = Math.max(1.2, 0.06 * from.scale);
          pen.setLineDash([4, 5]);
          line(pen, from, to);
          pen.setLineDash([]);
        },
      };
    });
  }

  /** Unit cells in pieces, which hide and are hidden one by one. */
  cellLines() {
    const { cell } = this.structure;
    if (cell === null || this.packing === 0) return [];
    const pieces = [];
    for (const [start, axis] of gridEdges(this.packing)) {
      for (let k = 0; k < 8; k += 1) {
        const ends = [k / 8, (k + 1) / 8].map((part) =>
          this.project(latticePoint(cell, start.map((x, m) => (m === axis ? x + part : x)))),
        );
        pieces.push({
          z: (ends[0].z + ends[1].z) / 2,
          draw: (pen) => {
            pen.strokeStyle = css(this.dimmed(parseColour(this.ink), ends[0].z - 0.4 * this.size));
            pen.lineWidth = 1;
            line(pen, ...ends);
          },
        });
      }
    }
    return pieces;
  }

  drawLabels(pen) {
    pen.font = "12px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.lineJoin = "round";
    const { cell, labels } = this.structure;
    if (cell !== null && this.packing > 0) {
      for (const [name, corner] of [["0", [0, 0, 0]], ["a", [1, 0, 0]], ["b", [0, 1, 0]], ["c", [0, 0, 1]]]) {
        const out = corner.map((x) => (x ? 1.05 : -0.04));
        const point = this.project(latticePoint(cell, out));
        this.write(pen, name, point.x, point.y, `italic 14px Georgia, serif`);
      }
    }
    const named = [...this.drawn.atoms.keys()].filter(
      (number) => this.labels || this.chosen.has(this.drawn.atoms[number]),
    );
    // Those that were chosen first, then from the front; what would stand on another one is left out.
    const rank = (number) => (this.chosen.has(this.drawn.atoms[number]) ? 1e6 : 0) + this.points[number].z;
    named.sort((i, j) => rank(j) - rank(i));
    const taken = [];
    for (const number of named.slice(0, MOST_LABELS)) {
      const { x, y, scale } = this.points[number];
      const atom = this.drawn.atoms[number];
      const above = y - this.radius(atom) * scale - 9;
      const half = 3.6 * labels[atom].length + 1;
      if (taken.some(([u, v, w]) => Math.abs(u - x) < half + w && Math.abs(v - above) < 12)) continue;
      taken.push([x, above, half]);
      this.write(pen, labels[atom], x, above, "12px system-ui, sans-serif");
    }
  }

  /** The line between the two that were clicked last, and its length. */
  drawDistance(pen) {
    const distance = this.distance();
    if (distance === null) return;
    const [from, to] = this.ends.map((number) => this.points[number]);
    pen.strokeStyle = this.accent;
    pen.lineWidth = 2;
    pen.setLineDash([7, 4]);
    line(pen, from, to);
    pen.setLineDash([]);
    const [x, y] = [(from.x + to.x) / 2, (from.y + to.y) / 2];
    this.write(pen, `${distance.toFixed(2)} Å`, x, y, "bold 13px system-ui, sans-serif");
  }

  write(pen, text, x, y, font) {
    pen.font = font;
    pen.strokeStyle = css(this.fog);
    pen.lineWidth = 3;
    pen.strokeText(text, x, y);
    pen.fillStyle = this.ink;
    pen.fillText(text, x, y);
  }

  /** Number of what is drawn in front at a place on the canvas, or null. */
  numberAt(x, y) {
    let found = null;
    (this.points ?? []).forEach((point, number) => {
      const reach = Math.max(this.radius(this.drawn.atoms[number]) * point.scale, 5);
      if (Math.hypot(x - point.x, y - point.y) > reach) return;
      if (found === null || point.z > this.points[found].z) found = number;
    });
    return found;
  }

  atomAt(x, y) {
    const number = this.numberAt(x, y);
    return number === null ? null : this.drawn.atoms[number];
  }

  turnBy(right, down) {
    this.rotation = multiply(multiply(turn(0, down), turn(1, right)), this.rotation);
    this.request();
  }

  zoomBy(factor) {
    this.zoom = Math.min(Math.max(this.zoom * factor, 0.3), 20);
    this.isFitted = false;
    this.request();
  }

  listen() {
    const { canvas } = this;
    const fingers = new Map();
    let travelled = 0;
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    const span = () => {
      const [one, other] = [...fingers.values()];
      return Math.hypot(one[0] - other[0], one[1] - other[1]);
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      if (!fingers.size) travelled = 0;
      fingers.set(event.pointerId, place(event));
      canvas.classList.add("dragged");
    });
    canvas.addEventListener("pointermove", (event) => {
      const here = place(event);
      const before = fingers.get(event.pointerId);
      if (before === undefined) {
        this.onHover(this.atomAt(...here), ...here);
        return;
      }
      const [right, down] = [here[0] - before[0], here[1] - before[1]];
      const apart = fingers.size === 2 ? span() : 0;
      fingers.set(event.pointerId, here);
      travelled += Math.abs(right) + Math.abs(down);
      if (fingers.size === 2) {
        this.shift = [this.shift[0] + right / 2, this.shift[1] + down / 2];
        this.zoomBy(span() / (apart || 1));
      } else if (event.shiftKey) {
        this.shift = [this.shift[0] + right, this.shift[1] + down];
        this.isFitted = false;
        this.request();
      } else if (travelled > 4) {
        this.turnBy(right * 0.01, down * 0.01);
      }
      this.onHover(null);
    });
    const end = (event) => {
      const was = fingers.delete(event.pointerId);
      if (!fingers.size) canvas.classList.remove("dragged");
      if (was && event.type === "pointerup" && !fingers.size && travelled <= 4) {
        this.pick(this.numberAt(...place(event)));
      }
    };
    canvas.addEventListener("pointerup", end);
    canvas.addEventListener("pointercancel", end);
    canvas.addEventListener("pointerleave", () => this.onHover(null));
    canvas.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        this.zoomBy(Math.exp(-event.deltaY * 0.0015));
      },
      { passive: false },
    );
    canvas.addEventListener("keydown", (event) => {
      const keys = {
        ArrowLeft: () => this.turnBy(-0.12, 0),
        ArrowRight: () => this.turnBy(0.12, 0),
        ArrowUp: () => this.turnBy(0, -0.12),
        ArrowDown: () => this.turnBy(0, 0.12),
        "+": () => this.zoomBy(1.15),
        "-": () => this.zoomBy(1 / 1.15),
        0: () => this.reset(),
        Escape: () => this.pick(null),
      };
      if (keys[event.key] === undefined || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      keys[event.key]();
    });
    new ResizeObserver(() => {
      if (this.isFitted) this.fit();
      this.request();
    }).observe(canvas);
  }
}
