import { registerHooks } from "node:module";
import { isMainThread } from "node:worker_threads";

/** Loaded into a process of the product by NODE_OPTIONS: at its end it writes which packages it loaded. */
if (isMainThread) {
  const packages = new Set<string>();
  registerHooks({
    load(url, context, next) {
      const [, name] = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url) ?? [];
      if (name !== undefined) packages.add(name);
      return next(url, context);
    },
  });
  process.on("exit", () => {
    process.stdout.write(`${JSON.stringify({ level: "info", msg: "packages loaded", packages: [...packages] })}\n`);
  });
}
