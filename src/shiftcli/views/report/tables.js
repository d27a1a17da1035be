/* Tables: a click on a head sorts, arrow keys walk through the rows that are seen. */

function makeSortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const descending = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sortRows(table.tBodies[0], column, descending);
    });
  });
}

function sortRows(body, column, descending) {
  const sign = descending ? -1 : 1;
  const key = (row) => {
    const cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
  };
  const rows = [...body.rows].map((row) => [key(row), row]);
  rows.sort(([one], [other]) => {
    // What has no value stands last, whichever way the others go.
    if (one === "" || other === "") return (one === "") - (other === "");
    if (typeof one === "number" && typeof other === "number") return sign * (one - other);
    return sign * String(one).localeCompare(String(other), "en", { numeric: true });
  });
  body.append(...rows.map(([, row]) => row));
}

/** One row at a time can be reached with Tab, the others from it with the arrow keys. */
function makeWalkable(table, onChoose) {
  const rows = () => [...table.tBodies[0].rows].filter(
    (row) => !row.hidden && (row.dataset.atoms || row.dataset.opens),
  );
  const reach = (row) => {
    for (const other of rows()) other.tabIndex = other === row ? 0 : -1;
  };
  if (rows().length) reach(rows()[0]);
  table.addEventListener("keydown", (event) => {
    const own = rows();
    const here = own.indexOf(event.target);
    if (here < 0) return;
    const goals = { ArrowUp: here - 1, ArrowDown: here + 1, Home: 0, End: own.length - 1 };
    if (event.key === "Enter" || event.key === " ") onChoose(event.target);
    else if (event.key === "Escape") onChoose(null);
    else if (goals[event.key] !== undefined) own[goals[event.key]]?.focus();
    else return;
    event.preventDefault();
  });
  table.addEventListener("focusin", (event) => {
    if (event.target.matches("tr")) reach(event.target);
  });
}
