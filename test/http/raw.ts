import { connect, type Socket } from 'node:net';

/** An answer as it came over the wire. */
export interface RawAnswer {
  status: number;
  /** Names in lower case. */
  headers: Record<string, string>;
  body: string;
}

/**
 * Sends bytes as they are over a connection of its own; resolves with the answer when the server has closed it. `end`: no
 * more will come, so that a request that is not complete is not waited for.
 */
export async function rawRequest(
  port: number,
  text: string | Uint8Array,
  options: { end?: boolean } = {},
): Promise<RawAnswer> {
  const socket = connect(port, '127.0.0.1');
  socket.write(text);
  if (options.end === true) socket.end();
  return await readAnswer(socket);
}

/** Reads until the other side has closed the connection. Errors are part of being closed upon. */
export async function readAnswer(socket: Socket): Promise<RawAnswer> {
  let received = '';
  socket.on('error', () => undefined);
  socket.setEncoding('utf8').on('data', (chunk: string) => (received += chunk));
  await new Promise((resolve) => socket.once('close', resolve));
  const [head = '', ...rest] = received.split('\r\n\r\n');
  const [statusLine = '', ...lines] = head.split('\r\n');
  return {
    status: Number(statusLine.split(' ')[1]),
    headers: Object.fromEntries(
      lines.map((line) => {
        const [name = '', ...value] = line.split(': ');
        return [name.toLowerCase(), value.join(': ')];
      }),
    ),
    body: rest.join('\r\n\r\n'),
  };
}
