// What is asked of the LMS, and how its answers are read: nothing that comes back is trusted to have the right shape.

/** A request that takes longer has failed, as far as the learner is concerned. */
export const TIMEOUT_MS = 20000;

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

function isWebAddress(text) {
  try {
    return ['http:', 'https:'].includes(new URL(text).protocol);
  } catch (error) {
    return false;
  }
}

const isStanding = (data) => isObject(data)
  && typeof data.coaching_consent === 'boolean' && typeof data.eligible_for_coaching === 'boolean';
const isAccount = (data) => isObject(data)
  && (typeof data.phone_number === 'string' || data.phone_number === null || data.phone_number === undefined);
const isDisclosure = (data) => isObject(data)
  && ['language', 'direction', 'text', 'sha256'].every((key) => typeof data[key] === 'string');
const isCard = (data) => isObject(data)
  && typeof data.show === 'boolean' && (!data.show || isWebAddress(data.consent_url));

/**
 * Reject where no answer comes in time.
 *
 * The client's own timeout does not cover the login cookies and the CSRF token that it may fetch first.
 */
function inTime(send) {
  const controller = new AbortController();
  let timer;
  const timeout = new Promise((resolve, reject) => {
    timer = setTimeout(() => { controller.abort(); reject(new Error('timeout')); }, TIMEOUT_MS);
  });
  return Promise.race([send({ signal: controller.signal }), timeout]).finally(() => clearTimeout(timer));
}

/** Return the calls of one learner, each a promise of an answer of the right shape. */
export function createApi({ getHttpClient, getLmsUrl, getUser }) {
  const { userId, username } = getUser();
  const coaching = `${getLmsUrl()}/api/coaching/v1`;
  const request = (method, url, isValid, body) => inTime((options) => {
    const client = getHttpClient();
    return body === undefined ? client[method](url, options) : client[method](url, body, options);
  }).then(({ data }) => {
    if (!isValid(data)) { throw new Error('unreadable answer'); }
    return data;
  });

  return {
    getStanding: () => request('get', `${coaching}/users/${userId}/`, isStanding),
    patchStanding: (change) => request('patch', `${coaching}/users/${userId}/`, isStanding, change),
    getPhoneNumber: () => request('get', `${getLmsUrl()}/api/user/v1/accounts/${encodeURIComponent(username)}`, isAccount)
      .then((account) => account.phone_number || ''),
    getDisclosure: (language) => request(
      'get',
      `${coaching}/disclosure/?language=${encodeURIComponent(language)}`,
      isDisclosure,
    ),
    getCard: () => request('get', `${coaching}/dashboard_card/${userId}/`, isCard),
    dismissCard: () => request('patch', `${coaching}/dashboard_card/${userId}/`, isCard, { dismissed: true }),
  };
}

const sentences = (messages) => (Array.isArray(messages) ? messages : [])
  .filter((message) => typeof message === 'string' && message.trim()).join(' ');

/**
 * Return what the LMS says is wrong: `{ phoneNumber, other }`, texts that may be empty; null where it did not say.
 */
export function refusalOf(error) {
  const data = error?.response?.data;
  if (!isObject(data)) { return null; }
  const phoneNumber = sentences(data.phone_number);
  const ofTheRest = Object.keys(data).filter((key) => key !== 'phone_number').map((key) => sentences(data[key]));
  // `detail` repeats what is about no field.
  const other = ofTheRest.filter(Boolean).join(' ') || (typeof data.detail === 'string' ? data.detail.trim() : '');
  return phoneNumber || other ? { phoneNumber, other } : null;
}
