import { enterAll } from "../entrance.ts";
import { interleave, medianOf, type Plan } from "../measure.ts";
import { withNats } from "../nats.ts";
import { type Figure, LOAD_CPU, type Outcome } from "../report.ts";
import { baseline, product, type Server } from "../servers.ts";
import { type Acks, talk } from "../talker.ts";

const CLIENTS = 64;
const IN_FLIGHT = 16;
const COLUMNS = {
  server: "text",
  "acks/s": "count",
  "× naive-ws": "decimal",
  "µs each": "decimal",
  [LOAD_CPU]: "percent",
} as const;

/** Publishes that are acknowledged once they are stored: by the embedded engine, and by NATS. naive-ws stores nothing. */
export async function ingestCase(plan: Plan): Promise<Outcome> {
  return await withNats(1, async (nats) => {
    const env = { NATS_URL: nats.urls.join(",") };
    const room = await product({ env, args: ["--role=room"], pinned: false });
    const edgeEnv = { ...env, ROOM_SERVICE_URL: room.rpc };
    const servers = [
      await product({ name: "product, embedded" }),
      await product({ name: "product, NATS", env: edgeEnv, args: ["--role=edge"] }),
      await baseline("naive-ws"),
    ];
    const rounds = await interleave(servers, plan.rounds, (server) => ingest(server, plan.seconds));
    for (const server of [...servers, room]) await server.stop();
    const rate = (name: string): number => medianOf(rounds, name, (one) => one.perSecond);
    const rows = servers.map(({ name }) => ({
      server: name,
      "acks/s": rate(name),
      "× naive-ws": rate(name) / rate("naive-ws"),
      "µs each": medianOf(rounds, name, (one) => one.micros),
      [LOAD_CPU]: medianOf(rounds, name, (one) => one.loadCpu),
    }));
    const figure = (name: string, atLeast: number): Figure => ({
      name: `acknowledged publishes, ${name}`,
      value: rate(name),
      unit: "per second",
      atLeast,
    });
    const title = `Acknowledged publishes, ${CLIENTS} connections × ${IN_FLIGHT} in flight`;
    return {
      tables: [{ title, columns: COLUMNS, rows }],
      figures: [figure("product, embedded", 30_000), figure("product, NATS", 25_000)],
    };
  });
}

/** Every client is alone in its room. */
async function ingest(server: Server, seconds: number): Promise<Acks> {
  const rooms = Array.from({ length: CLIENTS }, (_, index) => `ingest-${index}`);
  const clients = await enterAll(
    server.port,
    rooms.map((room) => server.enter(room)),
  );
  const talkers = clients.map((client, index) => ({ client, rooms: rooms.slice(index, index + 1) }));
  const acks = await talk(server, talkers, { inFlight: IN_FLIGHT, seconds });
  for (const client of clients) client.close();
  return acks;
}
