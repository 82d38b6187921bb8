/**
 * Fills the gaps of a series for models that need every value: each gap gets the line between its neighbours plus what the same
 * place in the season differs from its own line, on average over the seasons before and after. Ends are filled with the nearest value.
 * @param values NaN where nothing was measured; at least one finite value
 * @param season steps of the shortest season, 1 for none
 * @returns the same array where nothing is missing, else a new one without NaN
 * @throws RangeError where there is no finite value at all
 */
export function fillGaps(values: Float64Array, season: number): Float64Array {
  if (!values.some(Number.isNaN)) return values;
  const line = fillLinearly(values);
  if (season < 2) return line;
  const profile = seasonalProfile(values, season);
  // The line is drawn through what is left without the season, so that a gap over a peak still has its peak.
  const level = fillLinearly(values.map((value, i) => value - profile[i % season]!));
  return values.map((value, i) => (Number.isNaN(value) ? level[i]! + profile[i % season]! : value));
}

function fillLinearly(values: Float64Array): Float64Array {
  const filled = values.slice();
  let before = -1;
  for (let i = 0; i <= values.length; i++) {
    if (i < values.length && Number.isNaN(values[i]!)) continue;
    if (i === values.length && before < 0) throw new RangeError('a series without any value cannot be filled');
    for (let k = before + 1; k < i; k++) {
      if (before < 0) filled[k] = values[i]!;
      else if (i === values.length) filled[k] = values[before]!;
      else filled[k] = values[before]! + ((values[i]! - values[before]!) * (k - before)) / (i - before);
    }
    before = i;
  }
  return filled;
}

/** Mean distance of each place in the season from the mean of its own season; 0 for places never measured. */
function seasonalProfile(values: Float64Array, season: number): Float64Array {
  const sums = new Float64Array(season);
  const counts = new Int32Array(season);
  for (let start = 0; start < values.length; start += season) {
    const part = values.subarray(start, start + season);
    let [sum, count] = [0, 0];
    for (const value of part) {
      if (Number.isNaN(value)) continue;
      sum += value;
      count++;
    }
    // A half-measured season has no mean to compare with.
    if (count * 2 < season) continue;
    part.forEach((value, place) => {
      if (Number.isNaN(value)) return;
      sums[place]! += value - sum / count;
      counts[place]!++;
    });
  }
  return sums.map((sum, place) => (counts[place] === 0 ? 0 : sum / counts[place]!));
}
