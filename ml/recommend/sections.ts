import { ModelFormatError } from '../model-format.js';

/** @throws ModelFormatError always */
export function refuse(reason: string): never {
  throw new ModelFormatError(`This is no recommender that can be read: ${reason}.`);
}

/** Writes arrays of numbers one after the other, little-endian. */
export class SectionWriter {
  constructor(
    private readonly view: DataView,
    private at: number,
  ) {}

  doubles(values: ArrayLike<number>): void {
    for (let k = 0; k < values.length; k++, this.at += 8) this.view.setFloat64(this.at, values[k]!, true);
  }

  floats(values: ArrayLike<number>): void {
    for (let k = 0; k < values.length; k++, this.at += 4) this.view.setFloat32(this.at, values[k]!, true);
  }

  words(values: ArrayLike<number>): void {
    for (let k = 0; k < values.length; k++, this.at += 4) this.view.setUint32(this.at, values[k]!, true);
  }

  rows(offsets: Int32Array, columns: Int32Array, values: Float32Array): void {
    this.words(offsets);
    this.words(columns);
    this.floats(values);
  }
}

/** Reads what a `SectionWriter` wrote, and refuses what is out of range. */
export class SectionReader {
  constructor(
    private readonly view: DataView,
    private at: number,
  ) {}

  doubles(count: number): Float64Array {
    const values = new Float64Array(count);
    for (let k = 0; k < count; k++, this.at += 8) values[k] = this.view.getFloat64(this.at, true);
    return values;
  }

  floats(count: number): Float32Array {
    const values = new Float32Array(count);
    for (let k = 0; k < count; k++, this.at += 4) {
      values[k] = this.view.getFloat32(this.at, true);
      // Sums of larger ones could overflow.
      if (!(Math.abs(values[k]!) < 1e6)) refuse(`the number at byte ${this.at} is ${values[k]}`);
    }
    return values;
  }

  /** Compressed sparse rows: offsets that rise from 0 to the number of entries, and columns that rise in each row. */
  rows(
    rows: number,
    columns: number,
    entries: number,
  ): { offsets: Int32Array; columns: Int32Array; values: Float32Array } {
    const { offsets, columns: list } = this.pattern(rows, columns, entries, true);
    return { offsets, columns: list, values: this.floats(entries) };
  }

  /** The offsets and columns alone; with `isRising` the columns of a row must stand ascending. */
  pattern(
    rows: number,
    columns: number,
    entries: number,
    isRising: boolean,
  ): { offsets: Int32Array; columns: Int32Array } {
    const offsets = this.words(rows + 1);
    if (offsets[0] !== 0 || offsets[rows] !== entries) refuse(`its rows end at ${offsets[rows]} of ${entries} entries`);
    const list = this.words(entries);
    for (let row = 0; row < rows; row++) {
      const [start, end] = [offsets[row]!, offsets[row + 1]!];
      if (!(end >= start && end <= entries)) refuse(`row ${row} goes from ${start} to ${end}`);
      for (let at = start; at < end; at++) {
        const isInOrder = !isRising || at === start || list[at]! > list[at - 1]!;
        if (!(isInOrder && list[at]! >= 0 && list[at]! < columns))
          refuse(`row ${row} has the column ${list[at]} of ${columns}`);
      }
    }
    return { offsets, columns: list };
  }

  private words(count: number): Int32Array {
    const values = new Int32Array(count);
    for (let k = 0; k < count; k++, this.at += 4) values[k] = this.view.getUint32(this.at, true);
    return values;
  }
}
