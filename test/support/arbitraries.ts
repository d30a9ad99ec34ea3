import fc from "fast-check";

/** The fields of a stored message, with every text as `text` makes it. */
export function messageFields(text: fc.Arbitrary<string>) {
  return fc.record({
    uid: text,
    username: text,
    avatarId: text,
    from: text,
    message: text,
    imageUrl: text,
    toUid: text,
    clientMsgId: text,
  });
}
