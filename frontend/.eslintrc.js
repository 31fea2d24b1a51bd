const { createConfig } = require('@openedx/frontend-build');

const config = createConfig('eslint');
// Only what a host has: a package of our own would be a second copy in its bundle.
config.rules['import/no-extraneous-dependencies'] = ['error', {
  devDependencies: ['**/*.test.{js,jsx}', 'testing/**', 'host/**', '*.{js,mjs}', '.eslintrc.js'],
}];
config.rules['import/no-unresolved'] = ['error', { ignore: ['^env\\.config$', '^frontend-plugin-coaching$'] }];
// Props that need no default are those that a component can do without.
config.rules['react/require-default-props'] = 'off';

module.exports = config;
