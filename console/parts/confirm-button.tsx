import { Button, Group, Modal, Stack, Text, Textarea, type ButtonProps } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useState, type ReactNode } from 'react';
import { useSend } from '../service/use-send.js';
import { Problem } from './problem.js';

/** A button for what cannot be taken back at once: it says what will happen, and asks. */
export function ConfirmButton<Output>({
  label,
  question,
  children,
  takesNote = false,
  isDanger = false,
  send,
  onDone,
  ...props
}: ButtonProps & {
  label: string;
  question: string;
  children?: ReactNode;
  /** Whether a reason can be given that is written down. */
  takesNote?: boolean;
  isDanger?: boolean;
  send: (note: string | undefined) => Promise<Output>;
  onDone?: (output: Output) => void;
}) {
  const [isOpen, { open, close }] = useDisclosure(false);
  const [note, setNote] = useState('');
  const sending = useSend(send, (output: Output) => {
    close();
    onDone?.(output);
  });
  return (
    <>
      <Button
        variant="default"
        {...props}
        onClick={() => {
          sending.reset();
          open();
        }}
      >
        {label}
      </Button>
      <Modal opened={isOpen} onClose={close} title={question}>
        <Stack>
          {children && (
            <Text component="div" size="sm">
              {children}
            </Text>
          )}
          {takesNote && (
            <Textarea
              label="Reason"
              description="Is written down with your name"
              value={note}
              maxLength={500}
              autosize
              onChange={(event) => setNote(event.currentTarget.value)}
            />
          )}
          {sending.error && <Problem error={sending.error} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              Not now
            </Button>
            <Button
              color={isDanger ? 'red' : undefined}
              loading={sending.isPending}
              onClick={() => sending.mutate(note.trim() || undefined)}
            >
              {label}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}
