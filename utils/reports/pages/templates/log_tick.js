// What stands at a tick of a log axis.
const value = Number(tick.toPrecision(6));
return value >= 1e6 || value < 1e-5 ? value.toExponential().replace('e+', 'e') : String(value);
