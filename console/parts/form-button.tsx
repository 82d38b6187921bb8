import { Button, Group, Modal, Stack, type ButtonProps } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import type { ReactNode } from 'react';
import { useSend } from '../service/use-send.js';
import { Problem } from './problem.js';

/** A button that opens a form. What the service refuses is shown in the form, with each path that is wrong. */
export function FormButton<Output>({
  label,
  title,
  submit,
  send,
  onDone,
  children,
  isReady = true,
  ...props
}: ButtonProps & {
  label: string;
  title: string;
  /** What the button that sends is called. */
  submit: string;
  send: () => Promise<Output>;
  onDone: (output: Output) => void;
  children: ReactNode;
  /** False as long as something that is needed is not there. */
  isReady?: boolean;
}) {
  const [isOpen, { open, close }] = useDisclosure(false);
  const sending = useSend(send, (output: Output) => {
    close();
    onDone(output);
  });
  return (
    <>
      <Button
        {...props}
        onClick={() => {
          sending.reset();
          open();
        }}
      >
        {label}
      </Button>
      <Modal opened={isOpen} onClose={close} title={title} size="lg">
        <form
          onSubmit={(event) => {
            event.preventDefault();
            sending.mutate();
          }}
        >
          <Stack>
            {children}
            {sending.error && <Problem error={sending.error} />}
            <Group justify="flex-end">
              <Button variant="default" onClick={close}>
                Not now
              </Button>
              <Button type="submit" loading={sending.isPending} disabled={!isReady}>
                {submit}
              </Button>
            </Group>
          </Stack>
        </form>
      </Modal>
    </>
  );
}
