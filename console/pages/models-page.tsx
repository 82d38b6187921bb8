import { Loaded } from '../parts/loaded.js';
import { Page } from '../parts/page.js';
import { LIVE_MS, useRead } from '../service/use-read.js';
import { ModelTable } from './overview-page.js';
import { TrainButton } from './train-button.js';

export default function ModelsPage() {
  const models = useRead('/models', {}, { everyMs: LIVE_MS });
  return (
    <Page
      title="Models"
      lead="Each entry of models/config.yaml, the version that answers, and the newest one."
      actions={<TrainButton models={models.data?.items.map(({ model }) => model) ?? []} />}
    >
      <Loaded of={models} lines={6}>
        {({ items }) => <ModelTable models={items} />}
      </Loaded>
    </Page>
  );
}
