import { type Client, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { AdminService } from "../../../gen/baccarat/v1/admin_service_pb.ts";
import { RoomService } from "../../../gen/baccarat/v1/room_service_pb.ts";
import { describeFailure, type Failure } from "./failure.ts";

/** Longest wait for an answer, in milliseconds; streams have no end. */
const ANSWER_MS = 15_000;

/** The server, as the console speaks to it. */
export interface Api {
  readonly rooms: Client<typeof RoomService>;
  readonly admin: Client<typeof AdminService>;
}

/**
 * Speaks to the RPC API of the page's own origin.
 * @param options.token the service token to show; undefined where the server asks for none.
 * @param options.onFailure hears of every call that failed, before its caller does.
 */
export function openApi(options: {
  readonly baseUrl: string;
  readonly token: string | undefined;
  readonly onFailure: (failure: Failure) => void;
}): Api {
  const { baseUrl, token, onFailure } = options;
  const authorize: Interceptor = (next) => (request) => {
    if (token !== undefined) request.header.set("Authorization", `Bearer ${token}`);
    return next(request);
  };
  const listen: Interceptor = (next) => async (request) => {
    try {
      return await next(request);
    } catch (error) {
      if (!request.signal.aborted) onFailure(describeFailure(error));
      throw error;
    }
  };
  const transport = createConnectTransport({
    baseUrl,
    defaultTimeoutMs: ANSWER_MS,
    interceptors: [listen, authorize],
  });
  return { rooms: createClient(RoomService, transport), admin: createClient(AdminService, transport) };
}
