import { crc32 } from '../model-format.js';
import type { Strength } from './interactions.js';
import type { ItemAttributes } from './item-attributes.js';
import type { ItemWeights } from './item-weights.js';
import type { Preference, RecommendMethod, Recommender } from './recommender.js';
import { refuse, SectionReader, SectionWriter } from './sections.js';

/*
 * Layout, little-endian. Header of 96 bytes: magic "MLPSREC\0", u32 version, u32 crc32 of all bytes after it, u32 length of all
 * bytes, u32 method, u32 strength, u32 items, u32 entries of item weights, u32 factors, u32 attributes, u32 entries of
 * attributes, u32 points of the calibration, u32 reserved (0), f64 half-life of histories (Infinity allowed), f64 weight of
 * popularity, f64 weight of content, f64 regularisation and f64 alpha of the factors (0 without). Then, without gaps:
 *   calibration f64 x points, f64 y points | popularity f32 x items
 *   item weights: offsets u32 x (items + 1), items u32 x entries, weights f32 x entries (nothing without)
 *   factors f32 x items * factors
 *   attributes: offsets u32 x (items + 1), attributes u32 x entries, values f32 x entries (nothing where attributes = 0)
 */
const MAGIC = [0x4d, 0x4c, 0x50, 0x53, 0x52, 0x45, 0x43, 0];
const VERSION = 1;
const HEADER_BYTES = 96;
const METHODS: readonly RecommendMethod[] = ['most-popular', 'item-neighbours', 'ease', 'implicit-als'];
const STRENGTHS: readonly Strength[] = ['presence', 'log'];

interface Layout {
  items: number;
  entries: number;
  factors: number;
  attributes: number;
  attributeEntries: number;
  points: number;
  hasWeights: boolean;
}

function bytesOf({ items, entries, factors, attributes, attributeEntries, points, hasWeights }: Layout): number {
  const weights = hasWeights ? 4 * (items + 1) + 8 * entries : 0;
  const content = attributes > 0 ? 4 * (items + 1) + 8 * attributeEntries : 0;
  return HEADER_BYTES + 16 * points + 4 * items + weights + 4 * items * factors + content;
}

/** Writes a recommender as bytes that `decodeRecommender` reads back to the bit. */
export function encodeRecommender(model: Recommender): Uint8Array {
  const { preference, attributes, calibration } = model;
  const weights = preference.kind === 'weights' ? preference.weights : undefined;
  const factors = preference.kind === 'factors' ? preference.factors : undefined;
  const layout: Layout = {
    items: model.items,
    entries: weights?.item.length ?? 0,
    factors: factors?.factors ?? 0,
    attributes: attributes?.attributes ?? 0,
    attributeEntries: attributes?.attribute.length ?? 0,
    points: calibration?.x.length ?? 0,
    hasWeights: weights !== undefined,
  };
  const bytes = new Uint8Array(bytesOf(layout));
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  const { items, entries, points } = layout;
  const words = [METHODS.indexOf(model.method), STRENGTHS.indexOf(model.reading.strength), items, entries];
  words.push(layout.factors, layout.attributes, layout.attributeEntries, points, 0);
  view.setUint32(8, VERSION, true);
  view.setUint32(16, bytes.length, true);
  words.forEach((word, k) => view.setUint32(20 + 4 * k, word, true));
  const numbers = [model.reading.halfLife, model.popularityWeight, model.contentWeight];
  numbers.push(factors?.regularization ?? 0, factors?.alpha ?? 0);
  numbers.forEach((number, k) => view.setFloat64(56 + 8 * k, number, true));
  const writer = new SectionWriter(view, HEADER_BYTES);
  writer.doubles(calibration?.x ?? []);
  writer.doubles(calibration?.y ?? []);
  writer.floats(model.popularity);
  if (weights) writer.rows(weights.offsets, weights.item, weights.weight);
  if (factors) writer.floats(factors.values);
  if (attributes && attributes.attributes > 0) writer.rows(attributes.offsets, attributes.attribute, attributes.value);
  view.setUint32(12, crc32(bytes.subarray(16)), true);
  return bytes;
}

/**
 * Reads a recommender. Every index and every number is checked, so that bytes from elsewhere can give wrong recommendations but
 * no reads outside of the arrays and no NaN.
 * @throws ModelFormatError for bytes that are no recommender, are of another version or were damaged
 */
