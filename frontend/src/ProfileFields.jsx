// Account settings: the phone number, and the switch by which a learner consents to be coached or withdraws.
import React, {
  useEffect, useMemo, useRef, useState,
} from 'react';
import PropTypes from 'prop-types';
import { Alert, Form, StatefulButton } from '@openedx/paragon';

import { createApi } from './api';
import Disclosure from './Disclosure';
import { frameworkShape } from './framework';
import { useOwnIntl } from './i18n';
import LoadNotice from './LoadNotice';
import messages from './messages';
import { useChange } from './useChange';
import { useLoad } from './useLoad';

const PHONE = 'phone';
const CONSENT = 'consent';

const intlShape = PropTypes.shape({ formatMessage: PropTypes.func.isRequired });

const Fields = ({
  api, intl, isRightToLeft, locale, standing, onStanding,
}) => {
  const account = useLoad(api.getPhoneNumber);
  const disclosure = useLoad(() => api.getDisclosure(locale));
  const { state: change, send, forget } = useChange();
  // What was typed and not saved; null while that is nothing.
  const [typed, setTyped] = useState(null);
  const phoneInput = useRef(null);

  const isCoached = standing.coaching_consent;
  const isPending = change.status === 'pending';
  const hasNumber = account.data !== null;
  const number = typed ?? account.data ?? '';
  // Agreed to is what the learner sees: the words, and the number.
  const maySwitch = isCoached || (hasNumber && disclosure.data !== null);
  const [wanted, setWanted] = useState(isCoached);
  // Who agrees keeps the terms in sight; who agreed before, perhaps to other words, is not shown these.
  const [showsTerms, setShowsTerms] = useState(!isCoached);
  if (!isCoached && !showsTerms) { setShowsTerms(true); }
  const phoneError = change.refusal?.phoneNumber || '';

  useEffect(() => {
    if (phoneError) { phoneInput.current?.focus(); }
  }, [change, phoneError]);

  const keep = (stored) => {
    account.setData(stored);
    // What was typed meanwhile stays.
    setTyped((current) => (current === stored ? null : current));
  };

  const savePhone = (event) => {
    event.preventDefault();
    send(PHONE, () => api.patchStanding({ phone_number: number }), {
      onStored: (now) => { keep(number); onStanding(now); },
    });
  };

  const switchConsent = (event) => {
    const agrees = event.target.checked;
    if (!maySwitch || isPending) { return; }
    setWanted(agrees);
    const body = agrees
      ? { coaching_consent: true, phone_number: number, disclosure: disclosure.data.sha256 }
      : { coaching_consent: false };
    send(CONSENT, () => api.patchStanding(body), {
      onStored: (now) => { if (agrees) { keep(number); } onStanding(now); },
      // The words may have changed since they were shown: then the new ones are.
      onRefused: () => { if (agrees) { disclosure.reload(); } },
    });
  };

  const resultOf = (name, stored) => {
    if (change.name !== name) { return ''; }
    return { pending: intl.formatMessage(messages.saving), stored }[change.status] || '';
  };
  const errorOf = (name) => {
    if (change.name !== name) { return ''; }
    return change.status === 'failed' ? intl.formatMessage(messages.saveFailed) : change.refusal?.other || '';
  };

  return (
    <>
      {!hasNumber && (
        <LoadNotice intl={intl} status={account.status} failed={messages.phoneFailed} onRetry={account.reload} />
      )}
      {hasNumber && (
        <form noValidate className="mb-4" onSubmit={savePhone}>
          <Form.Group controlId="coaching-phone-number" isInvalid={phoneError !== ''} className="mb-3">
            <Form.Label>{intl.formatMessage(messages.phoneLabel)}</Form.Label>
            <Form.Control
              ref={phoneInput}
              type="tel"
              inputMode="tel"
              autoComplete="tel"
              maxLength={64}
              dir="ltr"
              style={{ textAlign: isRightToLeft ? 'right' : 'left' }}
              aria-invalid={phoneError !== ''}
              data-hj-suppress
              value={number}
              onChange={(event) => { setTyped(event.target.value); forget(); }}
            />
            {phoneError && <Form.Control.Feedback type="invalid">{phoneError}</Form.Control.Feedback>}
            <Form.Control.Feedback type="default">
              {intl.formatMessage(isCoached ? messages.phoneHelpCoached : messages.phoneHelp)}
            </Form.Control.Feedback>
          </Form.Group>
          {errorOf(PHONE) && <Alert variant="danger" className="mb-3">{errorOf(PHONE)}</Alert>}
          <StatefulButton
            type="submit"
            variant="outline-primary"
            // The line below says it, once.
            aria-live="off"
            state={isPending && change.name === PHONE ? 'pending' : 'default'}
            labels={{ default: intl.formatMessage(messages.save), pending: intl.formatMessage(messages.saving) }}
          />
          <div role="status" className="small mt-2">
            {resultOf(PHONE, intl.formatMessage(account.data ? messages.phoneSaved : messages.phoneRemoved))}
          </div>
        </form>
      )}

      {showsTerms && (
        <>
          <h4 id="coaching-terms" className="h5">{intl.formatMessage(messages.disclosureHeading)}</h4>
          {disclosure.data === null ? (
            <LoadNotice
              intl={intl}
              status={disclosure.status}
              failed={messages.disclosureFailed}
              onRetry={disclosure.reload}
            />
          ) : <Disclosure intl={intl} disclosure={disclosure.data} />}
        </>
      )}
      <Form.Switch
        id="coaching-consent"
        className={maySwitch ? '' : 'pgn__form-control-disabled'}
        checked={isPending && change.name === CONSENT ? wanted : isCoached}
        // Not `disabled`, which would take the focus away.
        aria-disabled={!maySwitch || isPending}
        aria-describedby={isCoached ? 'coaching-withdraw' : 'coaching-terms'}
        onChange={switchConsent}
        helperText={isCoached && <span id="coaching-withdraw">{intl.formatMessage(messages.withdrawHelp)}</span>}
      >
        {intl.formatMessage(showsTerms ? messages.consentLabel : messages.consentLabelCoached)}
      </Form.Switch>
      {errorOf(CONSENT) && <Alert variant="danger" className="mt-3 mb-0">{errorOf(CONSENT)}</Alert>}
      <div role="status" className="small mt-2">
        {resultOf(CONSENT, intl.formatMessage(isCoached ? messages.consented : messages.withdrawn))}
      </div>
    </>
  );
};

