import {
  act, fireEvent, screen, within,
} from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { axe } from 'jest-axe';

import { TIMEOUT_MS } from './api';
import ProfileFields from './ProfileFields';
import {
  ACCOUNT, CHANGE, createLms, deferred, DISCLOSURE, disclosure, networkError, refusal, show, silence, STANDING,
  standing, TYPED,
} from '../testing/lms';
import { SLOW_MS } from './useLoad';

const NUMBER = '+14155552671';
const INVALID = 'This phone number does not exist. Check its digits.';
const UNSURE = 'We can’t tell whether this was saved. Please try again.';

const lmsOf = (answers) => createLms({
  [STANDING]: standing(),
  [ACCOUNT]: { username: 'lena', phone_number: null },
  [DISCLOSURE]: disclosure(),
  ...answers,
});

async function settings(answers) {
  const lms = lmsOf(answers);
  const page = await show(ProfileFields, lms.framework());
  return { lms, ...page };
}

const phone = () => screen.getByLabelText('Phone number');
const save = () => screen.getByRole('button', { name: /Save phone number|Saving/ });
const consent = () => screen.getByRole('switch');
const click = (element) => act(async () => { fireEvent.click(element); });
const type = (text) => fireEvent.change(phone(), { target: { value: text } });
const said = () => screen.getAllByRole('status').map((line) => line.textContent).join('');

afterEach(() => { jest.useRealTimers(); });

describe('who sees the fields', () => {
  test.each([
    ['eligible', { eligible_for_coaching: true }],
    ['coached, eligible', { eligible_for_coaching: true, coaching_consent: true }],
    ['coached, no longer eligible', { eligible_for_coaching: false, coaching_consent: true }],
  ])('%s: shown', async (name, change) => {
    await settings({ [STANDING]: standing(change) });
    expect(screen.getByRole('heading', { name: 'Coaching' })).toBeVisible();
    expect(consent().checked).toBe(Boolean(change.coaching_consent));
  });

  test('neither eligible nor coached: nothing at all, and nothing more is asked', async () => {
    const { lms, container } = await settings({ [STANDING]: standing({ eligible_for_coaching: false }) });
    expect(container).toBeEmptyDOMElement();
    expect(lms.names()).toEqual([STANDING]);
  });

  test('nobody is logged in: nothing at all, and nothing is asked', async () => {
    const lms = lmsOf();
    const { container } = await show(ProfileFields, { ...lms.framework(), getUser: () => null });
    expect(container).toBeEmptyDOMElement();
    expect(lms.names()).toEqual([]);
  });
});

