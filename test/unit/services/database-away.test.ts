import { describe, expect, it } from 'vitest';
import { isDatabaseAway } from '../../../services/database/database.js';

describe('a failure of the database', () => {
  it.each([
    [
      'a reset in the middle of a call',
      Object.assign(new Error('Server has closed the connection.'), { code: 'P1017' }),
    ],
    ['the same from the driver', new Error('server closed the connection unexpectedly')],
    ['a full disk', Object.assign(new Error('could not extend file'), { code: '53100' })],
    ['no memory left', Object.assign(new Error('out of memory'), { code: '53200' })],
    [
      'a restart, as the cause of another',
      new Error('no rows', { cause: new Error('the database system is starting up') }),
    ],
  ])('counts as its being away: %s', (_name, error) => {
    expect(isDatabaseAway(error)).toBe(true);
  });

  it.each([
    ['a row that breaks a rule', Object.assign(new Error('duplicate key value'), { code: '23505' })],
    ['a value out of range', Object.assign(new Error('value 1531007 is out of range'), { code: '22003' })],
  ])('counts as an answer: %s', (_name, error) => {
    expect(isDatabaseAway(error)).toBe(false);
  });
});
