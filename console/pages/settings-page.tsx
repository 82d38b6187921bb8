import { Button, Group, PasswordInput, Stack, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { DataTable } from '../parts/data-table.js';
import { Facts } from '../parts/facts.js';
import { formatName, formatNumber } from '../parts/format-number.js';
import { formatSeconds } from '../parts/format-seconds.js';
import { Loaded } from '../parts/loaded.js';
import { Page } from '../parts/page.js';
import { Panel } from '../parts/panel.js';
import { Status } from '../parts/status.js';
import { keepToken, readToken } from '../service/client.js';
import type { DependencyHealth } from '../service/shapes.js';
import { ROLES, useCaller } from '../service/use-caller.js';
import { LIVE_MS, useRead } from '../service/use-read.js';

export default function SettingsPage() {
  const health = useRead('/health', {}, { everyMs: LIVE_MS });
  return (
    <Page title="Settings">
      <SignIn />
      <Panel title="Service">
        <Loaded of={health}>
          {({ status, version, uptime_seconds: uptime, dependencies, serving }) => (
            <Stack>
              <Facts
                items={[
                  ['State', <Status key="s" state={status} tone={status === 'ok' ? 'good' : 'waiting'} />],
                  ['Release', version],
                  ['Up for', formatSeconds(uptime)],
                  ['Models served', formatNumber(serving.length)],
                ]}
              />
              <DataTable
                caption="What the service depends on"
                rows={Object.entries(dependencies as unknown as Record<string, DependencyHealth>)}
                keyOf={([name]) => name}
                columns={[
                  { title: 'Dependency', isHeading: true, cell: ([name]) => formatName(name) },
                  { title: 'State', cell: ([, one]) => <Status state={one.status} /> },
                  { title: 'Answers in', align: 'right', cell: ([, one]) => `${formatNumber(one.latency_ms)} ms` },
                  { title: 'Affects', cell: ([, one]) => one.affects },
                ]}
              />
            </Stack>
          )}
        </Loaded>
      </Panel>
      <Panel title="Elsewhere">
        <ul>
          <li>
            <a href="/docs">All endpoints of the API</a>
          </li>
          <li>
            <a href="/metrics">Metrics for Prometheus</a>
          </li>
        </ul>
      </Panel>
    </Page>
  );
}

function SignIn() {
  const queries = useQueryClient();
  const caller = useCaller();
  const [token, setToken] = useState(readToken);
  const keep = (value: string) => {
    keepToken(value);
    setToken(value);
    void queries.resetQueries();
  };
  return (
    <Panel title="You" note="The token is kept in this tab only, and sent with every call.">
      <Stack>
        {caller ? (
          <Facts
            items={[
              ['Name', caller.subject],
              ['Role', caller.role],
              ['May do what these may', ROLES.slice(0, ROLES.indexOf(caller.role) + 1).join(', ')],
              ['Models', caller.models?.join(', ')],
            ]}
          />
        ) : (
          <Text size="sm">The service does not know you yet: it asks for a token.</Text>
        )}
        {caller?.subject === 'local' && (
          <Text size="sm" c="dimmed">
            This service asks nobody to sign in: it listens on loopback only.
          </Text>
        )}
        <form
          onSubmit={(event) => {
            event.preventDefault();
            keep(token);
          }}
        >
          <Group align="flex-end">
            <PasswordInput
              label="Token"
              description="A JSON Web Token, as your identity provider gave it, or a service token"
              value={token}
              autoComplete="off"
              w={{ base: '100%', sm: 420 }}
              onChange={(event) => setToken(event.currentTarget.value)}
              visibilityToggleButtonProps={{ 'aria-label': 'Show the token' }}
            />
            <Button type="submit">Use it</Button>
            <Button variant="default" onClick={() => keep('')}>
              Forget it
            </Button>
          </Group>
        </form>
      </Stack>
    </Panel>
  );
}
