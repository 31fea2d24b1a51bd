import { screen } from '@testing-library/react';

import DashboardCard from '../DashboardCard';
import messages from '../messages';
import ProfileFields from '../ProfileFields';
import {
  ACCOUNT, CARD, createLms, DISCLOSURE, disclosure, LMS, show, STANDING, standing,
} from '../../testing/lms';
import ar from './ar.json';
import es419 from './es-419.json';
import { nearestLanguage } from './index';

const catalogues = { ar, 'es-419': es419 };
const english = Object.values(messages);

test('every message has an id of its own, and says what it is for', () => {
  const ids = english.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  english.forEach(({ description, defaultMessage }) => { expect(description && defaultMessage).toBeTruthy(); });
});

describe.each(Object.entries(catalogues))('the catalogue %s', (language, catalogue) => {
  test('has every message and no other', () => {
    expect(Object.keys(catalogue).sort()).toEqual(english.map(({ id }) => id).sort());
  });

  test.each(english.map(({ id, defaultMessage }) => [id, defaultMessage]))('%s is translated', (id, text) => {
    expect(catalogue[id].trim()).toBeTruthy();
    // The Spanish word for coaching is the same.
    if (id !== 'coaching.settings.heading') { expect(catalogue[id]).not.toBe(text); }
    // None has a value to fill in.
    expect(catalogue[id] + text).not.toMatch(/[{}<>]/);
  });
});

test('the Arabic catalogue commands nobody: imperatives would address men only', () => {
  const imperatives = /(^|\s)(اكتب|اضغط|انقر|اقرأ|حاول|انتظر|أدخل|ادخل|اترك|أعد|ابدأ|أطفئ|شغّل|اختر)(\s|$|[.،])/;
  Object.values(ar).forEach((text) => expect(text).not.toMatch(imperatives));
});

test.each([
  ['en', 'en'], ['en-us', 'en'], ['ar', 'ar'], ['ar-SA', 'ar'], ['es-419', 'es-419'], ['es', 'es-419'],
  ['es-ES', 'es-419'], ['es_MX', 'es-419'], ['fr', 'en'], ['fa-ir', 'en'], ['', 'en'], [undefined, 'en'],
])('a reader of %s gets %s', (locale, language) => {
  expect(nearestLanguage(locale)).toBe(language);
});

const inLanguage = (locale) => createLms({
  [STANDING]: standing(),
  [ACCOUNT]: { phone_number: '+14155552671' },
  [DISCLOSURE.replace('=en', `=${locale}`)]: disclosure({ language: locale }),
  [CARD]: { user: 3, show: true, consent_url: `${LMS}/coaching/consent/` },
}).framework(locale);

test('the page’s language is asked for and shown, with numbers from the left in Arabic too', async () => {
  const { container } = await show(ProfileFields, inLanguage('ar'), 'ar');
  expect(screen.getByRole('heading', { name: 'الإرشاد' })).toBeVisible();
  expect(container.firstChild).toHaveAttribute('lang', 'ar');
  expect(container.firstChild).toHaveAttribute('dir', 'rtl');
  expect(screen.getByLabelText('رقم الهاتف')).toHaveAttribute('dir', 'ltr');
  expect(screen.getByLabelText('رقم الهاتف')).toHaveStyle('text-align: right');
});

test('in a language that we do not have, English is marked as what it is', async () => {
  const { container } = await show(ProfileFields, inLanguage('fa'), 'fa');
  expect(screen.getByRole('heading', { name: 'Coaching' })).toBeVisible();
  expect(container.firstChild).toHaveAttribute('lang', 'en');
  expect(container.firstChild).toHaveAttribute('dir', 'ltr');
});

test('the card speaks the page’s language', async () => {
  await show(DashboardCard, inLanguage('es-419'), 'es-419');
  expect(screen.getByRole('heading', { name: '¿Te gustaría tener un coach?' })).toBeVisible();
});
