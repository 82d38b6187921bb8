import { Alert, Button, Code, Group, List, Text } from '@mantine/core';
import { ServiceProblem } from '../service/client.js';
import { AppLink } from './app-link.js';

/** What went wrong in full: where, what to do, and the id by which the log knows it. */
export function Problem({ error, onRetry }: { error: Error; onRetry?: () => void }) {
  const problem = error instanceof ServiceProblem ? error : undefined;
  return (
    <Alert color="red" variant="outline" title={titleOf(error)} role="alert" className="problem">
      <Text size="sm">{problem ? problem.message : `The service did not answer (${error.message}).`}</Text>
      {problem && problem.errors.length > 0 && (
        <List size="sm" mt="xs">
          {problem.errors.map(({ path, message }) => (
            <List.Item key={path + message}>
              <Code>{path || 'body'}</Code> {message}
            </List.Item>
          ))}
        </List>
      )}
      <Group mt="sm" gap="md">
        {onRetry && (
          <Button size="xs" variant="default" onClick={onRetry}>
            Try again
          </Button>
        )}
        {problem?.status === 401 && <AppLink to="/settings">Sign in</AppLink>}
        {problem?.correlationId && (
          <Text size="xs" c="dimmed">
            correlation id {problem.correlationId}
          </Text>
        )}
      </Group>
    </Alert>
  );
}

function titleOf(error: Error): string {
  if (!(error instanceof ServiceProblem)) return 'No answer';
  if (error.status === 401) return 'Not signed in';
  if (error.status === 403) return 'Not allowed';
  if (error.status === 404) return 'Not found';
  if (error.status === 503) return 'Not available at the moment';
  return 'That did not work';
}