describe('loading', () => {
  test('is quiet at first, says so when it is slow, and shows the fields when they come', async () => {
    jest.useFakeTimers();
    const answer = deferred();
    const { container } = await settings({ [STANDING]: answer.promise });
    expect(container).toHaveTextContent('');
    await act(async () => { jest.advanceTimersByTime(SLOW_MS); });
    expect(said()).toContain('taking longer than usual');
    await act(async () => { answer.resolve(standing()); });
    expect(phone()).toBeVisible();
    expect(said()).toBe('');
  });

  test('fails where no answer ever comes, and gives the request up', async () => {
    jest.useFakeTimers();
    const { lms } = await settings({ [STANDING]: silence() });
    await act(async () => { jest.advanceTimersByTime(TIMEOUT_MS); });
    expect(said()).toContain('can’t be shown right now');
    expect(lms.requests[0].options.signal.aborted).toBe(true);
  });

  test.each([
    ['no network', networkError()],
    ['500', refusal(500, { coaching: ['Sorry.'], detail: 'Sorry.' })],
    ['403', refusal(403, { detail: 'No.' })],
    ['HTML with 200', '<!DOCTYPE html><p>Log in to the Wi-Fi</p>'],
    ['null', null],
    ['another object', { user: 3 }],
    ['words for booleans', { user: 3, coaching_consent: 'yes', eligible_for_coaching: 'yes' }],
  ])('says that it failed (%s), and works when it is tried again', async (name, answer) => {
    await settings({ [STANDING]: [answer, standing()] });
    expect(said()).toContain('Your coaching settings can’t be shown right now. Nothing was changed.');
    await click(screen.getByRole('button', { name: 'Try again' }));
    expect(phone()).toBeVisible();
  });

  test('that was tried again is not undone by the first answer, which comes late', async () => {
    jest.useFakeTimers();
    const first = deferred();
    await settings({ [STANDING]: [first.promise, standing()] });
    await act(async () => { jest.advanceTimersByTime(SLOW_MS); });
    await click(screen.getByRole('button', { name: 'Try again' }));
    expect(phone()).toBeVisible();
    await act(async () => { first.resolve(standing({ eligible_for_coaching: false })); });
    expect(phone()).toBeVisible();
  });

  test('is tried again by a button that keeps the focus until it is done', async () => {
    const answer = deferred();
    await settings({ [STANDING]: [networkError(), answer.promise] });
    const again = screen.getByRole('button', { name: 'Try again' });
    again.focus();
    await click(again);
    expect(said()).toContain('Loading…');
    expect(again).toHaveFocus();
    await act(async () => { answer.reject(networkError()); });
    expect(said()).toContain('can’t be shown right now');
    expect(again).toHaveFocus();
  });

  test('of the number alone fails: consent can be withdrawn, not given', async () => {
    const { lms } = await settings({
      [ACCOUNT]: [networkError(), { phone_number: NUMBER }],
      [STANDING]: standing({ coaching_consent: true }),
      [CHANGE]: standing({ coaching_consent: false }),
    });
    expect(said()).toContain('Your phone number can’t be shown right now.');
    await click(consent());
    expect(lms.bodies(CHANGE)).toEqual([{ coaching_consent: false }]);
    expect(consent()).toHaveAttribute('aria-disabled', 'true');
    await click(consent());
    expect(lms.bodies(CHANGE)).toHaveLength(1);
    await click(screen.getByRole('button', { name: 'Try again' }));
    expect(phone()).toHaveValue(NUMBER);
    expect(consent()).toHaveAttribute('aria-disabled', 'false');
  });

  test('of the terms alone fails: consent cannot be given unread, and the number can be saved', async () => {
    const { lms } = await settings({
      [DISCLOSURE]: [refusal(404, { coaching: ['Not found.'], detail: 'Not found.' }), disclosure()],
      [CHANGE]: standing(),
    });
    expect(said()).toContain('The terms of coaching can’t be shown right now.');
    await click(consent());
    expect(lms.bodies(CHANGE)).toEqual([]);
    expect(consent()).not.toBeChecked();
    type(TYPED);
    await click(save());
    expect(lms.bodies(CHANGE)).toEqual([{ phone_number: TYPED }]);
    await click(screen.getByRole('button', { name: 'Try again' }));
    expect(screen.getByText('A coach writes to you.')).toBeVisible();
  });

  test('takes an account without a number as one', async () => {
    await settings({ [ACCOUNT]: { username: 'lena' } });
    expect(phone()).toHaveValue('');
  });
});

describe('the phone number', () => {
  test('is shown, and kept from recordings of the session', async () => {
    await settings({ [ACCOUNT]: { phone_number: NUMBER } });
    expect(phone()).toHaveValue(NUMBER);
    expect(phone()).toHaveAttribute('data-hj-suppress');
    expect(phone()).toHaveAttribute('autocomplete', 'tel');
  });

  test('is saved: pending, then said', async () => {
    const answer = deferred();
    const { lms } = await settings({ [CHANGE]: answer.promise });
    type(TYPED);
    await click(save());
    expect(save()).toHaveTextContent('Saving…');
    expect(save()).toHaveAttribute('aria-disabled', 'true');
    await act(async () => { answer.resolve(standing()); });
    expect(said()).toBe('Your phone number is saved.');
    expect(phone()).toHaveValue(TYPED);
    expect(lms.bodies(CHANGE)).toEqual([{ phone_number: TYPED }]);
    type(`${TYPED}1`);
    expect(said()).toBe('');
  });

  test('is saved with the Enter key', async () => {
    const { lms } = await settings({ [CHANGE]: standing() });
    await userEvent.type(phone(), `${TYPED}{Enter}`);
    expect(lms.bodies(CHANGE)).toEqual([{ phone_number: TYPED }]);
  });

  test('is removed', async () => {
    const { lms } = await settings({ [ACCOUNT]: { phone_number: NUMBER }, [CHANGE]: standing() });
    type('');
    await click(save());
    expect(lms.bodies(CHANGE)).toEqual([{ phone_number: '' }]);
    expect(said()).toBe('Your phone number is removed.');
  });

  test('saved twice quickly is sent once', async () => {
    const answer = deferred();
    const { lms } = await settings({ [CHANGE]: answer.promise });
    type(TYPED);
    await act(async () => {
      const form = phone().closest('form');
      // Faster than the page is drawn anew, so that no button is disabled yet.
      fireEvent.submit(form);
      fireEvent.submit(form);
      fireEvent.click(consent());
    });
    await act(async () => { answer.resolve(standing()); });
    expect(lms.bodies(CHANGE)).toEqual([{ phone_number: TYPED }]);
    await click(save());
    expect(lms.bodies(CHANGE)).toHaveLength(2);
  });

  test('is refused: the message is under the field, which has the focus and what was typed', async () => {
    await settings({ [CHANGE]: [refusal(400, { phone_number: [INVALID] }), standing()] });
    type('12345');
    await click(save());
    expect(phone()).toHaveFocus();
    expect(phone()).toHaveValue('12345');
    expect(phone()).toHaveAttribute('aria-invalid', 'true');
    expect(phone()).toHaveAccessibleDescription(expect.stringContaining(INVALID));
    type(TYPED);
    expect(screen.queryByText(INVALID)).toBeNull();
    await click(save());
    expect(said()).toBe('Your phone number is saved.');
  });

  test('cannot be removed while consent is on: the LMS says so', async () => {
    const message = 'Your coach needs this number. To remove it, stop being coached first.';
    await settings({
      [STANDING]: standing({ coaching_consent: true }),
      [ACCOUNT]: { phone_number: NUMBER },
      [CHANGE]: refusal(400, { phone_number: [message] }),
    });
    type('');
    await click(save());
    expect(phone()).toHaveAccessibleDescription(expect.stringContaining(message));
    expect(phone()).toHaveValue('');
    expect(consent()).toBeChecked();
  });

  test('typed further while it is saved is not lost', async () => {
    const answer = deferred();
    await settings({ [CHANGE]: answer.promise });
    type(TYPED);
    await click(save());
    type('212-555-2368');
    await act(async () => { answer.resolve(standing()); });
    expect(phone()).toHaveValue('212-555-2368');
  });
});

