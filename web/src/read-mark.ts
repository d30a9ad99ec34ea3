/** How far a room was read, and how many messages of others came after that. */
export class ReadMark {
  #seq: number | undefined;
  #latest = 0;
  #unread = 0;
  #firstUnread: number | undefined;

  /** `seq`: how far it was read; undefined when it was never open. */
  constructor(seq?: number) {
    this.#seq = seq;
  }

  /** Position up to which everything was read; undefined before anything was. */
  get seq(): number | undefined {
    return this.#seq;
  }

  /** Messages of others not read yet, among those heard of. */
  get unread(): number {
    return this.#unread;
  }

  /** Position of the first of them; stays after reading, so that it can be shown where new messages began. */
  get firstUnread(): number | undefined {
    return this.#firstUnread;
  }

  /** A message is there. `counts` is false for those that need no reading: one's own, deletions. */
  heard(seq: number, counts: boolean): void {
    this.#latest = Math.max(this.#latest, seq);
    if (!counts || seq <= (this.#seq ?? 0)) return;
    this.#unread++;
    this.#firstUnread = this.#unread === 1 ? seq : Math.min(seq, this.#firstUnread ?? seq);
  }

  /** It is open for the first time: what is there already is not new. */
  begin(): void {
    this.#seq ??= this.#latest;
  }

  /** Everything heard of was read. */
  read(): void {
    this.#seq = Math.max(this.#seq ?? 0, this.#latest);
    this.#unread = 0;
  }

  /** What was new is so no longer: the reader went elsewhere. */
  settle(): void {
    if (this.#unread === 0) this.#firstUnread = undefined;
  }

  /** The log was loaded anew; what it holds will be heard again. */
  reset(): void {
    this.#seq = undefined;
    this.#latest = 0;
    this.#unread = 0;
    this.#firstUnread = undefined;
  }
}
