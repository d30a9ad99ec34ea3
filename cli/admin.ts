import type { Command } from "commander";
import {
  DisconnectClientsResponseSchema,
  DrainEdgeResponseSchema,
  type Edge,
  EdgeSchema,
  GetStatsResponseSchema,
  RevokeTokensResponseSchema,
} from "../gen/baccarat/v1/admin_service_pb.ts";
import { type Client, ClientSchema } from "../gen/baccarat/v1/client_pb.ts";
import { AuditAction, type AuditEvent, AuditEventSchema } from "../gen/baccarat/v1/moderation_pb.ts";
import { CliError, EXIT } from "./exit-codes.ts";
import { readPages } from "./paging.ts";
import { action, type Session, type Shell } from "./session.ts";
import { type Column, count, fields, time } from "./text.ts";
import { integer } from "./values.ts";

const CLIENTS: readonly Column<Client>[] = [
  { name: "client", value: (client) => client.clientId },
  { name: "uid", value: (client) => client.uid },
  { name: "name", value: (client) => client.username },
  { name: "address", value: (client) => client.remoteAddr },
  { name: "edge", value: (client) => client.edgeId },
  { name: "since", value: (client) => time(client.connectTime) },
  { name: "rooms", value: (client) => client.roomIds.join(",") || "-" },
];

const EDGES: readonly Column<Edge>[] = [
  { name: "edge", value: (edge) => edge.edgeId },
  { name: "connections", value: (edge) => edge.connections },
  { name: "state", value: (edge) => (edge.draining ? "draining" : "serving") },
  // An edge says what it does once it has run for some seconds.
  { name: "messages/s", value: ({ traffic }) => rounded(traffic?.messagesPerSecond) },
  { name: "lag ms", value: ({ traffic }) => rounded(traffic?.deliveryLagMs || undefined) },
  { name: "since", value: (edge) => time(edge.startTime) },
  { name: "renewed", value: (edge) => time(edge.renewTime) },
];

const AUDIT: readonly Column<AuditEvent>[] = [
  { name: "time", value: (event) => time(event.createTime) },
  { name: "action", value: (event) => actionName(event.action) },
  { name: "actor", value: (event) => event.actor },
  { name: "room", value: (event) => event.roomId || "-" },
  { name: "uid", value: (event) => event.uid || "-" },
  { name: "reason", value: (event) => event.reason || "-" },
];

const ACTIONS = new Map<number, string>(
  Object.entries(AuditAction).map(([name, value]) => [value, name.toLowerCase()]),
);

function rounded(value: number | undefined): string {
  return value === undefined ? "-" : String(Math.round(value * 10) / 10);
}

function actionName(value: number): string {
  return ACTIONS.get(value) ?? `${value}`;
}

interface ClientFilter {
  readonly user?: string;
  readonly room?: string;
  readonly edge?: string;
  readonly limit: number;
}

interface AuditFilter {
  readonly user?: string;
  readonly room?: string;
  readonly actor?: string;
  readonly limit: number;
}

interface Disconnect {
  readonly user?: string;
  readonly client?: string;
  readonly edge?: string;
  readonly reason?: string;
}

interface Revoke {
  readonly user?: string;
  readonly tokenId?: string;
  readonly reason?: string;
}

