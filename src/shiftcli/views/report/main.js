/* A section for each structure: its picture, its tables and its spectra choose atoms together. */

class Section {
  constructor(element, structure) {
    this.element = element;
    this.structure = structure;
    this.chosen = new Set();
    this.atomsOf = [];
    structure.sites.forEach((site, atom) => (this.atomsOf[site] ??= []).push(atom));
    this.find = (selector) => element.querySelector(selector);
    this.picture = new Picture(
      this.find("canvas"),
      structure,
      (atom) => this.chooseAtom(atom),
      (atom, x, y) => this.hover(atom, x, y),
    );
    this.picture.marks = structure.sites.map((site) => structure.marks[site]);
    addDownloads(element, this.find("h2").textContent);
    this.addSwatches();
    this.addControls();
    prepare(element, (row) => this.chooseNamed(row));
    element.addEventListener("click", (event) => {
      const named = event.target.closest("[data-atoms]");
      if (named !== null) this.chooseNamed(named);
    });
  }

  /** Choose the atoms that a row or a peak names; once more, and none is chosen. */
  chooseNamed(named) {
    const atoms = named === null ? [] : named.dataset.atoms.split(" ").filter(Boolean).map(Number);
    const again = atoms.length === this.chosen.size && atoms.every((k) => this.chosen.has(k));
    this.picture.ends = [];
    this.choose(again ? [] : atoms);
  }

  /** Choose an atom with its symmetry copies, and show its rows. */
  chooseAtom(atom) {
    this.choose(atom === null ? [] : this.atomsOf[this.structure.sites[atom]]);
    for (const shown of this.element.querySelectorAll("tr.chosen")) {
      const box = shown.closest(".scroll");
      const down = shown.offsetTop - box.scrollTop;
      if (down < 60 || down > box.clientHeight - 40) box.scrollTop = shown.offsetTop - 80;
    }
  }

  choose(atoms) {
    this.chosen = new Set(atoms);
    this.picture.choose(atoms);
    for (const named of this.element.querySelectorAll("[data-atoms]")) {
      const own = named.dataset.atoms.split(" ");
      const isChosen = own.some((atom) => atom !== "" && this.chosen.has(Number(atom)));
      named.classList.toggle("chosen", isChosen);
      if (named.matches("tr")) named.setAttribute("aria-selected", String(isChosen));
    }
    const groups = new Map();
    for (const atom of atoms) {
      const text = this.describe(atom);
      groups.set(text, (groups.get(text) ?? new Set()).add(this.structure.labels[atom]));
    }
    const texts = [...groups].map(([text, labels]) => `${[...labels].join(", ")}: ${text}`);
    const distance = this.picture.distance();
    if (distance !== null) {
      const { atoms: drawn } = this.picture.drawn;
      const [one, other] = this.picture.ends.map((number) => this.structure.labels[drawn[number]]);
      texts.unshift(`${one} to ${other}: ${distance.toFixed(3)} Å`);
    }
    this.find(".status").textContent = texts.join("; ");
  }

