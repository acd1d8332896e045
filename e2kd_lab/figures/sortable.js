// A click on a heading sorts its table: first in the direction that is read first, then in the other.
for (const heading of document.querySelectorAll("th button")) {
  heading.addEventListener("click", () => {
    const th = heading.closest("th"), body = th.closest("table").tBodies[0];
    const column = [...th.parentNode.children].indexOf(th), words = th.classList.contains("words");
    const first = words ? "ascending" : "descending", other = words ? "descending" : "ascending";
    const order = th.getAttribute("aria-sort") === first ? other : first;
    for (const one of th.parentNode.children) one.removeAttribute("aria-sort");
    th.setAttribute("aria-sort", order);
    const key = row => row.cells[column].dataset.value;
    const compare = words ? (a, b) => key(a).localeCompare(key(b), undefined, { numeric: true })
                          : (a, b) => (key(a) === "" ? -Infinity : +key(a)) - (key(b) === "" ? -Infinity : +key(b));
    const rows = [...body.rows].sort((a, b) => order === "ascending" ? compare(a, b) : compare(b, a));
    body.append(...rows);
  });
}
