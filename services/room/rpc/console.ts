import { COMMON_HEADERS, loadStaticFiles, serveFile } from "../../static-files.ts";
import type { HttpRequest, HttpResponse } from "./listener.ts";

/** Answers a request that is no RPC; false when there is nothing at its path, and nothing was answered. */
export type Pages = (path: string, request: HttpRequest, response: HttpResponse) => boolean;

/** Where the console is, and below it its files. */
const PATH = "/admin";
/** Files whose names change with what is in them. */
const HASHED = `${PATH}/assets/`;
const OFF = "The console is off: it is on with RPC_TOKENS, or with ADMIN_CONSOLE=on.\n";

/** The console runs its own script, speaks to its own origin, and is framed by nobody. */
const HEADERS = {
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "Cross-Origin-Resource-Policy": "same-origin",
  ...COMMON_HEADERS,
} as const;

/**
 * The operators' console at /admin: static files, which know and may do nothing; what they show comes by RPC.
 * @param dir folder with admin.html and what it needs; undefined: a word on why there is none is all there is.
 * @throws when the folder cannot be read.
 */
export async function openConsole(dir: string | undefined): Promise<Pages> {
  const files = new Map([...(dir === undefined ? [] : await loadStaticFiles(dir))].map(below));
  return (path, request, response) => {
    if (path !== PATH && !path.startsWith(`${PATH}/`)) return false;
    const file = files.get(path === `${PATH}/` ? PATH : path);
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("Allow", "GET, HEAD");
      answer(response, 405, "only GET and HEAD are answered here\n");
    } else if (file === undefined) answer(response, 404, dir === undefined ? OFF : "there is nothing here\n");
    else serveFile(file, request, response, path.startsWith(HASHED) ? { ...HEADERS, ...FOR_EVER } : HEADERS);
    return true;
  };
}

const FOR_EVER = { "Cache-Control": "public, max-age=31536000, immutable" } as const;

/** The page is at the console's own path, everything else below it. */
function below<File>([path, file]: readonly [string, File]): [string, File] {
  return [path === PATH ? path : PATH + path, file];
}

function answer(response: HttpResponse, status: number, text: string): void {
  response.statusCode = status;
  for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
  response.setHeader("Content-Type", "text/plain; charset=utf-8");
  response.end(text);
}
