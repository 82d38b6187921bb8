import { Select } from '@mantine/core';
import { useFilter } from '../service/use-filter.js';
import { useRead } from '../service/use-read.js';

/** The model that a page is about, part of its address; without one the first that is served, or all where they can be shown together. */
export function useModelChoice({ isOptional = false } = {}): { model: string | undefined; choice: React.ReactNode } {
  const models = useRead('/models');
  const [chosen, setChosen] = useFilter('model');
  const items = models.data?.items ?? [];
  const first = isOptional ? undefined : (items.find(({ serving }) => serving.version) ?? items[0]);
  const model = chosen ?? first?.model;
  const choice = (
    <Select
      label="Model"
      data={items.map((one) => one.model)}
      value={model ?? null}
      onChange={setChosen}
      placeholder="all"
      clearable={isOptional}
      allowDeselect={isOptional}
      w={240}
    />
  );
  return { model, choice };
}
