// Builds the host page into host/dist, with the env.config.jsx that the README tells operators to paste.
import { cpSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';
import postcss from 'postcss';
import rtl from 'postcss-rtlcss';

const host = dirname(fileURLToPath(import.meta.url));
const root = dirname(host);
const out = join(host, 'dist');

/** Return the block of the README that begins with `import` and sets `pluginSlots`. */
function envConfigOfReadme() {
  const blocks = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/^```jsx\n(.*?)^```$/gms)];
  const [block, ...others] = blocks.map(([, code]) => code).filter((code) => code.includes('pluginSlots'));
  if (!block || others.length) { throw new Error('README.md must have one env.config.jsx.'); }
  return block;
}

// What frontend-build's webpack does for an MFE: `env.config` is the operator's file.
const envConfig = {
  name: 'env.config',
  setup(builder) {
    builder.onResolve({ filter: /^env\.config$/ }, () => ({ path: 'env.config.jsx', namespace: 'readme' }));
    builder.onLoad({ filter: /.*/, namespace: 'readme' }, () => ({
      contents: envConfigOfReadme(), loader: 'jsx', resolveDir: root,
    }));
  },
};

// And: the styles of right-to-left pages are made from those of the others.
const rightToLeft = {
  name: 'right-to-left',
  setup(builder) {
    builder.onLoad({ filter: /\.css$/ }, async ({ path }) => ({
      contents: (await postcss([rtl()]).process(readFileSync(path, 'utf8'), { from: path })).css, loader: 'css',
    }));
  },
};

rmSync(out, { recursive: true, force: true });
await build({
  entryPoints: [join(host, 'host.jsx'), join(host, 'host.css')],
  outdir: out,
  bundle: true,
  minify: true,
  // The package as it is published.
  alias: { 'frontend-plugin-coaching': join(root, 'dist', 'index.js') },
  define: { 'process.env': '{"NODE_ENV": "production"}', global: 'window' },
  loader: { '.svg': 'dataurl', '.scss': 'empty' },
  logLevel: 'warning',
  plugins: [envConfig, rightToLeft],
});
['account.html', 'dashboard.html'].forEach((page) => cpSync(join(host, 'index.html'), join(out, page)));
cpSync(join(host, 'config.json'), join(out, 'config.json'));
