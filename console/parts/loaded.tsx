import { Skeleton, Stack, VisuallyHidden } from '@mantine/core';
import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { Problem } from './problem.js';

/** What was read, or that it is being read, or why it could not be. */
export function Loaded<T>({
  of,
  lines = 4,
  children,
}: {
  of: UseQueryResult<T>;
  lines?: number;
  children: (data: T) => ReactNode;
}) {
  if (of.data !== undefined) return <>{children(of.data)}</>;
  if (of.error) return <Problem error={of.error} onRetry={() => void of.refetch()} />;
  return (
    <Stack gap="sm" role="status">
      <VisuallyHidden>Loading</VisuallyHidden>
      {Array.from({ length: lines }, (_, line) => (
        <Skeleton key={line} height={28} radius="sm" />
      ))}
    </Stack>
  );
}
