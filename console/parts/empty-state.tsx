import { Stack, Text } from '@mantine/core';
import type { ReactNode } from 'react';

/** Says that there is nothing, why that may be, and what to do about it. */
export function EmptyState({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <Stack align="center" gap={6} py="xl" px="md" className="empty">
      <Text fw={600}>{title}</Text>
      {children && (
        <Text component="div" size="sm" c="dimmed" ta="center" maw={520}>
          {children}
        </Text>
      )}
    </Stack>
  );
}
