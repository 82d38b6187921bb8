import { Button, Group } from '@mantine/core';
import { useFilter } from '../service/use-filter.js';

/** Leads to older entries of a list and back to its beginning. */
export function NextPage({ cursor }: { cursor: string | null }) {
  const [here, setCursor] = useFilter('cursor');
  if (!cursor && !here) return null;
  return (
    <Group>
      {here && (
        <Button variant="default" size="xs" onClick={() => setCursor(null)}>
          Newest
        </Button>
      )}
      {cursor && (
        <Button variant="default" size="xs" onClick={() => setCursor(cursor)}>
          Older
        </Button>
      )}
    </Group>
  );
}
