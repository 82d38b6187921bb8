import fc from 'fast-check';

/** Texts that have broken parsers, databases, paths, logs and terminals of others. */
const HOSTILE_TEXTS = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\u{FFFF}',
  '\uD800',
  '\uDC00\uD800',
  '\u202Etxt.exe',
  '\u2028',
  '\r\nX-Injected: 1',
  '\u001B[2J',
  '😀'.repeat(50),
  "' OR 1=1; DROP TABLE jobs; --",
  '" ; SELECT pg_sleep(5) --',
  "read_csv('/etc/passwd')",
  '../../../../etc/passwd',
  '..',
  '%2e%2e%2f',
  'C:\\Windows',
  '/dev/zero',
  'file:///etc/passwd',
  'postgresql://localhost/mlops',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '${jndi:ldap://x}',
  '{{7*7}}',
  '=cmd|A1',
  '<script>alert(1)</script>',
  'NaN',
  'Infinity',
  '1e400',
  '-0',
  '0x7f',
  '2024-02-30T25:61:61Z',
  '+275761-01-01T00:00:00Z',
  '-000001-01-01T00:00:00Z',
  '0000-00-00',
  'v99999999999999999999.0.0',
  'a'.repeat(10_000),
  `${'a'.repeat(40)}!`,
  '('.repeat(200),
];

const HOSTILE_NUMBERS = [
  0,
  -0,
  -1,
  1.5,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31) - 1,
  2 ** 53 - 1,
  2 ** 53,
  2 ** 63,
  1e-320,
  5e-324,
  1e308,
  -1e308,
];

const nested = (depth: number): unknown =>
  Array.from({ length: depth }).reduce<unknown>((inner) => ({ a: [inner] }), 1);

export const hostileText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...HOSTILE_TEXTS),
  fc.string({ unit: 'binary', maxLength: 40 }),
);

/** Values that a schema rarely means; as they are in JSON. */
export const hostileValue: fc.Arbitrary<unknown> = fc.oneof(
  hostileText,
  fc.constantFrom<unknown>(...HOSTILE_NUMBERS),
  fc.constantFrom<unknown>(null, true, false, [], {}, [[]], [null], nested(20), nested(500)),
  fc.constant(Array.from({ length: 3000 }, (_, at) => at)),
  fc.constant(Object.fromEntries(Array.from({ length: 2000 }, (_, at) => [`key_${at}`, at]))),
  fc.jsonValue({ maxDepth: 3 }),
);

/** Names that no object of ours may take from outside. */
export const hostileKey = fc.constantFrom('__proto__', 'constructor', 'prototype', 'toString', 'unknown_key', '', '\0');
