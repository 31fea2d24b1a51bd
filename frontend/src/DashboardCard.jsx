// The dashboard's card: it offers a coach, and goes for good when it is dismissed.
import React, { useEffect, useMemo, useRef } from 'react';
import PropTypes from 'prop-types';
import {
  Alert, Button, Card, StatefulButton,
} from '@openedx/paragon';

import { createApi } from './api';
import { frameworkShape } from './framework';
import { useOwnIntl } from './i18n';
import LoadNotice from './LoadNotice';
import messages from './messages';
import { useChange } from './useChange';
import { useLoad } from './useLoad';

/**
 * Whether this tab showed the card before.
 *
 * While the LMS does not say whether a learner may have a coach, most who look at their dashboard may not, and an error
 * about something they never saw would only worry them. Who saw the card is told why it is not there.
 */
const shownBefore = {
  key: (user) => `coaching-card-shown-${user.userId}`,
  read(user) {
    try {
      return window.sessionStorage.getItem(this.key(user)) !== null;
    } catch (error) {
      return false;
    }
  },
  write(user, isShown) {
    try {
      if (isShown) {
        window.sessionStorage.setItem(this.key(user), '1');
      } else {
        window.sessionStorage.removeItem(this.key(user));
      }
    } catch (error) {
      // A browser that stores nothing: then nothing is said.
    }
  },
};

/** Return the address of the consent page, from which the learner comes back here. */
function withWayBack(consentUrl) {
  const url = new URL(consentUrl);
  url.searchParams.set('next', window.location.href);
  return url.href;
}

const OfferCard = ({ framework, user }) => {
  const api = useMemo(() => createApi(framework), [framework]);
  const { intl, marks } = useOwnIntl(framework.useLocale());
  const {
    data: card, status, reload, setData,
  } = useLoad(api.getCard);
  const { state: change, send } = useChange();
  const dismissed = useRef(null);
  const isDismissed = change.status === 'stored' && !card.show;

  useEffect(() => {
    if (card) { shownBefore.write(user, card.show); }
  }, [card, user]);
  useEffect(() => {
    // The button that had the focus is gone.
    if (isDismissed) { dismissed.current?.focus(); }
  }, [isDismissed]);

  if (card === null) {
    return shownBefore.read(user) && (
      <div {...marks}>
        <LoadNotice intl={intl} status={status} failed={messages.cardFailed} onRetry={reload} />
      </div>
    );
  }
  if (isDismissed) {
    return (
      <p {...marks} ref={dismissed} tabIndex={-1} className="small">{intl.formatMessage(messages.cardDismissed)}</p>
    );
  }
  if (!card.show) { return null; }

  const isPending = change.status === 'pending';
  const hasFailed = change.status === 'failed' || change.status === 'refused';
  const failure = change.refusal?.other || intl.formatMessage(messages.cardDismissFailed);
  return (
    <section {...marks} aria-labelledby="coaching-card" className="mb-4">
      <Card orientation="vertical">
        <Card.Section className="pb-0">
          <h2 id="coaching-card" className="h4">{intl.formatMessage(messages.cardHeading)}</h2>
          <p className="mb-0">{intl.formatMessage(messages.cardText)}</p>
        </Card.Section>
        <Card.Section>
          <Button block href={withWayBack(card.consent_url)} className="mb-2">
            {intl.formatMessage(messages.cardLink)}
          </Button>
          <StatefulButton
            block
            variant="tertiary"
            state={isPending ? 'pending' : 'default'}
            labels={{
              default: intl.formatMessage(messages.cardDismiss),
              pending: intl.formatMessage(messages.saving),
            }}
            onClick={() => send('dismissal', api.dismissCard, { onStored: setData })}
          />
          {hasFailed && <Alert variant="danger" className="mt-3 mb-0">{failure}</Alert>}
        </Card.Section>
      </Card>
    </section>
  );
};

OfferCard.propTypes = {
  framework: frameworkShape.isRequired,
  user: PropTypes.shape({ userId: PropTypes.number.isRequired }).isRequired,
};

/** The card, for a learner who may have a coach and has not said yes; nothing at all for anybody else. */
const DashboardCard = ({ framework }) => {
  const user = framework.getUser();
  return user && <OfferCard framework={framework} user={user} />;
};

DashboardCard.propTypes = { framework: frameworkShape.isRequired };

export default DashboardCard;