describe('a change that fails', () => {
  test.each([
    ['no network', networkError(), UNSURE],
    ['HTML', refusal(502, '<!DOCTYPE html><h1>Bad gateway</h1>'), UNSURE],
    ['an empty body', refusal(500, ''), UNSURE],
    ['null', refusal(400, null), UNSURE],
    ['no body', refusal(400, undefined), UNSURE],
    ['a list', refusal(400, ['no']), UNSURE],
    ['a number', refusal(400, 42), UNSURE],
    ['an empty object', refusal(400, {}), UNSURE],
    ['objects for lists', refusal(400, { phone_number: { a: 1 }, coaching: { b: 2 }, detail: { c: 3 } }), UNSURE],
    ['lists of objects', refusal(400, { phone_number: [{ a: 1 }, null, 5, ''], coaching: [[]] }), UNSURE],
    ['an unreadable success', '<!DOCTYPE html>', UNSURE],
    ['texts for programs', refusal(400, { developer_message: 'E_FAIL', error_code: 'x' }), UNSURE],
    ['another field', refusal(400, { full_name: ['Write your name.'] }), 'Write your name.'],
    ['too many', refusal(429, { coaching: ['Wait 30 seconds.'], detail: 'Wait 30 seconds.' }), 'Wait 30 seconds.'],
    ['detail only', refusal(500, { detail: 'Something went wrong on our side.' }), 'Something went wrong on our side.'],
  ])('%s: is said, keeps what was typed, and can be tried again', async (name, answer, message) => {
    const { lms } = await settings({ [CHANGE]: [answer, standing()] });
    type(TYPED);
    await click(save());
    expect(screen.getByRole('alert').textContent).toBe(message);
    expect(phone()).toHaveValue(TYPED);
    await click(save());
    expect(screen.queryByRole('alert')).toBeNull();
    expect(lms.bodies(CHANGE)).toEqual([{ phone_number: TYPED }, { phone_number: TYPED }]);
  });

  test('is given up after a while', async () => {
    jest.useFakeTimers();
    await settings({ [CHANGE]: silence() });
    type(TYPED);
    await click(save());
    await act(async () => { jest.advanceTimersByTime(TIMEOUT_MS); });
    expect(screen.getByRole('alert')).toHaveTextContent(UNSURE);
    expect(save()).toHaveAttribute('aria-disabled', 'false');
  });

  test('logs nothing, and so no phone number', async () => {
    const log = ['log', 'info', 'warn', 'error'].map((level) => jest.spyOn(console, level).mockImplementation());
    await settings({ [CHANGE]: networkError() });
    type(TYPED);
    await click(save());
    log.forEach((spy) => expect(spy).not.toHaveBeenCalled());
    jest.restoreAllMocks();
  });
});

