import { run } from "./run.js";

run("../main.ts", "npm start");
