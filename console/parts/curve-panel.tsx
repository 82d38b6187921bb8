import { Select } from '@mantine/core';
import { useState, type ReactNode } from 'react';
import { ChartPanel } from './chart-panel.js';
import { formatName } from './format-number.js';
import { SeriesChart } from './series-chart.js';
import type { ChartRow } from './to-csv.js';

export interface Curve {
  name: string;
  note?: ReactNode;
  rows: readonly ChartRow[];
  lines: readonly string[];
}

/** Curves of runs, one at a time: a training may have dozens. */
export function CurvePanel({ title, curves }: { title: string; curves: readonly Curve[] }) {
  const [chosen, setChosen] = useState<string | null>(null);
  const curve = curves.find(({ name }) => name === chosen) ?? curves.at(-1);
  if (!curve) return null;
  return (
    <ChartPanel
      title={title}
      note={curve.note}
      rows={curve.rows}
      actions={
        <Select
          aria-label="Curve"
          size="xs"
          w={320}
          searchable
          allowDeselect={false}
          data={curves.map(({ name }) => ({ value: name, label: formatName(name) }))}
          value={curve.name}
          onChange={setChosen}
        />
      }
    >
      <SeriesChart label={formatName(curve.name)} rows={curve.rows} x="step" lines={curve.lines} />
    </ChartPanel>
  );
}
