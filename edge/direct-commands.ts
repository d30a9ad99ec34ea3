import { RoomError } from "../services/errors.ts";
import { FIXED } from "../services/limits.ts";
import { within } from "../services/within.ts";
import type { Connection } from "./connection.ts";
import type { CommandContext } from "./context.ts";
import { conversationFields, encodeConversations } from "./direct-frames.ts";
import { type ConversationFields, encodeAck } from "./frame-encoders.ts";
import type { BlockFrame, ConversationsFrame } from "./frames.ts";

/** get_conversations: a page of the user's, latest first. */
export async function conversations(
  context: CommandContext,
  connection: Connection,
  { pageSize, pageToken, id }: ConversationsFrame,
): Promise<void> {
  connection.send(encodeConversations(await read(context, connection, pageSize, pageToken), id));
}

/** block_user and unblock_user. */
export async function block(context: CommandContext, connection: Connection, frame: BlockFrame): Promise<void> {
  const value = { clientId: connection.id, uid: frame.uid, blocked: frame.type === "block_user" };
  await context.link.ask({ case: "setBlock", value });
  if (frame.id !== undefined) connection.send(encodeAck(undefined, frame.id));
}

/** The latest conversations, for a welcome: none when nobody can tell in time. */
export async function latestConversations(
  context: CommandContext,
  connection: Connection,
): Promise<readonly ConversationFields[]> {
  try {
    const page = await within(FIXED.welcomeMs, read(context, connection, FIXED.conversationsShown, ""));
    return page.conversations;
  } catch (error) {
    if (error instanceof RoomError) return [];
    throw error;
  }
}

async function read(
  context: CommandContext,
  connection: Connection,
  pageSize: number,
  pageToken: string,
): Promise<{ conversations: ConversationFields[]; nextPageToken: string }> {
  const value = { clientId: connection.id, pageSize, pageToken };
  const answer = await context.link.ask({ case: "listConversations", value });
  if (answer.case !== "conversations") throw new RoomError("internal", "conversations were answered by something else");
  const { conversations: page, nextPageToken } = answer.value;
  return { conversations: page.map(conversationFields), nextPageToken };
}
