// Measures what the package adds to an MFE's bundle, gzipped, without what the MFE has anyway; fails over the limit.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

import { build } from 'esbuild';

const LIMIT_BYTES = 15_000;

const { main, peerDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
const peers = Object.keys(peerDependencies);
const { outputFiles: [bundle] } = await build({
  entryPoints: [main],
  bundle: true,
  external: [...peers, ...peers.map((peer) => `${peer}/*`)],
  format: 'esm',
  logLevel: 'error',
  minify: true,
  write: false,
});
const bytes = gzipSync(bundle.contents, { level: 9 }).length;
process.stdout.write(`The package adds ${bytes} bytes to a host, gzipped; at most ${LIMIT_BYTES} are allowed.\n`);
process.exitCode = bytes > LIMIT_BYTES ? 1 : 0;
