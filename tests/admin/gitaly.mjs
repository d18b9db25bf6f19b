// A Gitaly that says how it is and knows nothing else: the overview asks each storage.

import { createServer } from 'node:http2';

const text = (field, value) => Buffer.concat([Buffer.from([(field << 3) | 2, value.length]), Buffer.from(value)]);
const yes = (field) => Buffer.from([field << 3, 1]);

/** `gitaly.ServerInfoResponse`: versions, and a storage `default` that is read and written. */
const serverInfo = Buffer.concat([
  text(1, '18.6.1'),
  text(2, '2.51.0'),
  text(3, Buffer.concat([text(1, 'default'), yes(2), yes(3)])),
]);

/** Serves on a free port, and answers its address and how to end it. */
export async function serveGitaly() {
  const sessions = new Set();
  const server = createServer();
  server.on('session', (session) => sessions.add(session));
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    stream.resume();
    const known = headers[':path'] === '/gitaly.ServerService/ServerInfo';
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': known ? '0' : '12' }));
    if (known) {
      const head = Buffer.alloc(5);
      head.writeUInt32BE(serverInfo.length, 1);
      stream.write(Buffer.concat([head, serverInfo]));
    }
    stream.end();
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const end = () => {
    for (const session of sessions) session.destroy();
    server.close();
  };
  return { address: `tcp://127.0.0.1:${server.address().port}`, end };
}
