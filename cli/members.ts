import type { Command } from "commander";
import { type Member, MemberSchema } from "../gen/baccarat/v1/client_pb.ts";
import { type Ban, BanSchema, InvitationSchema, MuteSchema } from "../gen/baccarat/v1/moderation_pb.ts";
import { readPages } from "./paging.ts";
import { action, type Session, type Shell } from "./session.ts";
import { type Column, time } from "./text.ts";
import { integer, seconds } from "./values.ts";

const MEMBERS: readonly Column<Member>[] = [
  { name: "uid", value: (member) => member.uid },
  { name: "name", value: (member) => member.username },
  { name: "joined", value: (member) => time(member.joinTime) },
];

const BANS: readonly Column<Ban>[] = [
  { name: "uid", value: (ban) => ban.uid },
  { name: "until", value: (ban) => (ban.expireTime ? time(ban.expireTime) : "lifted") },
  { name: "by", value: (ban) => ban.by },
  { name: "reason", value: (ban) => ban.reason },
];

interface Reason {
  readonly reason?: string;
}
interface Sentence extends Reason {
  /** Seconds. */
  readonly for?: number;
}

/** members, bans, kick, ban, unban, mute, unmute, invite, uninvite. */
export function addMembers(program: Command, shell: Shell): void {
  program
    .command("members")
    .description("list the members of a room")
    .argument("<room>", "room id")
    .option("--limit <n>", "most members to list", integer(1, 1_000_000), 1_000)
    .action(action(shell, listMembers));
  program
    .command("bans")
    .description("list the bans of a room that hold now")
    .argument("<room>", "room id")
    .option("--limit <n>", "most bans to list", integer(1, 1_000_000), 1_000)
    .action(action(shell, listBans));
  aboutUser(program, "kick", "take a user out of a room; they may come back").action(
    action<Reason>(shell, async (session, args, options) => {
      await session.rooms.kickMember(request(args, options), session.call);
      report(session, args, "is out of");
    }),
  );
  withTime(aboutUser(program, "ban", "keep a user out of a room")).action(
    action<Sentence>(shell, async (session, args, options) => {
      const { ban } = await session.rooms.banMember({ ...request(args, options), ...until(options) }, session.call);
      session.show(BanSchema, ban, () => `${args[1]} is banned from ${args[0]}${untilText(ban)}`);
    }),
  );
  aboutUser(program, "unban", "let a banned user in again").action(
    action<Reason>(shell, async (session, args, options) => {
      await session.rooms.unbanMember(request(args, options), session.call);
      report(session, args, "may come back to");
    }),
  );
  withTime(aboutUser(program, "mute", "keep a user from writing in a room")).action(
    action<Sentence>(shell, async (session, args, options) => {
      const { mute } = await session.rooms.muteMember({ ...request(args, options), ...until(options) }, session.call);
      session.show(MuteSchema, mute, () => `${args[1]} is muted in ${args[0]}${untilText(mute)}`);
    }),
  );
  aboutUser(program, "unmute", "let a muted user write again").action(
    action<Reason>(shell, async (session, args, options) => {
      await session.rooms.unmuteMember(request(args, options), session.call);
      report(session, args, "may write again in");
    }),
  );
  aboutUser(program, "invite", "let a user into a room as if their token named it").action(
    action<Reason>(shell, async (session, args, options) => {
      const { invitation } = await session.rooms.inviteMember(request(args, options), session.call);
      session.show(InvitationSchema, invitation, () => `${args[1]} is invited to ${args[0]}`);
    }),
  );
  aboutUser(program, "uninvite", "take an invitation back").action(
    action<Reason>(shell, async (session, args, options) => {
      await session.rooms.uninviteMember(request(args, options), session.call);
      report(session, args, "is no longer invited to");
    }),
  );
}

function aboutUser(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .argument("<room>", "room id")
    .argument("<uid>", "user")
    .option("--reason <text>", "why");
}

function withTime(command: Command): Command {
  return command.option(
    "--for <time>",
    "ends by itself after this time: 45s, 30m, 12h, 7d (default: when lifted)",
    seconds,
  );
}

function request([roomId = "", uid = ""]: readonly string[], { reason = "" }: Reason) {
  return { roomId, uid, reason };
}

function until({ for: lasting }: Sentence) {
  if (lasting === undefined) return {};
  return { expiration: { case: "duration" as const, value: { seconds: BigInt(lasting) } } };
}

function untilText(sentence: Pick<Ban, "expireTime"> | undefined): string {
  return sentence?.expireTime ? ` until ${time(sentence.expireTime)}` : "";
}

function report(session: Session, [room_id = "", uid = ""]: readonly string[], what: string): void {
  session.print(`${uid} ${what} ${room_id}`, { room_id, uid });
}

async function listMembers(
  session: Session,
  [roomId = ""]: readonly string[],
  options: { limit: number },
): Promise<void> {
  let total = 0;
  const { items, more } = await readPages(options.limit, async (page) => {
    const { members, nextPageToken, count } = await session.rooms.listMembers({ ...page, roomId }, session.call);
    total = count;
    return { items: members, nextPageToken };
  });
  session.list(MemberSchema, items, MEMBERS);
  if (more) session.note(`there are ${total}: --limit`);
}

async function listBans(session: Session, [roomId = ""]: readonly string[], options: { limit: number }): Promise<void> {
  const { items, more } = await readPages(options.limit, async (page) => {
    const { bans, nextPageToken } = await session.rooms.listBans({ ...page, roomId }, session.call);
    return { items: bans, nextPageToken };
  });
  session.list(BanSchema, items, BANS);
  if (more) session.note("there are more: --limit");
}
