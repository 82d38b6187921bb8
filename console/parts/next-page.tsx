import { Button, Group } from '@mantine/core';
import { useFilter } from '../service/use-filter.js';

const OF_LISTS = { first: 'Newest', next: 'Older' };
/** Of what has the order of its source. */
export const OF_ROWS = { first: 'First rows', next: 'Next rows' };

/** Leads to further entries of a list and back to its beginning. */
export function NextPage({ cursor, words = OF_LISTS }: { cursor: string | null; words?: typeof OF_LISTS }) {
  const [here, setCursor] = useFilter('cursor');
  if (!cursor && !here) return null;
  return (
    <Group>
      {here && (
        <Button variant="default" size="xs" onClick={() => setCursor(null)}>
          {words.first}
        </Button>
      )}
      {cursor && (
        <Button variant="default" size="xs" onClick={() => setCursor(cursor)}>
          {words.next}
        </Button>
      )}
    </Group>
  );
}
