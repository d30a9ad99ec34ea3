/** One page of a listing. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly nextPageToken: string;
}

/** Largest page of most listings. */
const PAGE = 1_000;

/** Reads pages until there are `limit` items or no more. `more` says whether something was left out. */
export async function readPages<T>(
  limit: number,
  read: (page: { readonly pageSize: number; readonly pageToken: string }) => Promise<Page<T>>,
): Promise<{ readonly items: readonly T[]; readonly more: boolean }> {
  const items: T[] = [];
  let pageToken = "";
  do {
    const page = await read({ pageSize: Math.min(limit - items.length, PAGE), pageToken });
    items.push(...page.items);
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && items.length < limit);
  return { items, more: pageToken !== "" };
}
