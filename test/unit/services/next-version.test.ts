import { expect, it } from 'vitest';
import { nextVersion } from '../../../services/registry/register-version.js';

const signature = [
  { name: 'a', type: 'number' },
  { name: 'b', type: 'category', categories: ['x'] },
];
const after = (version: string, features = signature) => nextVersion({ version, signature: { features } }, signature);

it('the first version is v1.0.0', () => {
  expect(nextVersion(undefined, signature)).toBe('v1.0.0');
});

it('a training with the same features counts the minor number, in numbers and not in letters', () => {
  expect([after('v1.0.0'), after('v1.9.0'), after('v3.10.4')]).toEqual(['v1.1.0', 'v1.10.0', 'v3.11.0']);
  expect(after('v1.0.0', signature.toReversed())).toBe('v1.1.0');
  expect(after('v1.0.0', [signature[0]!, { ...signature[1]!, categories: ['x', 'y'] }])).toBe('v1.1.0');
});

it('other features, or other types of them, count the major number', () => {
  expect(after('v1.4.0', signature.slice(1))).toBe('v2.0.0');
  expect(after('v9.0.0', [{ name: 'a', type: 'date' }, signature[1]!])).toBe('v10.0.0');
});
