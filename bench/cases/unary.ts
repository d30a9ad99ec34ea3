import { create, toBinary } from "@bufbuild/protobuf";
import { SendMessageRequestSchema } from "../../gen/baccarat/v1/room_service_pb.ts";
import { HttpClient, request } from "../http-client.ts";
import { interleave, medianOf, type Plan, startMeter } from "../measure.ts";
import { LOAD_CPU, type Outcome } from "../report.ts";
import { baseline, product, type Server } from "../servers.ts";

const CALLERS = 32;
const METHOD = "/baccarat.v1.RoomService/SendMessage";

interface Calls {
  readonly perSecond: number;
  readonly micros: number;
  readonly loadCpu: number;
}

/** SendMessage as a unary Connect call over HTTP/1.1 in binary, against a handler that does nothing. */
export async function unaryCase(plan: Plan): Promise<Outcome> {
  const stored = await product();
  const trivial = await baseline("unary");
  const urls = new Map([
    [stored.name, stored.rpc],
    [trivial.name, `http://127.0.0.1:${trivial.port}`],
  ]);
  const rounds = await interleave([stored, trivial], plan.rounds, (server) =>
    calls(server, urls.get(server.name) ?? "", plan.seconds),
  );
  const rate = (name: string): number => medianOf(rounds, name, (one) => one.perSecond);
  const rows = [stored, trivial].map(({ name }) => ({
    server: name,
    "calls/s": rate(name),
    "× unary": rate(name) / rate("unary"),
    "µs each": medianOf(rounds, name, (one) => one.micros),
    [LOAD_CPU]: medianOf(rounds, name, (one) => one.loadCpu),
  }));
  await stored.stop();
  await trivial.stop();
  const columns = {
    server: "text",
    "calls/s": "count",
    "× unary": "decimal",
    "µs each": "decimal",
    [LOAD_CPU]: "percent",
  } as const;
  return {
    tables: [{ title: `SendMessage, unary Connect over HTTP/1.1, ${CALLERS} callers`, columns, rows }],
    figures: [
      { name: "unary SendMessage", value: rate("product") / rate("unary"), unit: "× trivial handler", atLeast: 0.8 },
    ],
  };
}

async function calls(server: Server, base: string, seconds: number): Promise<Calls> {
  const clients = Array.from({ length: CALLERS }, () => new HttpClient(base));
  const requests = clients.map((_, index) => {
    const message = create(SendMessageRequestSchema, { roomId: `unary-${index}`, message: "x".repeat(200) });
    return request(`${base}${METHOD}`, "application/proto", toBinary(SendMessageRequestSchema, message));
  });
  const callFor = async (ms: number): Promise<number> => {
    const end = performance.now() + ms;
    let answered = 0;
    const caller = async (client: HttpClient, index: number): Promise<void> => {
      for (; performance.now() < end; answered++) await client.send(requests[index] ?? Buffer.alloc(0));
    };
    await Promise.all(clients.map(caller));
    return answered;
  };
  await callFor(WARM_UP_MS);
  const stop = startMeter(server);
  const answered = await callFor(seconds * 1_000);
  const cost = stop();
  for (const client of clients) client.close();
  return {
    perSecond: answered / cost.seconds,
    micros: ((cost.user + cost.system) / answered) * 1e6,
    loadCpu: cost.loadCpu,
  };
}

const WARM_UP_MS = 300;
