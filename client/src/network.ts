/** What browsers have of it; Node and React Native have less. */
interface Host {
  addEventListener?(type: string, listener: () => void): void;
  removeEventListener?(type: string, listener: () => void): void;
  readonly document?: Host & { readonly visibilityState?: string };
}

/**
 * Calls back when the network came or went, or the page is shown again: it is worth a try at once then, and a connection
 * of a page that slept may be dead without knowing. Returns what ends it. Does nothing where there are no such events.
 */
export function watchNetwork(onAwake: () => void): () => void {
  const host = globalThis as Host;
  const awake = (): void => {
    if (host.document?.visibilityState !== "hidden") onAwake();
  };
  host.addEventListener?.("online", awake);
  host.addEventListener?.("offline", awake);
  host.document?.addEventListener?.("visibilitychange", awake);
  return () => {
    host.removeEventListener?.("online", awake);
    host.removeEventListener?.("offline", awake);
    host.document?.removeEventListener?.("visibilitychange", awake);
  };
}
