import type { Writable } from "node:stream";
import { styleText } from "node:util";
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { toJson } from "@bufbuild/protobuf";
import { type Client, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import type { Command } from "commander";
import { AdminService } from "../gen/baccarat/v1/admin_service_pb.ts";
import { RoomService } from "../gen/baccarat/v1/room_service_pb.ts";
import { FIXED } from "../services/limits.ts";
import { type Column, printable, table } from "./text.ts";

/** Where a command runs: what main takes from `process`. */
export interface Shell {
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable & { readonly isTTY?: boolean };
  readonly stdin: AsyncIterable<Buffer | string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts when the user has had enough (Ctrl-C). */
  readonly signal: AbortSignal;
}

/** Options of every command. */
export interface GlobalOptions {
  readonly url: string;
  readonly token?: string;
  readonly json: boolean;
  readonly timeout: number;
}

/** Colours, by what they are for. */
export type Style = Parameters<typeof styleText>[0];

/** Everything one run of one command needs: the services, and the two ways of printing. */
export class Session {
  readonly shell: Shell;
  readonly json: boolean;
  readonly url: string;
  readonly rooms: Client<typeof RoomService>;
  readonly admin: Client<typeof AdminService>;

  constructor(shell: Shell, { url, token, json, timeout }: GlobalOptions) {
    this.shell = shell;
    this.json = json;
    this.url = url;
    const authorize: Interceptor = (next) => (request) => {
      if (token) request.header.set("authorization", `Bearer ${token}`);
      return next(request);
    };
    const transport = createConnectTransport({
      baseUrl: url,
      httpVersion: "2",
      interceptors: [authorize],
      defaultTimeoutMs: timeout,
      readMaxBytes: FIXED.rpcBytes,
    });
    this.rooms = createClient(RoomService, transport);
    this.admin = createClient(AdminService, transport);
  }

  /** What calls are given, so that Ctrl-C ends them. */
  get call(): { readonly signal: AbortSignal } {
    return { signal: this.shell.signal };
  }

  /** The same for streams, which live as long as they are wanted. */
  get stream(): { readonly signal: AbortSignal; readonly timeoutMs: number } {
    return { signal: this.shell.signal, timeoutMs: 0 };
  }

  /** Colours a text where the output is a terminal and NO_COLOR is not set. */
  style(format: Style, text: string): string {
    return styleText(format, text, { stream: this.shell.stdout });
  }

  /** Prints a value: as one line of JSON with --json, else the text. */
  print(text: string, value: unknown): void {
    this.shell.stdout.write(`${this.json ? JSON.stringify(value) : text}\n`);
  }

  /** Prints a Protobuf message: as JSON with proto field names, else the text. */
  show<D extends DescMessage>(schema: D, message: MessageShape<D> | undefined, text: () => string): void {
    if (message !== undefined) this.print(this.json ? "" : text(), this.json ? plain(schema, message) : null);
  }

  /** Prints messages: as one JSON array, else as a table. */
  list<D extends DescMessage>(
    schema: D,
    messages: readonly MessageShape<D>[],
    columns: readonly Column<MessageShape<D>>[],
  ): void {
    if (this.json)
      this.print(
        "",
        messages.map((message) => plain(schema, message)),
      );
    else if (messages.length === 0) this.note("none");
    else
      this.print(
        table(messages, columns, (text) => this.style("bold", text)),
        null,
      );
  }

  /** Tells something beside the result, on stderr; not with --json. */
  note(text: string): void {
    if (!this.json) this.shell.stderr.write(`${printable(text)}\n`);
  }
}

/** A message as JSON, every field there, named as in the proto files. */
export function plain<D extends DescMessage>(schema: D, message: MessageShape<D>): unknown {
  return toJson(schema, message, { useProtoFieldName: true, alwaysEmitImplicit: true });
}

/** Wraps what a command does as Commander wants it. `args` are the arguments, `options` the command's own. */
export function action<O extends object>(
  shell: Shell,
  run: (session: Session, args: readonly string[], options: O) => Promise<void> | void,
): (...parameters: unknown[]) => Promise<void> {
  return async (...parameters) => {
    const command = parameters.at(-1) as Command;
    const session = new Session(shell, command.optsWithGlobals<GlobalOptions>());
    await run(session, command.processedArgs as string[], command.opts<O>());
  };
}
