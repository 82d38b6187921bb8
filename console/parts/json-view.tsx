import { Code } from '@mantine/core';

/** Data as it came, for what has no better form. */
export function JsonView({ value, label }: { value: unknown; label: string }) {
  return (
    <Code block tabIndex={0} role="group" aria-label={label} mah={360} className="json">
      {JSON.stringify(value, undefined, 2)}
    </Code>
  );
}
