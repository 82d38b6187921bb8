import { createTransport } from 'nodemailer';
import { within } from '../within.js';
import { linesOf, titleOf, type AlertMessage } from './alert-message.js';

/** From the connection to the answer; an attempt must end before its claim lapses. */
const TIMEOUT_MS = 10_000;
/** A header of a mail is one line. */
const MOST_SUBJECT = 200;

/**
 * Sends a message by SMTP. The Message-ID follows from the message and the receiver, so that a mail program shows a repeated one once.
 * @param settings `smtpUrl` as smtp://user:password@host:port or smtps://…
 * @returns the status of SMTP, such as 250
 * @throws Error when the server cannot be reached or refuses the mail
 */
export async function sendEmail(
  message: AlertMessage,
  to: string,
  { smtpUrl, from }: { smtpUrl: string; from: string },
): Promise<number> {
  const transport = createTransport({
    url: smtpUrl,
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  try {
    const sent = transport.sendMail({
      from,
      to,
      messageId: `<${message.id}@${from.slice(from.lastIndexOf('@') + 1).replace(/[^A-Za-z0-9.-]/g, '')}>`,
      subject: titleOf(message)
        .replace(/[\r\n]+/g, ' ')
        .slice(0, MOST_SUBJECT),
      text: [...linesOf(message), '', `Message ${message.id}, ${message.timestamp}`].join('\n'),
      headers: { 'Auto-Submitted': 'auto-generated' },
    });
    const { response } = await within(TIMEOUT_MS, sent);
    return Number.parseInt(response, 10) || 250;
  } finally {
    transport.close();
  }
}
