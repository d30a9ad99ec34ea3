import { describe } from "vitest";
import { controlContract } from "./control.ts";
import type { Engine } from "./engine.ts";
import { historyContract } from "./history.ts";
import { lifecycleContract } from "./lifecycle.ts";
import { liveContract } from "./live.ts";
import { publishContract } from "./publish.ts";
import { retentionContract } from "./retention.ts";
import { tailContract } from "./tail.ts";

/**
 * Everything broker/broker.ts promises, asserted of one engine. A test file calls this with the engine and nothing else;
 * what only one engine promises is tested beside it.
 */
export function brokerContract(engine: Engine): void {
  describe(`${engine.name} broker`, () => {
    publishContract(engine);
    historyContract(engine);
    retentionContract(engine);
    liveContract(engine);
    tailContract(engine);
    controlContract(engine);
    lifecycleContract(engine);
  });
}
