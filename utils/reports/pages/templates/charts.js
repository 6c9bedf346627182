// Draw the curves of every chart from the points that its page holds, as the controls beside it ask.
// A figure holds each axis twice, linear and log, and one set of glyphs; what a control changes is the points in these
// glyphs, the axis they are measured on, and its range.
(() => {
  const PADDING = 0.04;  // of the width of an axis, on both sides
  const MARKERS_UP_TO = 12;  // points; a single one would be invisible as a line
  const LEGEND_UP_TO = 30;  // entries below a saved figure
  const MARKERS = {solid: 'circle', dashed: 'square', dotted: 'triangle', dotdash: 'diamond'};
  const SVG = 'http://www.w3.org/2000/svg';
  const stored = new Map();  // figure -> what its page holds: {points, curves}, columns of arrays

  const sections = () => [...document.querySelectorAll('.chart')];
  const roots = () => Bokeh.documents.flatMap(doc => doc.roots());
  const figureOf = section => roots().find(root => root.name === section.dataset.root);
  const glyphs = (figure, name) => figure.renderers.find(renderer => renderer.name === name);

  function choicesOf(section) {
    const control = name => section.querySelector(`[name="${name}"]`);
    const isLog = axis => control(`log-${axis}`)?.checked ?? section.dataset[`log${axis.toUpperCase()}`] === 'true';
    return {x: control('x')?.value ?? section.dataset.x, log: {x: isLog('x'), y: isLog('y')}};
  }

  function hiddenNames() {
    const off = document.querySelectorAll('.key button[aria-pressed="false"]');
    return new Set([...off].map(button => button.dataset.name));
  }

  // Bokeh takes new data step by step and fails if their number changes meanwhile, as two quick clicks would have it.
  // So every glyph keeps its number of rows: what is hidden is empty or not a number.
  function draw(section, hidden) {
    const figure = figureOf(section), {points, curves} = stored.get(figure), {x, log} = choicesOf(section);
    const drawn = {lines: [], bands: [], marks: [], mean: Array(points.mean.length).fill(NaN)};
    const fits = (value, axis) => Number.isFinite(value) && (!log[axis] || value > 0);
    curves.name.forEach((name, curve) => {
      const all = Array.from({length: curves.end[curve] - curves.start[curve]}, (_, i) => curves.start[curve] + i);
      const isShown = row => !hidden.has(name) && fits(points[x][row], 'x') && fits(points.mean[row], 'y');
      addCurve(drawn, figure, {curves, points, curve, all, rows: all.filter(isShown), x, log});
    });
    for (const axis of ['x', 'y']) setAxis(figure, axis, log[axis], drawn[axis]);
    figure.below.forEach(axis => { axis.axis_label = label(section, x, log.x); });
    for (const renderer of figure.renderers) {
      renderer.x_range_name = log.x ? 'log' : 'default';
      renderer.y_range_name = log.y ? 'log' : 'default';
    }
    glyphs(figure, 'points').glyph.x = {field: x};
    glyphs(figure, 'points').data_source.data = {...points, mean: drawn.mean};
    for (const name of ['lines', 'bands', 'marks']) glyphs(figure, name).data_source.data = asColumns(drawn[name]);
    section.dataset.drawn = drawn.lines.filter(line => line.xs.length).length;
  }

  // Add one curve: its line, a band or bars of one deviation, and marks where a line alone would not do.
  function addCurve(drawn, figure, {curves, points, curve, all, rows, x, log}) {
    const look = {color: curves.color[curve], dash: curves.dash[curve], width: curves.width[curve]};
    const [isBand, isBars, isMarked] = ['bands', 'bars', 'marks'].map(part => figure.tags.includes(part));
    const shown = new Set(rows), last = rows.at(-1);
    const xOf = row => points[x][row], yOf = row => points.mean[row], deviation = row => points.std[row] || 0;
    const high = row => yOf(row) + deviation(row);
    // A band that reaches zero has no lower edge on a log axis: cut it a decade below the mean.
    const low = row => Math.max(yOf(row) - deviation(row), log.y ? yOf(row) / 10 : -Infinity);
    const addMark = (row, style) => {
      const place = shown.has(row) ? {x: xOf(row), y: yOf(row)} : {x: NaN, y: NaN};
      drawn.marks.push({...look, marker: MARKERS[look.dash], size: 5, ...style, ...place});
    };
    for (const row of rows) drawn.mean[row] = yOf(row);
    drawn.lines.push({...look, xs: rows.map(xOf), ys: rows.map(yOf)});
    if (isBars) for (const row of all) {
      const isDrawn = shown.has(row) && deviation(row);
      const ends = isDrawn ? {xs: [xOf(row), xOf(row)], ys: [low(row), high(row)]} : {xs: [], ys: []};
      drawn.lines.push({...look, dash: 'solid', ...ends});
    }
    if (isBand) {
      const there = rows.some(deviation) ? rows : [], back = there.slice().reverse();
      drawn.bands.push({...look, xs: [...there, ...back].map(xOf), ys: [...there.map(high), ...back.map(low)]});
    }
    if (curves.diverged[curve]) addMark(last, {marker: 'x', size: 10});
    else if (all.length === 1) addMark(last, {size: 8});
    else if (isMarked && all.length <= MARKERS_UP_TO) all.forEach(row => addMark(row));
    widen(drawn, 'x', rows.map(xOf));
    widen(drawn, 'y', isBars || isBand ? [...rows.map(low), ...rows.map(high)] : rows.map(yOf));
  }

  function widen(drawn, axis, values) {
    for (const value of values) {
      const [low, high] = drawn[axis] ?? [value, value];
      drawn[axis] = [Math.min(low, value), Math.max(high, value)];
    }
  }

  function asColumns(rows) {
    const names = ['color', 'dash', 'width', 'marker', 'size', 'xs', 'ys', 'x', 'y'];
    return Object.fromEntries(names.map(name => [name, rows.map(row => row[name])]));
  }

  // Show the linear or the log axis, from the lowest to the highest value and a little beyond.
  function setAxis(figure, axis, log, values) {
    for (const guide of [...figure.below, ...figure.left, ...figure.center])
      if (guide.tags.length && guide.tags[0] === axis) guide.visible = guide.tags[1] === (log ? 'log' : 'linear');
    if (!values) return;
    const [to, from] = log ? [Math.log10, value => 10 ** value] : [value => value, value => value];
    const [low, high] = values.map(to);
    const room = high > low ? PADDING * (high - low) : (log ? 0.3 : Math.abs(low) / 2 || 0.5);
    const [start, end] = [from(low - room), from(high + room)];
    const range = log ? figure[`extra_${axis}_ranges`].log : figure[`${axis}_range`];
    range.setv({start, end, reset_start: start, reset_end: end});
  }

  function label(section, x, log) {
    const option = section.querySelector(`[name="x"] option[value="${x}"]`);
    return (option?.textContent ?? section.dataset.xLabel) + (log ? ', log scale' : '');
  }

  function drawAll() {
    const hidden = hiddenNames();
    for (const section of sections()) draw(section, hidden);
  }

  async function save(section) {
    const figure = figureOf(section), title = section.querySelector('h3').textContent;
    const blob = await Bokeh.index.find_one(figure).export('svg', false).to_blob();
    const svg = new DOMParser().parseFromString(await blob.text(), 'image/svg+xml').documentElement;
    addLegend(svg, title, keyOf(section));
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(svg)], {type: 'image/svg+xml'}));
    link.download = `${title.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '')}.svg`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  // The swatches and names of the curves that are shown, from the chart's own legend or the key of all charts.
  function keyOf(section) {
    const names = new Set(stored.get(figureOf(section)).curves.name), hidden = hiddenNames();
    const own = [...section.querySelectorAll('.legend > span')].map(entry => [entry, entry.textContent.trim()]);
    const shared = [...document.querySelectorAll('.key [data-name]')].map(entry => [entry, entry.dataset.name]);
    return (own.length ? own : shared).filter(([, name]) => !hidden.has(name) && (own.length || names.has(name)))
      .map(([entry, name]) => ({swatch: entry.querySelector('svg'), name}));
  }

  // Put the title above a saved figure and its key below, which on the page stand outside of it.
  function addLegend(svg, title, entries) {
    const width = Number(svg.getAttribute('width')), height = Number(svg.getAttribute('height')), top = 28;
    const figure = document.createElementNS(SVG, 'g');
    figure.setAttribute('transform', `translate(0 ${top})`);
    figure.append(...svg.childNodes);
    svg.append(figure, textAt(10, 19, title, 'bold 15px'));
    let x = 10, y = top + height + 18;
    for (const {swatch, name} of entries.length <= LEGEND_UP_TO ? entries : []) {
      const needed = 50 + 7 * name.length, copy = swatch.cloneNode(true);
      if (x > 10 && x + needed > width) [x, y] = [10, y + 20];
      copy.setAttribute('x', x);
      copy.setAttribute('y', y - 9);
      svg.append(copy, textAt(x + 34, y, name, '13px'));
      x += needed;
    }
    const whole = entries.length ? y + 12 : top + height;
    svg.setAttribute('height', whole);
    svg.setAttribute('viewBox', `0 0 ${width} ${whole}`);
  }

  function textAt(x, y, words, font) {
    const text = document.createElementNS(SVG, 'text');
    for (const [key, value] of Object.entries({x, y, style: `font: ${font} sans-serif`})) text.setAttribute(key, value);
    text.textContent = words;
    return text;
  }

  function listen() {
    for (const section of sections()) {
      for (const control of section.querySelectorAll('select, input'))
        control.addEventListener('change', () => draw(section, hiddenNames()));
      section.querySelector('.save').addEventListener('click', () => save(section));
    }
    for (const button of document.querySelectorAll('.key [aria-pressed]')) button.addEventListener('click', () => {
      button.setAttribute('aria-pressed', String(button.getAttribute('aria-pressed') === 'false'));
      drawAll();
    });
    for (const button of document.querySelectorAll('[data-show]')) button.addEventListener('click', () => {
      for (const each of document.querySelectorAll('.key [aria-pressed]'))
        each.setAttribute('aria-pressed', button.dataset.show);
      drawAll();
    });
    for (const button of document.querySelectorAll('[data-x-of-all]')) button.addEventListener('click', () => {
      for (const select of document.querySelectorAll('.chart select')) select.value = button.dataset.xOfAll;
      drawAll();
    });
  }

  // Bokeh paints its figures some time after the page has loaded and takes no other data before that.
  function start() {
    if (!sections().length) return;
    if (!window.Bokeh || !sections().every(figureOf) || !Bokeh.documents.every(doc => doc.is_idle))
      return void setTimeout(start, 10);
    for (const section of sections()) {
      const figure = figureOf(section);
      const [points, curves] = ['points', 'lines'].map(name => glyphs(figure, name).data_source.data);
      stored.set(figure, {points, curves});
    }
    drawAll();
    listen();
  }

  start();
})();
