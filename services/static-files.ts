import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { extname, join, relative, sep } from "node:path";

/** A file as it is served. */
export interface StaticFile {
  readonly body: Buffer;
  readonly contentType: string;
  /** Strong validator, quoted. */
  readonly etag: string;
}

/** Files by request path, such as `/app.js`; pages without their ending, such as `/duo`, and `index.html` at `/`. */
export type StaticFiles = ReadonlyMap<string, StaticFile>;

/** Files of any other kind are not served. */
const CONTENT_TYPES: ReadonlyMap<string, string> = new Map([
  [".html", "text/html; charset=utf-8"],
  [".js", "text/javascript; charset=utf-8"],
  [".css", "text/css; charset=utf-8"],
  [".svg", "image/svg+xml"],
  [".png", "image/png"],
  [".ico", "image/x-icon"],
  [".woff2", "font/woff2"],
  [".webmanifest", "application/manifest+json"],
]);

/** On every response, whatever the page is. */
export const COMMON_HEADERS = { "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer" } as const;

/**
 * Reads a folder and what is below it, once: what is not in the result cannot be asked for, however a path is spelled.
 * Hidden files, links and unknown kinds are left out. @throws when the folder cannot be read.
 * @param meta contents of pages' empty `<meta>` elements, by name: what a page is to know of this server. Not escaped.
 */
export async function loadStaticFiles(dir: string, meta: Readonly<Record<string, string>> = {}): Promise<StaticFiles> {
  const files = new Map<string, StaticFile>();
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = `/${relative(dir, path).split(sep).join("/")}`;
    const contentType = CONTENT_TYPES.get(extname(entry.name));
    if (!entry.isFile() || contentType === undefined || name.includes("/.")) continue;
    const file = await readFile(path);
    const body = extname(entry.name) === ".html" ? withMeta(file, meta) : file;
    const etag = `"${createHash("sha256").update(body).digest("base64url")}"`;
    files.set(name.replace(/(\/index)?\.html$/, "") || "/", { body, contentType, etag });
  }
  return files;
}

function withMeta(page: Buffer, meta: Readonly<Record<string, string>>): Buffer {
  let text = page.toString("utf8");
  for (const [name, content] of Object.entries(meta)) {
    text = text.replace(`<meta name="${name}" content=""`, `<meta name="${name}" content="${content}"`);
  }
  return Buffer.from(text);
}

/**
 * Answers a GET or HEAD, of HTTP/1.1 or HTTP/2, with the file, or 304 when the client has it.
 * @param headers of every answer, beside those about the file; a `Cache-Control` among them replaces `no-cache`.
 */
export function serveFile(
  file: StaticFile,
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
  headers: Readonly<Record<string, string>>,
): void {
  const current = hasCurrent(request.headers["if-none-match"], file.etag);
  const about = { "Content-Type": file.contentType, "Content-Length": String(file.body.length) };
  // The two classes of response have writeHead methods that TypeScript cannot call as one.
  response.statusCode = current ? 304 : 200;
  for (const [name, value] of Object.entries({
    "Cache-Control": "no-cache",
    ...headers,
    ETag: file.etag,
    ...(!current && about),
  })) {
    response.setHeader(name, value);
  }
  response.end(current || request.method === "HEAD" ? "" : file.body);
}

function hasCurrent(ifNoneMatch: string | undefined, etag: string): boolean {
  return (ifNoneMatch ?? "").split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag);
}
