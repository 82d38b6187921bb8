import { Select } from '@mantine/core';
import { useFilter } from '../service/use-filter.js';
import { useRead } from '../service/use-read.js';

/** The model that a page is about, part of its address; the first that is served without one. */
export function useModelChoice(): { model: string | undefined; choice: React.ReactNode } {
  const models = useRead('/models');
  const [chosen, setChosen] = useFilter('model');
  const items = models.data?.items ?? [];
  const model = chosen ?? (items.find(({ serving }) => serving.version) ?? items[0])?.model;
  const choice = (
    <Select
      label="Model"
      data={items.map((one) => one.model)}
      value={model ?? null}
      onChange={setChosen}
      allowDeselect={false}
      w={240}
    />
  );
  return { model, choice };
}
