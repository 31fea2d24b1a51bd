import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';

const root = path.dirname(__dirname);
const read = (name) => JSON.parse(readFileSync(path.join(root, name), 'utf8'));

test('what is published is what a host needs: no test, and nothing that tests need', () => {
  const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--foreground-scripts=false'], {
    cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'],
  });
  // `npm pack` builds first, and says so before the list.
  const [{ files }] = JSON.parse(output.slice(output.indexOf('[\n')));
  const modules = [
    'DashboardCard', 'Disclosure', 'LoadNotice', 'ProfileFields', 'api', 'framework', 'i18n/index', 'index', 'messages',
    'useChange', 'useLoad',
  ];
  expect(files.map((file) => file.path).sort()).toEqual([
    'LICENSE', 'README.md', 'package.json', 'dist/i18n/ar.json', 'dist/i18n/es-419.json',
    ...modules.map((name) => `dist/${name}.js`),
  ].sort());
});

test('everything that a host has is a peer, so that there is no second copy', () => {
  const { dependencies, devDependencies, peerDependencies } = read('package.json');
  expect(dependencies).toBeUndefined();
  Object.keys(peerDependencies).forEach((name) => expect(devDependencies).toHaveProperty([name]));
});

test('the lock file names no registry', () => {
  Object.entries(read('package-lock.json').packages).forEach(([name, { resolved, link }]) => {
    expect([name, resolved, link]).toEqual([name, undefined, undefined]);
  });
});
