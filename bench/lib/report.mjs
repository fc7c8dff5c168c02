// The table at the end, the JSON beside it, and the comparison with what was kept.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import * as paths from './paths.mjs';

// A figure is worse than the kept one when it is off by more than this share, or by its own
// `noise`: runs on a shared machine differ by 10-30 %.
const noiseDefault = 0.15;

const format = (value) => {
  if (value >= 1000) {
    return Math.round(value).toLocaleString('en-US');
  }
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
};

function readKept() {
  return existsSync(paths.kept) ? JSON.parse(readFileSync(paths.kept, 'utf8')).figures : {};
}

// Adds to each figure whether it meets its goal and how it stands to the kept one.
export function judge(figures, { quick }) {
  const kept = readKept();
  for (const figure of figures) {
    const { op, value } = figure.goal;
    figure.meets = op === '>=' ? figure.value >= value : figure.value <= value;
    figure.kept = kept[figure.name] ?? null;
    if (figure.kept !== null) {
      const noise = (figure.noise ?? noiseDefault) * (quick ? 2 : 1);
      figure.worse =
        op === '>='
          ? figure.value < figure.kept * (1 - noise)
          : figure.value > figure.kept * (1 + noise);
    }
  }
  return figures;
}

export function table(figures) {
  const header = ['figure', 'measured', 'spread', 'goal', '', 'kept', 'medians'];
  const unit = (figure) => (figure.unit ? ` ${figure.unit}` : '');
  const rows = figures.map((figure) => [
    figure.title,
    `${format(figure.value)}${unit(figure)}`,
    figure.low === undefined ? '' : `${format(figure.low)} … ${format(figure.high)}`,
    `${figure.goal.op === '>=' ? '≥' : '≤'} ${figure.goal.value}${unit(figure)}`,
    figure.meets ? 'ok' : 'MISSED',
    figure.kept === null ? '-' : `${format(figure.kept)}${figure.worse ? ' WORSE' : ''}`,
    figure.detail ?? '',
  ]);
  const widths = header.map((_, column) =>
    Math.max(...[header, ...rows].map((row) => [...row[column]].length)),
  );
  const line = (row) =>
    row
      .map((cell, column) => cell + ' '.repeat(widths[column] - [...cell].length))
      .join('  ')
      .trimEnd();
  return [
    line(header),
    widths.map((width) => '-'.repeat(width)).join('  '),
    ...rows.map(line),
  ].join('\n');
}

export function medians(numerator, denominator, unit = '/s') {
  return `${format(numerator)} ÷ ${format(denominator)}${unit}`;
}

export function writeResults(machine, options, figures, notes) {
  mkdirSync(paths.out, { recursive: true });
  const results = { taken_at: new Date().toISOString(), machine, options, figures, notes };
  writeFileSync(paths.results, `${JSON.stringify(results, null, 2)}\n`);
}

// Figures of groups that did not run stay as they were.
export function keep(machine, figures) {
  const all = { ...readKept() };
  for (const { name, value } of figures) {
    all[name] = Number(value.toPrecision(4));
  }
  writeFileSync(paths.kept, `${JSON.stringify({ machine, figures: all }, null, 2)}\n`);
}