/** clients, disconnect, revoke, edges, drain, stats, notice, audit. */
export function addAdmin(program: Command, shell: Shell): void {
  program
    .command("clients")
    .description("list connections")
    .option("--user <uid>", "only this user's")
    .option("--room <room>", "only those in this room")
    .option("--edge <edge>", "only those of this edge")
    .option("--limit <n>", "most of them to list", integer(1, 1_000_000), 1_000)
    .action(action(shell, listClients));
  program
    .command("disconnect")
    .description("close connections with 4503: their clients do not come back by themselves")
    .option("--user <uid>", "this user's")
    .option("--client <client>", "this one")
    .option("--edge <edge>", "those of this edge")
    .option("--reason <text>", "shown to the clients")
    .action(action(shell, disconnect));
  program
    .command("revoke")
    .description("take back the tokens a user has, or one token: its connections are closed with 4501")
    .option("--user <uid>", "all tokens of this user that were issued until now")
    .option("--token-id <jti>", "the token of this id")
    .option("--reason <text>", "for the audit log")
    .action(action(shell, revoke));
  program
    .command("edges")
    .description("list the edges that are alive")
    .action(
      action(shell, async (session) => {
        session.list(EdgeSchema, (await session.admin.listEdges({}, session.call)).edges, EDGES);
      }),
    );
  program
    .command("drain")
    .description("send the clients of an edge elsewhere; it stays so until its process is restarted")
    .argument("<edge>", "edge id")
    .action(
      action(shell, async (session, [edgeId = ""]) => {
        const answer = await session.admin.drainEdge({ edgeId }, session.call);
        session.show(
          DrainEdgeResponseSchema,
          answer,
          () => `${edgeId} is draining ${count(answer.connections, "connection")}`,
        );
      }),
    );
  program.command("stats").description("tell how much is going on").action(action(shell, showStats));
  program
    .command("notice")
    .description("push a notice to every connection")
    .argument("<message>", "text")
    .action(
      action(shell, async (session, [message = ""]) => {
        await session.admin.broadcastNotice({ message }, session.call);
        session.print("told everybody", { message });
      }),
    );
  program
    .command("audit")
    .description("list what moderators and operators did, newest first")
    .option("--room <room>", "only in this room")
    .option("--user <uid>", "only what was done to this user")
    .option("--actor <actor>", "only what service:<token name>, or the moderator of this uid, did")
    .option("--limit <n>", "most events to list", integer(1, 1_000_000), 100)
    .action(action(shell, listAudit));
}

async function listClients(session: Session, _: readonly string[], filter: ClientFilter): Promise<void> {
  const { user: uid = "", room: roomId = "", edge: edgeId = "", limit } = filter;
  const { items, more } = await readPages(limit, async (page) => {
    const answer = await session.admin.listClients({ ...page, uid, roomId, edgeId }, session.call);
    return { items: answer.clients, nextPageToken: answer.nextPageToken };
  });
  session.list(ClientSchema, items, CLIENTS);
  if (more) session.note("there are more: --limit");
}

async function disconnect(session: Session, _: readonly string[], options: Disconnect): Promise<void> {
  const { user: uid = "", client: clientId = "", edge: edgeId = "", reason = "" } = options;
  if (uid + clientId + edgeId === "") throw new CliError("give --user, --client or --edge", EXIT.usage);
  const answer = await session.admin.disconnectClients({ uid, clientId, edgeId, reason }, session.call);
  session.show(DisconnectClientsResponseSchema, answer, () => `${answer.disconnected} disconnected`);
}

async function revoke(session: Session, _: readonly string[], options: Revoke): Promise<void> {
  const { user: uid = "", tokenId = "", reason = "" } = options;
  if ((uid === "") === (tokenId === "")) throw new CliError("give --user or --token-id", EXIT.usage);
  const answer = await session.admin.revokeTokens({ uid, tokenId, reason }, session.call);
  session.show(RevokeTokensResponseSchema, answer, () =>
    uid === ""
      ? "the token is revoked"
      : `tokens of ${uid} are revoked that were issued before ${time(answer.revokeTime)}`,
  );
}

async function showStats(session: Session): Promise<void> {
  const stats = await session.admin.getStats({}, session.call);
  session.show(GetStatsResponseSchema, stats, () => {
    const { clients, users, rooms, members, edges, eventsPerSecond, epoch } = stats;
    return fields({ clients, users, rooms, members, edges, "events/s": rounded(eventsPerSecond), epoch });
  });
}

async function listAudit(session: Session, _: readonly string[], filter: AuditFilter): Promise<void> {
  const { user: uid = "", room: roomId = "", actor = "", limit } = filter;
  const { items, more } = await readPages(limit, async (page) => {
    const { events, nextPageToken } = await session.admin.listAuditEvents(
      { ...page, uid, roomId, actor },
      session.call,
    );
    return { items: events, nextPageToken };
  });
  session.list(AuditEventSchema, items, AUDIT);
  if (more) session.note("there are more: --limit");
}
