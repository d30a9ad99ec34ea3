import { getNatsServers } from "../scripts/get-nats-server.ts";
import { NatsServers } from "../test/support/nats-server.ts";
import { unpinned } from "./machine.ts";

/** The newest nats-server at hand. @throws Error when there is none. */
async function newest(): Promise<{ readonly path: string; readonly version: string }> {
  const server = (await getNatsServers(process.env)).at(-1);
  if (!server) throw new Error("no nats-server");
  return server;
}

/** Its version. */
export async function natsVersion(): Promise<string> {
  return (await newest()).version;
}

/** Runs one NATS server or a cluster of three, on all cores, while something is measured. */
export async function withNats<T>(size: 1 | 3, act: (nats: NatsServers) => Promise<T>): Promise<T> {
  const { path } = await newest();
  await using nats = await unpinned(() => NatsServers.start({ path, size }));
  return await act(nats);
}