  describe(atom) {
    const site = this.structure.sites[atom];
    const reason = this.structure.reasons[site];
    return (this.structure.texts[site] ?? "not predicted") + (reason ? ` (${reason})` : "");
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

  /** The colours of shieldings beside the sites that have them. */
  addSwatches() {
    const { structure } = this;
    if (!structure.values.shielding) return;
    const ranges = rangesOf(structure, "shielding");
    for (const row of this.element.querySelectorAll("table.sites tr[data-atoms]")) {
      const atom = Number(row.dataset.atoms.split(" ")[0]);
      const swatch = document.createElement("span");
      swatch.className = "swatch";
      swatch.style.background = css(quantityColour(structure, "shielding", ranges, atom));
      row.cells[0].prepend(swatch);
    }
  }

  /** Colour by a quantity of one element or of all (each in its range), or by element. */
  colour() {
    const { structure } = this;
    const [quantity, nucleus] = [this.find(".colour").value, this.find(".nucleus").value];
    this.find(".nucleus").disabled = quantity === "elements";
    const ranges = quantity === "elements" ? {} : rangesOf(structure, quantity);
    this.picture.setColours(
      structure.elements.map((element, atom) => {
        if (quantity === "elements") return ELEMENT_COLOURS[element] ?? PLAIN;
        if (nucleus !== "" && nucleus !== element) return PLAIN;
        return quantityColour(structure, quantity, ranges, atom);
      }),
    );
    this.showLegend(quantity, nucleus, ranges);
  }

  /** The colour scale of each nucleus with its ends, and the signs on atoms. */
  showLegend(quantity, nucleus, ranges) {
    const { structure } = this;
    const legend = this.find(".legend");
    legend.replaceChildren();
    const add = (text, name = "") => {
      const span = document.createElement("span");
      span.textContent = text;
      span.className = name;
      legend.append(span);
      return span;
    };
    for (const element of Object.keys(ELEMENT_COLOURS)) {
      if (!(element in ranges) || (nucleus !== "" && nucleus !== element)) continue;
      const [low, high] = ranges[element];
      const decimals = high - low < 20 ? 1 : 0;
      const [from, to] = [low, high].map((x) => x.toFixed(decimals).replace("-", "−"));
      add(structure.species[element]);
      add(from, "end");
      add("", "bar").style.background =
        low < high ? scaleGradient(SCALES[quantity]) : css(ELEMENT_COLOURS[element]);
      add(`${to} ppm`);
    }
    if (structure.marks.includes(2)) add("! red: not to be trusted, see the reason in the table", "sign bad");
    if (structure.marks.includes(1)) add("○ ring: has a flag, or differs by more than 2σ", "sign doubtful");
  }

  /** Rows, atoms and peaks in which all words of the filter are; the others are hidden or faint. */
  filter(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const kept = new Set();
    const seen = { rows: 0, all: 0 };
    for (const row of this.element.querySelectorAll("tr[data-atoms]")) {
      const content = [...row.cells].map((cell) => cell.textContent).join(" ").toLowerCase();
      row.hidden = !words.every((word) => content.includes(word));
      seen.all += 1;
      if (row.hidden) continue;
      seen.rows += 1;
      for (const atom of row.dataset.atoms.split(" ")) kept.add(atom);
    }
    const isFiltered = words.length > 0;
    this.find(".found").textContent = isFiltered ? `${seen.rows} of ${seen.all} rows` : "";
    this.picture.fade(
      isFiltered ? [...this.structure.sites.keys()].filter((atom) => !kept.has(String(atom))) : [],
    );
    for (const drawn of this.element.querySelectorAll("svg [data-atoms]")) {
      const own = drawn.dataset.atoms.split(" ");
      drawn.classList.toggle("faded", isFiltered && !own.some((atom) => kept.has(atom)));
    }
  }

  addControls() {
    const { structure, picture } = this;
    const colour = this.find(".colour");
    for (const option of [...colour.options]) {
      if (option.value !== "elements" && !structure.values[option.value]) option.remove();
    }
    for (const select of [colour, this.find(".nucleus")]) {
      select.addEventListener("change", () => this.colour());
    }
    this.colour();
    const toggle = (name) =>
      this.find(`.${name}`).addEventListener("change", (event) => {
        picture[name] = event.target.checked;
        picture.request();
      });
    toggle("labels");
    toggle("contacts");
    if (!structure.contacts.length) this.find(".contacts").parentElement.remove();
    const packing = this.find(".packing");
    for (const option of [...(packing?.options ?? [])]) {
      if (!canPack(structure, Number(option.value))) option.remove();
    }
    packing?.addEventListener("change", () => {
      picture.show(Number(packing.value));
      this.choose([...this.chosen]);
    });
    this.find(".filter input").addEventListener("input", (event) => this.filter(event.target.value));
    for (const button of this.element.querySelectorAll(".views button")) {
      const axis = ["a", "b", "c"].indexOf(button.value);
      button.addEventListener("click", () => (axis < 0 ? picture.reset() : picture.lookAlong(axis)));
    }
    const name = `${this.find("h2").textContent}.png`;
    this.find(".views").append(
      saveButton("PNG", "Save the picture", () => {
        picture.draw(true);
        picture.canvas.toBlob((blob) => save(blob, name));
        picture.request();
      }),
    );
  }
}

/** Tables that sort and walk, and drawings that say at once what the mouse is on. */
function prepare(element, onRow) {
  for (const table of element.querySelectorAll("table")) {
    makeSortable(table);
    makeWalkable(table, onRow);
  }
  const tip = document.getElementById("tip");
  for (const named of element.querySelectorAll("svg g")) {
    const title = named.querySelector("title");
    if (title === null) continue;
    named.setAttribute("aria-label", title.textContent);
    title.remove();
  }
  element.addEventListener("pointerover", (event) => {
    const named = event.target.closest?.("svg g[aria-label]") ?? null;
    tip.hidden = named === null;
    if (named === null) return;
    tip.textContent = named.getAttribute("aria-label");
    const box = named.getBoundingClientRect();
    const room = document.documentElement.clientWidth - tip.offsetWidth - 6;
    tip.style.left = `${Math.max(4, Math.min(event.clientX + 12, room))}px`;
    tip.style.top = `${Math.max(2, box.top - tip.offsetHeight - 6)}px`;
  });
  element.addEventListener("pointerleave", () => (tip.hidden = true));
}

const structures = JSON.parse(document.getElementById("data").textContent);
const sections = new Map();
const selector = document.getElementById("structure");
const elements = document.querySelectorAll("section.structure");

function show(number) {
  elements.forEach((element, k) => (element.hidden = k !== number));
  if (selector !== null) selector.value = String(number);
  if (number < structures.length && !sections.has(number)) {
    sections.set(number, new Section(elements[number], structures[number]));
  }
  for (const row of document.querySelectorAll("tr[data-opens]")) {
    row.classList.toggle("chosen", Number(row.dataset.opens) === number);
  }
}

selector?.addEventListener("change", () => show(Number(selector.value)));
show(Number(selector?.value ?? 0));

for (const overview of document.querySelectorAll("section.overview")) {
  const open = (row) => row !== null && row.dataset.opens && show(Number(row.dataset.opens));
  addDownloads(overview, overview.querySelector("h2").textContent);
  prepare(overview, open);
  overview.addEventListener("click", (event) => open(event.target.closest("tr[data-opens]")));
}

const scheme = matchMedia("(prefers-color-scheme: dark)");
scheme.addEventListener("change", () => sections.forEach(({ picture }) => picture.request()));
addEventListener("scroll", () => (document.getElementById("tip").hidden = true));
addEventListener("beforeprint", () => sections.forEach(({ picture }) => picture.draw(true)));
addEventListener("afterprint", () => sections.forEach(({ picture }) => picture.request()));

// For scripts: what is shown, and where atoms are on its picture.
window.shiftcliReport = sections;
