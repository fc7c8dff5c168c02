// Medians and spreads of runs taken in turn.

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// Runs every side once a round, in the same order (A B C A B C …), so that what the machine does
// meanwhile hits all of them. Returns each side's results in rounds' order.
export async function inTurn(rounds, sides, progress = () => {}) {
  const results = Object.fromEntries(Object.keys(sides).map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, measure] of Object.entries(sides)) {
      const result = await measure(round);
      results[name].push(result);
      progress(name, round, result);
    }
  }
  return results;
}

// One side over another: the medians' ratio, and the least and the most of the rounds' own.
export function ratio(numerators, denominators) {
  const rounds = numerators.map((value, index) => value / denominators[index]);
  return {
    value: median(numerators) / median(denominators),
    low: Math.min(...rounds),
    high: Math.max(...rounds),
    numerators,
    denominators,
  };
}

export function plain(values) {
  return { value: median(values), low: Math.min(...values), high: Math.max(...values), values };
}
