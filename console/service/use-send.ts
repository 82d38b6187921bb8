import { useMutation, useQueryClient, type UseMutationResult } from '@tanstack/react-query';

/** Sends something that changes the state of the service; all that is shown is read again after it. */
export function useSend<Input, Output>(
  send: (input: Input) => Promise<Output>,
  onDone?: (output: Output) => void,
): UseMutationResult<Output, Error, Input> {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: send,
    onSuccess: async (output) => {
      onDone?.(output);
      await queries.invalidateQueries();
    },
  });
}
