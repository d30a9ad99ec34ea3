import { setTimeout as pause } from "node:timers/promises";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import {
  type Health,
  type HealthCheckRequest,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus as Status,
} from "../../../gen/health/v1/health_pb.ts";
import { RoomError } from "../../errors.ts";

/** What the health service reports on. */
export interface HealthOptions {
  /** Whether the process serves right now. */
  readonly ready: () => boolean;
  /** Names of the services it speaks for; the empty name stands for all of them. */
  readonly services: ReadonlySet<string>;
  /** How often watchers look, in milliseconds. Default 1,000. */
  readonly pollMs?: number;
  /** Watchers at a time, who need no token; more are answered `unavailable`. Default 1,000. */
  readonly maxWatchers?: number;
}

/** grpc.health.v1.Health: every service is as ready as the process. */
export function healthService(options: HealthOptions): ServiceImpl<typeof Health> {
  const { services, pollMs = 1_000, maxWatchers = 1_000 } = options;
  const status = () => (options.ready() ? Status.SERVING : Status.NOT_SERVING);
  let watchers = 0;

  function statusOf(service: string): Status {
    return service === "" || services.has(service) ? status() : Status.SERVICE_UNKNOWN;
  }

  return {
    check({ service }: HealthCheckRequest) {
      const current = statusOf(service);
      if (current === Status.SERVICE_UNKNOWN) throw new RoomError("not_found", "no such service");
      return { status: current };
    },
    list() {
      const names = ["", ...services];
      return { statuses: Object.fromEntries(names.map((name) => [name, { status: status() }])) };
    },
    async *watch(
      { service }: HealthCheckRequest,
      { signal }: HandlerContext,
    ): AsyncGenerator<Pick<HealthCheckResponse, "status">> {
      if (watchers >= maxWatchers) throw new RoomError("unavailable", "too many watchers");
      watchers++;
      try {
        let last: Status | undefined;
        while (!signal.aborted) {
          const current = statusOf(service);
          if (current !== last) yield { status: current };
          last = current;
          await pause(pollMs, undefined, { signal });
        }
      } finally {
        watchers--;
      }
    },
  };
}
