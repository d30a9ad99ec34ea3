import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Authority } from "./certificates.ts";

/**
 * Makes what docker-compose.yml needs and nobody else may have: .env with new secrets, and a folder of certificates. What
 * is there is never overwritten, since it is in use.
 */

/** The folder of certificates, as docker-compose.yml names it. */
export const CERTIFICATES = ".certificates";
/** Under which names the servers with TLS are reached; their certificates are called by the keys. */
const SERVERS = { nats: ["nats-1", "nats-2", "nats-3"], room: ["room-1", "room-2"] } as const;
/** Whoever looks from the machine itself, and the tests. */
const LOOPBACK = ["localhost", "127.0.0.1"] as const;

/** Begins with a letter: nats-server reads values from the environment as it reads its file, where digits begin a number. */
const secret = (): string => `s${randomBytes(32).toString("hex")}`;

/** The text of .env. */
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

/** The certificates, by the names of their files. The key that signed them is not among them and is nowhere else. */
async function certificateFiles(): Promise<ReadonlyMap<string, string>> {
  const authority = await Authority.create("baccarat compose");
  const files = new Map([["ca.pem", authority.cert]]);
  for (const [name, hosts] of Object.entries(SERVERS)) {
    const { cert, key } = await authority.issue(name, [...hosts, ...LOOPBACK]);
    files.set(`${name}.pem`, cert).set(`${name}.key`, key);
  }
  return files;
}

/** Writes .env, for its owner only. @returns false when there is one already. */
export async function initialiseSecrets(directory: string): Promise<boolean> {
  return await unlessThere(() => writeFile(join(directory, ".env"), environmentFile(), { flag: "wx", mode: 0o600 }));
}

/**
 * Writes the folder of certificates. @returns false when there is one already. Only its owner may look into it; containers,
 * which run as other users, are given files of it, so those anybody may read.
 */
export async function initialiseCertificates(directory: string): Promise<boolean> {
  const folder = join(directory, CERTIFICATES);
  const files = await certificateFiles();
  return await unlessThere(async () => {
    await mkdir(folder, { mode: 0o700 });
    for (const [name, text] of files) await writeFile(join(folder, name), text, { mode: 0o644 });
  });
}

async function unlessThere(make: () => Promise<void>): Promise<boolean> {
  try {
    await make();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Makes what is not there yet, and says so. */
export async function initialise(): Promise<void> {
  const root = join(import.meta.dirname, "..");
  const say = (what: string, made: boolean): void =>
    void process.stdout.write(made ? `${what}: made\n` : `${what}: there already, and stays as it is\n`);
  say(".env, the secrets", await initialiseSecrets(root));
  say(`${CERTIFICATES}/, the certificates`, await initialiseCertificates(root));
}
