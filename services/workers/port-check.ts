import { once } from "node:events";
import { createServer } from "node:net";

/**
 * Makes sure that nobody listens on a port. Workers share theirs, so the system would let them share it with a stranger
 * as well: another installation on this machine, most likely.
 * @throws the system's error when the port cannot be had.
 */
export async function checkPort(listen: { readonly host: string; readonly port: number }): Promise<void> {
  const server = createServer().listen({ ...listen, exclusive: true });
  await once(server, "listening");
  server.close();
  await once(server, "close");
}
