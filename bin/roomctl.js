#!/usr/bin/env node
// Plain old JavaScript on purpose: it must run, and say what to do, on a Node that cannot run the rest.
const NEEDED = 24;
const found = process.versions.node;

if (Number(found.split(".")[0]) < NEEDED) {
  process.stderr.write(
    `This needs Node ${NEEDED} and runs on ${found}: run it through npm (npm run roomctl -- …), which brings its own Node ${NEEDED}.\n`,
  );
  process.exit(1);
} else {
  import("../cli/roomctl.ts");
}
