import { act, fireEvent, screen } from '@testing-library/react';
import { axe } from 'jest-axe';

import { TIMEOUT_MS } from './api';
import DashboardCard from './DashboardCard';
import {
  CARD, createLms, deferred, DISMISSAL, LMS, networkError, refusal, show, silence,
} from '../testing/lms';
import { SLOW_MS } from './useLoad';

const card = (change) => ({
  user: 3, show: true, consent_url: `${LMS}/coaching/consent/`, ...change,
});
const gone = card({ show: false });

async function dashboard(answers) {
  const lms = createLms({ [CARD]: card(), ...answers });
  const page = await show(DashboardCard, lms.framework());
  return { lms, ...page };
}

const offer = () => screen.queryByRole('region', { name: 'Would you like a coach?' });
const dismiss = () => screen.getByRole('button', { name: /Don’t show this again|Saving/ });
const click = (element) => act(async () => { fireEvent.click(element); });

/** Show the card and leave the page, as who comes back to it did. */
async function seenBefore() {
  const { unmount } = await dashboard();
  unmount();
}

beforeEach(() => {
  window.sessionStorage.clear();
  window.history.replaceState({}, '', '/learner-dashboard/?a=1&b=%2B#top');
});
afterEach(() => { jest.useRealTimers(); jest.restoreAllMocks(); });

test('leads to the consent page, and from there back to this one', async () => {
  await dashboard();
  const url = new URL(screen.getByRole('link', { name: 'Learn more or sign up' }).href);
  expect(url.origin + url.pathname).toBe(`${LMS}/coaching/consent/`);
  expect([...url.searchParams.entries()]).toEqual([['next', window.location.href]]);
});

test('is not there for who may not have a coach, or has one', async () => {
  const { container } = await dashboard({ [CARD]: gone });
  expect(container).toBeEmptyDOMElement();
});

test('is not there where nobody is logged in, and nothing is asked', async () => {
  const lms = createLms({});
  const { container } = await show(DashboardCard, { ...lms.framework(), getUser: () => null });
  expect(container).toBeEmptyDOMElement();
  expect(lms.names()).toEqual([]);
});

describe('dismissed', () => {
  test('it is pending, then gone for good, and what is left of it has the focus', async () => {
    const answer = deferred();
    const { lms } = await dashboard({ [DISMISSAL]: answer.promise });
    await click(dismiss());
    expect(dismiss()).toHaveTextContent('Saving…');
    await act(async () => { answer.resolve(gone); });
    expect(offer()).toBeNull();
    expect(screen.getByText('You won’t see this again.')).toHaveFocus();
    expect(lms.bodies(DISMISSAL)).toEqual([{ dismissed: true }]);
  });

  test('twice quickly it is dismissed once', async () => {
    const answer = deferred();
    const { lms } = await dashboard({ [DISMISSAL]: answer.promise });
    await act(async () => {
      const button = dismiss();
      fireEvent.click(button);
      fireEvent.click(button);
    });
    await act(async () => { answer.resolve(gone); });
    expect(lms.bodies(DISMISSAL)).toHaveLength(1);
  });

  test.each([
    ['no network', networkError(), 'This could not be saved. Try again in a little while.'],
    ['HTML', refusal(500, '<!DOCTYPE html>'), 'This could not be saved. Try again in a little while.'],
    ['null', refusal(400, null), 'This could not be saved. Try again in a little while.'],
    ['a reason', refusal(429, { coaching: ['Wait.'], detail: 'Wait.' }), 'Wait.'],
  ])('and that failed (%s): it stays, says so, and can be dismissed again', async (name, answer, message) => {
    await dashboard({ [DISMISSAL]: [answer, gone] });
    await click(dismiss());
    expect(offer()).toBeVisible();
    expect(screen.getByRole('alert')).toHaveTextContent(message);
    await click(dismiss());
    expect(offer()).toBeNull();
  });

  test('and no answer ever came: it stays and says so', async () => {
    jest.useFakeTimers();
    await dashboard({ [DISMISSAL]: silence() });
    await click(dismiss());
    await act(async () => { jest.advanceTimersByTime(TIMEOUT_MS); });
    expect(screen.getByRole('alert')).toBeVisible();
  });

  test('and the page was left meanwhile: nothing breaks', async () => {
    const answer = deferred();
    const { unmount } = await dashboard({ [DISMISSAL]: answer.promise });
    await click(dismiss());
    unmount();
    await act(async () => { answer.resolve(gone); });
  });
});

describe('not loaded', () => {
  test.each([
    ['no network', networkError()],
    ['500', refusal(500, { detail: 'Sorry.' })],
    ['HTML', '<!DOCTYPE html>'],
    ['null', null],
    ['no address', card({ consent_url: null })],
    ['an address that is none', card({ consent_url: 'http://' })],
    ['a path', card({ consent_url: '/coaching/consent/' })],
    ['an address that is a script', card({ consent_url: 'javascript:alert(1)' })], // eslint-disable-line no-script-url
  ])('%s: nothing is there for who never saw it', async (name, answer) => {
    const { container } = await dashboard({ [CARD]: answer });
    expect(container).toBeEmptyDOMElement();
  });

  test('who saw it before is told, and it comes when it is tried again', async () => {
    await seenBefore();
    await dashboard({ [CARD]: [networkError(), card()] });
    expect(screen.getByRole('status')).toHaveTextContent('The offer of a coach can’t be loaded right now.');
    await click(screen.getByRole('button', { name: 'Try again' }));
    expect(offer()).toBeVisible();
  });

  test('who saw it before is told that it is slow', async () => {
    await seenBefore();
    jest.useFakeTimers();
    await dashboard({ [CARD]: silence() });
    await act(async () => { jest.advanceTimersByTime(SLOW_MS); });
    expect(screen.getByRole('status')).toHaveTextContent('taking longer than usual');
  });

  test('who dismissed it is not told', async () => {
    const { unmount } = await dashboard({ [DISMISSAL]: gone });
    await click(dismiss());
    unmount();
    const { container } = await dashboard({ [CARD]: networkError() });
    expect(container).toBeEmptyDOMElement();
  });

  test('a browser that stores nothing shows the card all the same', async () => {
    jest.spyOn(Storage.prototype, 'setItem').mockImplementation(() => { throw new Error('denied'); });
    jest.spyOn(Storage.prototype, 'getItem').mockImplementation(() => { throw new Error('denied'); });
    await dashboard();
    expect(offer()).toBeVisible();
  });
});

test.each([
  ['shown', {}, () => {}],
  ['dismissing failed', { [DISMISSAL]: networkError() }, () => click(dismiss())],
  ['dismissed', { [DISMISSAL]: gone }, () => click(dismiss())],
])('axe finds nothing: %s', async (name, answers, reach) => {
  const { container } = await dashboard(answers);
  await reach();
  expect(await axe(container)).toHaveNoViolations();
});
