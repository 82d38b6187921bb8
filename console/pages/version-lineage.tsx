import { Group, Text } from '@mantine/core';
import { AppLink, pathTo } from '../parts/app-link.js';
import { ChartPanel } from '../parts/chart-panel.js';
import { DataTable } from '../parts/data-table.js';
import { formatName } from '../parts/format-number.js';
import { LineageChart } from '../parts/lineage-chart.js';
import { Loaded } from '../parts/loaded.js';
import type { components } from '../service/client.js';
import type { Version } from '../service/shapes.js';
import { useRead } from '../service/use-read.js';

type Graph = components['schemas']['LineageGraph'];

/** From the version to all that it came from, and to what it answered. */
export default function VersionLineage({ version: { model, version } }: { version: Version }) {
  const graph = useRead('/lineage/models/{model}/versions/{version}', { path: { model, version } });
  return <Loaded of={graph}>{(shown) => <LineagePanel graph={shown} />}</Loaded>;
}

export function LineagePanel({ graph }: { graph: Graph }) {
  return (
    <ChartPanel
      title="Lineage"
      note="What came of what, from left to right"
      rows={graph.edges.map(({ from, to, relation }) => ({ from, relation, to }))}
    >
      <LineageChart graph={graph} />
      <Group mt="md">
        <Text size="sm" c="dimmed">
          {graph.nodes.length} things, {graph.edges.length} relations
        </Text>
      </Group>
      <DataTable
        caption="Things in the lineage"
        rows={graph.nodes}
        keyOf={({ id }) => id}
        columns={[
          { title: 'Kind', cell: ({ kind }) => formatName(kind) },
          { title: 'Name', isHeading: true, cell: (node) => <NodeLink node={node} /> },
        ]}
      />
    </ChartPanel>
  );
}

function NodeLink({ node: { id, kind } }: { node: Graph['nodes'][number] }) {
  const name = id.slice(id.indexOf(':') + 1);
  if (kind === 'job') return <AppLink to={pathTo.job(name)}>{name}</AppLink>;
  if (kind === 'dataset') return <AppLink to={pathTo.dataset(name)}>{name}</AppLink>;
  if (kind === 'version') {
    const [model = '', version = ''] = name.split('/');
    return <AppLink to={pathTo.version(model, version)}>{`${model} ${version}`}</AppLink>;
  }
  return <>{name}</>;
}
