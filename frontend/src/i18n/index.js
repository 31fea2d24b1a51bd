// The texts in the language of the page. A host's own translations do not include those of a plugin.
import { useMemo } from 'react';
import { createIntl } from 'react-intl';

import ar from './ar.json';
import es419 from './es-419.json';

// English stands in the messages themselves.
const catalogues = { ar, 'es-419': es419, en: {} };
const rightToLeft = ['ar'];

/** Return the language, of those we have, that serves a reader of `locale` best. */
export function nearestLanguage(locale) {
  const wanted = String(locale).toLowerCase();
  const [base] = wanted.split(/[-_]/);
  return Object.keys(catalogues).find((language) => language === wanted)
    || Object.keys(catalogues).find((language) => language.split('-')[0] === base)
    || 'en';
}

/**
 * Return what formats our messages for a reader of `locale`, and the attributes that mark texts in its language.
 */
export function useOwnIntl(locale) {
  return useMemo(() => {
    const language = nearestLanguage(locale);
    return {
      intl: createIntl({ locale: language, defaultLocale: 'en', messages: catalogues[language] }),
      marks: { lang: language, dir: rightToLeft.includes(language) ? 'rtl' : 'ltr' },
    };
  }, [locale]);
}