export function decodeRecommender(bytes: Uint8Array): Recommender {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const layout = readLayout(bytes, view);
  const { items } = layout;
  const method = METHODS[view.getUint32(20, true)] ?? refuse(`it has the method ${view.getUint32(20, true)}`);
  const strength = STRENGTHS[view.getUint32(24, true)] ?? refuse(`it has the strength ${view.getUint32(24, true)}`);
  const halfLife = view.getFloat64(56, true);
  if (!(halfLife > 0)) refuse(`it has the half-life ${halfLife}`);
  const [popularityWeight, contentWeight, regularization, alpha] = [64, 72, 80, 88].map((at) => {
    const number = view.getFloat64(at, true);
    return number >= 0 && number < 1e6 ? number : refuse(`it has the weight ${number}`);
  }) as [number, number, number, number];
  const reader = new SectionReader(view, HEADER_BYTES);
  const calibration = readCalibration(reader, layout.points);
  const popularity = reader.floats(items);
  if (popularity.some((value) => !(value >= 0 && value <= 1))) refuse('a popularity is outside of 0 to 1');
  let preference: Preference = { kind: 'none' };
  if (layout.hasWeights) {
    const { offsets, columns, values } = reader.rows(items, items, layout.entries);
    const weights: ItemWeights = { items, offsets, item: columns, weight: values };
    preference = { kind: 'weights', weights };
  } else if (layout.factors > 0) {
    const factors = { items, factors: layout.factors, values: reader.floats(items * layout.factors) };
    if (!(regularization > 0 && alpha > 0)) refuse('its factors have no regularisation or no alpha');
    preference = { kind: 'factors', factors: { ...factors, regularization, alpha } };
  }
  let attributes: ItemAttributes | undefined;
  if (layout.attributes > 0) {
    const { offsets, columns, values } = reader.rows(items, layout.attributes, layout.attributeEntries);
    attributes = { items, attributes: layout.attributes, offsets, attribute: columns, value: values };
  }
  const reading = { strength, halfLife };
  return { method, items, preference, reading, popularity, popularityWeight, contentWeight, attributes, calibration };
}

function readLayout(bytes: Uint8Array, view: DataView): Layout {
  if (bytes.length < HEADER_BYTES) refuse(`it has ${bytes.length} bytes, its header alone ${HEADER_BYTES}`);
  if (MAGIC.some((byte, at) => bytes[at] !== byte)) refuse('it does not begin with the magic of a recommender');
  const version = view.getUint32(8, true);
  if (version !== VERSION) refuse(`it has the format version ${version}, this program reads version ${VERSION}`);
  const length = view.getUint32(16, true);
  if (length !== bytes.length) refuse(`it says it has ${length} bytes, but there are ${bytes.length}`);
  if (view.getUint32(12, true) !== crc32(bytes.subarray(16))) refuse('its checksum is wrong, so it was damaged');
  const word = (k: number): number => view.getUint32(20 + 4 * k, true);
  const method = METHODS[word(0)];
  const layout: Layout = {
    items: word(2),
    entries: word(3),
    factors: word(4),
    attributes: word(5),
    attributeEntries: word(6),
    points: word(7),
    hasWeights: method === 'item-neighbours' || method === 'ease',
  };
  // A square of this many numbers is made for each request, and nothing else in the bytes bounds it.
  if (layout.factors > 512) refuse(`it has ${layout.factors} factors, more than 512`);
  if (layout.attributes > 1_000_000) refuse(`it has ${layout.attributes} attributes, more than 1,000,000`);
  if ((method === 'implicit-als') !== layout.factors > 0) refuse(`it has ${layout.factors} factors for ${method}`);
  const expected = bytesOf(layout);
  if (expected !== length) refuse(`its sections need ${expected} bytes, but there are ${length}`);
  return layout;
}

function readCalibration(reader: SectionReader, points: number): Recommender['calibration'] {
  const [x, y] = [Array.from(reader.doubles(points)), Array.from(reader.doubles(points))];
  for (let k = 0; k < points; k++) {
    const isRising = k === 0 || (x[k]! > x[k - 1]! && y[k]! >= y[k - 1]!);
    if (!(isRising && x[k]! >= 0 && y[k]! >= 0 && y[k]! <= 1 && Number.isFinite(x[k])))
      refuse(`point ${k} of its calibration is ${x[k]}, ${y[k]}`);
  }
  return points > 0 ? { x, y } : undefined;
}
