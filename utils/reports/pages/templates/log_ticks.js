// The ticks of a log axis: decades, with 2 and 5 between them where there are few; bokeh's own crowd at one end of a
// short axis.
const {start, end} = cb_data, ticks = [];
if (!(start > 0 && end > start)) return ticks;
const decades = Math.log10(end / start), skip = Math.ceil(decades / 8);
if (decades < 0.6) {
  const wanted = (end - start) / 4, size = 10 ** Math.floor(Math.log10(wanted));
  const step = size * [1, 2, 5, 10].find(factor => factor * size >= wanted);
  for (let tick = Math.ceil(start / step); tick * step <= end; tick++) ticks.push(tick * step);
} else for (let decade = Math.floor(Math.log10(start)); decade <= Math.log10(end); decade++)
  for (const mantissa of decades <= 3 ? [1, 2, 5] : decade % skip ? [] : [1]) {
    const tick = mantissa * 10 ** decade;
    if (start <= tick && tick <= end) ticks.push(tick);
  }
return ticks;
