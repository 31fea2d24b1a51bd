import '@testing-library/jest-dom';
import { toHaveNoViolations } from 'jest-axe';

expect.extend(toHaveNoViolations);

// jsdom has no layout to ask about.
window.matchMedia = (query) => ({
  matches: false, media: query, addListener() {}, removeListener() {}, addEventListener() {}, removeEventListener() {},
});

// What React complains of fails the test, but for paragon's default props, which are not ours to change.
const complaints = [];
const { error: report } = console; // eslint-disable-line no-console
console.error = (...args) => { // eslint-disable-line no-console
  if (!String(args[0]).includes('Support for defaultProps will be removed')) {
    complaints.push(args);
    report(...args);
  }
};
afterEach(() => { expect(complaints.splice(0)).toEqual([]); });
