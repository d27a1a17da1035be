/* A section for each structure: its picture, its tables and its spectra choose atoms together. */

class Section {
  constructor(element, structure) {
    this.element = element;
    this.structure = structure;
    this.chosen = new Set();
    this.rowOf = [];
    structure.rows.forEach((row, k) => row.atoms.forEach((atom) => (this.rowOf[atom] = k)));
    this.find = (selector) => element.querySelector(selector);
    this.picture = new Picture(
      this.find("canvas"),
      structure,
      (atom) => this.chooseAtom(atom),
      (atom, x, y) => this.hover(atom, x, y),
    );
    this.addColours();
    this.addControls();
    for (const table of element.querySelectorAll("table")) {
      makeSortable(table);
      makeWalkable(table, (row) => this.chooseNamed(row));
    }
    element.addEventListener("click", (event) => {
      const named = event.target.closest("[data-atoms]");
      if (named !== null) this.chooseNamed(named);
    });
  }

  /** Choose the atoms that a row or a peak names; once more, and none is chosen. */
  chooseNamed(named) {
    const atoms = named === null ? [] : named.dataset.atoms.split(" ").map(Number);
    const again = atoms.length === this.chosen.size && atoms.every((k) => this.chosen.has(k));
    this.choose(again ? [] : atoms);
  }

  /** Choose an atom with its symmetry copies, and show its rows. */
  chooseAtom(atom) {
    const row = this.structure.rows[this.rowOf[atom]];
    this.choose(atom === null ? [] : (row?.atoms ?? [atom]));
    for (const shown of this.element.querySelectorAll("tr.chosen")) {
      shown.scrollIntoView({ block: "nearest" });
    }
  }

  choose(atoms) {
    this.chosen = new Set(atoms);
    this.picture.choose(atoms);
    for (const named of this.element.querySelectorAll("[data-atoms]")) {
      const own = named.dataset.atoms.split(" ");
      const isChosen = own.some((atom) => this.chosen.has(Number(atom)));
      named.classList.toggle("chosen", isChosen);
      if (named.matches("tr")) named.setAttribute("aria-selected", String(isChosen));
    }
    const groups = new Map();
    for (const atom of atoms) {
      const text = this.describe(atom);
      groups.set(text, (groups.get(text) ?? new Set()).add(this.structure.labels[atom]));
    }
    const texts = [...groups].map(([text, labels]) => `${[...labels].join(", ")}: ${text}`);
    this.find(".status").textContent = texts.join("; ");
  }

  describe(atom) {
    return this.structure.rows[this.rowOf[atom]]?.text ?? "not predicted";
  }

  hover(atom, x, y) {
    const tip = this.find(".tip");
    tip.hidden = atom === null;
    if (atom === null) return;
    tip.textContent = `${this.structure.labels[atom]}: ${this.describe(atom)}`;
    const room = this.picture.canvas.clientWidth - tip.offsetWidth - 4;
    tip.style.left = `${Math.max(0, Math.min(x + 14, room))}px`;
    tip.style.top = `${Math.max(0, y - 32)}px`;
  }

  addColours() {
    const { rows } = this.structure;
    this.ranges = shieldingRanges(rows);
    const trs = this.element.querySelectorAll("table.sites tbody tr");
    rows.forEach((row, k) => {
      const swatch = document.createElement("span");
      swatch.className = "swatch";
      swatch.style.background = css(shieldingColour(row.element, row.shielding, this.ranges));
      trs[k].cells[0].prepend(swatch);
    });
    this.addLegend();
    this.colourBy("all");
  }

  /** The colour scale of each nucleus with its ends. */
  addLegend() {
    const { rows } = this.structure;
    const legend = this.find(".legend");
    for (const element of Object.keys(ELEMENT_COLOURS).filter((e) => e in this.ranges)) {
      const [low, high] = this.ranges[element];
      const { species } = rows.find((row) => row.element === element);
      const bar = document.createElement("span");
      bar.className = "bar";
      bar.style.background = low < high ? scaleGradient() : css(ELEMENT_COLOURS[element]);
      const decimals = high - low < 20 ? 1 : 0;
      const [from, to] = [low, high].map((x) => x.toFixed(decimals).replace("-", "−"));
      const texts = [species, from, bar, `${to} ppm`];
      legend.append(
        ...texts.map((content, k) => {
          if (k === 2) return content;
          const span = document.createElement("span");
          span.textContent = content;
          if (k === 1) span.className = "end";
          return span;
        }),
      );
    }
  }

  /** Colour by the shielding of one element, of all (each in its range), or by element. */
  colourBy(choice) {
    const { elements, rows } = this.structure;
    this.picture.setColours(
      elements.map((element, atom) => {
        if (choice === "elements") return ELEMENT_COLOURS[element] ?? PLAIN;
        const row = rows[this.rowOf[atom]];
        if (row === undefined || (choice !== "all" && choice !== element)) return PLAIN;
        return shieldingColour(element, row.shielding, this.ranges);
      }),
    );
  }

  addControls() {
    const select = this.find(".colour");
    select.addEventListener("change", () => this.colourBy(select.value));
    this.find(".labels").addEventListener("change", (event) => {
      this.picture.labels = event.target.checked;
      this.picture.request();
    });
    for (const button of this.element.querySelectorAll(".controls button")) {
      const axis = ["a", "b", "c"].indexOf(button.value);
      button.addEventListener("click", () =>
        axis < 0 ? this.picture.reset() : this.picture.lookAlong(axis),
      );
    }
  }
}

const structures = JSON.parse(document.getElementById("data").textContent);
const sections = new Map();
const selector = document.getElementById("structure");

function show(number) {
  document.querySelectorAll("main > section").forEach((element, k) => {
    element.hidden = k !== number;
  });
  if (number < structures.length && !sections.has(number)) {
    const element = document.querySelectorAll("main > section")[number];
    sections.set(number, new Section(element, structures[number]));
  }
}

selector?.addEventListener("change", () => show(Number(selector.value)));
show(Number(selector?.value ?? 0));

const scheme = matchMedia("(prefers-color-scheme: dark)");
scheme.addEventListener("change", () => sections.forEach(({ picture }) => picture.request()));
addEventListener("beforeprint", () => sections.forEach(({ picture }) => picture.draw(true)));
addEventListener("afterprint", () => sections.forEach(({ picture }) => picture.request()));

// For scripts: what is shown, and where atoms are on its picture.
window.shiftcliReport = sections;
