import { Loaded } from '../parts/loaded.js';
import { useRead } from '../service/use-read.js';
import { LineagePanel } from './version-lineage.js';

export default function DatasetLineage({ datasetId }: { datasetId: string }) {
  const graph = useRead('/lineage/datasets/{dataset_id}', { path: { dataset_id: datasetId } });
  return <Loaded of={graph}>{(shown) => <LineagePanel graph={shown} />}</Loaded>;
}
