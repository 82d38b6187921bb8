import { List, Stack, Text } from '@mantine/core';
import { ChartPanel } from '../parts/chart-panel.js';
import { ContributionBars } from '../parts/contribution-bars.js';
import { Facts } from '../parts/facts.js';
import { formatName, formatNumber, formatPercent, formatValue } from '../parts/format-number.js';
import { JsonView } from '../parts/json-view.js';
import { Panel } from '../parts/panel.js';
import { SeriesChart } from '../parts/series-chart.js';
import type { Prediction } from '../service/shapes.js';

const MOST_BARS = 12;

export function PredictionAnswer({ prediction, kind }: { prediction: Prediction; kind: string }) {
  const simple = Object.entries(prediction.predictions).filter(
    ([, value]) => value === null || typeof value !== 'object',
  );
  return (
    <Stack gap="lg" aria-live="polite">
      <Panel title="Answer" note={prediction.prediction_id}>
        <Stack>
          <Facts
            items={[
              ...simple.map(
                ([name, value]) => [formatName(name), <strong key={name}>{formatValue(value)}</strong>] as const,
              ),
              ...Object.entries(prediction.confidence_scores).map(
                ([head, score]) => [`${formatName(head)}: chance to be right`, formatPercent(score)] as const,
              ),
            ]}
          />
          {(prediction.warnings ?? []).map(({ path, message }) => (
            <Text key={path + message} size="sm">
              <strong>{path}</strong>: {message}
            </Text>
          ))}
          <Lists predictions={prediction.predictions} />
        </Stack>
      </Panel>
      {kind === 'resource_usage' && <Forecasts predictions={prediction.predictions} />}
      {Object.entries(prediction.explanations ?? {}).map(([head, bars]) => (
        <ChartPanel
          key={head}
          title={`Why ${formatName(head)}`}
          note={`The contributions and the base value, ${formatNumber(prediction.explanation_base_values?.[head])}, add up to the output of the model.`}
          rows={bars}
        >
          <ContributionBars
            label={`Contributions to ${formatName(head)}`}
            bars={bars.toSorted((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution)).slice(0, MOST_BARS)}
          />
        </ChartPanel>
      ))}
      <Panel title="As the service sent it">
        <JsonView value={prediction} label="The answer as JSON" />
      </Panel>
    </Stack>
  );
}

function Lists({ predictions }: { predictions: Prediction['predictions'] }) {
  const lists = Object.entries(predictions).filter(
    (entry): entry is [string, unknown[]] =>
      Array.isArray(entry[1]) && entry[1].length > 0 && typeof entry[1][0] !== 'number',
  );
  return lists.map(([name, items]) => (
    <div key={name}>
      <Text fw={600}>{formatName(name)}</Text>
      <List size="sm">
        {items.map((item, index) => (
          <List.Item key={index}>{describe(item)}</List.Item>
        ))}
      </List>
    </div>
  ));
}

function describe(item: unknown): string {
  if (item === null || typeof item !== 'object') return formatName(String(item));
  return Object.values(item).map(formatValue).join(', ');
}

function Forecasts({ predictions }: { predictions: Prediction['predictions'] }) {
  const intervals = (predictions['intervals'] ?? {}) as Record<string, { lower: number; upper: number }[]>;
  return Object.entries(intervals).map(([measure, bounds]) => {
    const values = (predictions[`${measure}_forecast`] ?? []) as number[];
    const rows = values.map((value, index) => ({
      step: index + 1,
      forecast: value,
      lower: bounds[index]?.lower ?? null,
      upper: bounds[index]?.upper ?? null,
    }));
    return (
      <ChartPanel
        key={measure}
        title={`Forecast of ${formatName(measure)}`}
        note="The band holds 90 % of the values"
        rows={rows}
      >
        <SeriesChart
          label={`Forecast of ${formatName(measure)}`}
          rows={rows}
          x="step"
          lines={['forecast']}
          band={['lower', 'upper']}
        />
      </ChartPanel>
    );
  });
}
