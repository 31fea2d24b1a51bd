// Every text of ours, in English.
import { defineMessages } from 'react-intl';

const messages = defineMessages({
  tryAgain: {
    id: 'coaching.tryAgain',
    defaultMessage: 'Try again',
    description: 'Button that loads something again.',
  },
  loading: {
    id: 'coaching.loading',
    defaultMessage: 'Loading…',
    description: 'While something is loaded again; the button "Try again" follows.',
  },
  slow: {
    id: 'coaching.slow',
    defaultMessage: 'Coaching is taking longer than usual to load.',
    description: 'Shown in place of what is being loaded; a button "Try again" follows.',
  },
  settingsFailed: {
    id: 'coaching.settings.failed',
    defaultMessage: 'Your coaching settings can’t be shown right now. Nothing was changed.',
    description: 'The settings could not be loaded; a button "Try again" follows.',
  },
  heading: {
    id: 'coaching.settings.heading',
    defaultMessage: 'Coaching',
    description: 'Heading of the coaching fields in account settings.',
  },
  phoneLabel: {
    id: 'coaching.settings.phone.label',
    defaultMessage: 'Phone number',
    description: 'Label of the field for the phone number.',
  },
  phoneHelp: {
    id: 'coaching.settings.phone.help',
    defaultMessage: 'From any country. You may leave it empty.',
    description: 'Under the phone number, while the learner is not coached.',
  },
  phoneHelpCoached: {
    id: 'coaching.settings.phone.helpCoached',
    defaultMessage: 'Your coach uses this number. It must be able to receive text messages.',
    description: 'Under the phone number, while the learner is coached.',
  },
  phoneFailed: {
    id: 'coaching.settings.phone.failed',
    defaultMessage: 'Your phone number can’t be shown right now.',
    description: 'The phone number could not be loaded; a button "Try again" follows.',
  },
  save: {
    id: 'coaching.settings.save',
    defaultMessage: 'Save phone number',
    description: 'Button that saves the phone number.',
  },
  saving: {
    id: 'coaching.settings.saving',
    defaultMessage: 'Saving…',
    description: 'While a change is being saved.',
  },
  phoneSaved: {
    id: 'coaching.settings.phone.saved',
    defaultMessage: 'Your phone number is saved.',
    description: 'After the phone number was saved.',
  },
  phoneRemoved: {
    id: 'coaching.settings.phone.removed',
    defaultMessage: 'Your phone number is removed.',
    description: 'After an empty phone number was saved.',
  },
  consentLabel: {
    id: 'coaching.settings.consent.label',
    defaultMessage: 'I have read this, and I want a coach.',
    description: 'Label of the switch by which the learner consents to be coached.',
  },
  consentLabelCoached: {
    id: 'coaching.settings.consent.labelCoached',
    defaultMessage: 'I want a coach.',
    description: 'Label of the switch for a learner who is coached already: the terms are not beside it.',
  },
  withdrawHelp: {
    id: 'coaching.settings.consent.withdrawHelp',
    defaultMessage: 'To stop being coached, turn this off. You can also reply STOP to any text message.',
    description: 'Under the switch, while it is on.',
  },
  disclosureHeading: {
    id: 'coaching.settings.disclosure.heading',
    defaultMessage: 'What you agree to',
    description: 'Heading of the terms beside the switch.',
  },
  disclosureFailed: {
    id: 'coaching.settings.disclosure.failed',
    defaultMessage: 'The terms of coaching can’t be shown right now. You can sign up once you can read them.',
    description: 'The terms could not be loaded; a button "Try again" follows.',
  },
  newTab: {
    id: 'coaching.settings.newTab',
    defaultMessage: 'in a new tab',
    description: 'Said after a link that opens a new tab.',
  },
  consented: {
    id: 'coaching.settings.consented',
    defaultMessage: 'You are signed up for coaching.',
    description: 'After the switch was turned on.',
  },
  withdrawn: {
    id: 'coaching.settings.withdrawn',
    defaultMessage: 'You will not be coached.',
    description: 'After the switch was turned off.',
  },
  saveFailed: {
    id: 'coaching.settings.saveFailed',
    defaultMessage: 'We can’t tell whether this was saved. Please try again.',
    description: 'No answer, or none that could be read, came to a change.',
  },
  cardHeading: {
    id: 'coaching.card.heading',
    defaultMessage: 'Would you like a coach?',
    description: 'Heading of the dashboard card.',
  },
  cardText: {
    id: 'coaching.card.text',
    defaultMessage: 'You can have your own coach, a person who helps you find time, set goals and keep going. Your coach keeps in touch with you by text message and phone.',
    description: 'What the dashboard card says.',
  },
  cardLink: {
    id: 'coaching.card.link',
    defaultMessage: 'Learn more or sign up',
    description: 'Link of the dashboard card to the page on which a learner signs up.',
  },
  cardDismiss: {
    id: 'coaching.card.dismiss',
    defaultMessage: 'Don’t show this again',
    description: 'Button that dismisses the dashboard card for good.',
  },
  cardDismissed: {
    id: 'coaching.card.dismissed',
    defaultMessage: 'You won’t see this again.',
    description: 'In the place of a card that was just dismissed.',
  },
  cardDismissFailed: {
    id: 'coaching.card.dismissFailed',
    defaultMessage: 'This could not be saved. Try again in a little while.',
    description: 'Dismissing the dashboard card failed.',
  },
  cardFailed: {
    id: 'coaching.card.failed',
    defaultMessage: 'The offer of a coach can’t be loaded right now. Your courses are not affected.',
    description: 'The card, which was shown before, could not be loaded; a button "Try again" follows.',
  },
});

export default messages;
