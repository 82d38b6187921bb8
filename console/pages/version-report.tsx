import { Anchor, Button, Group, Stack, Text } from '@mantine/core';
import { downloadFile } from '../parts/chart-panel.js';
import { Problem } from '../parts/problem.js';
import { readToken, sendSigned } from '../service/client.js';
import { useSend } from '../service/use-send.js';
import type { Version } from '../service/shapes.js';

/** The report that the service draws: in a frame where the browser may fetch it, else as a file, as a frame sends no token. */
export default function VersionReport({ version }: { version: Version }) {
  const address = `/models/${encodeURIComponent(version.model)}/versions/${encodeURIComponent(version.version)}/report`;
  const isOpen = readToken() === '';
  const saving = useSend(async () => {
    const response = await sendSigned(address, { headers: { accept: 'text/html' } });
    if (!response.ok) throw new Error(`the service answered ${response.status}`);
    downloadFile(`report-${version.model}-${version.version}.html`, 'text/html', await response.blob());
  });
  return (
    <Stack>
      <Group>
        {isOpen && (
          <Anchor href={address} target="_blank" rel="noreferrer">
            Open the report in a tab of its own
          </Anchor>
        )}
        <Button variant="default" size="xs" loading={saving.isPending} onClick={() => saving.mutate(undefined)}>
          Save the report
        </Button>
      </Group>
      {saving.error && <Problem error={saving.error} />}
      {isOpen ? (
        <iframe className="report" src={address} title={`Report of ${version.model} ${version.version}`} />
      ) : (
        <Text c="dimmed">Signed in by a token, the report comes as a file: it opens in any browser.</Text>
      )}
    </Stack>
  );
}
