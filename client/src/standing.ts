import type { MuteChange, RoomSettings } from "./types.ts";
import type { RoomJoined } from "./wire.ts";

/** How things stand in a room for this client, as joins and what is pushed later say. */
export class Standing {
  #settings: RoomSettings;
  #moderator = false;
  #muted: { readonly until: string | null } | undefined;

  constructor(roomId: string) {
    this.#settings = defaults(roomId);
  }

  get settings(): RoomSettings {
    return this.#settings;
  }

  get moderator(): boolean {
    return this.#moderator;
  }

  /** Undefined when this user may write. The end of a mute that ends by itself is not told: it is seen here. */
  get muted(): { readonly until: string | null } | undefined {
    const until = this.#muted?.until;
    return typeof until === "string" && Date.parse(until) <= Date.now() ? undefined : this.#muted;
  }

  /** Takes over what a join says, and says what of it is other than before. */
  joined(joined: RoomJoined): { readonly settings: boolean; readonly muted: boolean } {
    const settings = joined.settings ?? defaults(this.#settings.roomId);
    const muted = joined.muted ? { until: joined.mutedUntil ?? null } : undefined;
    const changed = {
      settings: JSON.stringify(settings) !== JSON.stringify(this.#settings),
      muted: JSON.stringify(muted) !== JSON.stringify(this.muted),
    };
    this.#settings = settings;
    this.#muted = muted;
    this.#moderator = joined.moderator ?? false;
    return changed;
  }

  updated(settings: RoomSettings): void {
    this.#settings = settings;
  }

  /** This user was muted, or may write again. */
  changed({ muted, until }: MuteChange): void {
    this.#muted = muted ? { until } : undefined;
  }
}

function defaults(roomId: string): RoomSettings {
  return { roomId, title: "", frozen: false, slowModeMs: 0, private: false, capacity: 0, metadata: {} };
}
