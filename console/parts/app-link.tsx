import { Anchor, Button, type ButtonProps } from '@mantine/core';
import type { ReactNode } from 'react';
import { Link } from 'wouter';

/** A link to a page of the console. */
export function AppLink({ to, children, fw }: { to: string; children: ReactNode; fw?: number }) {
  return (
    <Anchor component={Link} href={to} inherit fw={fw}>
      {children}
    </Anchor>
  );
}

/** The same where it is the thing to do next. */
export function ButtonLink({ to, children, ...props }: ButtonProps & { to: string }) {
  return (
    <Button component={Link} href={to} {...props}>
      {children}
    </Button>
  );
}

const part = encodeURIComponent;
/** The addresses of things. */
export const pathTo = {
  model: (model: string) => `/models/${part(model)}`,
  version: (model: string, version: string) => `/models/${part(model)}/versions/${part(version)}`,
  compare: (model: string, a: string, b: string) => `/models/${part(model)}/compare/${part(a)}/${part(b)}`,
  alert: (id: string) => `/alerts/${part(id)}`,
  repair: (id: string) => `/repairs/${part(id)}`,
  drift: (model: string) => `/drift?model=${part(model)}`,
  job: (id: string) => `/jobs/${part(id)}`,
  rollout: (id: string) => `/rollouts/${part(id)}`,
  experiment: (id: string) => `/experiments/${part(id)}`,
  dataset: (id: string) => `/datasets/${part(id)}`,
  sweep: (id: string) => `/sweeps/${part(id)}`,
  run: (id: string) => `/runs/${part(id)}`,
  view: (name: string) => `/features/${part(name)}`,
};
