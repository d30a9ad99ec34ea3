import { RawClient } from "./raw-client.ts";

/** How a client becomes a member of a room: each function takes it one step further, and resolves when it is there. */
export interface Entrance {
  /** What to connect to, such as `/ws?room_id=`. */
  readonly path: string;
  /** Said in turn: the next when the one before it was answered. */
  readonly says?: readonly string[];
  /** Text frames received before the first is said. */
  readonly greetings?: number;
}

/** Connections that are being made at a time. */
const CONCURRENT = 64;

/** Connects one client and waits until it is a member. @throws Error when the server refuses. */
export async function enter(port: number, { path, says = [], greetings = 0 }: Entrance): Promise<RawClient> {
  const client = await RawClient.connect(port, path);
  if (client.frames < greetings) await client.next(() => client.frames >= greetings);
  for (const text of says) {
    const before = client.frames;
    const answered = client.next(() => client.frames > before);
    client.send(text);
    await answered;
  }
  return client;
}

/** Connects many, a few at a time, and waits until each is a member; they are in the order of the entrances. */
export async function enterAll(port: number, entrances: readonly Entrance[]): Promise<RawClient[]> {
  const clients: RawClient[] = [];
  await concurrently(CONCURRENT, entrances, async (entrance, index) => {
    clients[index] = await enter(port, entrance);
  });
  return clients;
}

/** Does something for each item, `lanes` of them at a time. */
export async function concurrently<T>(
  lanes: number,
  items: readonly T[],
  act: (item: T, index: number) => Promise<void>,
): Promise<void> {
  const rest = items.entries();
  const lane = async (): Promise<void> => {
    for (const [index, item] of rest) await act(item, index);
  };
  await Promise.all(Array.from({ length: Math.min(lanes, items.length) }, lane));
}
