// What the tests run in: an LMS that answers as it is told to, and a page for a learner to look at.
import React from 'react';
import { act, render } from '@testing-library/react';
import { IntlProvider } from 'react-intl';

export const LMS = 'https://lms.example.com';
export const TYPED = '(415) 555-2671';

export const STANDING = `get ${LMS}/api/coaching/v1/users/3/`;
export const CHANGE = `patch ${LMS}/api/coaching/v1/users/3/`;
export const ACCOUNT = `get ${LMS}/api/user/v1/accounts/lena`;
export const DISCLOSURE = `get ${LMS}/api/coaching/v1/disclosure/?language=en`;
export const CARD = `get ${LMS}/api/coaching/v1/dashboard_card/3/`;
export const DISMISSAL = `patch ${LMS}/api/coaching/v1/dashboard_card/3/`;

export const standing = (change) => ({
  user: 3, coaching_consent: false, eligible_for_coaching: true, consent_form_seen: false, ...change,
});
export const disclosure = (change) => ({
  version: 1,
  language: 'en',
  direction: 'ltr',
  text: 'A coach writes to you.\n\nReply STOP. Read https://lms.example.com/privacy, please.',
  sha256: 'a'.repeat(64),
  ...change,
});

/** Return the error of frontend-platform's client: an object whose prototype is axios's error. */
export const refusal = (status, data) => Object.create(
  Object.assign(new Error(`Request failed with status code ${status}`), { response: { status, data } }),
);
/** An error without an answer: the network is gone. */
export const networkError = () => new Error('Network Error');

/** What never comes. */
export const silence = () => new Promise(() => {});

/** Return a promise, and what settles it. */
export function deferred() {
  const settle = {};
  const promise = new Promise((resolve, reject) => { Object.assign(settle, { resolve, reject }); });
  return { promise, ...settle };
}

/**
 * Return an LMS. `answers` has, for each request, what it is answered with: data, an error, a promise, or a list of
 * these, of which the last one stays. `lms.requests` tells what was asked, `lms.bodies(request)` with which bodies.
 */
export function createLms(answers) {
  const requests = [];
  const take = (request) => {
    const answer = answers[request];
    return Array.isArray(answer) && answer.length > 1 ? answer.shift() : [answer].flat()[0];
  };
  const ask = (method) => (url, ...rest) => {
    const request = `${method} ${url}`;
    requests.push({ request, body: method === 'patch' ? rest[0] : undefined, options: rest[rest.length - 1] });
    if (!(request in answers)) { return Promise.reject(new Error(`nobody expects ${request}`)); }
    const answer = take(request);
    if (answer instanceof Promise) { return answer.then((data) => ({ data })); }
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve({ data: answer });
  };
  return {
    answers,
    requests,
    names: () => requests.map(({ request }) => request),
    bodies: (wanted) => requests.filter(({ request }) => request === wanted).map(({ body }) => body),
    framework: (locale = 'en') => ({
      getHttpClient: () => ({ get: ask('get'), patch: ask('patch') }),
      getLmsUrl: () => LMS,
      getUser: () => ({ userId: 3, username: 'lena' }),
      useLocale: () => locale,
    }),
  };
}

/** Put a component on a page as a host does, and wait until what it asked for at once is there. */
export async function show(Component, framework, locale = 'en') {
  // A host knows paragon's texts and its own, and none of ours.
  const page = render(
    <IntlProvider locale={locale} onError={() => {}}><Component framework={framework} /></IntlProvider>,
  );
  await act(async () => {});
  return page;
}