describe('consent', () => {
  test('is given to the words and the number shown, typed and not saved before', async () => {
    const { lms } = await settings({ [CHANGE]: standing({ coaching_consent: true }) });
    type(TYPED);
    await click(consent());
    expect(lms.bodies(CHANGE)).toEqual([
      { coaching_consent: true, phone_number: TYPED, disclosure: 'a'.repeat(64) },
    ]);
    expect(consent()).toBeChecked();
    expect(said()).toBe('You are signed up for coaching.');
    expect(phone()).toHaveValue(TYPED);
  });

  test('is shown as wanted while it is saved, and not sent twice', async () => {
    const answer = deferred();
    const { lms } = await settings({ [ACCOUNT]: { phone_number: NUMBER }, [CHANGE]: answer.promise });
    await click(consent());
    expect(consent()).toBeChecked();
    expect(said()).toBe('Saving…');
    await click(consent());
    expect(consent()).toBeChecked();
    await act(async () => { answer.resolve(standing({ coaching_consent: true })); });
    expect(lms.bodies(CHANGE)).toHaveLength(1);
  });

  test('is what the LMS says, whatever was asked for', async () => {
    await settings({ [CHANGE]: standing({ coaching_consent: false }) });
    await click(consent());
    expect(consent()).not.toBeChecked();
    expect(said()).toBe('You will not be coached.');
  });

  test('without a number that can be texted is refused under the field, and the switch goes back', async () => {
    await settings({ [CHANGE]: refusal(400, { phone_number: ['Enter your mobile phone number.'] }) });
    await click(consent());
    expect(consent()).not.toBeChecked();
    expect(phone()).toHaveFocus();
    expect(phone()).toHaveAccessibleDescription(expect.stringContaining('Enter your mobile phone number.'));
  });

  test('of who became ineligible meanwhile is refused with the reason', async () => {
    const reason = 'Coaching is not available to you at the moment.';
    await settings({ [CHANGE]: refusal(400, { coaching: [reason], detail: reason }) });
    type(TYPED);
    await click(consent());
    expect(screen.getByRole('alert')).toHaveTextContent(reason);
    expect(consent()).not.toBeChecked();
    expect(phone()).toHaveValue(TYPED);
  });

  test('to words that changed meanwhile is refused, and the new words are shown and named', async () => {
    const changed = 'The terms of coaching were not shown, or have changed. Read them again, then answer.';
    const { lms } = await settings({
      [DISCLOSURE]: [disclosure(), disclosure({ text: 'New words.', sha256: 'b'.repeat(64) })],
      [CHANGE]: [refusal(400, { coaching: [changed], detail: changed }), standing({ coaching_consent: true })],
    });
    await click(consent());
    expect(screen.getByRole('alert')).toHaveTextContent(changed);
    expect(screen.getByText('New words.')).toBeVisible();
    expect(screen.queryByText('A coach writes to you.')).toBeNull();
    await click(consent());
    expect(lms.bodies(CHANGE)[1].disclosure).toBe('b'.repeat(64));
  });

  test('is withdrawn without number and words', async () => {
    const { lms } = await settings({
      [STANDING]: standing({ coaching_consent: true }), [ACCOUNT]: { phone_number: NUMBER }, [CHANGE]: standing(),
    });
    await click(consent());
    expect(lms.bodies(CHANGE)).toEqual([{ coaching_consent: false }]);
    expect(said()).toBe('You will not be coached.');
    expect(phone()).toHaveValue(NUMBER);
  });

  test('withdrawn by who is no longer eligible: the fields stay to say so', async () => {
    await settings({
      [STANDING]: standing({ coaching_consent: true, eligible_for_coaching: false }),
      [CHANGE]: standing({ eligible_for_coaching: false }),
    });
    await click(consent());
    expect(said()).toBe('You will not be coached.');
    expect(consent()).not.toBeChecked();
  });

  test('fails: the switch goes back, and the number stays', async () => {
    await settings({ [CHANGE]: networkError() });
    type(TYPED);
    await click(consent());
    expect(screen.getByRole('alert')).toHaveTextContent(UNSURE);
    expect(consent()).not.toBeChecked();
    expect(phone()).toHaveValue(TYPED);
  });
});