Fields.propTypes = {
  api: PropTypes.shape({
    getDisclosure: PropTypes.func.isRequired,
    getPhoneNumber: PropTypes.func.isRequired,
    patchStanding: PropTypes.func.isRequired,
  }).isRequired,
  intl: intlShape.isRequired,
  isRightToLeft: PropTypes.bool.isRequired,
  locale: PropTypes.string.isRequired,
  standing: PropTypes.shape({ coaching_consent: PropTypes.bool.isRequired }).isRequired,
  onStanding: PropTypes.func.isRequired,
};

const Settings = ({ framework }) => {
  const api = useMemo(() => createApi(framework), [framework]);
  const locale = framework.useLocale();
  const { intl, marks } = useOwnIntl(locale);
  const {
    data: standing, status, reload, setData,
  } = useLoad(api.getStanding);
  // Who just withdrew and may not come back sees that it worked, and not the fields vanish.
  const [hasChanged, setHasChanged] = useState(false);

  if (standing && !standing.eligible_for_coaching && !standing.coaching_consent && !hasChanged) { return null; }
  return (
    <div {...marks}>
      {standing === null && (
        <LoadNotice intl={intl} status={status} failed={messages.settingsFailed} onRetry={reload} />
      )}
      {standing !== null && (
        <section aria-labelledby="coaching-settings" className="mb-4">
          <h3 id="coaching-settings" className="h4">{intl.formatMessage(messages.heading)}</h3>
          <Fields
            api={api}
            intl={intl}
            isRightToLeft={marks.dir === 'rtl'}
            locale={locale}
            standing={standing}
            onStanding={(now) => { setHasChanged(true); setData(now); }}
          />
        </section>
      )}
    </div>
  );
};

Settings.propTypes = { framework: frameworkShape.isRequired };

/** The fields, for a learner who may be coached or is; nothing at all for anybody else. */
const ProfileFields = ({ framework }) => (framework.getUser() ? <Settings framework={framework} /> : null);

ProfileFields.propTypes = { framework: frameworkShape.isRequired };

export default ProfileFields;
