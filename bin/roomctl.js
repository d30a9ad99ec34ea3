#!/usr/bin/env node
import { run } from "./run.js";

run("../cli/roomctl.ts", "npm run roomctl -- …");
