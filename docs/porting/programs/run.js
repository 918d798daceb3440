// Runs all programs of this folder, one after the other, in one process: prints what each has printed, as JSON.
"use strict";
const { readdirSync } = require("node:fs");
const { pathToFileURL } = require("node:url");

async function main() {
  const printed = {};
  const write = console.log;
  for (const file of readdirSync(__dirname).filter((name) => name.endsWith(".mjs")).sort()) {
    const lines = [];
    console.log = (...values) => lines.push(values.join(" "));
    await import(pathToFileURL(`${__dirname}/${file}`));
    printed[file.replace(".mjs", "")] = lines;
  }
  console.log = write;
  console.log(JSON.stringify({ version: process.version, printed }));
}

main();
