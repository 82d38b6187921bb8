import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useState } from 'react';
import { cellsOf, type RowValues } from '../parts/cells-of.js';

/**
 * Opens a form with the cells of a row in quarantine. Nothing is sent yet: what was changed is kept until the replay.
 * @param content the row as it was in the source; where it is a JSON object its cells stand in the form
 */
export function CorrectRowButton({
  row,
  columns,
  content,
  values,
  onChange,
}: {
  row: number;
  columns: readonly string[];
  content: string;
  /** What was changed before. */
  values: RowValues | undefined;
  /** @param values undefined where nothing differs any more */
  onChange: (values: RowValues | undefined) => void;
}) {
  const [isOpen, { open, close }] = useDisclosure(false);
  const [typed, setTyped] = useState<RowValues>({});
  const before = cellsOf(content);
  const shown = (column: string) => typed[column] ?? before[column] ?? '';
  const keep = () => {
    const changed = Object.entries(typed).filter(([column, text]) => text !== (before[column] ?? ''));
    onChange(changed.length > 0 ? Object.fromEntries(changed) : undefined);
    close();
  };
  return (
    <>
      <Button
        size="compact-xs"
        variant="default"
        aria-label={`Correct row ${row}`}
        onClick={() => {
          setTyped(values ?? {});
          open();
        }}
      >
        {values ? 'Change' : 'Correct'}
      </Button>
      <Modal opened={isOpen} onClose={close} title={`Correct row ${row}`} size="lg">
        <form
          onSubmit={(event) => {
            event.preventDefault();
            keep();
          }}
        >
          <Stack gap="xs">
            <Text size="sm" c="dimmed">
              Only cells that you change are replaced. The replay checks the row again.
            </Text>
            {columns.map((column) => (
              <TextInput
                key={column}
                label={column}
                value={shown(column)}
                onChange={(event) => setTyped({ ...typed, [column]: event.currentTarget.value })}
              />
            ))}
            <Group justify="flex-end">
              {values && (
                <Button
                  variant="default"
                  onClick={() => {
                    onChange(undefined);
                    close();
                  }}
                >
                  As it was
                </Button>
              )}
              <Button type="submit">Keep for the replay</Button>
            </Group>
          </Stack>
        </form>
      </Modal>
    </>
  );
}
