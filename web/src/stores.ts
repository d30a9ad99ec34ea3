import { memoryStore, type Store } from "./saved.ts";

/** Where the page remembers things: for the tab, and for the device. */
export function browserStores(): { readonly tab: Store; readonly device: Store } {
  return { tab: usable(() => sessionStorage), device: usable(() => localStorage) };
}

/** Some browsers refuse storage, by throwing at the first touch or at the first write. */
function usable(store: () => Store): Store {
  try {
    const candidate = store();
    candidate.setItem("baccarat.probe", "");
    candidate.removeItem("baccarat.probe");
    return candidate;
  } catch {
    return memoryStore(); // forgetful, but the page works
  }
}
