import type { RoomClient } from "../../client/src/index.ts";
import type { Thread } from "./thread.ts";

/** Where a thread stands. `failed`: it could not be entered; `left`: it is over, by a moderator's decision or the server's. */
export type ThreadStatus =
  | { readonly name: "loading" }
  | { readonly name: "ready" }
  | { readonly name: "failed"; readonly text: string }
  | { readonly name: "left"; readonly text: string };

/** What a thread needs of the chat it belongs to. */
export interface ThreadHost {
  readonly client: RoomClient;
  /** True while the user sees this thread's end. */
  readonly isRead: (thread: Thread) => boolean;
  /** It was read up to here. */
  readonly onRead: (thread: Thread) => void;
  /** Events missed in an absence were delivered. */
  readonly onRecovered: (thread: Thread, count: number) => void;
  /** Its place or marks in the list of threads changed. */
  readonly onChanged: () => void;
  /** Something went wrong that is worth a word. */
  readonly onProblem: (text: string) => void;
}
