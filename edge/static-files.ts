import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
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

/**
 * On every response. The page runs its own script only, loads nothing of others but pictures the user asks for, and is
 * framed by nobody. It may connect to other edges, since /duo shows two of them.
 */
export const SECURITY_HEADERS = {
  "Content-Security-Policy":
    "default-src 'self'; img-src 'self' https:; connect-src 'self' ws: wss:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
} as const;

/**
 * Reads a folder and what is below it, once: what is not in the result cannot be asked for, however a path is spelled.
 * Hidden files, links and unknown kinds are left out. @throws when the folder cannot be read.
 */
export async function loadStaticFiles(dir: string): Promise<StaticFiles> {
  const files = new Map<string, StaticFile>();
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = `/${relative(dir, path).split(sep).join("/")}`;
    const contentType = CONTENT_TYPES.get(extname(entry.name));
    if (!entry.isFile() || contentType === undefined || name.includes("/.")) continue;
    const body = await readFile(path);
    const etag = `"${createHash("sha256").update(body).digest("base64url")}"`;
    files.set(name.replace(/(\/index)?\.html$/, "") || "/", { body, contentType, etag });
  }
  return files;
}

/** Answers a GET or HEAD with the file, or 304 when the client has it. */
export function serveFile(file: StaticFile, request: IncomingMessage, response: ServerResponse): void {
  const headers = { ...SECURITY_HEADERS, ETag: file.etag, "Cache-Control": "no-cache" };
  if (hasCurrent(request.headers["if-none-match"], file.etag)) {
    response.writeHead(304, headers).end();
    return;
  }
  const length = { "Content-Type": file.contentType, "Content-Length": file.body.length };
  response.writeHead(200, { ...headers, ...length }).end(file.body);
}

function hasCurrent(ifNoneMatch: string | undefined, etag: string): boolean {
  return (ifNoneMatch ?? "").split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag);
}
