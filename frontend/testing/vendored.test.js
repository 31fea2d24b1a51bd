import { readFileSync } from 'node:fs';
import path from 'node:path';

const root = path.dirname(__dirname);
const vendored = path.join(root, '..', 'coaching_plugin', 'static', 'coaching_plugin', 'vendor', 'chartjs');
const published = path.join(root, 'node_modules', 'chart.js');
const read = (...names) => readFileSync(path.join(...names), 'utf8');

test('the report draws with Chart.js as it was published, but for the name of a source map that is not there', () => {
  const script = read(published, 'dist', 'chart.umd.min.js');
  expect(read(vendored, 'chart.umd.min.js')).toBe(script.replace(/^\/\/# sourceMappingURL=.*\n/m, ''));
  expect(read(vendored, 'LICENSE.md')).toBe(read(published, 'LICENSE.md'));
});

test('its version is the one that is said', () => {
  const { version } = JSON.parse(read(published, 'package.json'));
  expect(JSON.parse(read(root, 'package.json')).devDependencies['chart.js']).toBe(version);
  expect(read(vendored, 'README.md')).toMatch(`# Chart.js ${version}\n`);
});
