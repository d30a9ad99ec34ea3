import { brokerContract } from "./broker-contract.ts";
import { EmbeddedStorage } from "./embedded-storage.ts";

brokerContract({
  name: "embedded",
  shared: false,
  shortAgeMs: 300,
  createStorage: () => EmbeddedStorage.create(),
});
