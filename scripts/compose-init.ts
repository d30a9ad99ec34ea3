import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** Makes .env for docker-compose.yml, with new secrets. What is there is never overwritten: the secrets in it are in use. */

/** Begins with a letter: nats-server reads values from the environment as it reads its file, where digits begin a number. */
const secret = (): string => `s${randomBytes(32).toString("hex")}`;

/** The file's text. */
export function environmentFile(): string {
  return `# Secrets of docker-compose.yml, made by npm run compose:init. Keep it private and out of version control.

# NATS: what edges, RoomServices and the demo log in with, and the servers among themselves.
NATS_EDGE_PASSWORD=${secret()}
NATS_ROOM_PASSWORD=${secret()}
NATS_DEMO_PASSWORD=${secret()}
NATS_ROUTES_PASSWORD=${secret()}

# Tokens of clients: who issues them signs with this (HS256).
JWT_SECRET=${secret()}
JWT_ISSUER=baccarat-compose
JWT_AUDIENCE=baccarat-clients

# RPC: edges attach with the first, you and your services call with the second (scopes read, publish and admin).
EDGE_TOKEN=${secret()}
OPS_TOKEN=${secret()}

# Grafana's user admin.
GRAFANA_PASSWORD=${secret()}
`;
}

/** Writes the file, for its owner only. @returns false when there is one already. */
export async function initialise(path: string): Promise<boolean> {
  try {
    await writeFile(path, environmentFile(), { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const path = join(import.meta.dirname, "..", ".env");
  const made = await initialise(path);
  process.stdout.write(made ? ".env was made, with new secrets\n" : ".env is there already and stays as it is\n");
}
