import { Group, Text } from '@mantine/core';
import { formatName } from './format-number.js';

const GOOD = [
  'up',
  'ok',
  'completed',
  'promoted',
  'production',
  'passed',
  'safe',
  'concluded',
  'PROMOTE',
  'better',
  'fresh',
  'resolved',
  'intact',
  'repaired',
  'delivered',
];
const BAD = [
  'down',
  'failed',
  'rolled_back',
  'ROLLBACK',
  'harmful',
  'worse',
  'dead',
  'critical',
  'firing',
  'error',
  'missing',
  'broken',
];
const WAITING = [
  'degraded',
  'holding',
  'paused',
  'cancelled',
  'aborted',
  'HOLD',
  'ASK',
  'undecided',
  'warning',
  'expired',
  'stopped',
  'pruned',
  'acknowledged',
  'drifted',
  'not_better',
];
const ACTIVE = ['running', 'queued', 'pending', 'canary', 'shadow', 'candidate'];

/** Good, bad, waiting for somebody, under way, or none of these. */
export type Tone = 'good' | 'bad' | 'waiting' | 'active' | 'plain';

export function toneOf(state: string): Tone {
  if (GOOD.includes(state)) return 'good';
  if (BAD.includes(state)) return 'bad';
  if (WAITING.includes(state)) return 'waiting';
  return ACTIVE.includes(state) ? 'active' : 'plain';
}

/** A state as a word with a dot: the colour says it again, never alone. */
export function Status({ state, tone = toneOf(state) }: { state: string; tone?: Tone }) {
  return (
    <Group gap={8} wrap="nowrap" component="span" display="inline-flex">
      <span className={`dot dot-${tone}`} aria-hidden="true" />
      <Text span inherit>
        {formatName(state)}
      </Text>
    </Group>
  );
}
