import React from 'react';
import { act, render, screen } from '@testing-library/react';
import { getConfig } from '@edx/frontend-platform';
import { getAuthenticatedHttpClient, getAuthenticatedUser } from '@edx/frontend-platform/auth';
import { IntlProvider } from 'react-intl';

import * as plugin from './index';
import {
  ACCOUNT, CARD, createLms, DISCLOSURE, disclosure, LMS, STANDING, standing,
} from '../testing/lms';

jest.mock('@edx/frontend-platform', () => ({ getConfig: jest.fn() }));
jest.mock('@edx/frontend-platform/auth', () => ({ getAuthenticatedHttpClient: jest.fn(), getAuthenticatedUser: jest.fn() }));

/** What the account slot passes, of which calling anything would harm the page. */
const slot = {
  id: 'coaching_profile_fields',
  updateUserProfile: () => { throw new Error('kills the saga'); },
  refreshUserProfile: () => { throw new Error('unmounts the plugin'); },
  profileFieldValues: [],
  profileFieldErrors: {},
};

beforeEach(() => {
  const { getHttpClient } = createLms({
    [STANDING]: standing(),
    [ACCOUNT]: { phone_number: '' },
    [DISCLOSURE]: disclosure(),
    [CARD]: { user: 3, show: true, consent_url: `${LMS}/coaching/consent/` },
  }).framework();
  getConfig.mockReturnValue({ LMS_BASE_URL: LMS });
  getAuthenticatedHttpClient.mockImplementation(getHttpClient);
  getAuthenticatedUser.mockReturnValue({ userId: 3, username: 'lena' });
});

test('gives the two components, and nothing else', () => {
  expect(Object.keys(plugin).sort()).toEqual(['CoachingDashboardCard', 'CoachingProfileFields']);
});

test.each([
  ['CoachingProfileFields', 'Coaching'], ['CoachingDashboardCard', 'Would you like a coach?'],
])('%s works with frontend-platform alone', async (name, heading) => {
  const Component = plugin[name];
  render(<IntlProvider locale="en"><Component {...slot} /></IntlProvider>);
  await act(async () => {});
  expect(screen.getByRole('heading', { name: heading })).toBeVisible();
});
