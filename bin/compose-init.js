import { run } from "./run.js";

run("../scripts/compose-init.ts", "npm run compose:init").then(({ initialise }) => initialise());
