import type { Command } from "commander";
import { CliError, EXIT } from "./exit-codes.ts";
import { ProgressBar } from "./progress.ts";
import { action, type Session, type Shell } from "./session.ts";

/** Messages of one call: few enough that it is answered within the time of a call. */
const PAGE_SIZE = 500;

/** delete-user-messages. */
export function addErase(program: Command, shell: Shell): void {
  program
    .command("delete-user-messages")
    .description("delete what a user wrote, in all rooms and direct conversations or in one")
    .argument("<uid>", "whose messages")
    .option("--room <room>", "only in this room, or in this conversation (direct:<uid>:<uid>)")
    .option("--yes", "do it; without this it is only said what would be done", false)
    .addHelpText(
      "after",
      `
The stored texts are wiped and members are told. Backups and what clients keep are theirs. What the user writes meanwhile
stays: revoke their tokens first (roomctl revoke). It may be stopped at any time and begun anew.`,
    )
    .action(action(shell, erase));
}

async function erase(
  session: Session,
  [uid = ""]: readonly string[],
  { room, yes }: { readonly room?: string; readonly yes: boolean },
): Promise<void> {
  const where = room === undefined ? "everywhere" : `in ${room}`;
  if (!yes) throw new CliError(`--yes deletes all messages of ${uid}, ${where}, for good`, EXIT.usage);
  const bar = new ProgressBar(session);
  let deleted = 0;
  let pageToken = "";
  try {
    do {
      const request = { uid, roomId: room ?? "", pageSize: PAGE_SIZE, pageToken };
      const page = await session.admin.deleteUserMessages(request, session.call);
      deleted += page.deleted;
      pageToken = page.nextPageToken;
      bar.show(`of the log, ${deleted} messages deleted`, Number(page.seq), Number(page.endSeq));
    } while (pageToken !== "");
  } finally {
    bar.clear();
  }
  session.print(`${deleted} messages of ${uid} were deleted`, { deleted });
}
