import { decodeCompactNetwork } from '../compact/compact-network.js';
import { isPacked } from '../compact/packed-file.js';
import { crc32, refuseModel } from '../model-format.js';
import { describeMarkovProblem } from './markov-chain.js';
import type { MarkovChain, MarkovDescription } from './markov-chain.js';
import { describeSequenceProblem, layOutSequence } from './sequence-network.js';
import type { SequenceDescription, SequenceNetwork } from './sequence-network.js';
import { describeAutoencoderProblem } from './autoencoder.js';
import type { Autoencoder, AutoencoderDescription } from './autoencoder.js';
import { describeTabularProblem, layOutTabular } from './tabular-network.js';
import type { TabularDescription, TabularNetwork } from './tabular-network.js';

/** What a file can hold. */
export type StoredNetwork = TabularNetwork | Autoencoder | SequenceNetwork | MarkovChain;

type Description = TabularDescription | AutoencoderDescription | SequenceDescription | MarkovDescription;

/*
 * Layout, little-endian. Header of 32 bytes: magic "MLPSNN\0\0", u32 version, u32 crc32 of all bytes after it, u32 length of all
 * bytes, u32 bytes of the description, u32 numbers, u32 codes. Then, each beginning at a multiple of 4:
 *   description as JSON in UTF-8 | numbers f32 (weights or counts) | codes i32 (contexts of a chain)
 * The shapes of all weights follow from the description, so that a file cannot contradict itself about them.
 */
const MAGIC = [0x4d, 0x4c, 0x50, 0x53, 0x4e, 0x4e, 0, 0];
const VERSION = 1;
const HEADER_BYTES = 32;

const align = (at: number): number => Math.ceil(at / 4) * 4;

/** Writes a network or chain as bytes: 4 a number and some hundred more. The same one always gives the same bytes. */
export function encodeNetwork(network: StoredNetwork): Uint8Array {
  if ('packed' in network && network.packed) return network.packed;
  const text = new TextEncoder().encode(JSON.stringify(network.description));
  const numbers = 'weights' in network ? network.weights : network.counts;
  const codes = 'codes' in network ? network.codes : new Int32Array(0);
  const start = align(HEADER_BYTES + text.length);
  const bytes = new Uint8Array(start + 4 * (numbers.length + codes.length));
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  const header = [VERSION, 0, bytes.length, text.length, numbers.length, codes.length];
  header.forEach((value, i) => view.setUint32(8 + 4 * i, value, true));
  bytes.set(text, HEADER_BYTES);
  numbers.forEach((value, i) => view.setFloat32(start + 4 * i, value, true));
  codes.forEach((value, i) => view.setInt32(start + 4 * (numbers.length + i), value, true));
  view.setUint32(12, crc32(bytes.subarray(16)), true);
  return bytes;
}

/**
 * Reads a network or chain back, bit for bit. Nothing in the bytes is executed, and nothing is trusted: the checksum, the
 * description, every size and every number are checked before use.
 * @throws ModelFormatError saying what is wrong
 */
export function decodeNetwork(bytes: Uint8Array): StoredNetwork {
  if (isPacked(bytes)) return decodeCompactNetwork(bytes, describeTabularProblem, refuse);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sizes = readHeader(bytes, view);
  const start = align(HEADER_BYTES + sizes.text);
  const description = readDescription(bytes.subarray(HEADER_BYTES, HEADER_BYTES + sizes.text));
  const numbers = Float32Array.from({ length: sizes.numbers }, (_, i) => view.getFloat32(start + 4 * i, true));
  const wrong = numbers.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) refuse(`its number ${wrong} is ${numbers[wrong]}`);
  const codes = Int32Array.from({ length: sizes.codes }, (_, i) =>
    view.getInt32(start + 4 * (sizes.numbers + i), true),
  );
  return assemble(description, numbers, codes);
}

function refuse(what: string): never {
  return refuseModel('network', what);
}

function readHeader(bytes: Uint8Array, view: DataView): { text: number; numbers: number; codes: number } {
  if (bytes.length < HEADER_BYTES) refuse(`it has ${bytes.length} bytes, the header alone has ${HEADER_BYTES}`);
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) refuse('it does not begin with the magic of a network');
  const number = (index: number): number => view.getUint32(8 + 4 * index, true);
  if (number(0) !== VERSION) refuse(`it has format version ${number(0)}, this program reads version ${VERSION}`);
  if (number(2) !== bytes.length)
    refuse(`it says it has ${number(2)} bytes but has ${bytes.length}: it was cut short or added to`);
  const sizes = { text: number(3), numbers: number(4), codes: number(5) };
  const end = align(HEADER_BYTES + sizes.text) + 4 * (sizes.numbers + sizes.codes);
  if (end !== bytes.length) refuse(`its sections need ${end} bytes but it has ${bytes.length}`);
  if (crc32(bytes.subarray(16)) !== number(1))
    refuse('its checksum does not match: it was damaged after it was written');
  return sizes;
}

function readDescription(text: Uint8Array): Description {
  try {
    const description: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text));
    if (typeof description === 'object' && description !== null) return description as Description;
  } catch {
    // Said below, in the words of all other faults.
  }
  return refuse('its description is no JSON object');
}

function assemble(description: Description, numbers: Float32Array, codes: Int32Array): StoredNetwork {
  if (description.kind === 'markov') {
    const chain = { description, codes, counts: numbers };
    const problem = describeMarkovProblem(chain);
    return problem === undefined ? chain : refuse(problem);
  }
  if (codes.length > 0) refuse(`it has ${codes.length} codes, which only a chain has`);
  const problem = describeProblem(description);
  if (problem !== undefined) refuse(problem);
  const { size } =
    description.kind === 'sequence'
      ? layOutSequence(description)
      : layOutTabular(description.kind === 'autoencoder' ? description.network : description);
  if (size !== numbers.length) refuse(`its description needs ${size} weights, it has ${numbers.length}`);
  return { description, weights: numbers } as StoredNetwork;
}

function describeProblem(description: Exclude<Description, MarkovDescription>): string | undefined {
  switch (description.kind) {
    case 'tabular':
      return describeTabularProblem(description);
    case 'autoencoder':
      return describeAutoencoderProblem(description);
    case 'sequence':
      return describeSequenceProblem(description);
    default:
      return `it is of the kind ${JSON.stringify((description as { kind?: unknown }).kind)}, which this program does not know`;
  }
}
