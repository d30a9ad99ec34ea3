import type { Conversation } from "../gen/baccarat/v1/frames_pb.ts";
import { type ConversationFields, conversationPayload, frame } from "./frame-encoders.ts";

/** The latest of a conversation as the control plane tells it. */
export function conversationFields({ roomId, uid, username, seq, sent }: Conversation): ConversationFields {
  return { room: roomId, uid, username, seq: Number(seq), sent };
}

/** `conversations`: reply to get_conversations. */
export function encodeConversations(
  page: { readonly conversations: readonly ConversationFields[]; readonly nextPageToken: string },
  id?: string,
): string {
  const payload = {
    conversations: page.conversations.map(conversationPayload),
    next_page_token: page.nextPageToken,
  };
  return frame("conversations", payload, id);
}

/** `truncated`: pushed when more direct messages were missed than are delivered. */
export function encodeTruncated(truncated: {
  readonly epoch: string;
  readonly seq: number;
  readonly rooms: readonly string[];
  /** Conversations that are not listed may have been missed, too. */
  readonly moreRooms: boolean;
}): string {
  return frame("truncated", {
    epoch: truncated.epoch,
    seq: truncated.seq,
    rooms: truncated.rooms,
    more_rooms: truncated.moreRooms,
  });
}
