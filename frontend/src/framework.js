// What the components need of the framework that they run in.
import PropTypes from 'prop-types';

export const frameworkShape = PropTypes.shape({
  /** Returns the client, in the shape of axios, that sends the learner's credentials to the LMS. */
  getHttpClient: PropTypes.func.isRequired,
  getLmsUrl: PropTypes.func.isRequired,
  /** Returns `{ userId, username }`, or null where nobody is logged in. */
  getUser: PropTypes.func.isRequired,
  /** A hook that returns the language of the page. */
  useLocale: PropTypes.func.isRequired,
});
