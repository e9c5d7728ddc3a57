import { connect, type Socket } from 'node:net';

/** Opens as many connections as it may, half of them with half a request, says how many, and holds them until it is killed. */
const port = Number(process.argv[2]);
const wanted = Number(process.argv[3]);
const report = process.report.getReport() as unknown as {
  userLimits?: { open_files?: { soft: number | string } };
};
const soft = Number(report.userLimits?.open_files?.soft);
const count = Math.min(wanted, Number.isFinite(soft) ? soft - 100 : wanted);
const TOGETHER = 200;

const open = (number: number) =>
  new Promise<void>((resolve) => {
    const socket: Socket = connect(port, '127.0.0.1', () => {
      if (number % 2 === 0) {
        socket.write('POST /webhooks/v1/github HTTP/1.1\r\nHost: x\r\nX-Slow: ');
      }
      resolve();
    });
    // The server may close it, and may not take it.
    socket.on('error', () => resolve());
    socket.resume();
  });

for (let opened = 0; opened < count; opened += TOGETHER) {
  const size = Math.min(TOGETHER, count - opened);
  await Promise.all(Array.from({ length: size }, (_, index) => open(opened + index)));
}
process.stdout.write(`${count}\n`);
// Sockets that the server closed no longer keep the process.
setInterval(() => undefined, 1000);
