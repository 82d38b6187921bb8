import { useSearchParams } from 'wouter';

/** A choice that is part of the address, so that a filtered list can be shared and gone back to. */
export function useFilter(name: string): [string | undefined, (value: string | null) => void] {
  const [parameters, setParameters] = useSearchParams();
  const choose = (value: string | null) =>
    setParameters(
      (before) => {
        const after = new URLSearchParams(before);
        if (value) after.set(name, value);
        else after.delete(name);
        // Another choice begins at its first page.
        if (name !== 'cursor') after.delete('cursor');
        return after;
      },
      { replace: name !== 'cursor' },
    );
  return [parameters.get(name) ?? undefined, choose];
}
