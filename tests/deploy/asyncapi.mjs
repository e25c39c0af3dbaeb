// Reads an AsyncAPI document from stdin with AsyncAPI's own parser; says what is wrong with it.

import { readFileSync } from 'node:fs';

import { Parser } from '@asyncapi/parser';

const { document, diagnostics } = await new Parser().parse(readFileSync(0, 'utf8'));
const wrong = diagnostics.filter((found) => found.severity <= 1);
for (const { severity, message, path } of wrong) {
  console.log(`${severity === 0 ? 'error' : 'warning'}: ${path.join('.')}: ${message}`);
}
if (!document || wrong.length > 0) {
  process.exit(1);
}
console.log(document.channels().all().map((channel) => channel.address()).sort().join(' '));
