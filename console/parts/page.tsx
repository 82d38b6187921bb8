import { Anchor, Breadcrumbs, Group, Stack, Text, Title } from '@mantine/core';
import { useEffect, useRef, type ReactNode } from 'react';
import { Link } from 'wouter';

/** A page: its name in the tab and as the one heading of the first level, which takes the focus when one comes to it. */
export function Page({
  title,
  tab = title,
  lead,
  parents = [],
  actions,
  children,
}: {
  title: string;
  /** Its name in the tab, where the heading alone would not tell. */
  tab?: string;
  lead?: ReactNode;
  parents?: readonly { title: string; to: string }[];
  actions?: ReactNode;
  children: ReactNode;
}) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${tab} · ML Pipeline Service`;
    heading.current?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }, [tab]);
  return (
    <Stack gap="lg">
      <div>
        {parents.length > 0 && (
          <Breadcrumbs mb={6} component="nav" aria-label="Path">
            {parents.map((parent) => (
              <Anchor key={parent.to} component={Link} href={parent.to} size="sm">
                {parent.title}
              </Anchor>
            ))}
          </Breadcrumbs>
        )}
        <Group justify="space-between" align="flex-start" gap="md">
          <Title order={1} size="h2" ref={heading} tabIndex={-1} className="page-title">
            {title}
          </Title>
          {actions && <Group gap="xs">{actions}</Group>}
        </Group>
        {lead && (
          <Text component="div" c="dimmed" mt={4} maw={820}>
            {lead}
          </Text>
        )}
      </div>
      {children}
    </Stack>
  );
}
