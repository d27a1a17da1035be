/* What is on the page as files: tables as CSV, drawings as SVG, structures as PNG. */

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name.replace(/[^\p{L}\p{N}._-]+/gu, "-").replace(/^[-.]+|-+(?=\.)/g, "");
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function saveButton(text, title, onClick) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "save";
  button.textContent = text;
  button.title = title;
  button.addEventListener("click", (event) => {
    event.stopPropagation();
    onClick();
  });
  return button;
}

/** The rows of a table that are seen, in the order in which they are seen. */
function tableCsv(table) {
  const heads = [...table.tHead.rows[0].cells];
  const lines = [heads.flatMap(({ dataset }) => [dataset.name, ...(dataset.spread ? [dataset.spread] : [])])];
  for (const row of [...table.tBodies[0].rows].filter((own) => !own.hidden)) {
    lines.push(
      heads.flatMap(({ dataset }, k) => {
        const cell = row.cells[k];
        if (!dataset.spread) return [plainText(cell)];
        const [value, spread = ""] = plainText(cell).split(" ± ");
        return [value, spread];
      }),
    );
  }
  return lines.map((line) => `${line.map(csvCell).join(",")}\r\n`).join("");
}

/** Text of a cell, numbers as a spreadsheet reads them. */
function plainText(cell) {
  const text = cell.textContent.trim();
  return cell.dataset.value === undefined ? text : text.replaceAll("−", "-");
}

/** A cell of CSV; what a spreadsheet would take for a formula gets a ' in front. */
function csvCell(text) {
  const isNumber = text !== "" && Number.isFinite(Number(text));
  const safe = !isNumber && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** A drawing as a file of its own, with its style inside. */
function drawingSvg(svg) {
  const copy = svg.cloneNode(true);
  const [, , width, height] = svg.getAttribute("viewBox").split(" ");
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  // The first rule has the light colours, which paper needs whatever the screen shows.
  const [{ style: root }, ...others] = document.styleSheets[0].cssRules;
  const rules = others
    .filter((rule) => rule.selectorText?.includes("svg."))
    .map((rule) => rule.cssText.replace(/var\((--[a-z]+)\)/g, (_, name) => root.getPropertyValue(name)));
  const style = document.createElementNS("http://www.w3.org/2000/svg", "style");
  style.textContent = `svg { color: ${root.getPropertyValue("--ink")} } ${rules.join(" ")}`;
  copy.prepend(style);
  return new XMLSerializer().serializeToString(copy);
}

/** Buttons for what is in an element; files are called after `name`. */
function addDownloads(element, name) {
  for (const table of element.querySelectorAll("table")) {
    const title = table.caption.textContent;
    const write = () => save(new Blob([tableCsv(table)], { type: "text/csv" }), `${name}-${title}.csv`);
    table.caption.append(saveButton("CSV", "Save the rows that are shown", write));
  }
  for (const svg of element.querySelectorAll("svg")) {
    const title = svg.querySelector("title").textContent;
    const write = () => save(new Blob([drawingSvg(svg)], { type: "image/svg+xml" }), `${name}-${title}.svg`);
    svg.after(saveButton("SVG", "Save the drawing", write));
  }
}