describe('the terms', () => {
  test('stand beside the switch in their own language, word for word', async () => {
    const { container } = await settings({ [DISCLOSURE]: disclosure({ language: 'ar', direction: 'rtl' }) });
    const terms = container.querySelector('[lang=ar]');
    expect(terms).toHaveAttribute('dir', 'rtl');
    expect(terms.textContent.replace('in a new tab', '')).toBe(disclosure().text.replace('\n\n', ''));
    const link = within(terms).getByRole('link');
    expect(link).toHaveAttribute('href', 'https://lms.example.com/privacy');
    expect(link).toHaveAttribute('rel', expect.stringContaining('noopener'));
  });

  test('are not shown to who agreed before, but to who then withdraws', async () => {
    await settings({ [STANDING]: standing({ coaching_consent: true }), [CHANGE]: standing() });
    expect(screen.queryByText('A coach writes to you.')).toBeNull();
    await click(consent());
    expect(screen.getByText('A coach writes to you.')).toBeVisible();
  });

  test.each([
    'Read https://a.example/x/y?z=1#w. Read https://a.example/x/y?z=1#w.',
    'Twice.\n\nTwice.\n\n\nA line\nand another.',
    '(https://a.example), https://b.example/a//b/!',
    'http:// and https://',
    'شروط: https://a.example/b، نعم',
  ])('are there to the last character: %s', async (text) => {
    await settings({ [DISCLOSURE]: disclosure({ text }) });
    const shown = document.querySelector('div[lang=en][dir=ltr] div[lang=en]');
    const paragraphs = [...shown.querySelectorAll('p')].map((paragraph) => paragraph.textContent);
    expect(paragraphs.map((words) => words.replaceAll('in a new tab', ''))).toEqual(text.split(/\n{2,}/));
    [...shown.querySelectorAll('a')].forEach((link) => {
      expect(link.querySelector('bdi').textContent).toBe(link.getAttribute('href'));
      expect(link.getAttribute('href')).not.toMatch(/[.,)!،]$/);
    });
  });

  test('are no markup', async () => {
    const { container } = await settings({ [DISCLOSURE]: disclosure({ text: '<img src=x onerror=alert(1)>' }) });
    expect(container.querySelector('img')).toBeNull();
  });
});

describe('leaving the page', () => {
  test('while a change is on its way lets it go on, and breaks nothing', async () => {
    const answer = deferred();
    const { lms, unmount } = await settings({ [CHANGE]: answer.promise });
    type(TYPED);
    await click(save());
    unmount();
    await act(async () => { answer.resolve(standing()); });
    expect(lms.requests.find(({ request }) => request === CHANGE).options.signal.aborted).toBe(false);
  });

  test('while a change is on its way that is then refused asks for nothing more', async () => {
    const answer = deferred();
    const { lms, unmount } = await settings({ [CHANGE]: answer.promise });
    await click(consent());
    unmount();
    await act(async () => { answer.reject(refusal(400, { coaching: ['No.'] })); });
    expect(lms.names().filter((name) => name === DISCLOSURE)).toHaveLength(1);
  });

  test('while the fields load breaks nothing', async () => {
    const answer = deferred();
    const { unmount } = await settings({ [STANDING]: answer.promise });
    unmount();
    // React would complain of a change to what is not there.
    await act(async () => { answer.reject(networkError()); });
  });
});

describe('accessibility', () => {
  test.each([
    ['at first', {}, () => {}],
    ['coached', { [STANDING]: standing({ coaching_consent: true }) }, () => {}],
    ['refused', { [CHANGE]: refusal(400, { phone_number: [INVALID], coaching: ['No.'] }) }, () => click(consent())],
    ['failed', { [CHANGE]: networkError() }, () => click(save())],
    ['saved', { [CHANGE]: standing() }, () => click(save())],
    ['not loaded', { [STANDING]: networkError() }, () => {}],
    ['partly loaded', { [ACCOUNT]: networkError(), [DISCLOSURE]: networkError() }, () => {}],
  ])('%s', async (name, answers, reach) => {
    const { container } = await settings(answers);
    await reach();
    // In a host the heading of the page and of its section stand above.
    expect(await axe(container, { rules: { 'heading-order': { enabled: false } } })).toHaveNoViolations();
  });

  test('everything is reached with the keyboard, in the order of the page', async () => {
    await settings();
    const reached = [];
    for (let step = 0; step < 4; step += 1) {
      // eslint-disable-next-line no-await-in-loop
      await userEvent.tab();
      reached.push(document.activeElement);
    }
    expect(reached).toEqual([phone(), save(), screen.getByRole('link'), consent()]);
    await userEvent.keyboard(' ');
    expect(consent()).toHaveFocus();
  });
});
