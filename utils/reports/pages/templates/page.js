// Sort tables by a click on a heading, and keep a reader's choices when the page reloads.
(() => {
  const numberIn = text => text === 'ref' ? 0 : parseFloat(text.replaceAll(',', ''));

  // Numbers by value, words by letters and the numbers among them; cells without a value come last either way.
  function compare(a, b, isNumber, sign) {
    if (!isNumber) return sign * a.localeCompare(b, 'en', {numeric: true});
    const [x, y] = [numberIn(a), numberIn(b)];
    return Number.isNaN(x) || Number.isNaN(y) ? Number.isNaN(x) - Number.isNaN(y) : sign * (x - y);
  }

  function sort(heading, order) {
    const body = heading.closest('table').tBodies[0], column = heading.cellIndex;
    const isNumber = heading.classList.contains('number'), sign = order === 'ascending' ? 1 : -1;
    const rows = [...body.rows].map(row => [row.cells[column].textContent.trim(), row]);
    rows.sort(([a], [b]) => compare(a, b, isNumber, sign));
    body.append(...rows.map(([, row]) => row));
    for (const other of heading.parentNode.cells) other.setAttribute('aria-sort', other === heading ? order : 'none');
  }

  const headings = () => [...document.querySelectorAll('th[aria-sort]')];
  const controls = () => [...document.querySelectorAll('.chart select, .chart input')];
  const titleOf = control => `${control.closest('.chart').querySelector('h3').textContent} ${control.name}`;
  const place = `choices of ${location.pathname}`;

  function remember() {
    const choices = {
      controls: Object.fromEntries(controls().map(one => [titleOf(one), one.options ? one.value : one.checked])),
      hidden: [...document.querySelectorAll('.key button[aria-pressed="false"]')].map(button => button.dataset.name),
      sorted: headings().map(heading => heading.getAttribute('aria-sort')),
      open: [...document.querySelectorAll('details')].map(details => details.open),
    };
    sessionStorage.setItem(place, JSON.stringify(choices));
  }

  function restore(choices) {
    for (const control of controls()) {
      const value = choices.controls[titleOf(control)];
      if (typeof value === 'boolean') control.checked = value;
      else if ([...control.options ?? []].some(option => option.value === value)) control.value = value;
    }
    for (const button of document.querySelectorAll('.key [aria-pressed]'))
      button.setAttribute('aria-pressed', String(!choices.hidden.includes(button.dataset.name)));
    headings().forEach((heading, index) => {
      if (['ascending', 'descending'].includes(choices.sorted[index])) sort(heading, choices.sorted[index]);
    });
    document.querySelectorAll('details').forEach((details, index) => { details.open = choices.open[index] ?? false; });
  }

  for (const heading of headings()) heading.querySelector('button').addEventListener('click', () => {
    const first = heading.classList.contains('number') ? 'descending' : 'ascending';
    const other = first === 'ascending' ? 'descending' : 'ascending';
    sort(heading, heading.getAttribute('aria-sort') === first ? other : first);
  });
  const kept = sessionStorage.getItem(place);
  if (kept) restore(JSON.parse(kept));
  addEventListener('pagehide', remember);
})();
