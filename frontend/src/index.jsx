// The entry for MFEs on frontend-platform: the only module that knows the framework it runs in.
import React from 'react';
import { getConfig } from '@edx/frontend-platform';
import { getAuthenticatedHttpClient, getAuthenticatedUser } from '@edx/frontend-platform/auth';
import { useIntl } from '@edx/frontend-platform/i18n';

import DashboardCard from './DashboardCard';
import ProfileFields from './ProfileFields';

const framework = {
  getHttpClient: getAuthenticatedHttpClient,
  getLmsUrl: () => getConfig().LMS_BASE_URL,
  getUser: getAuthenticatedUser,
  useLocale: () => useIntl().locale,
};

// The props that a slot passes are not needed: what a learner changes goes to the coaching API.

/** The phone number and the consent switch, for the account MFE's additional profile fields. */
export const CoachingProfileFields = () => <ProfileFields framework={framework} />;

/** The card that offers a coach, for the learner dashboard's sidebar. */
export const CoachingDashboardCard = () => <DashboardCard framework={framework} />;
