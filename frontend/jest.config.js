const { createConfig } = require('@openedx/frontend-build');

module.exports = createConfig('jest', {
  setupFilesAfterEnv: ['<rootDir>/testing/setup.js'],
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/host/dist/'],
});
